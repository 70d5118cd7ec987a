#include "core/metrics/metric_set.h"

#include <array>
#include <utility>

#include "ATen/ATen.h"
#include "absl/strings/str_cat.h"
#include "core/metrics/frechet_distance.h"
#include "core/metrics/inception_score.h"
#include "core/metrics/kernel_distance.h"
#include "core/metrics/manifold_metrics.h"

namespace langevin::metrics {
namespace {

// In the order of results.
constexpr std::array kMetrics = {
    MetricInfo{"fid", 2, 2, false, false},
    MetricInfo{"kid", 2, 2, false, false},
    MetricInfo{"inception_score", 1, 1, true, false},
    MetricInfo{"precision_recall", kPrecisionRecallNeighbours + 1, kPrecisionRecallNeighbours + 1,
               false, false},
    MetricInfo{"density_coverage", 1, kDensityCoverageNeighbours + 1, false, false},
    MetricInfo{"nearest_neighbour", 1, 1, false, true},
    MetricInfo{"bits_per_dim", 1, 2, false, false, /*is_of_model=*/true},
};

// Of a copy of nothing: see memorisation.h.
constexpr double kShareOfHeldOut = kMemorisationPercentile / 100;

// Real images that samples are compared with, and what metrics prepare of them, once.
class Reference {
 public:
  Reference(const at::Tensor& features, int threads) : features_(features), threads_(threads) {}

  const at::Tensor& features() const { return features_; }

  const FrechetReference& Gaussian() {
    if (!gaussian_.has_value()) gaussian_.emplace(MomentsOf(features_, {}, threads_));
    return *gaussian_;
  }

  const Manifold& Balls() {
    if (!balls_.has_value()) balls_.emplace(features_, threads_);
    return *balls_;
  }

 private:
  const at::Tensor features_;
  const int threads_;
  std::optional<FrechetReference> gaussian_;
  std::optional<Manifold> balls_;
};

// Computes metrics of samples against a reference, in the order of kMetrics.
std::vector<MetricValue> Compare(const std::set<std::string>& names, const Features& samples,
                                 Reference& reference, const BootstrapOptions& options, int threads,
                                 const std::function<void(const std::string&)>& on_step) {
  std::vector<MetricValue> values;
  const auto begin = [&](const char* name) {
    const bool wanted = names.contains(name);
    if (wanted && on_step) on_step(name);
    return wanted;
  };
  if (begin("fid")) {
    values.push_back(
        {.name = "fid",
         .estimate = FrechetDistance(samples.values, reference.Gaussian(), options, threads),
         .less_is_better = true});
  }
  if (begin("kid")) {
    values.push_back(
        {.name = "kid",
         .estimate = KernelDistance(samples.values, reference.features(), options, threads),
         .less_is_better = true});
  }
  if (begin("inception_score")) {
    values.push_back(
        {.name = "inception_score", .estimate = InceptionScore(samples.logits, options)});
  }
  if (begin("precision_recall")) {
    const PrecisionRecall result =
        ComputePrecisionRecall(samples.values, reference.Balls(), options, threads);
    values.push_back({.name = "precision", .estimate = result.precision});
    values.push_back({.name = "recall", .estimate = result.recall});
  }
  if (begin("density_coverage")) {
    const DensityCoverage result =
        ComputeDensityCoverage(samples.values, reference.Balls(), options, threads);
    values.push_back({.name = "density", .estimate = result.density});
    values.push_back({.name = "coverage", .estimate = result.coverage});
  }
  return values;
}

// The names whose metrics so many images are enough for.
std::set<std::string> Possible(const std::set<std::string>& names, int64_t samples,
                               int64_t references) {
  std::set<std::string> possible;
  for (const std::string& name : names) {
    if (CheckImageCounts({name}, samples, references).ok()) possible.insert(name);
  }
  return possible;
}

}  // namespace

std::span<const MetricInfo> KnownMetrics() { return kMetrics; }

std::string KnownMetricNames() {
  std::string names;
  for (const MetricInfo& metric : kMetrics) {
    absl::StrAppend(&names, names.empty() ? "" : ", ", metric.name);
  }
  return names;
}

const MetricInfo* FindMetric(const std::string& name) {
  for (const MetricInfo& metric : kMetrics) {
    if (name == metric.name) return &metric;
  }
  return nullptr;
}

absl::Status CheckImageCounts(const std::set<std::string>& names, int64_t samples,
                              int64_t references) {
  for (const MetricInfo& metric : kMetrics) {
    if (!names.contains(metric.name)) continue;
    if (samples < metric.least_samples) {
      return absl::InvalidArgumentError(
          absl::StrCat(metric.name, " needs at least ", metric.least_samples, " samples; there ",
                       samples == 1 ? "is 1" : absl::StrCat("are ", samples)));
    }
    if (references < metric.least_references) {
      return absl::InvalidArgumentError(
          absl::StrCat(metric.name, " needs at least ", metric.least_references,
                       " images of the data set; the split has ", references));
    }
  }
  return absl::OkStatus();
}

MetricTable ComputeMetrics(const std::set<std::string>& names, const EvaluatedSets& sets,
                           const BootstrapOptions& options, int threads,
                           const std::function<void(const std::string&)>& on_step) {
  MetricTable table;
  Reference reference(sets.reference, threads);
  table.values = Compare(names, sets.samples, reference, options, threads, on_step);
  if (sets.floor_samples.values.defined()) {
    if (on_step) on_step("real images");
    const std::set<std::string> possible =
        Possible(names, sets.floor_samples.values.size(0), sets.floor_reference.size(0));
    Reference others(sets.floor_reference, threads);
    Reference& compared = sets.floor_reference.is_same(sets.reference) ? reference : others;
    for (const MetricValue& floor :
         Compare(possible, sets.floor_samples, compared, {.replicates = 0}, threads, {})) {
      for (MetricValue& value : table.values) {
        if (value.name == floor.name) value.floor = floor.estimate.value;
      }
    }
  }
  if (names.contains("nearest_neighbour")) {
    if (on_step) on_step("nearest_neighbour");
    table.memorisation =
        ComputeMemorisation(sets.samples.values, sets.held_out, sets.training, options, threads);
    table.values.push_back({.name = "nearest_neighbour_share",
                            .estimate = table.memorisation->share,
                            .floor = kShareOfHeldOut,
                            .less_is_better = true});
  }
  return table;
}

}  // namespace langevin::metrics
