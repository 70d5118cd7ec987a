// Training: the loop, and what it needs.
#ifndef LANGEVIN_CORE_TRAIN_TRAINER_H_
#define LANGEVIN_CORE_TRAIN_TRAINER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "configs/run_config.h"
#include "core/base/file_system.h"
#include "core/checkpoint/checkpoint.h"
#include "core/diffusion/objective.h"
#include "core/monitor/run_monitor.h"
#include "core/train/batch_plan.h"
#include "core/train/gradient_exchange.h"
#include "core/train/guard.h"
#include "core/train/running_mean.h"
#include "core/train/train_state.h"
#include "data/dataset.h"
#include "data/loader.h"
#include "data/order.h"
#include "distributed/communicator.h"
#include "distributed/control.h"
#include "distributed/stragglers.h"

namespace langevin::train {

// What surrounds a trainer; everything outlives it.
struct TrainerEnvironment {
  FileSystem& file_system;
  distributed::Communicator& communicator;
  distributed::ControlChannel& control;
  const data::Dataset& dataset;
  const data::Order* order = nullptr;    // Null: every image may stand anywhere in its epoch.
  monitor::RunMonitor* monitor;          // Rank 0's; null elsewhere.
  std::function<bool()> stop_requested;  // Polled once a step; true asks all ranks to stop.
  std::string run_folder;
  checkpoint::Metadata metadata;  // What checkpoints say of the run; images_seen is filled in.
};

enum class Outcome { kFinished, kStopped };

// One rank's part of a run. One thread.
class Trainer {
 public:
  // `config` is resolved (ResolveConfig); `state` is where the run begins or goes on; `mean` and
  // `guard` belong to it.
  Trainer(TrainerEnvironment environment, const configs::RunConfig& config, const BatchPlan& plan,
          TrainState state, RunningMean mean, Guard guard);

  // Trains until total_images or until a rank is asked to stop; in both cases the last step is in a
  // checkpoint when it returns. All ranks together. Errors: a rank is gone; the data or the final
  // checkpoint failed; FailedPrecondition: too many steps in a row with a loss or gradient that is
  // not finite.
  absl::StatusOr<Outcome> Run();

  const TrainState& state() const { return state_; }

 private:
  struct StepFlags;

  absl::Status AccumulateGradients();
  absl::StatusOr<double> MeanLoss();
  // Where times are drawn by the losses that they had.
  absl::Status RememberLosses();
  // Whether the step may change the weights; an error where the run has diverged.
  absl::StatusOr<bool> JudgeStep(double loss, double gradient_norm);
  absl::Status UpdateWeights(const at::Tensor& gradient_sum, double loss);
  absl::StatusOr<StepFlags> AgreeOnFlags();
  absl::Status LogIfDue();
  absl::Status DrawSamplesIfDue();
  absl::Status SaveEmaSnapshotIfDue();
  absl::Status SaveCheckpoint(bool must_succeed);

  bool IsDue(int64_t interval) const { return interval > 0 && state_.images_seen % interval == 0; }

  TrainerEnvironment environment_;
  const configs::RunConfig config_;
  const BatchPlan plan_;
  TrainState state_;
  RunningMean mean_;
  Guard guard_;
  std::unique_ptr<diffusion::Objective> objective_;
  std::unique_ptr<data::Loader> loader_;
  GradientExchange exchange_;
  std::vector<double> local_losses_;            // Of this step's microbatches on this rank.
  std::vector<at::Tensor> local_image_losses_;  // And of the images in them, where times need it.
  int64_t last_checkpoint_ = -1;                // images_seen of the newest, or -1.
  double last_checkpoint_time_ = 0;             // MonotonicSeconds.
  double start_time_ = 0;
  double last_log_time_ = 0;
  int64_t last_log_images_ = 0;
  double last_log_wait_ = 0;
  bool first_step_told_ = false;
  distributed::StragglerDetector stragglers_;
};

}  // namespace langevin::train

#endif  // LANGEVIN_CORE_TRAIN_TRAINER_H_
