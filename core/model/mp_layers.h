// Layers that keep magnitudes (Karras et al. 2024, "Analyzing and Improving the Training Dynamics
// of Diffusion Models", section 2 and appendix B): for inputs of unit mean square, so are the
// outputs.
//
// No biases and no norms with weights. Weights are normalised where they are used, each output's to
// unit length, and after every update where they are stored (Parameter::unit_rows), so that the
// size of an update relative to the weights depends on the learning rate alone.
#ifndef LANGEVIN_CORE_MODEL_MP_LAYERS_H_
#define LANGEVIN_CORE_MODEL_MP_LAYERS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "ATen/core/Tensor.h"
#include "core/model/layers.h"
#include "core/model/parameter_store.h"

namespace langevin::model {

// x over the root of the mean square along `dim`.
at::Tensor UnitMagnitude(const at::Tensor& x, int64_t dim);
// silu(x) / 0.596 (equation 81).
at::Tensor MpSilu(const at::Tensor& x);
// ((1 - t) a + t b) / sqrt((1 - t)^2 + t^2) (equation 88).
at::Tensor MpSum(const at::Tensor& a, const at::Tensor& b, double t);
// a and b side by side in the channels, b weighted with t as in MpSum (equation 103).
at::Tensor MpCat(const at::Tensor& a, const at::Tensor& b, double t);

// sqrt(2) cos(2 pi (f x + p)), with frequencies f of N(0, 1) and phases p, uniform, that are part
// of the weights but not trained (equation 75).
class MpFourier {
 public:
  MpFourier(ParameterStore& store, const std::string& name, int64_t channels);
  // (N) to (N, channels), fp32.
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  const Parameter* frequencies_;
  const Parameter* phases_;
};

// A linear layer or convolution with the input's size, by its kernel: 0, 1, 3, ....
class MpConv {
 public:
  MpConv(ParameterStore& store, const std::string& name, int64_t in_channels, int64_t out_channels,
         int64_t kernel, bool keep_fp32 = false);
  // Times `gain`, a tensor of one number, where that is defined.
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& gain = {}) const;
  // The outputs (N, out_channels) for the inputs that are sqrt(in_channels) at `index` (N) and 0
  // elsewhere: one-hot vectors of unit magnitude. Requires kernel 0.
  at::Tensor OfOneHot(const at::Tensor& index) const;

 private:
  // Fp32, of unit length for each output.
  at::Tensor Normalised() const;

  const Parameter* weight_;
  int64_t kernel_;
};

// A number that is learned, from 0 on.
const Parameter* DeclareGain(ParameterStore& store, const std::string& name);

}  // namespace langevin::model

#endif  // LANGEVIN_CORE_MODEL_MP_LAYERS_H_
