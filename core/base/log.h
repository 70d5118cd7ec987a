// The one way to tell the person who runs the program something: lines on stderr.
//
// Results go to stdout and are not logged. Information is printed by rank 0 alone, since every rank
// has the same; warnings and errors are printed by the rank that has them, with its number. Library
// code returns errors instead of logging them; it logs only what nobody downstream could know.
// Any thread may log; a line is written whole.
#ifndef LANGEVIN_CORE_BASE_LOG_H_
#define LANGEVIN_CORE_BASE_LOG_H_

#include <string>
#include <string_view>

#include "absl/strings/str_format.h"

namespace langevin {

enum class LogSeverity { kInfo, kWarning, kError };

// Says which rank this process is; called once, when the ranks are known. Lines name the rank only
// if `world_size` is above 1.
void SetLogRank(int rank, int world_size);

// Writes `message` and a line break. If a status line stands on the terminal, it is cleared first
// and drawn again afterwards.
void LogLine(LogSeverity severity, std::string_view message);

// Draws `line` in place of the last status line where stderr is a terminal; elsewhere writes it as
// a line of its own. Only rank 0's is shown. An empty line removes it.
void LogStatusLine(std::string_view line);

template <typename... Args>
void LogInfo(const absl::FormatSpec<Args...>& format, const Args&... args) {
  LogLine(LogSeverity::kInfo, absl::StrFormat(format, args...));
}

template <typename... Args>
void LogWarning(const absl::FormatSpec<Args...>& format, const Args&... args) {
  LogLine(LogSeverity::kWarning, absl::StrFormat(format, args...));
}

template <typename... Args>
void LogError(const absl::FormatSpec<Args...>& format, const Args&... args) {
  LogLine(LogSeverity::kError, absl::StrFormat(format, args...));
}

}  // namespace langevin

#endif  // LANGEVIN_CORE_BASE_LOG_H_
