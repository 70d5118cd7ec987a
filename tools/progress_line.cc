#include "tools/progress_line.h"

#include "absl/strings/str_format.h"
#include "core/base/log.h"

namespace langevin::tools {

ProgressLine::~ProgressLine() { LogStatusLine(""); }

void ProgressLine::Show(int64_t done, int64_t total) {
  const double now = MonotonicSeconds();
  if (done <= 0 || now - shown_ < 1) return;
  shown_ = now;
  const double elapsed = now - begin_;
  LogStatusLine(absl::StrFormat(
      "%3d%% of %s  elapsed %s  left %s", 100 * done / total, what_, FormatDuration(elapsed),
      FormatDuration(elapsed * static_cast<double>(total - done) / static_cast<double>(done))));
}

}  // namespace langevin::tools
