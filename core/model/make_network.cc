#include "core/model/make_network.h"

#include <variant>

#include "core/model/dit.h"
#include "core/model/edm2_unet.h"
#include "core/model/unet2d.h"

namespace langevin::model {
namespace {

// The network of each family's config.
template <typename Config>
struct NetworkOf;
template <>
struct NetworkOf<configs::UNetConfig> {
  using Type = UNet2D;
};
template <>
struct NetworkOf<configs::DiTConfig> {
  using Type = DiT;
};
template <>
struct NetworkOf<configs::Edm2UNetConfig> {
  using Type = Edm2UNet;
};

Conditioning ConditioningOf(const configs::ModelConfig& config) {
  return {.label_dropout = config.label_dropout, .augment_dim = config.augment_dim};
}

std::unique_ptr<Network> MakeWith(const Conditioning& conditioning,
                                  const configs::ModelConfig& config, configs::Precision precision,
                                  at::Device device, int64_t trainable_multiple) {
  return std::visit(
      [&]<typename Config>(const Config& architecture) -> std::unique_ptr<Network> {
        return std::make_unique<typename NetworkOf<Config>::Type>(architecture, precision, device,
                                                                  trainable_multiple, conditioning);
      },
      config.architecture);
}

}  // namespace

std::unique_ptr<Network> MakeNetwork(const configs::ModelConfig& config,
                                     configs::Precision precision, at::Device device,
                                     int64_t trainable_multiple) {
  return MakeWith(ConditioningOf(config), config, precision, device, trainable_multiple);
}

std::unique_ptr<Network> MakeNetwork(const configs::RunConfig& config, configs::Precision precision,
                                     at::Device device, int64_t trainable_multiple) {
  Conditioning conditioning = ConditioningOf(*config.model);
  conditioning.learns_uncertainty = config.diffusion.loss.uncertainty;
  return MakeWith(conditioning, *config.model, precision, device, trainable_multiple);
}

int64_t CountParameters(const configs::ModelConfig& config) {
  return MakeNetwork(config, configs::Precision::kFp32, at::kMeta)->parameters().num_parameters();
}

}  // namespace langevin::model
