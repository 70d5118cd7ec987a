// The blocks of NCSN++ (Song et al. 2021): the image travels beside the features, halved with them
// on the way down, where every block looks at it, and added up from what each block says on the way
// up; resolutions change with FIR filters, and sums are divided by sqrt(2).
//
// They normalise in groups of their own (configs::SkipBlockGroups) and know colour images only: the
// names, shapes and arithmetic are those of diffusers' classes, constants and oddities included.
#ifndef LANGEVIN_CORE_MODEL_SKIP_BLOCKS_H_
#define LANGEVIN_CORE_MODEL_SKIP_BLOCKS_H_

#include <optional>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "core/model/attention.h"
#include "core/model/layers.h"
#include "core/model/parameter_store.h"
#include "core/model/resnet_block.h"
#include "core/model/unet_blocks.h"

namespace langevin::model {

// SkipDownBlock2D, AttnSkipDownBlock2D. With a resample kind other than kNone it halves.
class SkipDownBlock {
 public:
  SkipDownBlock(ParameterStore& store, const std::string& name, BlockOptions& options,
                const BlockShape& shape);
  // Appends every intermediate result to skips.features; where it halves, skips.image too.
  at::Tensor operator()(at::Tensor x, const at::Tensor& time_embedding,
                        const ForwardContext& context, SkipConnections& skips) const;

 private:
  std::vector<ResnetBlock> resnets_;
  std::vector<Attention> attentions_;  // None, or one for each of resnets_.
  std::optional<ResnetBlock> resnet_down_;
  std::optional<Conv2d> skip_conv_;
};

// SkipUpBlock2D, AttnSkipUpBlock2D. With a resample kind other than kNone it doubles, after adding
// to skips.image.
class SkipUpBlock {
 public:
  SkipUpBlock(ParameterStore& store, const std::string& name, BlockOptions& options,
              const BlockShape& shape);
  // Takes one skip connection a resnet from the end of skips.features.
  at::Tensor operator()(at::Tensor x, const at::Tensor& time_embedding,
                        const ForwardContext& context, SkipConnections& skips) const;

 private:
  std::vector<ResnetBlock> resnets_;
  std::optional<Attention> attention_;  // After the last of resnets_.
  std::optional<ResnetBlock> resnet_up_;
  std::optional<GroupNormLayer> skip_norm_;
  std::optional<Conv2d> skip_conv_;
};

}  // namespace langevin::model

#endif  // LANGEVIN_CORE_MODEL_SKIP_BLOCKS_H_
