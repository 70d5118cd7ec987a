#include "core/model/network.h"

namespace langevin::model {

at::Tensor Network::UncertaintyAt(const at::Tensor& noise_levels) const {
  return uncertainty_.has_value() ? (*uncertainty_)(noise_levels) : at::Tensor();
}

bool IsForTrainingAlone(std::string_view parameter_name) {
  return parameter_name.starts_with(kAugmentEmbeddingName) ||
         parameter_name.starts_with(kUncertaintyName);
}

}  // namespace langevin::model
