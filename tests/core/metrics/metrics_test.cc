// The metrics on cases whose answers are known, and their independence of threads. NumPy and SciPy
// on random data are tests/python/evaluate_test.py's.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "ATen/ATen.h"
#include "ATen/Parallel.h"
#include "core/base/philox.h"
#include "core/metrics/blocks.h"
#include "core/metrics/bootstrap.h"
#include "core/metrics/frechet_distance.h"
#include "core/metrics/inception_score.h"
#include "core/metrics/kernel_distance.h"
#include "core/metrics/manifold_metrics.h"
#include "core/metrics/memorisation.h"
#include "core/metrics/neighbours.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace langevin::metrics {
namespace {

using testing::DoubleNear;
using testing::Each;
using testing::ElementsAre;
using testing::Pointwise;

constexpr BootstrapOptions kNoInterval = {.replicates = 0};
constexpr double kInfinity = std::numeric_limits<double>::infinity();

at::Tensor NormalRows(int64_t rows, int64_t width, uint64_t seed) {
  at::Tensor table = at::empty({rows, width}, at::kFloat);
  RandomStream(seed, 0, RandomPurpose::kInitialSample)
      .FillNormal({table.data_ptr<float>(), static_cast<size_t>(table.numel())});
  return table;
}

TEST(FrechetDistanceTest, OfTwoGaussiansIsTheClosedForm) {
  const at::Tensor mean = at::tensor({1.0, -2.0, 0.5}, at::kDouble);
  const at::Tensor zero = at::zeros({3}, at::kDouble);
  // Diagonal: |m|^2 + sum (s - r)^2.
  const GaussianMoments a = {zero, at::diag(at::tensor({4.0, 1.0, 0.25}, at::kDouble))};
  const GaussianMoments b = {mean, at::diag(at::tensor({9.0, 1.0, 0.0}, at::kDouble))};
  EXPECT_NEAR(FrechetReference(a).DistanceTo(b), 5.25 + 1 + 0 + 0.25, 1e-12);
  EXPECT_NEAR(FrechetReference(b).DistanceTo(a), 6.5, 1e-12);
  // The same in any basis: rotated by 30 degrees.
  const double c = std::sqrt(0.75), s = 0.5;
  const at::Tensor turn =
      at::tensor({c, -s, 0.0, s, c, 0.0, 0.0, 0.0, 1.0}, at::kDouble).view({3, 3});
  const auto turned = [&](const GaussianMoments& g) {
    return GaussianMoments{turn.matmul(g.mean), turn.matmul(g.covariance).matmul(turn.t())};
  };
  EXPECT_NEAR(FrechetReference(turned(a)).DistanceTo(turned(b)), 6.5, 1e-12);
}

TEST(FrechetDistanceTest, MovesWithTheSquareOfAnOffset) {
  const at::Tensor features = NormalRows(500, 8, 1);
  const FrechetReference reference(MomentsOf(features, {}, 1));
  EXPECT_NEAR(FrechetDistance(features, reference, kNoInterval, 1).value, 0, 1e-9);
  EXPECT_NEAR(FrechetDistance(features + 2, reference, kNoInterval, 1).value, 8 * 4, 1e-4);
}

TEST(FrechetDistanceTest, MomentsAreThoseOfRowsTakenSeveralTimes) {
  const at::Tensor features = NormalRows(6, 3, 2);
  const at::Tensor counts = at::tensor({2.0, 0.0, 1.0, 3.0, 0.0, 1.0}, at::kDouble);
  const at::Tensor rows =
      features.index_select(0, at::tensor({0, 0, 2, 3, 3, 3, 5}, at::kLong)).contiguous();
  const GaussianMoments weighted = MomentsOf(features, counts, 1);
  const GaussianMoments repeated = MomentsOf(rows, {}, 1);
  EXPECT_TRUE(at::allclose(weighted.mean, repeated.mean, 1e-12, 1e-12));
  EXPECT_TRUE(at::allclose(weighted.covariance, repeated.covariance, 1e-12, 1e-12));
}

TEST(KernelDistanceTest, IsTheFormulaOnPointsOfOneDimension) {
  const at::Tensor y = at::tensor({0.0F, 1.0F}).view({2, 1});
  const at::Tensor x = at::tensor({1.0F, 2.0F, -1.0F}).view({3, 1});
  // k(a, b) = (a b + 1)^3. Among y: k(0, 1) = 1. Among x: k(1, 2), k(1, -1), k(2, -1) = 27, 0, -1.
  // Across: k(0, .) = 1, 1, 1 and k(1, .) = 8, 27, 0.
  EXPECT_NEAR(KernelDistance(y, x, kNoInterval, 1).value, 1 + 26.0 / 3 - 2 * 38.0 / 6, 1e-12);
}

TEST(KernelDistanceTest, IsWithoutBiasAndItsIntervalCoversZeroForEqualDistributions) {
  const Estimate estimate =
      KernelDistance(NormalRows(600, 4, 1), NormalRows(700, 4, 2), BootstrapOptions(), 2);
  EXPECT_LT(estimate.low, 0);
  EXPECT_GT(estimate.high, 0);
  EXPECT_NEAR((estimate.low + estimate.high) / 2, estimate.value, 1e-9);
}

TEST(InceptionScoreTest, IsTheNumberOfClassesThatAreSureAndEven) {
  const at::Tensor sure = at::eye(5, at::kFloat).repeat({4, 1}) * 1000;
  EXPECT_NEAR(InceptionScore(sure, kNoInterval).value, 5, 1e-9);
  EXPECT_NEAR(InceptionScore(at::zeros({7, 5}), kNoInterval).value, 1, 1e-12);
  // One class alone: sure, and always the same.
  EXPECT_NEAR(InceptionScore(sure.narrow(0, 0, 1).repeat({9, 1}), kNoInterval).value, 1, 1e-12);
}

TEST(NeighboursTest, AreThoseOfPointsOnALine) {
  const at::Tensor table = at::tensor({0.0F, 1.0F, 3.0F, 7.0F, 15.0F}).view({5, 1});
  EXPECT_THAT(NeighbourDistances(table, 1, 1),
              Pointwise(DoubleNear(1e-9), std::vector<double>{1, 1, 2, 4, 8}));
  EXPECT_THAT(Manifold(table, 1).Radii(3),
              Pointwise(DoubleNear(1e-9), std::vector<double>{7, 6, 4, 7, 14}));
  const Nearest nearest = NearestRows(at::tensor({4.5F, -1.0F, 3.0F}).view({3, 1}), table, 1);
  EXPECT_THAT(nearest.indices, ElementsAre(2, 0, 2));
  EXPECT_THAT(nearest.distances, Pointwise(DoubleNear(1e-6), std::vector<double>{1.5, 1, 0}));
}

TEST(NeighboursTest, ACopyIsAtDistanceZeroFarFromTheOriginToo) {
  const at::Tensor table = NormalRows(3000, 32, 3) + 1000;
  const Nearest nearest = NearestRows(table.narrow(0, 1000, 50), table, 2);
  for (int64_t i = 0; i < 50; ++i) {
    EXPECT_EQ(nearest.indices[static_cast<size_t>(i)], 1000 + i);
    EXPECT_EQ(nearest.distances[static_cast<size_t>(i)], 0);
  }
}

TEST(NeighboursTest, BlocksAreOfNoConsequence) {
  // More than a block of rows and columns.
  const at::Tensor queries = NormalRows(300, 5, 4), table = NormalRows(5000, 5, 5);
  const Nearest nearest = NearestRows(queries, table, 3);
  const at::Tensor all =
      (queries.unsqueeze(1).to(at::kDouble) - table.to(at::kDouble)).square().sum(2).sqrt();
  const auto [distances, indices] = all.min(1);
  for (int64_t i = 0; i < 300; ++i) {
    EXPECT_EQ(nearest.indices[static_cast<size_t>(i)], indices[i].item<int64_t>());
    EXPECT_NEAR(nearest.distances[static_cast<size_t>(i)], distances[i].item<double>(), 1e-9);
  }
}

TEST(ManifoldMetricsTest, AreOneForACopyAndZeroFarAway) {
  const at::Tensor reference = NormalRows(200, 3, 6);
  const PrecisionRecall same =
      ComputePrecisionRecall(reference, Manifold(reference, 1), kNoInterval, 1);
  EXPECT_EQ(same.precision.value, 1);
  EXPECT_EQ(same.recall.value, 1);
  EXPECT_EQ(
      ComputeDensityCoverage(reference, Manifold(reference, 1), kNoInterval, 1).coverage.value, 1);
  const PrecisionRecall far =
      ComputePrecisionRecall(reference + 100, Manifold(reference, 1), kNoInterval, 1);
  EXPECT_EQ(far.precision.value, 0);
  EXPECT_EQ(far.recall.value, 0);
  const DensityCoverage none =
      ComputeDensityCoverage(reference + 100, Manifold(reference, 1), kNoInterval, 1);
  EXPECT_EQ(none.density.value, 0);
  EXPECT_EQ(none.coverage.value, 0);
}

TEST(ManifoldMetricsTest, OnALineAreCountedByHand) {
  // Radii of 0 ... 5 to the 3rd other: 3, 2, 2, 2, 2, 3; to the 5th: 5, 4, 3, 3, 4, 5.
  const at::Tensor reference = at::arange(6, at::kFloat).view({6, 1});
  const at::Tensor samples = at::tensor({-2.5F, 2.5F, 8.5F, 9.0F, 50.0F}).view({5, 1});
  const PrecisionRecall pr =
      ComputePrecisionRecall(samples, Manifold(reference, 1), kNoInterval, 1);
  EXPECT_NEAR(pr.precision.value, 2.0 / 5, 1e-12);  // -2.5 and 2.5.
  EXPECT_NEAR(pr.recall.value, 1, 1e-12);
  const DensityCoverage dc =
      ComputeDensityCoverage(samples, Manifold(reference, 1), kNoInterval, 1);
  // -2.5 lies in the balls of 0 and 1; 2.5 in all six; 8.5 in those of 4 (not: 4.5) and 5; 9 in
  // 5's.
  EXPECT_NEAR(dc.density.value, (2 + 6 + 1 + 1) / 5.0 / 5, 1e-12);
  EXPECT_EQ(dc.coverage.value, 1);
}

TEST(ManifoldMetricsTest, CopiesLieInTheBallsThatReachThem) {
  const at::Tensor reference = NormalRows(300, 7, 14);
  const at::Tensor copies = reference.narrow(0, 100, 60).contiguous();
  int64_t inside = 0;
  const std::vector<double> radii = Manifold(reference, 1).Radii(5);
  const at::Tensor all =
      (copies.unsqueeze(1).to(at::kDouble) - reference.to(at::kDouble)).square().sum(2).sqrt();
  for (int64_t i = 0; i < 60; ++i) {
    for (int64_t j = 0; j < 300; ++j) {
      inside += all[i][j].item<double>() <= radii[static_cast<size_t>(j)] * (1 + 1e-12);
    }
  }
  EXPECT_NEAR(ComputeDensityCoverage(copies, Manifold(reference, 1), kNoInterval, 1).density.value,
              static_cast<double>(inside) / 60 / 5, 1e-12);
}

TEST(MemorisationTest, SeesCopies) {
  const at::Tensor training = NormalRows(2000, 16, 7), held_out = NormalRows(1000, 16, 8);
  const at::Tensor samples =
      at::cat({NormalRows(900, 16, 9), training.narrow(0, 50, 100) + 1e-3}).contiguous();
  const Memorisation result =
      ComputeMemorisation(samples, held_out, training, BootstrapOptions(), 2);
  EXPECT_NEAR(result.share.value, 0.109, 0.008);  // A tenth, and 1 % of the rest.
  EXPECT_LT(result.share.low, result.share.value);
  EXPECT_EQ(result.of_samples.indices[900], 50);
  EXPECT_NEAR(result.of_samples.distances[900], 4e-3, 1e-5);
}

TEST(MemorisationTest, PercentilesAreInterpolated) {
  EXPECT_EQ(Percentile({4, 1, 3, 2}, 0), 1);
  EXPECT_EQ(Percentile({4, 1, 3, 2}, 50), 2.5);
  EXPECT_EQ(Percentile({4, 1, 3, 2}, 100), 4);
  EXPECT_NEAR(Percentile({10, 20}, 1), 10.1, 1e-12);
}

TEST(BootstrapTest, IntervalOfAMeanIsThatOfTheTextbook) {
  std::vector<double> values;
  for (int i = 0; i < 2000; ++i) values.push_back(i % 4 == 0 ? 1 : 0);
  const Estimate mean = BootstrapMean(values, {.seed = 3, .replicates = 1000}, 0, 1);
  EXPECT_EQ(mean.value, 0.25);
  const double reach = 1.96 * std::sqrt(0.25 * 0.75 / 2000);
  EXPECT_NEAR(mean.high - mean.value, reach, 0.1 * reach);
  EXPECT_NEAR(mean.value - mean.low, reach, 0.1 * reach);
  EXPECT_EQ(BootstrapCounts(3, 0, 500).sum().item<double>(), 500);
}

TEST(BootstrapTest, IntervalsEndWhereTheMetricDoes) {
  EXPECT_EQ(WithInterval(0.01, {0, 1}, 0, 1).low, 0);
  EXPECT_EQ(WithInterval(0.99, {0, 1}, 0, 1).high, 1);
  EXPECT_EQ(WithInterval(3, {}, 0, 1).high, 3);
}

TEST(BootstrapTest, FrechetIntervalIsTheSpreadOfRepeatedDraws) {
  const FrechetReference reference(MomentsOf(NormalRows(4000, 4, 10), {}, 2));
  const Estimate estimate =
      FrechetDistance(NormalRows(500, 4, 11) + 0.5, reference, BootstrapOptions(), 2);
  std::vector<double> draws;
  for (uint64_t seed = 20; seed < 60; ++seed) {
    draws.push_back(
        FrechetDistance(NormalRows(500, 4, seed) + 0.5, reference, kNoInterval, 2).value);
  }
  const Estimate truth = WithInterval(0, draws, -kInfinity, kInfinity);
  EXPECT_NEAR((estimate.high - estimate.low) / (truth.high - truth.low), 1, 0.35);
}

TEST(ThreadsTest, ChangeNoBit) {
  const at::Tensor samples = NormalRows(700, 300, 12), reference = NormalRows(900, 300, 13);
  const auto all = [&](int threads) {
    at::set_num_threads(threads);  // LibTorch's own must not matter either.
    const BootstrapOptions options = {.seed = 1, .replicates = 5};
    const FrechetReference frechet(MomentsOf(reference, {}, threads));
    std::vector<double> values;
    for (const Estimate& estimate :
         {FrechetDistance(samples, frechet, options, threads),
          KernelDistance(samples, reference, options, threads),
          ComputePrecisionRecall(samples, Manifold(reference, 1), options, threads).precision,
          ComputeDensityCoverage(samples, Manifold(reference, 1), options, threads).density,
          ComputeMemorisation(samples, samples + 1, reference, options, threads).share}) {
      values.insert(values.end(), {estimate.value, estimate.low, estimate.high});
    }
    const Nearest nearest = NearestRows(samples, reference, threads);
    values.insert(values.end(), nearest.distances.begin(), nearest.distances.end());
    return values;
  };
  const std::vector<double> one = all(1);
  EXPECT_EQ(one, all(2));
  EXPECT_EQ(one, all(5));
}

TEST(BlocksTest, ThrowsWhatABlockThrew) {
  EXPECT_THROW(ForBlocks(10, 3, 2,
                         [](int64_t block, int64_t, int64_t) {
                           if (block == 3) throw std::bad_alloc();
                         }),
               std::bad_alloc);
  std::vector<int64_t> seen(7, 0);
  ForBlocks(7, 3, 2, [&](int64_t block, int64_t begin, int64_t end) {
    EXPECT_EQ(begin, 2 * block);
    for (int64_t i = begin; i < end; ++i) ++seen[static_cast<size_t>(i)];
  });
  EXPECT_THAT(seen, Each(1));
}

}  // namespace
}  // namespace langevin::metrics
