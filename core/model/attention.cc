#include "core/model/attention.h"

#include <cmath>

#include "ATen/ATen.h"

namespace langevin::model {

Attention::Attention(ParameterStore& store, const std::string& name, int64_t channels,
                     int64_t head_dim, std::optional<int64_t> norm_groups, double norm_epsilon,
                     double output_scale)
    : heads_(channels / head_dim),
      head_dim_(head_dim),
      output_scale_(output_scale),
      group_norm_(norm_groups.has_value()
                      ? std::optional<GroupNormLayer>(GroupNormLayer(
                            store, name + ".group_norm", *norm_groups, channels, norm_epsilon))
                      : std::nullopt),
      to_q_(store, name + ".to_q", channels, heads_ * head_dim_),
      to_k_(store, name + ".to_k", channels, heads_ * head_dim_),
      to_v_(store, name + ".to_v", channels, heads_ * head_dim_),
      to_out_(store, name + ".to_out.0", heads_ * head_dim_, channels) {}

at::Tensor Attention::operator()(const at::Tensor& x) const {
  const int64_t batch = x.size(0), height = x.size(2), width = x.size(3);
  const int64_t pixels = height * width;
  const at::Tensor hidden = group_norm_.has_value() ? (*group_norm_)(x) : x;

  // (N, heads * head_dim, H, W) in channels-last memory is (N, pixels, heads, head_dim) already.
  const auto to_heads = [&](const Linear& linear) {
    return linear.AtEveryPixel(hidden)
        .permute({0, 2, 3, 1})
        .reshape({batch, pixels, heads_, head_dim_})
        .transpose(1, 2)
        .reshape({batch * heads_, pixels, head_dim_});
  };
  const at::Tensor query = to_heads(to_q_);
  const at::Tensor key = to_heads(to_k_);
  const at::Tensor value = to_heads(to_v_);
  // Two matrix products and a softmax: on CPUs faster than ATen's flash attention for these sizes.
  // The softmax of bf16 scores is computed in fp32.
  const at::Tensor scores =
      at::bmm(query * (1 / std::sqrt(static_cast<double>(head_dim_))), key.transpose(1, 2));
  const at::Tensor probabilities = at::_softmax(scores, -1, /*half_to_float=*/false);
  const at::Tensor mixed = at::bmm(probabilities, value)
                               .reshape({batch, heads_, pixels, head_dim_})
                               .transpose(1, 2)
                               .reshape({batch, height, width, heads_ * head_dim_})
                               .permute({0, 3, 1, 2});
  const at::Tensor out = x + to_out_.AtEveryPixel(mixed);
  return output_scale_ == 1 ? out : out / output_scale_;
}

}  // namespace langevin::model
