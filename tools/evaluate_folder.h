// The folder that `langevin evaluate` writes: metrics.json and report.html.
#ifndef LANGEVIN_TOOLS_EVALUATE_FOLDER_H_
#define LANGEVIN_TOOLS_EVALUATE_FOLDER_H_

#include <string>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "core/base/file_system.h"
#include "tools/evaluate_results.h"
#include "tools/evaluate_sources.h"

namespace langevin::tools {

// AlreadyExists where `folder` holds anything but an evaluation: such folders are left alone.
absl::Status CheckEvaluationFolder(FileSystem& file_system, const std::string& folder);

// Writes the folder so that it appears whole; an earlier evaluation's makes place. The report's
// pictures are of `samples` (count, C, H, W), of `reference`, and of the `training` images nearest
// to samples.
absl::Status WriteEvaluationFolder(FileSystem& file_system, const std::string& folder,
                                   const EvaluationResults& results, const at::Tensor& samples,
                                   RealImages& reference, RealImages& training);

}  // namespace langevin::tools

#endif  // LANGEVIN_TOOLS_EVALUATE_FOLDER_H_
