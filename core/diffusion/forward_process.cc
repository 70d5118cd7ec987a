#include "core/diffusion/forward_process.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

namespace langevin::diffusion {
namespace {

constexpr double kNetworkTimes = 1000;  // What flow models are told at t = 1, as in diffusers.

class DiscreteProcess : public ForwardProcess {
 public:
  explicit DiscreteProcess(const NoiseSchedule& schedule) {
    for (const double alpha_bar : schedule.alphas_cumprod) {
      log_ratios_.push_back(0.5 * (std::log1p(-alpha_bar) - std::log(alpha_bar)));
    }
  }

  double Alpha(double t) const override { return 1 / std::sqrt(1 + std::exp(2 * LogRatio(t))); }
  double Sigma(double t) const override { return 1 / std::sqrt(1 + std::exp(-2 * LogRatio(t))); }
  // alpha^2 = 1 / (1 + r^2) and sigma^2 = 1 / (1 + r^-2), where log r has the slope below.
  double AlphaSlope(double t) const override { return -Alpha(t) * Sigma(t) * Sigma(t) * Slope(t); }
  double SigmaSlope(double t) const override { return Sigma(t) * Alpha(t) * Alpha(t) * Slope(t); }
  double TimeOfRatio(double ratio) const override {
    const double wanted = std::log(ratio);
    const auto above = std::upper_bound(log_ratios_.begin(), log_ratios_.end(), wanted);
    if (above == log_ratios_.begin()) return 0;
    if (above == log_ratios_.end()) return end_time();
    const double low = *(above - 1), high = *above;
    return static_cast<double>(above - log_ratios_.begin() - 1) + (wanted - low) / (high - low);
  }
  double end_time() const override { return static_cast<double>(log_ratios_.size() - 1); }
  double NetworkTime(double t) const override { return t; }

 private:
  size_t StepBelow(double t) const {
    return static_cast<size_t>(std::clamp(std::floor(t), 0.0, std::max(0.0, end_time() - 1)));
  }
  double Slope(double t) const {
    if (log_ratios_.size() < 2) return 0;
    const size_t step = StepBelow(t);
    return log_ratios_[step + 1] - log_ratios_[step];
  }
  double LogRatio(double t) const {
    const size_t step = StepBelow(t);
    // Exactly at a step, where the last one's ratio may be infinite.
    if (t == static_cast<double>(step)) return log_ratios_[step];
    if (t >= end_time()) return log_ratios_.back();
    return log_ratios_[step] + (t - static_cast<double>(step)) * Slope(t);
  }

  std::vector<double> log_ratios_;  // log(sigma / alpha) of each step, rising.
};

class EdmProcess : public ForwardProcess {
 public:
  explicit EdmProcess(double sigma_max) : sigma_max_(sigma_max) {}

  double Alpha(double /*t*/) const override { return 1; }
  double Sigma(double t) const override { return t; }
  double AlphaSlope(double /*t*/) const override { return 0; }
  double SigmaSlope(double /*t*/) const override { return 1; }
  double TimeOfRatio(double ratio) const override { return std::clamp(ratio, 0.0, sigma_max_); }
  double end_time() const override { return sigma_max_; }
  double NetworkTime(double t) const override { return std::log(t) / 4; }

 private:
  const double sigma_max_;
};

// What VP and sub-VP have in common.
class LinearBetaProcess : public ForwardProcess {
 public:
  LinearBetaProcess(double beta_min, double beta_max) : beta_min_(beta_min), beta_max_(beta_max) {}

  double Alpha(double t) const override { return std::exp(-Integral(t) / 2); }
  double AlphaSlope(double t) const override { return -Beta(t) / 2 * Alpha(t); }
  double end_time() const override { return 1; }
  double NetworkTime(double t) const override { return 999 * t; }

 protected:
  double Beta(double t) const { return beta_min_ + t * (beta_max_ - beta_min_); }
  // Of beta from 0 to t.
  double Integral(double t) const { return t * (beta_min_ + t * (beta_max_ - beta_min_) / 2); }
  // The t where that integral is `value`.
  double TimeOfIntegral(double value) const {
    const double rise = beta_max_ - beta_min_;
    const double root = std::sqrt(beta_min_ * beta_min_ + 2 * rise * value);
    return std::clamp(2 * value / (beta_min_ + root), 0.0, 1.0);
  }

 private:
  const double beta_min_, beta_max_;
};

class VpProcess : public LinearBetaProcess {
 public:
  using LinearBetaProcess::LinearBetaProcess;
  double Sigma(double t) const override { return std::sqrt(-std::expm1(-Integral(t))); }
  double SigmaSlope(double t) const override {
    return Beta(t) * Alpha(t) * Alpha(t) / (2 * Sigma(t));
  }
  // sigma^2 / alpha^2 = e^integral - 1.
  double TimeOfRatio(double ratio) const override {
    return TimeOfIntegral(std::log1p(ratio * ratio));
  }
};

class SubVpProcess : public LinearBetaProcess {
 public:
  using LinearBetaProcess::LinearBetaProcess;
  double Sigma(double t) const override { return -std::expm1(-Integral(t)); }
  double SigmaSlope(double t) const override { return Beta(t) * Alpha(t) * Alpha(t); }
  // (1 - a^2) / a = ratio, where a = exp(-integral / 2).
  double TimeOfRatio(double ratio) const override {
    return TimeOfIntegral(2 * std::asinh(ratio / 2));
  }
};

class VeProcess : public ForwardProcess {
 public:
  VeProcess(double sigma_min, double sigma_max)
      : sigma_min_(sigma_min), log_growth_(std::log(sigma_max / sigma_min)) {}

  double Alpha(double /*t*/) const override { return 1; }
  double Sigma(double t) const override { return sigma_min_ * std::exp(t * log_growth_); }
  double AlphaSlope(double /*t*/) const override { return 0; }
  double SigmaSlope(double t) const override { return log_growth_ * Sigma(t); }
  double TimeOfRatio(double ratio) const override {
    return std::clamp(std::log(ratio / sigma_min_) / log_growth_, 0.0, 1.0);
  }
  double end_time() const override { return 1; }
  double NetworkTime(double t) const override { return Sigma(t); }

 private:
  const double sigma_min_, log_growth_;
};

class LinearFlowProcess : public ForwardProcess {
 public:
  double Alpha(double t) const override { return 1 - t; }
  double Sigma(double t) const override { return t; }
  double AlphaSlope(double /*t*/) const override { return -1; }
  double SigmaSlope(double /*t*/) const override { return 1; }
  double TimeOfRatio(double ratio) const override {
    return std::isinf(ratio) ? 1 : std::clamp(ratio / (1 + ratio), 0.0, 1.0);
  }
  double end_time() const override { return 1; }
  double NetworkTime(double t) const override { return kNetworkTimes * t; }
};

class TrigonometricProcess : public ForwardProcess {
 public:
  double Alpha(double t) const override { return std::cos(kQuarterTurn * t); }
  double Sigma(double t) const override { return std::sin(kQuarterTurn * t); }
  double AlphaSlope(double t) const override { return -kQuarterTurn * Sigma(t); }
  double SigmaSlope(double t) const override { return kQuarterTurn * Alpha(t); }
  double TimeOfRatio(double ratio) const override {
    return std::clamp(std::atan(ratio) / kQuarterTurn, 0.0, 1.0);
  }
  double end_time() const override { return 1; }
  double NetworkTime(double t) const override { return kNetworkTimes * t; }

 private:
  static constexpr double kQuarterTurn = std::numbers::pi / 2;
};

}  // namespace

NoiseLevel ForwardProcess::At(double t) const {
  return {.t = t,
          .alpha = Alpha(t),
          .sigma = Sigma(t),
          .alpha_slope = AlphaSlope(t),
          .sigma_slope = SigmaSlope(t),
          .network_time = NetworkTime(t)};
}

double ForwardProcess::DiffusionSquared(double t) const {
  const double sigma = Sigma(t);
  return 2 * sigma * (SigmaSlope(t) - Drift(t) * sigma);
}

double ForwardProcess::Snr(double t) const {
  const double ratio = Ratio(t);
  return 1 / (ratio * ratio);
}

double ForwardProcess::HalfLogSnr(double t) const { return -std::log(Ratio(t)); }

std::unique_ptr<ForwardProcess> MakeDiscreteProcess(NoiseSchedule schedule) {
  return std::make_unique<DiscreteProcess>(std::move(schedule));
}

std::unique_ptr<ForwardProcess> MakeEdmProcess(double sigma_max) {
  return std::make_unique<EdmProcess>(sigma_max);
}

std::unique_ptr<ForwardProcess> MakeVpProcess(double beta_min, double beta_max) {
  return std::make_unique<VpProcess>(beta_min, beta_max);
}

std::unique_ptr<ForwardProcess> MakeSubVpProcess(double beta_min, double beta_max) {
  return std::make_unique<SubVpProcess>(beta_min, beta_max);
}

std::unique_ptr<ForwardProcess> MakeVeProcess(double sigma_min, double sigma_max) {
  return std::make_unique<VeProcess>(sigma_min, sigma_max);
}

std::unique_ptr<ForwardProcess> MakeLinearFlowProcess() {
  return std::make_unique<LinearFlowProcess>();
}

std::unique_ptr<ForwardProcess> MakeTrigonometricProcess() {
  return std::make_unique<TrigonometricProcess>();
}

}  // namespace langevin::diffusion
