// The magnitude-preserving UNet of Karras et al. 2024 ("Analyzing and Improving the Training
// Dynamics of Diffusion Models", configuration G), from the paper.
//
// Written for its preconditioning: noisy images of unit magnitude in, and for the time ln(sigma)
// / 4. Names of weights are Langevin's own; diffusers has no such class.
#ifndef LANGEVIN_CORE_MODEL_EDM2_UNET_H_
#define LANGEVIN_CORE_MODEL_EDM2_UNET_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "configs/edm2_unet_config.h"
#include "configs/run_config.h"
#include "core/model/conditioning.h"
#include "core/model/layers.h"
#include "core/model/mp_layers.h"
#include "core/model/network.h"
#include "core/model/parameter_store.h"
#include "core/model/resnet_block.h"

namespace langevin::model {

struct MpBlockShape {
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  bool decoder = false;  // Else of the encoder, whose blocks begin with a norm.
  Resample resample = Resample::kNone;
  bool attention = false;
};

// Figure 21 of the paper: resampling, a residual branch that the embedding scales, and attention
// between pixels, with cosine similarities.
class MpBlock {
 public:
  MpBlock(ParameterStore& store, const std::string& name, const configs::Edm2UNetConfig& config,
          const MpBlockShape& shape, int64_t embedding_channels, uint32_t dropout_layer);
  // x: (N, in_channels, H, W); embedding: (N, embedding_channels), of the same type.
  at::Tensor operator()(at::Tensor x, const at::Tensor& embedding,
                        const ForwardContext& context) const;

 private:
  at::Tensor Attend(const at::Tensor& x) const;

  bool decoder_;
  Resample resample_;
  double res_balance_;
  double attn_balance_;
  double clip_;
  int64_t heads_;
  const Parameter* emb_gain_;
  MpConv conv_res0_;
  MpConv emb_linear_;
  Dropout dropout_;
  MpConv conv_res1_;
  std::optional<MpConv> conv_skip_;  // Where the number of channels changes.
  std::optional<MpConv> attn_qkv_;
  std::optional<MpConv> attn_proj_;
};

class Edm2UNet : public Network {
 public:
  // See MakeNetwork.
  Edm2UNet(const configs::Edm2UNetConfig& config, configs::Precision precision, at::Device device,
           int64_t trainable_multiple = 1, const Conditioning& conditioning = {});

  at::Tensor Forward(const at::Tensor& sample, const at::Tensor& timesteps,
                     const at::Tensor& class_labels, const ForwardContext& context) const override;
  ParameterStore& parameters() override { return store_; }

 private:
  struct DecoderBlock {
    MpBlock block;
    bool takes_skip;  // Sees a result of the encoder beside its input.
  };

  // (N, embedding channels), fp32.
  at::Tensor Embedding(const at::Tensor& timesteps, const at::Tensor& class_labels,
                       const ForwardContext& context) const;
  // Returns the channels of what each block, and the first convolution, leaves for the decoder.
  std::vector<int64_t> MakeEncoder(int64_t embedding_channels);
  void MakeDecoder(std::vector<int64_t> skip_channels, int64_t embedding_channels);
  bool AttendsAt(size_t level) const;

  configs::Edm2UNetConfig config_;
  configs::Precision precision_;
  double label_dropout_;
  ParameterStore store_;
  MpFourier emb_fourier_;
  MpConv emb_noise_;
  std::optional<MpConv> emb_label_;
  MpConv conv_in_;
  uint32_t dropout_layers_ = 0;
  std::vector<MpBlock> encoder_;
  std::vector<DecoderBlock> decoder_;
  std::optional<MpConv> conv_out_;
  const Parameter* out_gain_;
};

}  // namespace langevin::model

#endif  // LANGEVIN_CORE_MODEL_EDM2_UNET_H_
