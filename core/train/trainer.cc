// The training loop. Run() is the algorithm; what follows are its steps, in their order.
#include "core/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "ATen/ATen.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/status_macros.h"
#include "core/checkpoint/ema_snapshots.h"
#include "core/diffusion/sampling.h"
#include "core/diffusion/self_conditioning.h"
#include "core/optim/schedule.h"
#include "core/train/sample_grid.h"
#include "core/train/weight_update.h"
#include "data/augment.h"
#include "distributed/agreement.h"
#include "distributed/control_group.h"

namespace langevin::train {
namespace {

bool IsCommunicationError(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) || absl::IsAborted(status);
}

}  // namespace

// What ranks agree on after each step.
struct Trainer::StepFlags {
  bool stop = false;
  bool checkpoint = false;
};

Trainer::Trainer(TrainerEnvironment environment, const configs::RunConfig& config,
                 const BatchPlan& plan, TrainState state, RunningMean mean, Guard guard)
    : environment_(std::move(environment)),
      config_(config),
      plan_(plan),
      state_(std::move(state)),
      mean_(mean),
      guard_(guard),
      objective_(diffusion::MakeObjective(config.diffusion, plan.global_batch)),
      exchange_(environment_.communicator, state_.network->parameters(), config.distributed,
                plan.microbatches, state_.sharding) {
  const data::LoaderOptions options{.seed = config.seed,
                                    .augment = config.data.augment,
                                    .microbatch = plan.microbatch,
                                    .threads = config.data.loader_threads,
                                    .prefetch = config.data.prefetch,
                                    .verify_checksums = config.data.verify_checksums,
                                    .checksum_rate = config.data.checksum_rate,
                                    .order = environment_.order};
  loader_ = data::Loader::Create(
      environment_.dataset, options,
      [plan, begin = state_.images_seen](int64_t k) { return plan.FirstPosition(begin, k); });
  if (state_.loss_history.has_value()) objective_->DrawTimesBy(*state_.loss_history);
}

absl::StatusOr<Outcome> Trainer::Run() {
  start_time_ = last_log_time_ = last_checkpoint_time_ = MonotonicSeconds();
  last_log_images_ = state_.images_seen;
  if (state_.images_seen > 0) last_checkpoint_ = state_.images_seen;
  while (state_.images_seen < config_.train.total_images) {
    LANGEVIN_RETURN_IF_ERROR(AccumulateGradients());
    environment_.control.SetPhase("all_reduce", state_.images_seen);
    LANGEVIN_ASSIGN_OR_RETURN(const at::Tensor gradient_sum, exchange_.Finish());
    LANGEVIN_ASSIGN_OR_RETURN(const double loss, MeanLoss());
    LANGEVIN_RETURN_IF_ERROR(RememberLosses());

    LANGEVIN_RETURN_IF_ERROR(UpdateWeights(gradient_sum, loss));
    state_.images_seen += plan_.global_batch;

    LANGEVIN_RETURN_IF_ERROR(LogIfDue());
    LANGEVIN_RETURN_IF_ERROR(DrawSamplesIfDue());
    // Before the checkpoint, after which the run does not come here again.
    LANGEVIN_RETURN_IF_ERROR(SaveEmaSnapshotIfDue());
    LANGEVIN_ASSIGN_OR_RETURN(const StepFlags flags, AgreeOnFlags());
    const bool finished = state_.images_seen >= config_.train.total_images;
    if (flags.checkpoint || flags.stop || finished) {
      LANGEVIN_RETURN_IF_ERROR(SaveCheckpoint(/*must_succeed=*/flags.stop || finished));
    }
    if (flags.stop && !finished) return Outcome::kStopped;
  }
  return Outcome::kFinished;
}

absl::Status Trainer::AccumulateGradients() {
  model::ParameterStore& parameters = state_.network->parameters();
  local_losses_.clear();
  local_image_losses_.clear();
  for (int64_t i = 0; i < plan_.local_microbatches; ++i) {
    environment_.control.SetPhase("load", state_.images_seen);
    LANGEVIN_ASSIGN_OR_RETURN(data::Microbatch batch, loader_->Next());
    environment_.control.SetPhase("forward_backward", state_.images_seen);
    const data::ImageShape& shape = environment_.dataset.shape();
    const at::Tensor clean = at::from_blob(
        batch.images.data(), {batch.count, shape.channels, shape.height, shape.width}, at::kFloat);
    const at::Device device = parameters.device();
    diffusion::TrainingExample example =
        objective_->MakeExample(clean, config_.seed, batch.first_position).To(device);
    at::Tensor labels;
    if (config_.model->is_conditional()) {
      labels = at::from_blob(batch.labels.data(), {batch.count}, at::kLong).to(device);
    }
    model::ForwardContext context{
        .training = true, .seed = config_.seed, .first_position = batch.first_position};
    if (config_.model->augment_dim > 0) {
      context.augment_labels = at::from_blob(batch.augment_labels.data(),
                                             {batch.count, data::kAugmentLabels}, at::kFloat)
                                   .to(device);
    }

    const auto predict = [&](const at::Tensor& input) {
      return state_.network->Forward(input, example.timesteps, labels, context);
    };
    const at::Tensor prediction = predict(
        config_.model->self_conditioning
            ? diffusion::SelfConditionedInput(example, predict, config_.seed, batch.first_position)
            : example.input);
    if (example.noise_levels.defined()) {
      example.uncertainty = state_.network->UncertaintyAt(example.noise_levels);
    }
    const diffusion::ExampleLoss loss = objective_->Loss(prediction, example);
    LANGEVIN_RETURN_IF_ERROR(exchange_.BeforeBackward());
    loss.mean.backward();
    LANGEVIN_RETURN_IF_ERROR(exchange_.AfterBackward());
    local_losses_.push_back(loss.mean.item<double>());
    if (loss.of_images.defined()) local_image_losses_.push_back(loss.of_images);
  }
  return absl::OkStatus();
}

absl::StatusOr<double> Trainer::MeanLoss() {
  const at::Tensor local =
      at::from_blob(local_losses_.data(), {plan_.local_microbatches, 1}, at::kDouble)
          .to(state_.network->parameters().device());
  LANGEVIN_ASSIGN_OR_RETURN(const at::Tensor sum, distributed::TreeSum(environment_.communicator,
                                                                       plan_.microbatches, local));
  return sum.item<double>() / static_cast<double>(plan_.microbatches);
}

absl::Status Trainer::RememberLosses() {
  if (!state_.loss_history.has_value()) return absl::OkStatus();
  // Ranks have contiguous runs of the batch, so that theirs side by side are in its order.
  const at::Tensor local = at::cat(local_image_losses_);
  at::Tensor gathered = at::empty({plan_.global_batch}, local.options());
  LANGEVIN_RETURN_IF_ERROR(environment_.communicator.AllGather(gathered, local)->Wait());
  const at::Tensor losses = gathered.cpu();
  for (int64_t i = 0; i < plan_.global_batch; ++i) {
    const double step = objective_->TimeAt(config_.seed, state_.images_seen + i);
    state_.loss_history->Add(static_cast<int64_t>(step), losses.data_ptr<float>()[i]);
  }
  objective_->DrawTimesBy(*state_.loss_history);
  return absl::OkStatus();
}

absl::Status Trainer::UpdateWeights(const at::Tensor& gradient_sum, double loss) {
  environment_.control.SetPhase("optimizer", state_.images_seen);
  const double mean_scale = 1 / static_cast<double>(plan_.microbatches);
  LANGEVIN_ASSIGN_OR_RETURN(const double sum_norm,
                            GradientNorm(environment_.communicator, state_, gradient_sum));
  const double gradient_norm = sum_norm * mean_scale;
  // The sums are the same on all ranks, so all skip a step together.
  LANGEVIN_ASSIGN_OR_RETURN(const bool apply, JudgeStep(loss, gradient_norm));
  if (!apply) return absl::OkStatus();
  mean_.Add(loss, gradient_norm);

  const configs::OptimizerConfig& optimizer = config_.optimizer;
  const int64_t images_after = state_.images_seen + plan_.global_batch;
  const bool clips = optimizer.clip_norm > 0 && gradient_norm > optimizer.clip_norm;
  const optim::AdamWStep step = {
      .learning_rate = optim::LearningRateAt(optimizer, images_after, config_.train.total_images),
      .beta1 = optimizer.beta1,
      .beta2 = optimizer.beta2,
      .epsilon = optimizer.epsilon,
      .weight_decay = optimizer.weight_decay,
      .step = images_after / plan_.global_batch,
      .gradient_scale = mean_scale * (clips ? optimizer.clip_norm / gradient_norm : 1),
      .average_decays = optim::AverageDecaysAt(config_.ema, images_after, plan_.global_batch)};
  return train::UpdateWeights(environment_.communicator, step, gradient_sum, state_);
}

absl::StatusOr<bool> Trainer::JudgeStep(double loss, double gradient_norm) {
  const double usual_loss = guard_.usual_loss();
  const Guard::Verdict verdict = guard_.Judge(loss, gradient_norm);
  const int64_t images_after = state_.images_seen + plan_.global_batch;
  if (verdict == Guard::Verdict::kGiveUp) {
    const absl::Status diverged =
        DivergedError(guard_, environment_.run_folder, images_after,
                      last_checkpoint_ > 0 ? checkpoint::FolderName(last_checkpoint_) : "");
    return plan_.rank == 0 ? diverged : distributed::MarkReported(diverged);
  }
  if (environment_.monitor != nullptr) {
    if (verdict == Guard::Verdict::kSpike) {
      environment_.monitor->Warn(images_after, SpikeMessage(loss, usual_loss));
    } else if (guard_.skipped_in_a_row() == 1) {  // Of a row the first is told.
      environment_.monitor->Warn(images_after, SkipMessage(loss, gradient_norm));
    }
  }
  return verdict != Guard::Verdict::kSkip;
}

absl::Status Trainer::LogIfDue() {
  if (!first_step_told_) {
    LogInfo("first step finished %s after the program's start",
            FormatDuration(SecondsSinceProcessStart()));
    first_step_told_ = true;
  }
  const int64_t interval = config_.monitor.log_every_images;
  if (!IsDue(interval) && state_.images_seen < config_.train.total_images) {
    return absl::OkStatus();
  }
  LANGEVIN_ASSIGN_OR_RETURN(const distributed::PaceReport pace,
                            distributed::ComparePaces(environment_.control, stragglers_));
  const double now = MonotonicSeconds();
  const double seconds = std::max(now - last_log_time_, 1e-9);
  const double waited = loader_->seconds_waited();
  if (environment_.monitor != nullptr) {
    if (!pace.warning.empty()) {
      LogWarning("images_seen %d: %s", state_.images_seen, pace.warning);
    }
    environment_.monitor->Log(
        {.images_seen = state_.images_seen,
         .loss = mean_.loss(),
         .gradient_norm = mean_.gradient_norm(),
         .learning_rate = optim::LearningRateAt(config_.optimizer, state_.images_seen,
                                                config_.train.total_images),
         .images_per_s = static_cast<double>(state_.images_seen - last_log_images_) / seconds,
         .loader_wait_share = std::clamp((waited - last_log_wait_) / seconds, 0.0, 1.0),
         .rank_spread = pace.spread,
         .skipped_steps = guard_.skipped_steps(),
         .loss_spikes = guard_.spikes(),
         .elapsed_s = now - start_time_});
  }
  mean_ = {};
  last_log_time_ = now;
  last_log_images_ = state_.images_seen;
  last_log_wait_ = waited;
  return absl::OkStatus();
}

absl::Status Trainer::DrawSamplesIfDue() {
  const configs::MonitorConfig& monitor = config_.monitor;
  const bool finished = state_.images_seen >= config_.train.total_images;
  if (monitor.sample_every_images == 0 || !(IsDue(monitor.sample_every_images) || finished)) {
    return absl::OkStatus();
  }
  environment_.control.SetPhase("sample", state_.images_seen);
  const diffusion::SchedulerConfig scheduler = diffusion::SchedulerConfigFrom(config_.diffusion);
  LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<diffusion::Sampler> sampler,
                            diffusion::MakeSampler("", monitor.sample_steps, scheduler));
  const data::ImageShape& shape = environment_.dataset.shape();
  diffusion::SamplingRequest request{.seed = config_.seed,
                                     .channels = shape.channels,
                                     .height = shape.height,
                                     .width = shape.width,
                                     .class_of = {},
                                     .initial_noise = {}};
  LANGEVIN_ASSIGN_OR_RETURN(request.formulation, diffusion::FormulationFrom(scheduler));
  request.formulation.self_conditioned = config_.model->self_conditioning;
  if (config_.model->is_conditional()) {
    const int64_t classes = environment_.dataset.num_classes();
    request.class_of = [classes](int64_t sample) { return sample % classes; };
  }
  model::ParameterStore& parameters = state_.network->parameters();
  LANGEVIN_ASSIGN_OR_RETURN(const at::Tensor average, state_.WholeEma(environment_.communicator));
  const model::ParameterStore::ScopedWeights averaged(parameters, average);
  LANGEVIN_ASSIGN_OR_RETURN(
      const at::Tensor images,
      SampleTogether(environment_.communicator, *state_.network, parameters.device(), *sampler,
                     request, monitor.sample_count));
  if (environment_.monitor != nullptr) {
    environment_.monitor->Samples(
        state_.images_seen,
        {.count = images.size(0),
         .channels = images.size(1),
         .height = images.size(2),
         .width = images.size(3),
         .values = {images.data_ptr<float>(), static_cast<size_t>(images.numel())}});
  }
  return absl::OkStatus();
}

absl::Status Trainer::SaveEmaSnapshotIfDue() {
  const configs::EmaConfig& ema = config_.ema;
  const bool finished = state_.images_seen >= config_.train.total_images;
  if (ema.snapshot_every_images == 0 || !(IsDue(ema.snapshot_every_images) || finished)) {
    return absl::OkStatus();
  }
  environment_.control.SetPhase("snapshot", state_.images_seen);
  LANGEVIN_ASSIGN_OR_RETURN(const CheckpointTensors tensors,
                            state_.AverageTensors(environment_.communicator));
  if (plan_.rank != 0) return absl::OkStatus();
  const absl::Status written =
      checkpoint::WriteEmaSnapshot(environment_.file_system, environment_.run_folder,
                                   {.images_seen = state_.images_seen,
                                    .stds = ema.power_std,
                                    .data_fingerprint = environment_.metadata.data_fingerprint,
                                    .software = environment_.metadata.software},
                                   tensors.views);
  if (!written.ok()) {
    LogWarning("images_seen %d: no snapshot of the averages: %s; training goes on",
               state_.images_seen, std::string(written.message()));
  }
  return absl::OkStatus();
}

absl::StatusOr<Trainer::StepFlags> Trainer::AgreeOnFlags() {
  constexpr uint64_t kStop = 1, kCheckpoint = 2;
  const configs::CheckpointConfig& checkpoint = config_.checkpoint;
  // Clocks differ between ranks: any rank's word that it is time is enough.
  const bool time_is_up = checkpoint.every_seconds > 0 && plan_.rank == 0 &&
                          MonotonicSeconds() - last_checkpoint_time_ >= checkpoint.every_seconds;
  uint64_t flags = 0;
  if (environment_.stop_requested()) flags |= kStop;
  if (time_is_up || IsDue(checkpoint.every_images)) flags |= kCheckpoint;
  environment_.control.SetPhase("agree", state_.images_seen);
  LANGEVIN_ASSIGN_OR_RETURN(flags, environment_.control.CombineFlags(flags));
  return StepFlags{.stop = (flags & kStop) != 0, .checkpoint = (flags & kCheckpoint) != 0};
}

absl::Status Trainer::SaveCheckpoint(bool must_succeed) {
  if (last_checkpoint_ == state_.images_seen) return absl::OkStatus();
  // Nothing was learned since the last one, which may be needed: the run may have diverged.
  if (guard_.skipped_in_a_row() > 0 && !must_succeed) return absl::OkStatus();
  environment_.control.SetPhase("checkpoint", state_.images_seen);
  const double begin = MonotonicSeconds();
  checkpoint::Metadata metadata = environment_.metadata;
  metadata.images_seen = state_.images_seen;
  metadata.facts.emplace_back(kRunningMeanFact, mean_.ToText());
  metadata.facts.emplace_back(kGuardFact, guard_.ToText());
  distributed::ControlGroup group(environment_.control);
  LANGEVIN_ASSIGN_OR_RETURN(const CheckpointTensors tensors,
                            state_.Tensors(environment_.communicator));
  const absl::Status saved =
      checkpoint::Save(environment_.file_system, group, environment_.run_folder, metadata,
                       tensors.views, config_.checkpoint.keep);
  last_checkpoint_time_ = MonotonicSeconds();
  if (!saved.ok()) {
    if (IsCommunicationError(saved)) return saved;
    // All ranks have the same error: one tells it.
    if (must_succeed) return plan_.rank == 0 ? saved : distributed::MarkReported(saved);
    if (environment_.monitor != nullptr) {
      LogWarning("images_seen %d: no checkpoint: %s; training goes on and tries again later",
                 state_.images_seen, std::string(saved.message()));
    }
    return absl::OkStatus();
  }
  last_checkpoint_ = state_.images_seen;
  if (environment_.monitor != nullptr) {
    environment_.monitor->Event(
        state_.images_seen,
        absl::StrCat("checkpoint written in ", FormatDuration(last_checkpoint_time_ - begin)));
    environment_.monitor->WriteReport();
  }
  return absl::OkStatus();
}

}  // namespace langevin::train
