#include "core/diffusion/loss_history.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "core/base/philox.h"
#include "gtest/gtest.h"

namespace langevin::diffusion {
namespace {

constexpr int64_t kSteps = 12;

// LossSecondMomentResampler of OpenAI's guided-diffusion (resample.py), statement by statement.
class SecondMomentResampler {
 public:
  void Update(int64_t t, double loss) {
    if (counts_[t] == 10) {
      for (int i = 0; i + 1 < 10; ++i) history_[t][i] = history_[t][i + 1];
      history_[t][9] = loss;
    } else {
      history_[t][counts_[t]++] = loss;
    }
  }
  // p_t.
  std::vector<double> Probabilities() const {
    std::vector<double> weights(kSteps, 1.0 / kSteps);
    if (!std::all_of(counts_.begin(), counts_.end(), [](int count) { return count == 10; })) {
      return weights;
    }
    double sum = 0;
    for (int64_t t = 0; t < kSteps; ++t) {
      double squares = 0;
      for (const double loss : history_[t]) squares += loss * loss;
      sum += weights[t] = std::sqrt(squares / 10);
    }
    for (double& weight : weights) weight = weight / sum * (1 - 0.001) + 0.001 / kSteps;
    return weights;
  }

 private:
  std::vector<std::vector<double>> history_ =
      std::vector<std::vector<double>>(kSteps, std::vector<double>(10));
  std::vector<int> counts_ = std::vector<int>(kSteps);
};

struct Observation {
  int64_t step;
  float loss;
};

// Losses that differ by orders of magnitude, as those of the bound do.
Observation At(uint64_t image) {
  const RandomStream random(3, image, RandomPurpose::kTimestep);
  const int64_t step = random.UniformInt(0, kSteps);
  return {step, std::exp(-static_cast<float>(step)) * (0.5f + random.Uniform(1))};
}

TEST(LossHistoryTest, StepsAreAsFrequentAsGuidedDiffusionDrawsThem) {
  LossHistory history(kSteps);
  SecondMomentResampler resampler;
  int warm = 0;
  for (uint64_t image = 0; image < 600; ++image) {
    const auto [step, loss] = At(image);
    history.Add(step, loss);
    resampler.Update(step, loss);
    const std::vector<double> expected = resampler.Probabilities();
    const std::vector<double> frequencies = history.Frequencies();
    for (int64_t t = 0; t < kSteps; ++t) {
      ASSERT_NEAR(frequencies[t], kSteps * expected[t], 1e-12 * kSteps) << image;
    }
    warm += frequencies[0] > 5 ? 1 : 0;
  }
  EXPECT_GT(warm, 100);
  EXPECT_LT(warm, 500);
}

TEST(LossHistoryTest, ACheckpointKeepsEveryBit) {
  LossHistory whole(kSteps), cut(kSteps);
  for (uint64_t image = 0; image < 400; ++image) {
    LossHistory read(kSteps);
    const TensorView written = cut.View();
    const MutableTensorView target = read.MutableView();
    ASSERT_EQ(written.shape, (std::vector<int64_t>{kSteps, 10}));
    ASSERT_EQ(target.bytes.size(), written.bytes.size());
    std::copy(written.bytes.begin(), written.bytes.end(), target.bytes.begin());
    cut = read;
    whole.Add(At(image).step, At(image).loss);
    cut.Add(At(image).step, At(image).loss);
    ASSERT_EQ(cut.Frequencies(), whole.Frequencies()) << image;
  }
}

TEST(LossHistoryTest, ALossThatIsNotFiniteIsForgotten) {
  LossHistory history(2);
  for (int i = 0; i < 10; ++i) {
    history.Add(0, 1);
    history.Add(1, 3);
  }
  const std::vector<double> before = history.Frequencies();
  EXPECT_NEAR(before[1], 0.999 * 1.5 + 0.001, 1e-12);
  history.Add(0, std::numeric_limits<float>::quiet_NaN());
  history.Add(1, std::numeric_limits<float>::infinity());
  EXPECT_EQ(history.Frequencies(), before);
}

TEST(LossHistoryTest, WithoutLossesStepsAreUniform) {
  LossHistory history(2);
  EXPECT_EQ(history.Frequencies(), std::vector<double>(2, 1));
  for (int i = 0; i < 20; ++i) history.Add(i % 2, 0);
  EXPECT_EQ(history.Frequencies(), std::vector<double>(2, 1));
}

TEST(LossHistoryTest, OnlyRunsThatDrawByItHaveOne) {
  configs::DiffusionConfig config{.process = configs::DdpmConfig{.num_train_timesteps = 7}};
  EXPECT_FALSE(LossHistoryFor(config).has_value());
  config.times.distribution = configs::TimeDistribution::kImportance;
  EXPECT_EQ(LossHistoryFor(config)->Frequencies().size(), 7);
}

}  // namespace
}  // namespace langevin::diffusion
