// The residual block of diffusion UNets, and the two ways of changing resolution.
#ifndef LANGEVIN_CORE_MODEL_RESNET_BLOCK_H_
#define LANGEVIN_CORE_MODEL_RESNET_BLOCK_H_

#include <cstdint>
#include <optional>
#include <string>

#include "ATen/core/Tensor.h"
#include "core/model/layers.h"
#include "core/model/parameter_store.h"

namespace langevin::model {

// How a residual block changes resolution on its way: by averaging and repeating pixels, or with
// FirDownsample and FirUpsample.
enum class Resample { kNone, kDown, kUp, kFirDown, kFirUp };

// What all blocks of one UNet have in common.
struct BlockOptions {
  int64_t time_embed_dim = 0;
  int64_t norm_groups = 32;
  double norm_epsilon = 1e-5;
  Activation activation = Activation::kSilu;
  double dropout = 0;
  bool scale_shift = false;  // The time embedding scales and shifts (resnet_time_scale_shift).
  int64_t downsample_padding = 1;
  uint32_t next_dropout_layer = 0;  // Counts the dropout layers as blocks are made.
};

// What tells one residual block of a UNet from another.
struct ResnetShape {
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  Resample resample = Resample::kNone;
  double output_scale = 1;
  // Of the first and second norm, where they are not BlockOptions::norm_groups.
  std::optional<int64_t> in_groups;
  std::optional<int64_t> out_groups;
};

// diffusers' ResnetBlock2D: norm, activation, (resample,) conv, time embedding, norm, activation,
// dropout, conv, plus the (resampled) input, divided by output_scale.
class ResnetBlock {
 public:
  ResnetBlock(ParameterStore& store, const std::string& name, BlockOptions& options,
              const ResnetShape& shape);
  // x: (N, in_channels, H, W); time_embedding: (N, time_embed_dim), fp32.
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& time_embedding,
                        const ForwardContext& context) const;

 private:
  Activation activation_;
  bool scale_shift_;
  Resample resample_;
  double output_scale_;
  GroupNormLayer norm1_;
  Conv2d conv1_;
  Linear time_emb_proj_;
  GroupNormLayer norm2_;
  Dropout dropout_;
  Conv2d conv2_;
  // Where the number of channels changes; with FIR resampling always.
  std::optional<Conv2d> conv_shortcut_;
};

// Nearest-neighbour doubling and 2x2 averaging.
at::Tensor UpsampleNearest(const at::Tensor& x);
at::Tensor AveragePool(const at::Tensor& x);

// Halving and doubling with the binomial kernel (1, 3, 3, 1) in each direction (Karras et al. 2020,
// "Analyzing and Improving the Image Quality of StyleGAN", appendix B; NCSN++: Song et al. 2021).
// Constants stay what they are; beyond the edges there are zeros. No channel sees another.
at::Tensor FirDownsample(const at::Tensor& x);
at::Tensor FirUpsample(const at::Tensor& x);

// A convolution with stride 2. With padding 0, one zero row and column are added below and right.
class Downsample {
 public:
  Downsample(ParameterStore& store, const std::string& name, int64_t channels, int64_t padding);
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  int64_t padding_;
  Conv2d conv_;
};

// Doubling, then a convolution.
class Upsample {
 public:
  Upsample(ParameterStore& store, const std::string& name, int64_t channels);
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  Conv2d conv_;
};

}  // namespace langevin::model

#endif  // LANGEVIN_CORE_MODEL_RESNET_BLOCK_H_
