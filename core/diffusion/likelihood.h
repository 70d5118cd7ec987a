// How likely images are under a model, in two ways:
//
// - by the probability flow, whose ordinary differential equation turns data into noise of a known
//   density (Song et al. 2021, score SDE, section 4.3 and appendix D.2): every process; exact but
//   for the estimate of a trace (Hutchinson), the solver's tolerance, and the network;
// - by the variational bound, for discrete processes (Ho et al. 2020, equation 5): a lower bound of
//   the likelihood, in terms that say at which times it is lost.
//
// Images are handled one at a time, so that an image's number does not depend on others beside it.
// Pure functions but for what the denoiser does; one thread at a time for one denoiser.
#ifndef LANGEVIN_CORE_DIFFUSION_LIKELIHOOD_H_
#define LANGEVIN_CORE_DIFFUSION_LIKELIHOOD_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "ATen/core/Tensor.h"
#include "core/diffusion/denoiser.h"
#include "core/diffusion/noise_schedule.h"

namespace langevin::diffusion {

struct FlowLikelihoodOptions {
  double tolerance = 1e-5;  // Relative and absolute, of the solver.
  int probes = 1;           // Of Hutchinson's estimate, each along a flow of its own. At least 1.
  // sigma / alpha where the data are taken to lie: noise below it is not looked at.
  double least_ratio = 1e-3;
};

struct LogLikelihood {
  double nats = 0;            // log p(x).
  double standard_error = 0;  // Of the trace's estimate; 0 with one probe, which cannot tell.
};

// log p of `image` (1, C, H, W), a density over the model's values. The probes are signs drawn from
// (seed, index). The denoiser must be differentiable in its sample.
LogLikelihood FlowLogLikelihood(const at::Tensor& image, const Denoiser& denoiser,
                                const ForwardProcess& process, const FlowLikelihoodOptions& options,
                                uint64_t seed, uint64_t index);

// What a variance is where the network does not say it.
enum class StepVariance { kPosterior, kBeta };

struct BoundOptions {
  StepVariance variance = StepVariance::kPosterior;
  // Half the distance of two levels of the stored images, in the model's values.
  double half_bin = 1.0 / 255;
  // Predicted images are clipped to [-1, 1], as they are when the model is sampled so.
  bool clips = true;
  // The terms that are computed of the schedule's; 0: all. With fewer, half of them are the first,
  // which are by far the largest; of the others one of each of so many equal parts is drawn and
  // stands for its part: an estimate without bias.
  int64_t terms = 0;
};

struct VariationalBound {
  double nats = 0;   // Of minus log p of the stored image: all terms.
  double prior = 0;  // The last one: what is left of the image at the last step.
  // Of terms, by tenths of the schedule, the first with least noise.
  std::vector<double> by_time;
};

// The bound of `image` (1, C, H, W), fp32, whose values are stored levels. Noise and drawn terms
// come from (seed, index). `process` is the discrete process of `schedule`.
VariationalBound BoundOf(const at::Tensor& image, const Denoiser& denoiser,
                         const ForwardProcess& process, const NoiseSchedule& schedule,
                         const BoundOptions& options, uint64_t seed, uint64_t index);

}  // namespace langevin::diffusion

#endif  // LANGEVIN_CORE_DIFFUSION_LIKELIHOOD_H_
