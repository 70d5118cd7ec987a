#include "core/model/time_embedding.h"

#include <cmath>
#include <numbers>

#include "ATen/ATen.h"

namespace langevin::model {

at::Tensor SinusoidalEmbedding(const at::Tensor& values, int64_t dim, bool flip_sin_to_cos,
                               int64_t freq_shift) {
  const int64_t half = dim / 2;
  const at::Tensor exponent = at::arange(half, values.options().dtype(at::kFloat)) *
                              (-std::log(10000.0) / static_cast<double>(half - freq_shift));
  const at::Tensor angles = values.to(at::kFloat).unsqueeze(1) * at::exp(exponent).unsqueeze(0);
  const at::Tensor sines = at::sin(angles), cosines = at::cos(angles);
  const at::Tensor embedding =
      flip_sin_to_cos ? at::cat({cosines, sines}, 1) : at::cat({sines, cosines}, 1);
  return dim % 2 == 0 ? embedding : at::constant_pad_nd(embedding, {0, 1});
}

TimeProjection::TimeProjection(ParameterStore& store, const configs::UNetConfig& config)
    : type_(config.time_embedding_type),
      dim_(config.block_out_channels[0]),
      flip_sin_to_cos_(config.flip_sin_to_cos),
      freq_shift_(config.freq_shift),
      output_size_(type_ == "fourier" ? 2 * dim_ : dim_) {
  if (type_ == "fourier") {
    weight_ = store.Declare({.name = "time_proj.weight",
                             .shape = {dim_},
                             .initializer = {Initializer::Kind::kNormal, 16},
                             .trainable = false,
                             .keep_fp32 = true});
  } else if (type_ == "learned") {
    weight_ = store.Declare({.name = "time_proj.weight",
                             .shape = {*config.num_train_timesteps, dim_},
                             .initializer = {Initializer::Kind::kNormal, 1},
                             .keep_fp32 = true});
  }
}

at::Tensor TimeProjection::operator()(const at::Tensor& timesteps) const {
  if (type_ == "learned") return at::embedding(weight_->weight, timesteps.to(at::kLong));
  if (type_ == "fourier") {
    // diffusers' UNet2DModel takes the logarithm and ignores flip_sin_to_cos here.
    const at::Tensor angles = at::log(timesteps.to(at::kFloat)).unsqueeze(1) *
                              weight_->weight.unsqueeze(0) * (2 * std::numbers::pi);
    return at::cat({at::sin(angles), at::cos(angles)}, 1);
  }
  return SinusoidalEmbedding(timesteps, dim_, flip_sin_to_cos_, freq_shift_);
}

TimestepEmbedding::TimestepEmbedding(ParameterStore& store, const std::string& name,
                                     int64_t in_channels, int64_t embed_dim,
                                     const std::optional<Initializer>& initializer)
    : linear_1_(store, name + ".linear_1", in_channels, embed_dim,
                {.keep_fp32 = true, .initializer = initializer}),
      linear_2_(store, name + ".linear_2", embed_dim, embed_dim,
                {.keep_fp32 = true, .initializer = initializer}) {}

at::Tensor TimestepEmbedding::operator()(const at::Tensor& x) const {
  return linear_2_(at::silu(linear_1_(x)));
}

}  // namespace langevin::model
