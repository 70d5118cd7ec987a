// One evaluation of a model's images, on all ranks together: sample, extract features, compute,
// write.
#ifndef LANGEVIN_TOOLS_EVALUATION_H_
#define LANGEVIN_TOOLS_EVALUATION_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "launch/mpi_runtime.h"

namespace langevin::tools {

// As the flags of the same names say.
struct EvaluateOptions {
  std::string model;
  std::string samples;
  std::string data;
  std::string features;
  std::vector<std::string> metrics;  // Empty: all that can be computed.
  std::string split = "validation";
  std::optional<int64_t> count;
  std::string sampler;
  std::optional<int64_t> steps;
  std::string weights = "ema";
  uint64_t seed = 0;
  std::string likelihood;          // "bound", "flow"; "": the model's own.
  int64_t likelihood_images = 64;  // Of the split, for bits_per_dim.
  int64_t likelihood_terms = 0;    // Of the bound; 0: all.
  std::string output;
};

// The subcommand's work on one rank. All that can be wrong with models, data and flags is found
// before anything is computed, and told once.
absl::Status EvaluateOnRank(const EvaluateOptions& options, launch::MpiRuntime& runtime);

}  // namespace langevin::tools

#endif  // LANGEVIN_TOOLS_EVALUATION_H_
