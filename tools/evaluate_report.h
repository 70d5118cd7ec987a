// report.html of an evaluation: the numbers, and the images behind them.
#ifndef LANGEVIN_TOOLS_EVALUATE_REPORT_H_
#define LANGEVIN_TOOLS_EVALUATE_REPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/png.h"
#include "tools/evaluate_results.h"

namespace langevin::tools {

// A sample beside the training image that is nearest to it.
struct PicturePair {
  Picture sample;
  Picture training;
  int64_t sample_index = 0;
  int64_t training_index = 0;
  double distance = 0;
};

struct ReportPictures {
  std::vector<Picture> samples;  // The first ones, all of one size; as `reals`, at least one.
  std::vector<Picture> reals;
  std::vector<PicturePair> closest;  // Nearest first; empty where it was not looked for.
};

// The page, one file that needs no other. Internal: a picture that cannot be encoded.
absl::StatusOr<std::string> RenderEvaluation(const EvaluationResults& results,
                                             const ReportPictures& pictures);

}  // namespace langevin::tools

#endif  // LANGEVIN_TOOLS_EVALUATE_REPORT_H_
