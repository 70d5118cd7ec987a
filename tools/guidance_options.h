// What `langevin sample` is told of guidance: classifier-free (Ho and Salimans 2022), by a worse
// model (autoguidance, Karras et al. 2024), on an interval of noise levels (Kynkaanniemi et al.
// 2024).
//
// Plain values and functions; any thread.
#ifndef LANGEVIN_TOOLS_GUIDANCE_OPTIONS_H_
#define LANGEVIN_TOOLS_GUIDANCE_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "core/diffusion/sampling.h"
#include "core/export/model_source.h"

namespace langevin::tools {

struct GuidanceOptions {
  std::optional<double> scale;
  std::vector<double> interval;  // Empty or {low, high}, in sigma / alpha.
  std::optional<double> rescale;
  std::string guide;  // A model; empty: the null class.
  std::optional<int64_t> null_class;
};

void AddGuidanceFlags(CLI::App& command, GuidanceOptions& options);

// What can be said without a model: InvalidArgument where options contradict each other.
absl::Status CheckGuidance(const GuidanceOptions& options);

// Puts into `request`, whose formulation is the model's, the guidance away from `guide` or, where
// that is null, from the null class. `guide` must outlive the request. InvalidArgument or
// FailedPrecondition where the models do not fit.
absl::Status AddGuidance(const GuidanceOptions& options, const exporting::Model& model,
                         const exporting::Model* guide, diffusion::SamplingRequest& request);

}  // namespace langevin::tools

#endif  // LANGEVIN_TOOLS_GUIDANCE_OPTIONS_H_
