#include "core/diffusion/loss_history.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <variant>

namespace langevin::diffusion {

LossHistory::LossHistory(int64_t steps)
    : losses_(steps * kLength, std::numeric_limits<float>::quiet_NaN()) {}

void LossHistory::Add(int64_t step, float loss) {
  if (!std::isfinite(loss)) return;
  const std::span<float> of_step(losses_.data() + step * kLength, kLength);
  std::shift_left(of_step.begin(), of_step.end(), 1);
  of_step.back() = loss;
}

std::vector<double> LossHistory::Frequencies() const {
  const size_t steps = losses_.size() / kLength;
  const std::vector<double> uniform(steps, 1);
  std::vector<double> frequencies(steps);
  double sum = 0;
  for (size_t step = 0; step < steps; ++step) {
    double squares = 0;
    for (int64_t i = 0; i < kLength; ++i) {
      const double loss = losses_[step * kLength + i];
      if (std::isnan(loss)) return uniform;
      squares += loss * loss;
    }
    frequencies[step] = std::sqrt(squares / kLength);
    sum += frequencies[step];
  }
  if (sum == 0) return uniform;
  const double scale = (1 - kUniformShare) * static_cast<double>(steps) / sum;
  for (double& frequency : frequencies) frequency = frequency * scale + kUniformShare;
  return frequencies;
}

TensorView LossHistory::View() const {
  const auto steps = static_cast<int64_t>(losses_.size()) / kLength;
  return {.name = "loss_history",
          .dtype = DType::kFloat32,
          .shape = {steps, kLength},
          .bytes = std::as_bytes(std::span(losses_))};
}

MutableTensorView LossHistory::MutableView() {
  const TensorView view = View();
  return {.name = view.name,
          .dtype = view.dtype,
          .shape = view.shape,
          .bytes = std::as_writable_bytes(std::span(losses_))};
}

std::optional<LossHistory> LossHistoryFor(const configs::DiffusionConfig& config) {
  if (configs::TimeDistributionOf(config) != configs::TimeDistribution::kImportance) {
    return std::nullopt;
  }
  return LossHistory(std::get<configs::DdpmConfig>(*config.process).num_train_timesteps);
}

}  // namespace langevin::diffusion
