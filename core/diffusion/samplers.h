// The rules by which samplers go from one noise level to the next, each in a file of its own.
//
// All are written for x_t = alpha x_0 + sigma epsilon with any alpha and sigma, so any of them can
// sample any process. "sigma / alpha" is what EDM and k-diffusion call sigma, and lambda is -log of
// it. Grids have at least one step.
#ifndef LANGEVIN_CORE_DIFFUSION_SAMPLERS_H_
#define LANGEVIN_CORE_DIFFUSION_SAMPLERS_H_

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "core/diffusion/clipping.h"
#include "core/diffusion/sampler.h"
#include "core/diffusion/time_grid.h"

namespace langevin::diffusion {

// Song et al. 2021 (DDIM), equation 12: deterministic with eta = 0, ancestral sampling with 1.
// epsilon is the one the network meant, not the one that fits the clipped image: diffusers' default
// (use_clipped_model_output = False).
std::unique_ptr<Sampler> MakeDdimSampler(TimeGrid grid, double eta, Clipping clipping);

// Ho et al. 2020, algorithm 2. `variance_type` as in SchedulerConfig; "learned" and "learned_range"
// take the denoiser's variance, and are "fixed_small" if it has none.
std::unique_ptr<Sampler> MakeDdpmSampler(TimeGrid grid, std::string variance_type);

// Karras et al. 2022, algorithm 2. Noise is never raised above the process's last level.
struct ChurnOptions {
  double churn = 0;                                               // S_churn.
  double min = 0, max = std::numeric_limits<double>::infinity();  // Of sigma / alpha.
  double noise = 1;                                               // S_noise.
};
enum class KarrasOrder { kEuler = 1, kHeun = 2 };
// Steps are straight in x / alpha over sigma / alpha, for processes that begin without signal in
// x / (alpha + sigma) over sigma / (alpha + sigma): with EDM's and with linear flow's alpha and
// sigma, in x itself. Heun makes the last step, to no noise, with Euler.
std::unique_ptr<Sampler> MakeKarrasSampler(TimeGrid grid,
                                           std::shared_ptr<const ForwardProcess> process,
                                           KarrasOrder order, ChurnOptions churn);

// Each level is x_0 with noise that is all new: diffusers' stochastic_sampling, the multistep
// sampling of consistency models (Song et al. 2023, algorithm 1).
std::unique_ptr<Sampler> MakeRenoisingSampler(TimeGrid grid);

// Lu et al. 2022 (DPM-Solver++), the multistep form, deterministic or of the SDE.
struct DpmSolverOptions {
  int order = 2;               // 1 to 3.
  bool is_stochastic = false;  // sde-dpmsolver++.
  bool is_heun = false;        // solver_type: "heun" in place of "midpoint".
  bool lower_order_final = true, euler_at_final = false;  // As diffusers has them.
};
std::unique_ptr<Sampler> MakeDpmSolverSampler(TimeGrid grid, DpmSolverOptions options);

// Zhao et al. 2023 (UniPC), data prediction.
struct UniPcOptions {
  int order = 2;        // 1 to 3.
  bool is_bh1 = false;  // B(h) = h in place of e^h - 1.
  bool lower_order_final = true;
  std::vector<int64_t> disable_corrector;  // After these steps.
};
std::unique_ptr<Sampler> MakeUniPcSampler(TimeGrid grid, UniPcOptions options);

// Song et al. 2021 (score SDE), algorithms 2 to 5. Langevin steps come before the predictor, as in
// their program; their norms are each image's own, so that an image does not depend on its batch.
// The last predictor step adds no noise.
struct PredictorCorrectorOptions {
  bool is_euler_maruyama = false;  // Else reverse diffusion. Needs the levels' slopes.
  int64_t corrector_steps = 1;
  double snr = 0.16;
};
std::unique_ptr<Sampler> MakePredictorCorrectorSampler(TimeGrid grid,
                                                       PredictorCorrectorOptions options);

// The probability flow from the grid's first to its last level with noise by Dormand and Prince's
// method of order 5(4), with steps of each image's own; then x_0. `tolerance` is both relative and
// absolute, as in Song et al. 2021 (score SDE), appendix D.4.
std::unique_ptr<Sampler> MakeRungeKuttaSampler(const TimeGrid& grid,
                                               std::shared_ptr<const ForwardProcess> process,
                                               double tolerance);

// `sampler` with x_0 clipped.
std::unique_ptr<Sampler> WithClipping(std::unique_ptr<Sampler> sampler, Clipping clipping);

namespace internal {

// epsilon of x_t = alpha x_0 + sigma epsilon.
at::Tensor NoiseIn(const at::Tensor& sample, const at::Tensor& original, const NoiseLevel& level);

// log(alpha / sigma).
double Lambda(const NoiseLevel& level);

}  // namespace internal
}  // namespace langevin::diffusion

#endif  // LANGEVIN_CORE_DIFFUSION_SAMPLERS_H_
