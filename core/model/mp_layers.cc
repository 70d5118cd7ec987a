#include "core/model/mp_layers.h"

#include <cmath>
#include <numbers>
#include <vector>

#include "ATen/ATen.h"

namespace langevin::model {

at::Tensor UnitMagnitude(const at::Tensor& x, int64_t dim) {
  const at::Tensor norm =
      at::linalg_vector_norm(x, 2, at::IntArrayRef({dim}), /*keepdim=*/true, at::kFloat);
  const double scale = 1 / std::sqrt(static_cast<double>(x.size(dim)));
  return x / (kUnitRowsEpsilon + norm * scale).to(x.scalar_type());
}

at::Tensor MpSilu(const at::Tensor& x) { return at::silu(x) / 0.596; }

at::Tensor MpSum(const at::Tensor& a, const at::Tensor& b, double t) {
  return at::lerp(a, b, t) / std::hypot(1 - t, t);
}

at::Tensor MpCat(const at::Tensor& a, const at::Tensor& b, double t) {
  const auto in_a = static_cast<double>(a.size(1)), in_b = static_cast<double>(b.size(1));
  const double common = std::sqrt(in_a + in_b) / std::hypot(1 - t, t);
  return at::cat({a * (common * (1 - t) / std::sqrt(in_a)), b * (common * t / std::sqrt(in_b))}, 1);
}

MpFourier::MpFourier(ParameterStore& store, const std::string& name, int64_t channels)
    : frequencies_(store.Declare({.name = name + ".frequencies",
                                  .shape = {channels},
                                  .initializer = {Initializer::Kind::kNormal, 1},
                                  .trainable = false,
                                  .keep_fp32 = true})),
      phases_(store.Declare({.name = name + ".phases",
                             .shape = {channels},
                             .initializer = {Initializer::Kind::kUniform, 0.5},
                             .trainable = false,
                             .keep_fp32 = true})) {}

at::Tensor MpFourier::operator()(const at::Tensor& x) const {
  const at::Tensor turns =
      at::outer(x.to(at::kFloat), frequencies_->weight) + phases_->weight.unsqueeze(0);
  return at::cos(turns * (2 * std::numbers::pi)) * std::numbers::sqrt2;
}

MpConv::MpConv(ParameterStore& store, const std::string& name, int64_t in_channels,
               int64_t out_channels, int64_t kernel, bool keep_fp32)
    : kernel_(kernel) {
  std::vector<int64_t> shape = {out_channels, in_channels};
  if (kernel > 0) shape.insert(shape.end(), {kernel, kernel});
  weight_ = store.Declare({.name = name + ".weight",
                           .shape = shape,
                           .initializer = {Initializer::Kind::kNormal, 1},
                           .keep_fp32 = keep_fp32,
                           .unit_rows = true});
}

at::Tensor MpConv::Normalised() const {
  const at::Tensor weight = weight_->weight.to(at::kFloat);
  return UnitRows(weight) / std::sqrt(static_cast<double>(weight.numel() / weight.size(0)));
}

at::Tensor MpConv::operator()(const at::Tensor& x, const at::Tensor& gain) const {
  at::Tensor weight = Normalised();
  if (gain.defined()) weight = weight * gain;
  weight = weight.to(x.scalar_type());
  if (kernel_ == 0) return at::linear(x, weight);
  return at::conv2d(x, weight, /*bias=*/{}, /*stride=*/1, /*padding=*/kernel_ / 2);
}

at::Tensor MpConv::OfOneHot(const at::Tensor& index) const {
  const at::Tensor columns = Normalised().t();
  return at::embedding(columns, index) * std::sqrt(static_cast<double>(columns.size(0)));
}

const Parameter* DeclareGain(ParameterStore& store, const std::string& name) {
  return store.Declare({.name = name,
                        .shape = {1},
                        .initializer = {Initializer::Kind::kConstant, 0},
                        .keep_fp32 = true});
}

}  // namespace langevin::model
