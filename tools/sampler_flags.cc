#include "tools/sampler_flags.h"

namespace langevin::tools {

void AddSamplerFlags(CLI::App& command, diffusion::SamplerOptions& sampler) {
  command.add_option(
      "--sampler", sampler.name,
      diffusion::SamplerNames() +
          "; left out, the one that the model's scheduler is: ddim for DDPM and DDIM, its own for "
          "Euler, Heun, DPMSolver and UniPC, heun for all others (docs/sampling.md)");
  command
      .add_option("--steps", sampler.steps,
                  "sampler steps (default: heun 18, unipc and dpmpp_* 20, pc 1000, others 50)")
      ->check(CLI::Range(int64_t{1}, int64_t{1000000}));
  command
      .add_option("--spacing", sampler.spacing,
                  "of the noise levels: leading, trailing, linspace (models with time steps), "
                  "uniform (others), karras, exponential, beta; left out, as the model's scheduler "
                  "has it")
      ->check(CLI::IsMember(
          {"leading", "trailing", "linspace", "uniform", "karras", "exponential", "beta"}));
  command.add_option("--shift", sampler.shift,
                     "flow models: shift of the times; above 1 more steps where there is much "
                     "noise");
  command.add_option("--eta", sampler.eta,
                     "ddim (default 0), euler_ancestral (default 1): how much of the noise is new "
                     "in each step, 0 to 1");
  command.add_option("--churn", sampler.churn,
                     "euler, heun: noise added before steps (S_churn of Karras et al. 2022)");
  command.add_option("--churn_min", sampler.churn_min, "lowest sigma where --churn acts (S_tmin)");
  command.add_option("--churn_max", sampler.churn_max, "highest sigma where --churn acts (S_tmax)");
  command.add_option("--churn_noise", sampler.churn_noise,
                     "standard deviation of that noise (S_noise, default 1)");
  command.add_option("--order", sampler.order, "unipc: 1 to 3 (default 2)");
  command.add_option("--predictor", sampler.predictor,
                     "pc: reverse_diffusion (default) or euler_maruyama");
  command.add_option("--corrector_steps", sampler.corrector_steps,
                     "pc: Langevin steps for each noise level (default 1)");
  command.add_option("--snr", sampler.snr,
                     "pc: signal-to-noise ratio of Langevin steps (default 0.16)");
  command.add_option("--tolerance", sampler.tolerance,
                     "rk45: relative and absolute error allowed in a step (default 1e-5)");
  command.add_option("--clip", sampler.clip,
                     "clip the predicted image to [-CLIP, CLIP] in every step; 0: do not clip");
  command.add_option("--thresholding", sampler.thresholding,
                     "dynamic thresholding: clip to this quantile of each predicted image and "
                     "scale back into [-1, 1], such as 0.995; 0: do not");
  command.add_option("--threshold_max", sampler.threshold_max,
                     "highest value that --thresholding clips to");
}

}  // namespace langevin::tools
