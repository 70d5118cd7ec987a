// Denoising score matching, for every process and parameterisation: the weighted mean squared error
// of what the network predicts (Ho et al. 2020, equation 14; Vincent 2011).
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
  ExampleLoss Loss(const at::Tensor& prediction, const TrainingExample& example) const override;
  double TimeAt(uint64_t seed, int64_t position) const override {
    return times_.Draw(seed, position);
  }
  void DrawTimesBy(const LossHistory& history) override {
    times_.SetFrequencies(history.Frequencies());
  }

 protected:
  // Of the losses of single values, (N, C, H, W).
  static ExampleLoss MeanOf(const at::Tensor& values, const TrainingExample& example);

 private:
  const configs::LossConfig loss_;
  const Formulation formulation_;
  TimeDistribution times_;
  const bool has_steps_;        // Times are steps of a discrete process.
  const bool has_weights_;      // Some weight is not 1.
  const bool has_importance_;   // Steps are drawn by their losses.
  const bool has_uncertainty_;  // The loss's uncertainty is learned.
};

// Whether the loss of a discrete process is its variational bound or has a part of it.
bool HasBound(const configs::DiffusionConfig& config);

// The variational bound of discrete processes (Nichol and Dhariwal 2021): alone (L_vlb, equation
// 4), or as the part of the hybrid loss (equation 16) that learns the variance of a step beside the
// mean. Requires HasBound.
std::unique_ptr<Objective> MakeBoundObjective(const configs::DiffusionConfig& config,
                                              int64_t global_batch);

}  // namespace langevin::diffusion

#endif  // LANGEVIN_CORE_DIFFUSION_DENOISING_OBJECTIVE_H_
