#include "tools/measure_compute.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <utility>
#include <vector>

#include "ATen/ATen.h"
#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/diffusion/objective.h"
#include "core/diffusion/self_conditioning.h"
#include "core/model/make_network.h"
#include "core/optim/adamw.h"
#include "core/train/train_state.h"
#include "tools/bench_report.h"

namespace langevin::tools {
namespace {

constexpr int kPasses = 3;  // That count, after one that does not.

int64_t ResidentBytes() {
  int64_t pages = 0;
  int64_t resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

template <typename Function>
double MedianSeconds(const Function& function) {
  std::vector<double> times;
  for (int i = 0; i <= kPasses; ++i) {
    const double begin = MonotonicSeconds();
    function();
    if (i > 0) times.push_back(MonotonicSeconds() - begin);
  }
  return Median(times);
}

}  // namespace

MeasuredCompute MeasureCompute(const configs::RunConfig& config, const at::Device& device) {
  const configs::ModelConfig& architecture = *config.model;
  std::unique_ptr<model::Network> network =
      model::MakeNetwork(config, config.train.precision, device);
  model::ParameterStore& parameters = network->parameters();
  parameters.Initialize(config.seed);
  parameters.ZeroGradients();
  const std::unique_ptr<diffusion::Objective> objective =
      diffusion::MakeObjective(config.diffusion, config.train.global_batch);
  const int64_t count = config.train.microbatch;
  const configs::SampleSize size = architecture.some_sample_size();
  const at::Tensor clean =
      at::zeros({count, architecture.image_channels(), size.height, size.width});
  const at::Tensor labels =
      architecture.is_conditional() ? at::zeros({count}, at::kLong).to(device) : at::Tensor();

  MeasuredCompute measured;
  const int64_t resident_before = ResidentBytes();
  measured.times.microbatch_s = MedianSeconds([&] {
    diffusion::TrainingExample example = objective->MakeExample(clean, config.seed, 0).To(device);
    if (example.noise_levels.defined()) {
      example.uncertainty = network->UncertaintyAt(example.noise_levels);
    }
    parameters.ZeroGradients();
    const auto predict = [&](const at::Tensor& input) {
      return network->Forward(input, example.timesteps, labels,
                              {.training = true, .seed = config.seed, .first_position = 0});
    };
    const at::Tensor input = architecture.self_conditioning
                                 ? diffusion::SelfConditionedInput(example, predict, config.seed, 0)
                                 : example.input;
    const at::Tensor loss = objective->Loss(predict(input), example).mean;
    loss.backward();
    parameters.CollectGradients(0, parameters.trainable_size());
    loss.item<double>();  // Waits for a device.
  });
  if (device.is_cpu()) {
    measured.activation_bytes = std::max<int64_t>(0, PeakMemoryBytes() - resident_before);
  }

  train::TrainState state =
      train::TrainState::Begin(std::move(network), /*sharding=*/nullptr, config.ema);
  measured.times.optimizer_s = MedianSeconds([&] {
    const at::Tensor& gradient = parameters.gradient();
    const double norm = optim::NormOfBlocks(optim::BlockSquares(gradient));
    optim::ApplyAdamW(
        {.learning_rate = 1e-4,
         .gradient_scale = 1 / (1 + norm),
         .average_decays = std::vector<double>(state.optimizer.averages.size(), 0.999)},
        gradient, parameters.master(), state.optimizer);
    parameters.RefreshComputeWeights();
  });
  return measured;
}

}  // namespace langevin::tools
