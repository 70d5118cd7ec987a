// What `langevin evaluate` found, as metrics.json and as a table for the terminal.
//
// Everything in it is a function of what was evaluated: no times, no number of ranks.
#ifndef LANGEVIN_TOOLS_EVALUATE_RESULTS_H_
#define LANGEVIN_TOOLS_EVALUATE_RESULTS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/metrics/features.h"
#include "core/metrics/metric_set.h"

namespace langevin::tools {

// Where the samples came from. Of a model, or of a folder of samples.
struct SampleOrigin {
  bool is_model = false;
  std::string path;      // The checkpoint or folder of weights, or the folder of samples.
  std::string checksum;  // Of samples.safetensors; empty for models.
  std::string weights;   // "ema", "raw"; empty where it is not known, as what follows.
  std::string images_seen;
  std::string sampler;
  int64_t steps = 0;
};

struct EvaluationResults {
  SampleOrigin origin;
  uint64_t seed = 0;
  int64_t count = 0;

  std::string data;
  std::string fingerprint;
  std::string split;         // "train" or "validation".
  int64_t references = 0;    // Images of that split.
  int64_t floor_images = 0;  // In the samples' place for the floor.
  std::string floor;         // What the floor compares, in words; empty where there is none.
  int64_t replicates = 0;

  metrics::FeatureInfo features;
  metrics::MetricTable table;
  // bits_per_dim: how many images, how, and where in time the bits go (BitsPerDim). 0: not asked
  // for.
  int64_t likelihood_images = 0;
  std::string likelihood_method;
  std::vector<double> bits_by_image;
  std::vector<double> bits_by_time;
  std::vector<std::string> notes;  // What to know before one believes a number.
};

// A metric's name as it is told: "fid", on pixels "fid_pixels".
std::string ShownName(const EvaluationResults& results, const std::string& metric);

// The samples nearest to a training image: (sample, its nearest), nearest first.
std::vector<std::pair<int64_t, int64_t>> ClosestPairs(const metrics::Memorisation& memorisation,
                                                      int64_t most);

// What was evaluated, name and value, in words.
std::vector<std::pair<std::string, std::string>> FactsOf(const EvaluationResults& results);

std::string ResultsJson(const EvaluationResults& results);
std::string ResultsText(const EvaluationResults& results);

}  // namespace langevin::tools

#endif  // LANGEVIN_TOOLS_EVALUATE_RESULTS_H_
