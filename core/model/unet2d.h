// UNet2DModel: the UNet of DDPM and its kin, by diffusers' config and weight names, so that export
// and import are the identity.
#ifndef LANGEVIN_CORE_MODEL_UNET2D_H_
#define LANGEVIN_CORE_MODEL_UNET2D_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "ATen/core/Tensor.h"
#include "configs/unet_config.h"
#include "core/model/conditioning.h"
#include "core/model/layers.h"
#include "core/model/network.h"
#include "core/model/parameter_store.h"
#include "core/model/skip_blocks.h"
#include "core/model/time_embedding.h"
#include "core/model/unet_blocks.h"

namespace langevin::model {

class UNet2D : public Network {
 public:
  // See MakeNetwork. With label dropout the table of classes has one row more, for the null label;
  // with augmentation labels the code of the time gets a linear map of them added.
  UNet2D(const configs::UNetConfig& config, configs::Precision precision, at::Device device,
         int64_t trainable_multiple = 1, const Conditioning& conditioning = {});

  at::Tensor Forward(const at::Tensor& sample, const at::Tensor& timesteps,
                     const at::Tensor& class_labels, const ForwardContext& context) const override;
  ParameterStore& parameters() override { return store_; }

 private:
  // (N, time_embed_dim), fp32.
  at::Tensor Embedding(const at::Tensor& timesteps, const at::Tensor& class_labels,
                       const ForwardContext& context) const;

  configs::UNetConfig config_;
  configs::Precision precision_;
  ParameterStore store_;
  BlockOptions options_;
  Conv2d conv_in_;
  TimeProjection time_proj_;
  TimestepEmbedding time_embedding_;
  double label_dropout_;
  const Parameter* augment_embedding_ = nullptr;
  const Parameter* class_table_ = nullptr;
  std::optional<TimestepEmbedding> class_embedding_;
  std::vector<std::variant<DownBlock, SkipDownBlock>> down_blocks_;
  std::optional<MidBlock> mid_block_;
  std::vector<std::variant<UpBlock, SkipUpBlock>> up_blocks_;
  std::optional<GroupNormLayer> conv_norm_out_;
  std::optional<Conv2d> conv_out_;
};

// How many numbers the weights of such a model are. Allocates none of them.
int64_t CountParameters(const configs::UNetConfig& config);

}  // namespace langevin::model

#endif  // LANGEVIN_CORE_MODEL_UNET2D_H_
