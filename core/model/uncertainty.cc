#include "core/model/uncertainty.h"

#include <string>

#include "ATen/ATen.h"

namespace langevin::model {
namespace {

constexpr int64_t kFeatures = 128;

}  // namespace

Uncertainty::Uncertainty(ParameterStore& store)
    : fourier_(store, std::string(kUncertaintyName) + ".fourier", kFeatures),
      linear_(store, std::string(kUncertaintyName) + ".linear", kFeatures, 1,
              {.keep_fp32 = true,
               .bias = false,
               .initializer = Initializer{Initializer::Kind::kConstant, 0}}) {}

at::Tensor Uncertainty::operator()(const at::Tensor& noise_levels) const {
  return linear_(fourier_(noise_levels)).view({-1, 1, 1, 1});
}

}  // namespace langevin::model
