// The status line of a long computation: how much is done, and how long the rest will take.
#ifndef LANGEVIN_TOOLS_PROGRESS_LINE_H_
#define LANGEVIN_TOOLS_PROGRESS_LINE_H_

#include <cstdint>
#include <string>
#include <utility>

#include "core/base/clock.h"

namespace langevin::tools {

// Draws at most one line a second, and removes it when destroyed. One thread.
class ProgressLine {
 public:
  // `what` is done, as in "1000 samples".
  explicit ProgressLine(std::string what) : what_(std::move(what)) {}
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void Show(int64_t done, int64_t total);

 private:
  const std::string what_;
  const double begin_ = MonotonicSeconds();
  double shown_ = begin_;
};

}  // namespace langevin::tools

#endif  // LANGEVIN_TOOLS_PROGRESS_LINE_H_
