// DiT: a transformer over the patches of an image (Peebles and Xie 2023, "Scalable Diffusion Models
// with Transformers"), by the config and weight names of diffusers' DiTTransformer2DModel, so that
// export and import are the identity.
//
// Time and class scale and shift what each block sees, and gate what it adds; the gates and the
// last layer begin at zero, so that every block begins as the identity (adaLN-Zero).
#ifndef LANGEVIN_CORE_MODEL_DIT_H_
#define LANGEVIN_CORE_MODEL_DIT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "configs/dit_config.h"
#include "configs/run_config.h"
#include "core/model/conditioning.h"
#include "core/model/layers.h"
#include "core/model/network.h"
#include "core/model/parameter_store.h"
#include "core/model/time_embedding.h"

namespace langevin::model {

// Sines and cosines of where the patches of a (rows, columns) grid are, row by row:
// (1, rows * columns, dim), fp32; the first half says the column, the second the row. Positions go
// from 0 to `base` whatever the grid. Requires dim to be a multiple of 4.
at::Tensor PatchPositions(int64_t dim, int64_t rows, int64_t columns, int64_t base);

class DiTBlock {
 public:
  DiTBlock(ParameterStore& store, const std::string& name, const configs::DiTConfig& config,
           uint32_t first_dropout_layer);

  // What the block is told: (N, inner_dim), fp32, of the times' code (N, 256) and labels (N).
  at::Tensor Condition(const at::Tensor& time_code, const at::Tensor& labels) const;
  // tokens: (N, T, inner_dim) to the same.
  at::Tensor operator()(const at::Tensor& tokens, const at::Tensor& condition,
                        const ForwardContext& context) const;

 private:
  at::Tensor Attend(const at::Tensor& tokens) const;

  int64_t heads_;
  double norm_epsilon_;
  const char* gelu_;
  TimestepEmbedding timestep_embedder_;
  const Parameter* class_table_;
  Linear modulation_;
  Linear to_q_;
  Linear to_k_;
  Linear to_v_;
  Linear to_out_;
  const Parameter* norm3_weight_ = nullptr;  // norm_elementwise_affine.
  const Parameter* norm3_bias_ = nullptr;
  Linear ff_in_;
  Linear ff_out_;
  Dropout attention_dropout_;
  Dropout ff_dropout_;
};

class DiT : public Network {
 public:
  // See MakeNetwork. The label after the last class is the null label, whether or not it is
  // trained.
  DiT(const configs::DiTConfig& config, configs::Precision precision, at::Device device,
      int64_t trainable_multiple = 1, const Conditioning& conditioning = {});

  at::Tensor Forward(const at::Tensor& sample, const at::Tensor& timesteps,
                     const at::Tensor& class_labels, const ForwardContext& context) const override;
  ParameterStore& parameters() override { return store_; }

 private:
  configs::DiTConfig config_;
  configs::Precision precision_;
  double label_dropout_;
  ParameterStore store_;
  Conv2d patches_;
  std::vector<DiTBlock> blocks_;
  std::optional<Linear> proj_out_1_;
  std::optional<Linear> proj_out_2_;
};

}  // namespace langevin::model

#endif  // LANGEVIN_CORE_MODEL_DIT_H_
