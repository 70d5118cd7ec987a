// How uncertain the network is at each noise level: u(sigma), learned beside it so that all levels
// weigh alike in the loss whatever their errors are (Karras et al. 2024, EDM2, section 2.2 and
// equations 14 and 15, after Kendall et al. 2018).
//
// Of use in training alone: it changes how errors are weighted, and nothing of what is sampled.
#ifndef LANGEVIN_CORE_MODEL_UNCERTAINTY_H_
#define LANGEVIN_CORE_MODEL_UNCERTAINTY_H_

#include "ATen/core/Tensor.h"
#include "core/model/layers.h"
#include "core/model/mp_layers.h"
#include "core/model/parameter_store.h"

namespace langevin::model {

// What the names of its parameters begin with.
inline constexpr char kUncertaintyName[] = "uncertainty";

// A linear layer on random Fourier features, from u = 0 on. Fp32 in every precision.
class Uncertainty {
 public:
  explicit Uncertainty(ParameterStore& store);
  // (N), ln(sigma) / 4, to (N, 1, 1, 1).
  at::Tensor operator()(const at::Tensor& noise_levels) const;

 private:
  MpFourier fourier_;
  Linear linear_;
};

}  // namespace langevin::model

#endif  // LANGEVIN_CORE_MODEL_UNCERTAINTY_H_
