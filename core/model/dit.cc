#include "core/model/dit.h"

#include <cmath>

#include "ATen/ATen.h"
#include "absl/strings/str_cat.h"
#include "core/model/attention.h"

namespace langevin::model {
namespace {

constexpr int64_t kTimeCode = 256;
constexpr double kNormEpsilon = 1e-6;  // Of the norms whose epsilon is not in the config.

Initializer Constant(double value) { return {Initializer::Kind::kConstant, value}; }
Initializer Normal(double deviation) { return {Initializer::Kind::kNormal, deviation}; }
// Glorot and Bengio 2010, as DiT initialises everything that it does not zero.
Initializer Glorot(int64_t in, int64_t out) {
  return {Initializer::Kind::kUniform, std::sqrt(6.0 / static_cast<double>(in + out))};
}

Linear MakeLinear(ParameterStore& store, const std::string& name, int64_t in, int64_t out,
                  bool bias = true) {
  return Linear(store, name, in, out, {.bias = bias, .initializer = Glorot(in, out)});
}

Linear MakeZeroLinear(ParameterStore& store, const std::string& name, int64_t in, int64_t out) {
  return Linear(store, name, in, out, {.initializer = Constant(0)});
}

// Without weights; statistics are fp32 in every precision.
at::Tensor LayerNorm(const at::Tensor& x, double epsilon) {
  return at::layer_norm(x, {x.size(-1)}, {}, {}, epsilon);
}

at::Tensor Modulated(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale) {
  return x * (1 + scale.unsqueeze(1)) + shift.unsqueeze(1);
}

// (positions) to (positions, dim): sines, then cosines.
at::Tensor PositionCode(const at::Tensor& positions, int64_t dim) {
  const at::Tensor exponents = at::arange(dim / 2, at::kDouble) / (static_cast<double>(dim) / 2);
  const at::Tensor angles = at::outer(positions, at::pow(10000.0, -exponents));
  return at::cat({at::sin(angles), at::cos(angles)}, 1);
}

}  // namespace

at::Tensor PatchPositions(int64_t dim, int64_t rows, int64_t columns, int64_t base) {
  const auto code_of = [&](int64_t count) {
    const double step = static_cast<double>(base) / static_cast<double>(count);
    return PositionCode(at::arange(count, at::kDouble) * step, dim / 2);
  };
  const at::Tensor of_column = code_of(columns).unsqueeze(0).expand({rows, columns, dim / 2});
  const at::Tensor of_row = code_of(rows).unsqueeze(1).expand({rows, columns, dim / 2});
  return at::cat({of_column, of_row}, 2).reshape({1, rows * columns, dim}).to(at::kFloat);
}

DiTBlock::DiTBlock(ParameterStore& store, const std::string& name, const configs::DiTConfig& config,
                   uint32_t first_dropout_layer)
    : heads_(config.num_attention_heads),
      norm_epsilon_(config.norm_eps),
      gelu_(config.activation_fn == "gelu" ? "none" : "tanh"),
      timestep_embedder_(store, name + ".norm1.emb.timestep_embedder", kTimeCode,
                         config.inner_dim(), Normal(0.02)),
      class_table_(store.Declare({.name = name + ".norm1.emb.class_embedder.embedding_table.weight",
                                  .shape = {config.num_embeds_ada_norm + 1, config.inner_dim()},
                                  .initializer = Normal(0.02),
                                  .keep_fp32 = true})),
      modulation_(MakeZeroLinear(store, name + ".norm1.linear", config.inner_dim(),
                                 6 * config.inner_dim())),
      to_q_(MakeLinear(store, name + ".attn1.to_q", config.inner_dim(), config.inner_dim(),
                       config.attention_bias)),
      to_k_(MakeLinear(store, name + ".attn1.to_k", config.inner_dim(), config.inner_dim(),
                       config.attention_bias)),
      to_v_(MakeLinear(store, name + ".attn1.to_v", config.inner_dim(), config.inner_dim(),
                       config.attention_bias)),
      to_out_(MakeLinear(store, name + ".attn1.to_out.0", config.inner_dim(), config.inner_dim())),
      ff_in_(
          MakeLinear(store, name + ".ff.net.0.proj", config.inner_dim(), 4 * config.inner_dim())),
      ff_out_(MakeLinear(store, name + ".ff.net.2", 4 * config.inner_dim(), config.inner_dim())),
      attention_dropout_(config.dropout, first_dropout_layer),
      ff_dropout_(config.dropout, first_dropout_layer + 1) {
  if (!config.norm_elementwise_affine) return;
  norm3_weight_ = store.Declare({.name = name + ".norm3.weight",
                                 .shape = {config.inner_dim()},
                                 .initializer = Constant(1),
                                 .keep_fp32 = true});
  norm3_bias_ = store.Declare({.name = name + ".norm3.bias",
                               .shape = {config.inner_dim()},
                               .initializer = Constant(0),
                               .keep_fp32 = true});
}

at::Tensor DiTBlock::Condition(const at::Tensor& time_code, const at::Tensor& labels) const {
  return timestep_embedder_(time_code) + at::embedding(class_table_->weight, labels);
}

at::Tensor DiTBlock::Attend(const at::Tensor& tokens) const {
  return to_out_(MultiHeadAttention(to_q_(tokens), to_k_(tokens), to_v_(tokens), heads_));
}

at::Tensor DiTBlock::operator()(const at::Tensor& tokens, const at::Tensor& condition,
                                const ForwardContext& context) const {
  const std::vector<at::Tensor> parts =
      modulation_(at::silu(condition).to(tokens.scalar_type())).chunk(6, 1);
  const at::Tensor &shift_attention = parts[0], &scale_attention = parts[1],
                   &gate_attention = parts[2], &shift_ff = parts[3], &scale_ff = parts[4],
                   &gate_ff = parts[5];
  at::Tensor attended =
      Attend(Modulated(LayerNorm(tokens, kNormEpsilon), shift_attention, scale_attention));
  attended = attention_dropout_(attended, context);
  const at::Tensor hidden = tokens + gate_attention.unsqueeze(1) * attended;

  at::Tensor normed;
  if (norm3_weight_ == nullptr) {
    normed = LayerNorm(hidden, norm_epsilon_);
  } else {
    normed = (LayerNorm(hidden.to(at::kFloat), norm_epsilon_) * norm3_weight_->weight +
              norm3_bias_->weight)
                 .to(hidden.scalar_type());
  }
  const at::Tensor inner = at::gelu(ff_in_(Modulated(normed, shift_ff, scale_ff)), gelu_);
  return hidden + gate_ff.unsqueeze(1) * ff_out_(ff_dropout_(inner, context));
}

DiT::DiT(const configs::DiTConfig& config, configs::Precision precision, at::Device device,
         int64_t trainable_multiple, const Conditioning& conditioning)
    : config_(config),
      precision_(precision),
      label_dropout_(conditioning.label_dropout),
      patches_(store_, "pos_embed.proj", config.in_channels, config.inner_dim(), config.patch_size,
               config.patch_size, 0,
               {.initializer = Glorot(config.in_channels * config.patch_size * config.patch_size,
                                      config.inner_dim())}) {
  for (int64_t i = 0; i < config_.num_layers; ++i) {
    blocks_.emplace_back(store_, absl::StrCat("transformer_blocks.", i), config_,
                         static_cast<uint32_t>(2 * i));
  }
  const int64_t dim = config_.inner_dim();
  const int64_t out_channels = config_.out_channels.value_or(config_.in_channels);
  proj_out_1_.emplace(MakeZeroLinear(store_, "proj_out_1", dim, 2 * dim));
  proj_out_2_.emplace(MakeZeroLinear(store_, "proj_out_2", dim,
                                     config_.patch_size * config_.patch_size * out_channels));
  if (conditioning.learns_uncertainty) uncertainty_.emplace(store_);
  store_.Allocate(precision, device, trainable_multiple);
}

at::Tensor DiT::Forward(const at::Tensor& sample, const at::Tensor& timesteps,
                        const at::Tensor& class_labels, const ForwardContext& context) const {
  const at::ScalarType dtype = precision_ == configs::Precision::kBf16 ? at::kBFloat16 : at::kFloat;
  const int64_t batch = sample.size(0), patch = config_.patch_size, dim = config_.inner_dim();
  const int64_t rows = sample.size(2) / patch, columns = sample.size(3) / patch;
  const int64_t base = config_.sample_size.value_or(sample.size(2)) / patch;
  const at::Tensor labels =
      DropLabels(class_labels.to(at::kLong), label_dropout_, config_.num_embeds_ada_norm, context);
  const at::Tensor time_code =
      SinusoidalEmbedding(timesteps, kTimeCode, /*flip_sin_to_cos=*/true, /*freq_shift=*/1);

  at::Tensor tokens = patches_(sample.to(dtype).contiguous(at::MemoryFormat::ChannelsLast))
                          .permute({0, 2, 3, 1})
                          .reshape({batch, rows * columns, dim});
  tokens = (tokens + PatchPositions(dim, rows, columns, base).to(tokens.device())).to(dtype);
  for (const DiTBlock& block : blocks_) {
    tokens = block(tokens, block.Condition(time_code, labels), context);
  }

  const at::Tensor condition = blocks_.front().Condition(time_code, labels);
  const std::vector<at::Tensor> parts = (*proj_out_1_)(at::silu(condition).to(dtype)).chunk(2, 1);
  tokens = (*proj_out_2_)(Modulated(LayerNorm(tokens, kNormEpsilon), parts[0], parts[1]));
  // A token is the patch's pixels, each with all its channels.
  return tokens.to(at::kFloat)
      .view({batch, rows, columns, patch, patch, -1})
      .permute({0, 5, 1, 3, 2, 4})
      .reshape({batch, -1, rows * patch, columns * patch});
}

}  // namespace langevin::model
