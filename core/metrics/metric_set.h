// The metrics by name: what there is, what each needs, and all of them for one set of images.
//
// A new metric joins kMetrics in metric_set.cc, and ComputeMetrics if it is computed from features.
#ifndef LANGEVIN_CORE_METRICS_METRIC_SET_H_
#define LANGEVIN_CORE_METRICS_METRIC_SET_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "core/metrics/bootstrap.h"
#include "core/metrics/features.h"
#include "core/metrics/memorisation.h"

namespace langevin::metrics {

struct MetricInfo {
  const char* name;
  // Images that it needs.
  int64_t least_samples;
  int64_t least_references;
  bool needs_logits;
  bool needs_training;  // All training images, and held-out ones.
  // Of the model and not of its samples: computed where it is asked for, and not by ComputeMetrics.
  bool is_of_model = false;
};

std::span<const MetricInfo> KnownMetrics();
// "fid, kid, ...".
std::string KnownMetricNames();
// Nullptr: there is no such metric.
const MetricInfo* FindMetric(const std::string& name);

// InvalidArgument, naming the metric and the number: too few images for one of `names`.
absl::Status CheckImageCounts(const std::set<std::string>& names, int64_t samples,
                              int64_t references);

// Features on rank 0. Only what the metrics asked for need has to be there.
struct EvaluatedSets {
  Features samples;
  at::Tensor reference;
  // Real images in the samples' place and what they are compared with: what a perfect model would
  // get with so many images. Without values: there is no floor.
  Features floor_samples;
  at::Tensor floor_reference;
  // For memorisation.
  at::Tensor training;
  at::Tensor held_out;
};

struct MetricValue {
  std::string name;  // One metric may give two values: precision and recall.
  Estimate estimate;
  std::optional<double> floor;  // The same of real images.
  bool less_is_better = false;
};

struct MetricTable {
  std::vector<MetricValue> values;
  std::optional<Memorisation> memorisation;
};

// All of `names`, which are known ones, on up to `threads` threads. `on_step`, if set, hears what
// is computed next.
MetricTable ComputeMetrics(const std::set<std::string>& names, const EvaluatedSets& sets,
                           const BootstrapOptions& options, int threads,
                           const std::function<void(const std::string& step)>& on_step = {});

}  // namespace langevin::metrics

#endif  // LANGEVIN_CORE_METRICS_METRIC_SET_H_
