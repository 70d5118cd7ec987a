// What the optimizer does at a moment of the run, as functions of images_seen.
#ifndef LANGEVIN_CORE_OPTIM_SCHEDULE_H_
#define LANGEVIN_CORE_OPTIM_SCHEDULE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "configs/run_config.h"

namespace langevin::optim {

// The learning rate of the step that takes the run to `images_seen` images: a linear rise over
// warmup_images, times the schedule's decay: over the run, or from reference_images on with the
// inverse square root (Karras et al. 2024, EDM2). Never negative.
double LearningRateAt(const configs::OptimizerConfig& config, int64_t images_seen,
                      int64_t total_images);

// The weight of the old average in the step from images_seen - global_batch to images_seen. With a
// half-life h it is 0.5^(global_batch / h), h being at most rampup_ratio * images_seen (Karras et
// al. 2022, appendix F.1, EDM's training loop); a fixed decay d is limited likewise.
double EmaDecayAt(const configs::EmaConfig& config, int64_t images_seen, int64_t global_batch);

// What is wrong with the average for a run of this length, and what to set: at the end it would
// still hold a twentieth or more of the weights that the run began with, because its half-life is
// too long for the run. Nothing if all is well.
std::optional<std::string> FindEmaProblem(const configs::EmaConfig& ema,
                                          const configs::TrainConfig& train);

// The averages that a run keeps, by name: "ema", or with power_std "ema_std_0.05" and so on. The
// first is what is sampled and exported if nothing else is asked for.
std::vector<std::string> AverageNames(const configs::EmaConfig& config);

// The weight of the old average in that step (EmaDecayAt, PowerDecayAt), for each of them.
std::vector<double> AverageDecaysAt(const configs::EmaConfig& config, int64_t images_seen,
                                    int64_t global_batch);

}  // namespace langevin::optim

#endif  // LANGEVIN_CORE_OPTIM_SCHEDULE_H_
