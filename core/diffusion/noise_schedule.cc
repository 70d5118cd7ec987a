#include "core/diffusion/noise_schedule.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <utility>

namespace langevin::diffusion {
namespace {

// `count` numbers from `first` to `last` in equal steps.
std::vector<double> Linspace(double first, double last, int64_t count) {
  std::vector<double> values(count);
  for (int64_t i = 0; i < count; ++i) {
    values[i] = count == 1 ? first : first + (last - first) * static_cast<double>(i) / (count - 1);
  }
  return values;
}

// beta_i = 1 - alpha_bar((i + 1) / steps) / alpha_bar(i / steps), at most 0.999.
std::vector<double> BetasForAlphaBar(int64_t steps,
                                     const std::function<double(double)>& alpha_bar) {
  std::vector<double> betas(steps);
  const auto count = static_cast<double>(steps);
  for (int64_t i = 0; i < steps; ++i) {
    betas[i] = std::min(1 - alpha_bar((i + 1) / count) / alpha_bar(i / count), 0.999);
  }
  return betas;
}

}  // namespace

std::vector<double> LinearBetas(int64_t steps, double beta_start, double beta_end) {
  return Linspace(beta_start, beta_end, steps);
}

std::vector<double> ScaledLinearBetas(int64_t steps, double beta_start, double beta_end) {
  std::vector<double> betas = Linspace(std::sqrt(beta_start), std::sqrt(beta_end), steps);
  for (double& beta : betas) beta *= beta;
  return betas;
}

std::vector<double> CosineBetas(int64_t steps) {
  return BetasForAlphaBar(steps, [](double t) {
    return std::pow(std::cos((t + 0.008) / 1.008 * std::numbers::pi / 2), 2);
  });
}

std::vector<double> SigmoidBetas(int64_t steps, double beta_start, double beta_end) {
  std::vector<double> betas = Linspace(-6, 6, steps);
  for (double& beta : betas) {
    beta = beta_start + (beta_end - beta_start) / (1 + std::exp(-beta));
  }
  return betas;
}

std::vector<double> LaplaceBetas(int64_t steps) {
  return BetasForAlphaBar(steps, [](double t) {
    const double lambda =
        -0.5 * std::copysign(1.0, 0.5 - t) * std::log(1 - 2 * std::abs(0.5 - t) + 1e-6);
    const double snr = std::exp(lambda);
    return std::sqrt(snr / (1 + snr));
  });
}

std::vector<double> ExponentialBetas(int64_t steps) {
  return BetasForAlphaBar(steps, [](double t) { return std::exp(-12 * t); });
}

std::vector<double> RescaleToZeroTerminalSnr(const std::vector<double>& betas) {
  std::vector<double> root = MakeNoiseSchedule(betas).alphas_cumprod;
  for (double& value : root) value = std::sqrt(value);
  const double first = root.front(), last = root.back();
  for (double& value : root) value = (value - last) * first / (first - last);
  std::vector<double> rescaled(betas.size());
  for (size_t i = 0; i < betas.size(); ++i) {
    const double previous = i == 0 ? 1 : root[i - 1];
    rescaled[i] = 1 - root[i] * root[i] / (previous * previous);
  }
  return rescaled;
}

NoiseSchedule MakeNoiseSchedule(std::vector<double> betas) {
  NoiseSchedule schedule{.betas = std::move(betas), .alphas_cumprod = {}};
  double product = 1;
  for (const double beta : schedule.betas) {
    product *= 1 - beta;
    schedule.alphas_cumprod.push_back(product);
  }
  return schedule;
}

}  // namespace langevin::diffusion
