// The down, middle and up blocks of UNet2DModel.
//
// diffusers has a class for each kind; here one class a direction covers them, since they differ
// only in whether pixels attend to each other and in how the resolution changes.
#ifndef LANGEVIN_CORE_MODEL_UNET_BLOCKS_H_
#define LANGEVIN_CORE_MODEL_UNET_BLOCKS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "core/model/attention.h"
#include "core/model/layers.h"
#include "core/model/parameter_store.h"
#include "core/model/resnet_block.h"

namespace langevin::model {

// What the way down leaves for the way up.
struct SkipConnections {
  std::vector<at::Tensor> features;  // Every intermediate result, in the order they were computed.
  // The image itself, halved as often as the features (blocks of skip_blocks.h alone use it): first
  // the input, on the way up what has been added up of the output. May be undefined.
  at::Tensor image;
};

enum class ResampleKind { kNone, kConv, kResnet };

struct BlockShape {
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  int64_t skip_channels = 0;  // Up blocks: of the skip connection into the last resnet.
  int64_t layers = 0;
  std::optional<int64_t> attention_head_dim;  // Set: attention after each resnet.
  ResampleKind resample = ResampleKind::kNone;
};

// DownBlock2D, AttnDownBlock2D, ResnetDownsampleBlock2D.
class DownBlock {
 public:
  DownBlock(ParameterStore& store, const std::string& name, BlockOptions& options,
            const BlockShape& shape);
  // Appends every intermediate result to skips.features.
  at::Tensor operator()(at::Tensor x, const at::Tensor& time_embedding,
                        const ForwardContext& context, SkipConnections& skips) const;

 private:
  std::vector<ResnetBlock> resnets_;
  std::vector<Attention> attentions_;
  std::optional<Downsample> downsampler_conv_;
  std::optional<ResnetBlock> downsampler_resnet_;
};

// UNetMidBlock2D: resnet, attention, resnet.
class MidBlock {
 public:
  // attention_head_dim: nullopt for no attention. attention_groups: nullopt for no norm before it.
  MidBlock(ParameterStore& store, const std::string& name, BlockOptions& options, int64_t channels,
           std::optional<int64_t> attention_head_dim, std::optional<int64_t> attention_groups,
           double output_scale);
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& time_embedding,
                        const ForwardContext& context) const;

 private:
  std::optional<Attention> attention_;
  std::vector<ResnetBlock> resnets_;
};

// UpBlock2D, AttnUpBlock2D, ResnetUpsampleBlock2D.
class UpBlock {
 public:
  UpBlock(ParameterStore& store, const std::string& name, BlockOptions& options,
          const BlockShape& shape);
  // Takes one skip connection a resnet from the end of skips.features.
  at::Tensor operator()(at::Tensor x, const at::Tensor& time_embedding,
                        const ForwardContext& context, SkipConnections& skips) const;

 private:
  std::vector<ResnetBlock> resnets_;
  std::vector<Attention> attentions_;
  std::optional<Upsample> upsampler_conv_;
  std::optional<ResnetBlock> upsampler_resnet_;
};

}  // namespace langevin::model

#endif  // LANGEVIN_CORE_MODEL_UNET_BLOCKS_H_
