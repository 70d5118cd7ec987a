// Grids of models with a table of betas, as diffusers' classes make them.
#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/diffusion/scheduler_grid.h"

namespace langevin::diffusion {
namespace {

// Fewer than this of the signal is left nowhere: where betas are rescaled to leave nothing at all,
// samplers that divide by alpha take this for alpha^2 (diffusers).
constexpr double kLeastAlphaBar = 1.0 / (1 << 24);

double Round(double value) { return std::nearbyint(value); }  // Halves to even, as numpy does.

// sigma / alpha of each time step, rising.
std::vector<double> RatioTable(const SchedulerConfig& config) {
  std::vector<double> alpha_bars = MakeNoiseSchedule(config).alphas_cumprod;
  if (config.rescale_betas_zero_snr) alpha_bars.back() = kLeastAlphaBar;
  for (double& value : alpha_bars) value = std::sqrt((1 - value) / value);
  return alpha_bars;
}

// Between entries linearly.
double ValueAt(const std::vector<double>& table, double index) {
  const double last = static_cast<double>(table.size() - 1);
  const double below = std::floor(std::clamp(index, 0.0, last));
  const auto i = static_cast<size_t>(below);
  return below >= last ? table.back() : table[i] + (index - below) * (table[i + 1] - table[i]);
}

// The time step, whole or not, of a ratio: log-linear between those of the table.
double TimeOf(const std::vector<double>& table, double ratio) {
  const auto above = std::upper_bound(table.begin(), table.end(), ratio * (1 + 1e-12));
  if (above == table.begin()) return 0;
  const auto below = static_cast<double>(above - table.begin() - 1);
  if (above == table.end()) return below;
  return below + std::log(ratio / *(above - 1)) / std::log(*above / *(above - 1));
}

// Time steps as Euler, Ancestral and Heun take them.
std::vector<double> EulerTimes(const SchedulerConfig& config, int64_t steps) {
  if (config.timestep_spacing == "linspace") {
    std::vector<double> times =
        EvenlySpaced(0, static_cast<double>(config.num_train_timesteps - 1), steps);
    std::reverse(times.begin(), times.end());
    return times;
  }
  const std::vector<int64_t> times = SamplingTimesteps(config, steps);
  return {times.begin(), times.end()};
}

// How many time steps DPMSolver leaves: those where lambda is below lambda_min_clipped are not
// visited.
int64_t UnclippedTimesteps(const SchedulerConfig& config, const std::vector<double>& table) {
  int64_t last = config.num_train_timesteps;
  while (last > 1 && -std::log(table[last - 1]) < config.lambda_min_clipped) --last;
  return last;
}

// Time steps as DPMSolver and UniPC take them.
std::vector<double> DpmTimes(const SchedulerConfig& config, const std::vector<double>& table,
                             int64_t steps) {
  const int64_t last = UnclippedTimesteps(config, table);
  std::vector<double> times;
  if (config.timestep_spacing == "linspace") {
    times = EvenlySpaced(0, static_cast<double>(last - 1), steps + 1);
    for (double& time : times) time = Round(time);
  } else if (config.timestep_spacing == "leading") {
    const int64_t stride = last / (steps + 1);
    for (int64_t i = 0; i <= steps; ++i) {
      times.push_back(static_cast<double>(i * stride + config.steps_offset));
    }
  } else {
    const double stride =
        static_cast<double>(config.num_train_timesteps) / static_cast<double>(steps);
    for (int64_t i = 0; i < steps; ++i) {
      const double time = Round(static_cast<double>(last) - static_cast<double>(i) * stride) - 1;
      if (time >= 0) times.push_back(time);
    }
    return times;
  }
  std::reverse(times.begin(), times.end());
  times.pop_back();
  return times;
}

// `ratios` replaced as the config's use_* say; false if it has none of these.
bool Respace(const SchedulerConfig& config, std::vector<double>& ratios, int64_t steps) {
  constexpr double kRho = 7;
  const double high = config.sigma_max.value_or(ratios.front());
  const double low = config.sigma_min.value_or(ratios.back());
  if (config.use_karras_sigmas) {
    ratios = KarrasSpaced(high, low, kRho, steps);
  } else if (config.use_exponential_sigmas || config.use_lu_lambdas) {
    ratios = LogSpaced(high, low, steps);
  } else if (config.use_beta_sigmas) {
    ratios = BetaSpaced(high, low, steps);
  } else {
    return false;
  }
  return true;
}

TimeGrid EulerGrid(const SchedulerConfig& config, int64_t steps) {
  const std::vector<double> table = RatioTable(config);
  std::vector<double> times = EulerTimes(config, steps), ratios;
  for (const double time : times) ratios.push_back(ValueAt(table, time));
  double last_ratio = config.final_sigmas_type == "sigma_min" ? table.front() : 0;
  if (config.interpolation_type == "log_linear") {
    // One more than there are steps, the last of which is where sampling ends.
    ratios = LogSpaced(table.back(), table.front(), steps + 1);
    last_ratio = ratios.back();
    if (!config.use_karras_sigmas && !config.use_exponential_sigmas && !config.use_beta_sigmas) {
      ratios.pop_back();
    }
  }
  if (Respace(config, ratios, steps)) {
    last_ratio = config.final_sigmas_type == "sigma_min" ? table.front() : 0;
    for (size_t i = 0; i < ratios.size(); ++i) times[i] = TimeOf(table, ratios[i]);
  }
  TimeGrid grid;
  const bool is_continuous =
      config.timestep_type == "continuous" && config.prediction_type == "v_prediction";
  for (size_t i = 0; i < ratios.size(); ++i) {
    grid.levels.push_back(
        VariancePreservingLevel(ratios[i], is_continuous ? std::log(ratios[i]) / 4 : times[i]));
  }
  // The result is x / alpha, as in diffusers, if noise is left.
  grid.levels.push_back({.t = 0, .alpha = 1, .sigma = last_ratio});
  // diffusers scales so that noise has the standard deviation that noisy data have, or the noise's
  // own, as the spacing is.
  grid.initial_scale = config.timestep_spacing == "leading" ? 1 : grid.levels.front().sigma;
  return grid;
}

// Noise levels of a flow model under DPMSolver or UniPC.
TimeGrid FlowSolverGrid(const SchedulerConfig& config, const ForwardProcess& process,
                        int64_t steps) {
  const auto total = static_cast<double>(config.num_train_timesteps);
  std::vector<double> times;
  if (config.class_name == "UniPCMultistepScheduler") {
    times = EvenlySpaced(1, 1 / total, steps + 1);
    times.pop_back();
    for (double& time : times) time = ShiftedTime(time, config.flow_shift);
    if (config.shift_terminal.value_or(0) > 0) {
      const double scale = (1 - times.back()) / (1 - *config.shift_terminal);
      for (double& time : times) time = 1 - (1 - time) / scale;
    }
    if (times.front() > 1 - 1e-6) times.front() = 1 - 1e-6;  // lambda must be finite.
  } else {
    times = EvenlySpaced(1 - 1 / total, 0, steps + 1);
    times.pop_back();
    for (double& time : times) time = ShiftedTime(time, config.flow_shift);
  }
  TimeGrid grid;
  for (const double time : times) {
    NoiseLevel level = process.At(time);
    level.network_time = std::floor(time * total);
    grid.levels.push_back(level);
  }
  grid.levels.push_back(CleanLevel());
  return grid;
}

absl::StatusOr<TimeGrid> DpmGrid(const SchedulerConfig& config, const ForwardProcess& process,
                                 int64_t steps) {
  if (config.use_flow_sigmas) {
    if (config.use_karras_sigmas || config.use_exponential_sigmas || config.use_beta_sigmas ||
        config.use_lu_lambdas || config.final_sigmas_type != "zero") {
      return absl::InvalidArgumentError(absl::StrCat(
          config.class_name,
          ": use_flow_sigmas has a spacing of its own that ends without noise; leave other use_* "
          "and final_sigmas_type out"));
    }
    return FlowSolverGrid(config, process, steps);
  }
  const std::vector<double> table = RatioTable(config);
  std::vector<double> times = DpmTimes(config, table, steps);
  std::vector<double> ratios(table.rbegin(), table.rend());
  double last_ratio = table.front();
  if (Respace(config, ratios, steps)) {
    // UniPC takes the last one for the level where sampling ends.
    if (config.class_name == "UniPCMultistepScheduler") last_ratio = ratios.back();
    const bool rounds = config.use_karras_sigmas
                            ? config.class_name == "UniPCMultistepScheduler" ||
                                  config.beta_schedule != "squaredcos_cap_v2"
                            : config.use_lu_lambdas && config.beta_schedule != "squaredcos_cap_v2";
    times.clear();
    for (const double ratio : ratios) {
      const double time = TimeOf(table, ratio);
      times.push_back(rounds ? Round(time) : std::floor(time + 1e-9));
    }
  } else {
    ratios.clear();
    for (const double time : times) ratios.push_back(ValueAt(table, time));
  }
  TimeGrid grid;
  for (size_t i = 0; i < ratios.size(); ++i) {
    grid.levels.push_back(VariancePreservingLevel(ratios[i], times[i]));
  }
  grid.levels.push_back(config.final_sigmas_type == "sigma_min"
                            ? VariancePreservingLevel(last_ratio, 0)
                            : CleanLevel());
  return grid;
}

TimeGrid DdimOrDdpmGrid(const SchedulerConfig& config, const ForwardProcess& process,
                        GridStyle style, int64_t steps) {
  TimeGrid grid;
  const std::vector<int64_t> times = SamplingTimesteps(config, steps);
  for (const int64_t t : times) grid.levels.push_back(process.At(static_cast<double>(t)));
  grid.levels.push_back(CleanLevel());
  if (style == GridStyle::kDdpm) return grid;
  // The stride, not the next time step, says where a step ends: with spacings other than "leading"
  // it makes a difference.
  const int64_t stride = config.num_train_timesteps / steps;
  const NoiseLevel last = config.set_alpha_to_one ? CleanLevel() : process.At(0);
  for (const int64_t t : times) {
    grid.ends.push_back(t >= stride ? process.At(static_cast<double>(t - stride)) : last);
  }
  return grid;
}

}  // namespace

std::vector<int64_t> SamplingTimesteps(const SchedulerConfig& config, int64_t steps) {
  const int64_t total = config.num_train_timesteps;
  std::vector<int64_t> timesteps;
  if (config.timestep_spacing == "linspace") {
    for (int64_t i = steps - 1; i >= 0; --i) {
      const double value = steps == 1 ? 0.0 : static_cast<double>(i) * (total - 1) / (steps - 1);
      timesteps.push_back(static_cast<int64_t>(Round(value)));
    }
  } else if (config.timestep_spacing == "trailing") {
    const double ratio = static_cast<double>(total) / static_cast<double>(steps);
    for (int64_t i = 0; i < steps; ++i) {
      const double value = static_cast<double>(total) - static_cast<double>(i) * ratio;
      timesteps.push_back(static_cast<int64_t>(Round(value)) - 1);
    }
  } else {
    const int64_t ratio = total / steps;
    for (int64_t i = steps - 1; i >= 0; --i) timesteps.push_back(i * ratio + config.steps_offset);
  }
  return timesteps;
}

absl::StatusOr<TimeGrid> DiscreteGrid(const SchedulerConfig& config, const ForwardProcess& process,
                                      GridStyle style, int64_t steps) {
  const bool respaced = config.use_karras_sigmas || config.use_exponential_sigmas ||
                        config.use_beta_sigmas || config.use_lu_lambdas;
  // Levels between time steps may be as many as one likes.
  const int64_t total = config.num_train_timesteps;
  const int64_t most = style == GridStyle::kDpm && config.timestep_spacing != "trailing"
                           ? std::max<int64_t>(1, total - 1)
                           : total;
  if (steps < 1 || (steps > most && !respaced && !config.use_flow_sigmas)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--steps ", steps, ": must be from 1 to the ", most,
                     " time steps of the model that this sampler can use"));
  }
  if (config.timestep_spacing == "leading" && !respaced && !config.use_flow_sigmas) {
    const int64_t largest = style == GridStyle::kDpm
                                ? steps * (total / (steps + 1)) + config.steps_offset
                                : SamplingTimesteps(config, steps).front();
    if (largest >= total) {
      return absl::InvalidArgumentError(absl::StrCat(
          "steps_offset ", config.steps_offset, " with ", steps, " steps begins at time step ",
          largest, ", but the model has only ", total, "; give fewer --steps"));
    }
  }
  if (style == GridStyle::kDpm) return DpmGrid(config, process, steps);
  if (style == GridStyle::kEuler || respaced) {
    TimeGrid grid = EulerGrid(config, steps);
    if (style != GridStyle::kEuler) grid.initial_scale = 1;
    return grid;
  }
  return DdimOrDdpmGrid(config, process, style, steps);
}

}  // namespace langevin::diffusion
