#include "core/base/log.h"

#include <unistd.h>

#include <cstdio>
#include <mutex>

#include "absl/strings/str_cat.h"

namespace langevin {
namespace {

struct LogState {
  std::mutex mutex;
  int rank = 0;
  int world_size = 1;
  std::string status_line;  // What stands on the terminal below the log; empty if nothing does.
};

// Never destroyed, so that threads may log while the process ends.
LogState& State() {
  static auto& state = *new LogState;
  return state;
}

bool IsTerminal() {
  static const bool is_terminal = isatty(STDERR_FILENO) == 1;
  return is_terminal;
}

void WriteToStderr(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

constexpr std::string_view kClearLine = "\r\x1b[K";

}  // namespace

void SetLogRank(int rank, int world_size) {
  LogState& state = State();
  const std::lock_guard lock(state.mutex);
  state.rank = rank;
  state.world_size = world_size;
}

void LogLine(LogSeverity severity, std::string_view message) {
  LogState& state = State();
  const std::lock_guard lock(state.mutex);
  if (severity == LogSeverity::kInfo && state.rank != 0) return;
  std::string line = state.status_line.empty() ? "" : std::string(kClearLine);
  if (severity != LogSeverity::kInfo) {
    line += severity == LogSeverity::kError ? "langevin: error: " : "langevin: warning: ";
    if (state.world_size > 1) absl::StrAppend(&line, "rank ", state.rank, ": ");
  }
  line.append(message);
  line += '\n';
  line += state.status_line;
  WriteToStderr(line);
}

void LogStatusLine(std::string_view line) {
  LogState& state = State();
  const std::lock_guard lock(state.mutex);
  if (state.rank != 0) return;
  if (!IsTerminal()) {
    if (!line.empty()) WriteToStderr(absl::StrCat(std::string(line), "\n"));
    return;
  }
  state.status_line = std::string(line);
  WriteToStderr(absl::StrCat(std::string(kClearLine), state.status_line));
}

}  // namespace langevin
