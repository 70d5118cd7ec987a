// Networks by their config.
#ifndef LANGEVIN_CORE_MODEL_MAKE_NETWORK_H_
#define LANGEVIN_CORE_MODEL_MAKE_NETWORK_H_

#include <cstdint>
#include <memory>

#include "ATen/core/Tensor.h"
#include "configs/model_config.h"
#include "configs/run_config.h"
#include "core/model/network.h"

namespace langevin::model {

// Requires a config without problems (configs::FindProblem). Weights are zero until
// parameters().Initialize or until they are loaded. On at::kMeta it has shapes alone.
// `trainable_multiple`: see ParameterStore.
std::unique_ptr<Network> MakeNetwork(const configs::ModelConfig& config,
                                     configs::Precision precision, at::Device device,
                                     int64_t trainable_multiple = 1);

// The same for a run that has a model: with the parameters that training alone needs.
std::unique_ptr<Network> MakeNetwork(const configs::RunConfig& config, configs::Precision precision,
                                     at::Device device, int64_t trainable_multiple = 1);

// How many numbers the weights of such a network are. Allocates none of them.
int64_t CountParameters(const configs::ModelConfig& config);

}  // namespace langevin::model

#endif  // LANGEVIN_CORE_MODEL_MAKE_NETWORK_H_
