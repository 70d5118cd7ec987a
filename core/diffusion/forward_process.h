// How data become noise, for every family of diffusion models:
//
//   x_t = alpha(t) x_0 + sigma(t) epsilon,   epsilon ~ N(0, 1),   t from 0 (data) to end_time
//   dx  = f(t) x dt + g(t) dw                                    (the SDE with these marginals)
//   f   = d log alpha / dt,   g^2 = d sigma^2 / dt - 2 f sigma^2  (Kingma et al. 2021, equation 4)
//
// DDPM, score-based SDEs, EDM and flow matching differ in alpha and sigma alone, and in how a
// network is told the time. All else (what is predicted, how errors are weighted, which times are
// drawn, how samples are drawn) is written in terms of this class.
//
// Doubles on the host. Immutable; any thread.
#ifndef LANGEVIN_CORE_DIFFUSION_FORWARD_PROCESS_H_
#define LANGEVIN_CORE_DIFFUSION_FORWARD_PROCESS_H_

#include <memory>

#include "core/diffusion/noise_schedule.h"

namespace langevin::diffusion {

// A moment of a forward process, as samplers and parameterisations see it.
struct NoiseLevel {
  double t = 0;
  double alpha = 1;                         // How much of the signal is left.
  double sigma = 0;                         // The standard deviation of the noise.
  double alpha_slope = 0, sigma_slope = 0;  // Their derivatives by t.
  double network_time = 0;                  // What a network is told.
};

class ForwardProcess {
 public:
  virtual ~ForwardProcess() = default;

  NoiseLevel At(double t) const;

  // How much of the signal is left, and the standard deviation of the noise, at 0 <= t <= end_time.
  virtual double Alpha(double t) const = 0;
  virtual double Sigma(double t) const = 0;
  // Their derivatives by t.
  virtual double AlphaSlope(double t) const = 0;
  virtual double SigmaSlope(double t) const = 0;
  // The t at which sigma / alpha is `ratio`, which rises with t; clamped to [0, end_time].
  virtual double TimeOfRatio(double ratio) const = 0;
  // The t where next to nothing of the signal is left: where sampling begins.
  virtual double end_time() const = 0;
  // What a network is told at time t: the index of a step, ln(sigma) / 4, 999 t ...
  virtual double NetworkTime(double t) const = 0;

  // f(t), the drift, and g(t)^2, the squared diffusion, of the SDE. Infinite where alpha is 0.
  double Drift(double t) const { return AlphaSlope(t) / Alpha(t); }
  double DiffusionSquared(double t) const;
  // sigma / alpha: the noise level of x_t / alpha(t), EDM's sigma.
  double Ratio(double t) const { return Sigma(t) / Alpha(t); }
  // The signal-to-noise ratio alpha^2 / sigma^2.
  double Snr(double t) const;
  // Half its logarithm, DPM-Solver's lambda (Lu et al. 2022).
  double HalfLogSnr(double t) const;
};

// Discrete time steps t = 0, 1, ... T - 1 (Ho et al. 2020). Between them log(sigma / alpha) is
// linear in t, as samplers with steps of their own take it (diffusers' sigma_to_t). end_time is T -
// 1; t = 0 has the first step's noise. The network is told t.
std::unique_ptr<ForwardProcess> MakeDiscreteProcess(NoiseSchedule schedule);

// Karras et al. 2022 (EDM): alpha = 1, sigma = t up to sigma_max. The network is told ln(sigma)
// / 4.
std::unique_ptr<ForwardProcess> MakeEdmProcess(double sigma_max);

// Song et al. 2021 (score SDE), t in [0, 1]:
// VP: beta(t) = beta_min + t (beta_max - beta_min), alpha = exp(-(integral of beta) / 2),
// sigma^2 = 1 - alpha^2 (equation 32). The network is told 999 t.
std::unique_ptr<ForwardProcess> MakeVpProcess(double beta_min, double beta_max);
// sub-VP: the same alpha, sigma = 1 - alpha^2 (equation 29).
std::unique_ptr<ForwardProcess> MakeSubVpProcess(double beta_min, double beta_max);
// VE: alpha = 1, sigma = sigma_min (sigma_max / sigma_min)^t (equation 30). The network is told
// sigma.
std::unique_ptr<ForwardProcess> MakeVeProcess(double sigma_min, double sigma_max);

// Flow matching on straight lines (Lipman et al. 2023, Liu et al. 2023), with diffusers' sign of
// time: alpha = 1 - t, sigma = t, t in [0, 1]. The network is told 1000 t.
std::unique_ptr<ForwardProcess> MakeLinearFlowProcess();
// The variance-preserving interpolant of SiT (Ma et al. 2024): alpha = cos(pi t / 2),
// sigma = sin(pi t / 2), t in [0, 1]. The network is told 1000 t.
std::unique_ptr<ForwardProcess> MakeTrigonometricProcess();

}  // namespace langevin::diffusion

#endif  // LANGEVIN_CORE_DIFFUSION_FORWARD_PROCESS_H_
