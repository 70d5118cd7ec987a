#include "core/model/attention.h"

#include <cmath>

#include "ATen/ATen.h"

namespace langevin::model {

at::Tensor MultiHeadAttention(const at::Tensor& query, const at::Tensor& key,
                              const at::Tensor& value, int64_t heads) {
  const int64_t batch = query.size(0), tokens = query.size(1), head_dim = query.size(2) / heads;
  const auto to_heads = [&](const at::Tensor& x) {
    return x.reshape({batch, tokens, heads, head_dim})
        .transpose(1, 2)
        .reshape({batch * heads, tokens, head_dim});
  };
  // Two matrix products and a softmax: on CPUs faster than ATen's flash attention for these sizes.
  // The softmax of bf16 scores is computed in fp32.
  const at::Tensor scores =
      at::bmm(to_heads(query) * (1 / std::sqrt(static_cast<double>(head_dim))),
              to_heads(key).transpose(1, 2));
  const at::Tensor probabilities = at::_softmax(scores, -1, /*half_to_float=*/false);
  return at::bmm(probabilities, to_heads(value))
      .reshape({batch, heads, tokens, head_dim})
      .transpose(1, 2)
      .reshape({batch, tokens, heads * head_dim});
}

Attention::Attention(ParameterStore& store, const std::string& name, int64_t channels,
                     int64_t head_dim, std::optional<int64_t> norm_groups, double norm_epsilon,
                     double output_scale)
    : heads_(channels / head_dim),
      inner_dim_(heads_ * head_dim),
      output_scale_(output_scale),
      group_norm_(norm_groups.has_value()
                      ? std::optional<GroupNormLayer>(GroupNormLayer(
                            store, name + ".group_norm", *norm_groups, channels, norm_epsilon))
                      : std::nullopt),
      to_q_(store, name + ".to_q", channels, inner_dim_),
      to_k_(store, name + ".to_k", channels, inner_dim_),
      to_v_(store, name + ".to_v", channels, inner_dim_),
      to_out_(store, name + ".to_out.0", inner_dim_, channels) {}

at::Tensor Attention::operator()(const at::Tensor& x) const {
  const int64_t batch = x.size(0), height = x.size(2), width = x.size(3);
  const at::Tensor hidden = group_norm_.has_value() ? (*group_norm_)(x) : x;
  // (N, inner_dim, H, W) in channels-last memory is (N, pixels, inner_dim) already.
  const auto to_tokens = [&](const Linear& linear) {
    return linear.AtEveryPixel(hidden)
        .permute({0, 2, 3, 1})
        .reshape({batch, height * width, inner_dim_});
  };
  const at::Tensor mixed =
      MultiHeadAttention(to_tokens(to_q_), to_tokens(to_k_), to_tokens(to_v_), heads_)
          .reshape({batch, height, width, inner_dim_})
          .permute({0, 3, 1, 2});
  const at::Tensor out = x + to_out_.AtEveryPixel(mixed);
  return output_scale_ == 1 ? out : out / output_scale_;
}

}  // namespace langevin::model
