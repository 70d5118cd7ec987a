// Self-attention between the pixels of an image, with a residual connection.
#ifndef LANGEVIN_CORE_MODEL_ATTENTION_H_
#define LANGEVIN_CORE_MODEL_ATTENTION_H_

#include <cstdint>
#include <optional>
#include <string>

#include "ATen/core/Tensor.h"
#include "core/model/layers.h"
#include "core/model/parameter_store.h"

namespace langevin::model {

// softmax(q k / sqrt(D)) v for each of `heads` heads; q, k, v: (N, T, heads * D), of one type, and
// so is the result. Softmax is computed in fp32.
at::Tensor MultiHeadAttention(const at::Tensor& query, const at::Tensor& key,
                              const at::Tensor& value, int64_t heads);

// diffusers' Attention as UNet2DModel uses it: norm, q, k, v, softmax(q k / sqrt(head_dim)) v,
// projection, plus the input, divided by output_scale.
class Attention {
 public:
  // norm_groups: nullopt for no norm.
  Attention(ParameterStore& store, const std::string& name, int64_t channels, int64_t head_dim,
            std::optional<int64_t> norm_groups, double norm_epsilon, double output_scale = 1);
  // (N, channels, H, W) to the same.
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  int64_t heads_;
  int64_t inner_dim_;  // Of all heads together.
  double output_scale_;
  std::optional<GroupNormLayer> group_norm_;
  Linear to_q_;
  Linear to_k_;
  Linear to_v_;
  Linear to_out_;
};

}  // namespace langevin::model

#endif  // LANGEVIN_CORE_MODEL_ATTENTION_H_
