#include "core/diffusion/self_conditioning.h"

#include <vector>

#include "ATen/ATen.h"
#include "core/diffusion/denoiser.h"
#include "gtest/gtest.h"

namespace langevin::diffusion {
namespace {

constexpr int64_t kBatch = 64;

at::Tensor EstimatesOf(const at::Tensor& input) {
  const int64_t channels = input.size(1) / 2;
  return input.narrow(1, channels, channels);
}

// Of a perfect network the estimate is the image, whatever is predicted of which process.
TEST(SelfConditioningTest, InTrainingHalfOfTheImagesSeeTheirEstimate) {
  constexpr int64_t kImages = 400;
  const at::Tensor clean = at::rand({kImages, 2, 1, 1}) * 1.9 - 0.95;
  for (const configs::ProcessConfig& process :
       {configs::ProcessConfig(
            configs::DdpmConfig{.prediction = configs::Prediction::kVPrediction}),
        configs::ProcessConfig(configs::EdmConfig()), configs::ProcessConfig(configs::FlowConfig()),
        configs::ProcessConfig(
            configs::SdeConfig{.prediction = configs::Prediction::kPreconditioned})}) {
    SCOPED_TRACE(process.index());
    const auto objective = MakeObjective({.process = process, .data_sigma = 0.5}, kBatch);
    const auto input_of = [&](int64_t first, int64_t count) {
      const at::Tensor part = clean.narrow(0, first, count).contiguous();
      const TrainingExample example = objective->MakeExample(part, 1, first);
      int calls = 0;
      const auto predict = [&](const at::Tensor& input) {
        ++calls;
        EXPECT_TRUE(at::equal(input.narrow(1, 0, 2), example.input));
        EXPECT_EQ(EstimatesOf(input).abs().max().item<float>(), 0);
        // As that of a network whose weights are trained would.
        return example.target * at::ones({1}).set_requires_grad(true);
      };
      const at::Tensor input = SelfConditionedInput(example, predict, 1, first);
      EXPECT_EQ(calls, 1);
      EXPECT_FALSE(input.requires_grad());
      EXPECT_TRUE(at::equal(input.narrow(1, 0, 2), example.input));
      return input;
    };
    const at::Tensor whole = input_of(0, kImages);
    int seen = 0;
    for (int64_t i = 0; i < kImages; ++i) {
      const at::Tensor estimate = EstimatesOf(whole)[i];
      if (estimate.abs().max().item<float>() == 0) continue;
      ++seen;
      EXPECT_TRUE(at::allclose(estimate, clean[i], 0, 0.01));
    }
    EXPECT_NEAR(seen, kImages / 2, 5 * 10);  // sqrt(400 / 4) = 10.
    // Which images see one belongs to their position.
    EXPECT_TRUE(at::equal(input_of(100, 50), whole.narrow(0, 100, 50)));
  }
}

TEST(SelfConditioningTest, SamplingGivesBackTheEstimateOfTheStepBefore) {
  const configs::DiffusionConfig config{
      .process = configs::FlowConfig{.prediction = configs::Prediction::kSample}};
  Formulation formulation = FormulationFrom(config);
  formulation.self_conditioned = true;
  std::vector<at::Tensor> seen;
  const auto predictor = [&](const at::Tensor& input, double) {
    seen.push_back(input);
    return at::full({3, 1, 2, 2}, 0.4 * static_cast<double>(seen.size()));
  };
  const Denoiser denoiser = MakeDenoiser(formulation, predictor);
  const at::Tensor sample = at::randn({3, 1, 2, 2});
  for (const double t : {1.0, 0.6, 0.3, 0.1}) denoiser(sample, formulation.process->At(t));
  ASSERT_EQ(seen.size(), 4);
  const std::vector<double> expected = {0, 0.4, 0.8, 1};  // 1.2 is clipped, as data are.
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_TRUE(at::equal(seen[i].narrow(1, 0, 1), sample));
    EXPECT_TRUE(at::allclose(EstimatesOf(seen[i]), at::full({3, 1, 2, 2}, expected[i])));
  }
  // Another batch knows nothing of this one.
  MakeDenoiser(formulation, predictor)(sample, formulation.process->At(1));
  EXPECT_EQ(EstimatesOf(seen.back()).abs().max().item<float>(), 0);
}

}  // namespace
}  // namespace langevin::diffusion
