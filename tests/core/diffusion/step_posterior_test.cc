#include "core/diffusion/step_posterior.h"

#include <cmath>

#include "ATen/ATen.h"
#include "gtest/gtest.h"

namespace langevin::diffusion {
namespace {

// Golden values of shared/numerics.md, 1: DDPM's linear schedule.
TEST(StepPosteriorTest, VariancesAreThePapers) {
  const NoiseSchedule schedule = MakeNoiseSchedule(LinearBetas(1000, 1e-4, 0.02));
  EXPECT_NEAR(PosteriorAt(schedule, 1).log_variance, std::log(5.45318766e-5), 1e-7);
  EXPECT_NEAR(PosteriorAt(schedule, 0).log_variance, -9.81672514, 1e-7);
  EXPECT_NEAR(PosteriorAt(schedule, 0).original, 1, 1e-12);
  EXPECT_NEAR(PosteriorAt(schedule, 0).sample, 0, 1e-12);
  EXPECT_NEAR(PosteriorAt(schedule, 999).log_beta, std::log(0.02), 1e-12);
}

// The bins of all levels share out the whole probability.
TEST(StepPosteriorTest, BinsAreAPartition) {
  const at::Tensor levels = at::linspace(-1, 1, 256, at::kDouble);
  for (const double mean : {-1.1, -0.3, 0.0, 0.999}) {
    for (const double log_variance : {-9.0, -3.0, 0.0}) {
      const at::Tensor nll =
          DiscretizedGaussianNll(levels, at::full({256}, mean, at::kDouble),
                                 at::full({256}, log_variance, at::kDouble), 1.0 / 255);
      EXPECT_NEAR(at::exp(-nll).sum().item<double>(), 1, 1e-8) << mean << " " << log_variance;
    }
  }
}

}  // namespace
}  // namespace langevin::diffusion
