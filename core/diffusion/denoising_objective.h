// Denoising score matching, for every process and parameterisation: the weighted mean squared error
// of what the network predicts (Ho et al. 2020, equation 14; Vincent 2011).
//
// Immutable; any thread.
#ifndef LANGEVIN_CORE_DIFFUSION_DENOISING_OBJECTIVE_H_
#define LANGEVIN_CORE_DIFFUSION_DENOISING_OBJECTIVE_H_

#include <functional>

#include "core/diffusion/objective.h"
#include "core/diffusion/parameterization.h"
#include "core/diffusion/time_distribution.h"

namespace langevin::diffusion {

class DenoisingObjective : public Objective {
 public:
  DenoisingObjective(const configs::DiffusionConfig& config, int64_t global_batch);

  TrainingExample MakeExample(const at::Tensor& clean, uint64_t seed,
                              int64_t first_position) const override;
  at::Tensor Loss(const at::Tensor& prediction, const TrainingExample& example) const override;

 protected:
  // The time of the image at `position`.
  double TimeOf(uint64_t seed, uint64_t position) const { return times_.Draw(seed, position); }
  const Formulation& formulation() const { return formulation_; }

 private:
  const configs::LossConfig loss_;
  const Formulation formulation_;
  const TimeDistribution times_;
  const bool has_steps_;    // Times are steps of a discrete process.
  const bool has_weights_;  // Some weight is not 1.
};

// The hybrid loss of Nichol and Dhariwal 2021 (equation 16), which learns the variance of a step
// beside the mean.
std::unique_ptr<Objective> MakeHybridObjective(const configs::DiffusionConfig& config,
                                               int64_t global_batch);

}  // namespace langevin::diffusion

#endif  // LANGEVIN_CORE_DIFFUSION_DENOISING_OBJECTIVE_H_
