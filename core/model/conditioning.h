// What a network is told beside noise and time: how training drops labels, and how much it knows of
// augmentation; and whether it says how uncertain it is.
#ifndef LANGEVIN_CORE_MODEL_CONDITIONING_H_
#define LANGEVIN_CORE_MODEL_CONDITIONING_H_

#include <cstdint>

#include "ATen/core/Tensor.h"
#include "core/model/layers.h"

namespace langevin::model {

struct Conditioning {
  // See configs::ModelConfig.
  double label_dropout = 0;
  int64_t augment_dim = 0;
  // See configs::LossConfig.
  bool learns_uncertainty = false;
};

// In training each of `labels` (N, int64) becomes `null_label` with probability `rate`: drawn for
// the example's position in the run, so that batches and ranks do not matter. Else `labels`.
at::Tensor DropLabels(const at::Tensor& labels, double rate, int64_t null_label,
                      const ForwardContext& context);

}  // namespace langevin::model

#endif  // LANGEVIN_CORE_MODEL_CONDITIONING_H_
