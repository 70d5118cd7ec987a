#include "core/model/group_norm.h"

#include <vector>

#include "ATen/ATen.h"
#include "ATen/Parallel.h"
#include "core/model/group_norm_kernel.h"
#include "torch/csrc/autograd/custom_function.h"

namespace langevin::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Runs `work(image)` with one image of `x` (and of other tensors of its shape) at a time as fp32.
// bf16 images are converted in a scratch buffer that stays in cache.
class ImageBuffer {
 public:
  ImageBuffer(const at::Tensor& tensor, int64_t image_size)
      : tensor_(tensor), image_size_(image_size) {
    if (tensor.scalar_type() == at::kBFloat16) scratch_.resize(image_size);
  }

  // The image as fp32; for bf16 a copy, filled if `read`.
  float* Get(int64_t image, bool read) {
    if (scratch_.empty()) return tensor_.data_ptr<float>() + image * image_size_;
    if (read) WidenBf16(Bf16Bits(image), image_size_, scratch_.data());
    return scratch_.data();
  }

  // Brings what was written to Get's memory into the tensor.
  void Put(int64_t image) {
    if (scratch_.empty()) return;
    NarrowToBf16(scratch_.data(), image_size_, Bf16Bits(image));
  }

 private:
  uint16_t* Bf16Bits(int64_t image) {
    return static_cast<uint16_t*>(tensor_.data_ptr()) + image * image_size_;
  }

  at::Tensor tensor_;
  int64_t image_size_;
  std::vector<float> scratch_;
};

// Sums (images, channels) over the images, in their order.
at::Tensor SumOverImages(const at::Tensor& shares) {
  at::Tensor sum = at::zeros({shares.size(1)}, at::kFloat);
  for (int64_t image = 0; image < shares.size(0); ++image) sum.add_(shares.select(0, image));
  return sum;
}

GroupNormShape ShapeOf(const at::Tensor& x, int64_t groups, double epsilon, bool silu) {
  return {x.size(2) * x.size(3), x.size(1), groups, static_cast<float>(epsilon), silu};
}

class GroupNormFunction : public torch::autograd::Function<GroupNormFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input,
                            const at::Tensor& weight, const at::Tensor& bias, int64_t groups,
                            double epsilon, bool silu) {
    const at::Tensor x = input.contiguous(at::MemoryFormat::ChannelsLast);
    const GroupNormShape shape = ShapeOf(x, groups, epsilon, silu);
    const int64_t images = x.size(0);
    at::Tensor y = at::empty_like(x);
    at::Tensor mean = at::empty({images, groups}, at::kFloat);
    at::Tensor rstd = at::empty({images, groups}, at::kFloat);
    at::parallel_for(0, images, 1, [&](int64_t begin, int64_t end) {
      ImageBuffer x_buffer(x, shape.pixels * shape.channels);
      ImageBuffer y_buffer(y, shape.pixels * shape.channels);
      for (int64_t image = begin; image < end; ++image) {
        GroupNormForwardImage(shape, x_buffer.Get(image, /*read=*/true), weight.data_ptr<float>(),
                              bias.data_ptr<float>(), y_buffer.Get(image, /*read=*/false),
                              mean.data_ptr<float>() + image * groups,
                              rstd.data_ptr<float>() + image * groups);
        y_buffer.Put(image);
      }
    });
    context->save_for_backward({x, weight, bias, mean, rstd});
    context->saved_data["groups"] = groups;
    context->saved_data["epsilon"] = epsilon;
    context->saved_data["silu"] = silu;
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &bias = saved[2], &mean = saved[3],
                     &rstd = saved[4];
    const int64_t groups = context->saved_data["groups"].toInt();
    const GroupNormShape shape = ShapeOf(x, groups, context->saved_data["epsilon"].toDouble(),
                                         context->saved_data["silu"].toBool());
    const int64_t images = x.size(0);
    const at::Tensor grad_y = gradients[0].contiguous(at::MemoryFormat::ChannelsLast);
    at::Tensor grad_x = at::empty_like(x);
    // Each image's share in a row of its own: summed in the order of images, whatever the threads.
    at::Tensor grad_weights = at::empty({images, shape.channels}, at::kFloat);
    at::Tensor grad_biases = at::empty({images, shape.channels}, at::kFloat);
    at::parallel_for(0, images, 1, [&](int64_t begin, int64_t end) {
      ImageBuffer x_buffer(x, shape.pixels * shape.channels);
      ImageBuffer grad_y_buffer(grad_y, shape.pixels * shape.channels);
      ImageBuffer grad_x_buffer(grad_x, shape.pixels * shape.channels);
      for (int64_t image = begin; image < end; ++image) {
        GroupNormBackwardImage(shape, x_buffer.Get(image, /*read=*/true),
                               grad_y_buffer.Get(image, /*read=*/true), weight.data_ptr<float>(),
                               bias.data_ptr<float>(), mean.data_ptr<float>() + image * groups,
                               rstd.data_ptr<float>() + image * groups,
                               grad_x_buffer.Get(image, /*read=*/false),
                               grad_weights.data_ptr<float>() + image * shape.channels,
                               grad_biases.data_ptr<float>() + image * shape.channels);
        grad_x_buffer.Put(image);
      }
    });
    return {grad_x,
            SumOverImages(grad_weights),
            SumOverImages(grad_biases),
            at::Tensor(),
            at::Tensor(),
            at::Tensor()};
  }
};

}  // namespace

at::Tensor GroupNorm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                     int64_t groups, double epsilon, bool silu) {
  if (x.device().is_cpu()) {
    return GroupNormFunction::apply(x, weight, bias, groups, epsilon, silu);
  }
  const at::Tensor y =
      at::group_norm(x.to(at::kFloat), groups, weight, bias, epsilon, /*cudnn_enabled=*/true);
  return (silu ? at::silu(y) : y).to(x.scalar_type(), false, false, at::MemoryFormat::ChannelsLast);
}

}  // namespace langevin::model
