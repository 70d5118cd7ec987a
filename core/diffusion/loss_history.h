// What the loss was at each step of a discrete process, and how often each is drawn in return:
// importance sampling of time (Nichol and Dhariwal 2021, section 3.3).
//
// The terms of the variational bound differ by orders of magnitude, so that with steps drawn
// uniformly the loss is mostly noise. Of all distributions the one in proportion to sqrt(E[L_t^2])
// makes the estimate vary least (their equation 18).
//
// State of the run, as weights are: which steps are drawn depends on it. All ranks have the same,
// and checkpoints hold it. One thread.
#ifndef LANGEVIN_CORE_DIFFUSION_LOSS_HISTORY_H_
#define LANGEVIN_CORE_DIFFUSION_LOSS_HISTORY_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "configs/diffusion_config.h"
#include "core/base/tensor_view.h"

namespace langevin::diffusion {

class LossHistory {
 public:
  // How many losses of a step are remembered.
  static constexpr int64_t kLength = 10;
  // This share of the draws is uniform, so that no step is forgotten.
  static constexpr double kUniformShare = 0.001;

  // Requires at least one step.
  explicit LossHistory(int64_t steps);

  // The loss of the next image, which was at `step`. One that is not finite is left out: it would
  // stay for long.
  void Add(int64_t step, float loss);

  // T p_t: how often each step is to be drawn, 1 being its uniform share. All 1 until each step has
  // kLength losses.
  std::vector<double> Frequencies() const;

  // (steps, kLength), fp32, "loss_history": each step's losses, the newest last, NaN where they are
  // yet to come. Valid until the next change.
  TensorView View() const;
  MutableTensorView MutableView();

 private:
  std::vector<float> losses_;
};

// The empty history of a run whose times are drawn by it; of others none.
std::optional<LossHistory> LossHistoryFor(const configs::DiffusionConfig& config);

}  // namespace langevin::diffusion

#endif  // LANGEVIN_CORE_DIFFUSION_LOSS_HISTORY_H_
