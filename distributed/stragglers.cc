#include "distributed/stragglers.h"

#include <unistd.h>

#include <algorithm>
#include <cstddef>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "core/base/status_macros.h"

namespace langevin::distributed {
namespace {

// What ranks do there differs by design, or is nothing but waiting.
bool Counts(const std::string& phase) {
  return phase != "start" && phase != "resume" && phase != "agree";
}

double BusySeconds(const RankPace& pace, const std::string& phase) {
  double seconds = 0;
  for (const PhaseTime& time : pace.times) {
    if (time.phase == phase) seconds += time.busy_s;
  }
  return seconds;
}

double BusySeconds(const RankPace& pace) {
  double seconds = 0;
  for (const PhaseTime& time : pace.times) {
    if (Counts(time.phase)) seconds += time.busy_s;
  }
  return seconds;
}

// The lower one of two: of two ranks the faster is what the other is compared with.
double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<ptrdiff_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

template <typename Function>
double MedianOverRanks(const std::vector<RankPace>& paces, Function&& seconds_of) {
  std::vector<double> seconds;
  for (const RankPace& pace : paces) seconds.push_back(seconds_of(pace));
  return Median(std::move(seconds));
}

std::string Describe(const std::vector<RankPace>& paces, int rank, double factor) {
  const RankPace& slow = paces[rank];
  std::string worst_phase;
  double worst_own = 0, worst_median = 0;
  for (const PhaseTime& time : slow.times) {
    if (!Counts(time.phase)) continue;
    const double median =
        MedianOverRanks(paces, [&](const RankPace& pace) { return BusySeconds(pace, time.phase); });
    if (time.busy_s - median <= worst_own - worst_median) continue;
    worst_phase = time.phase;
    worst_own = time.busy_s;
    worst_median = median;
  }
  return absl::StrFormat(
      "rank %d on %s is slow and the others wait for it: busy %.1f times as long as the median "
      "rank, most of all in phase %s: %.2f s against %.2f s; look at what else runs on that host, "
      "at its disk and at its clocks",
      rank, slow.host, factor, worst_phase, worst_own, worst_median);
}

// "host\nload 1.5 0.25\n...": host names and phases have no white space.
std::string ToText(const RankPace& pace) {
  std::string text = pace.host;
  for (const PhaseTime& time : pace.times) {
    absl::StrAppendFormat(&text, "\n%s %.6f %.6f", time.phase, time.busy_s, time.waiting_s);
  }
  return text;
}

absl::StatusOr<RankPace> PaceFromText(const std::string& text) {
  const std::vector<std::string> lines = absl::StrSplit(text, '\n');
  RankPace pace{.host = lines[0], .times = {}};
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::vector<std::string> words = absl::StrSplit(lines[i], ' ');
    PhaseTime time;
    if (words.size() != 3 || !absl::SimpleAtod(words[1], &time.busy_s) ||
        !absl::SimpleAtod(words[2], &time.waiting_s)) {
      return absl::InternalError(absl::StrCat("a rank's phase times read \"", lines[i], "\""));
    }
    time.phase = words[0];
    pace.times.push_back(time);
  }
  return pace;
}

std::string HostName() {
  char name[256] = {};
  gethostname(name, sizeof(name) - 1);
  return name;
}

}  // namespace

PaceReport StragglerDetector::Judge(const std::vector<RankPace>& paces) {
  PaceReport report;
  slow_points_.resize(paces.size());
  if (paces.size() < 2) return report;
  const auto busy = [](const RankPace& pace) { return BusySeconds(pace); };
  const double median = MedianOverRanks(paces, busy);
  for (int rank = 0; rank < static_cast<int>(paces.size()); ++rank) {
    const double own = busy(paces[rank]);
    const double factor = median > 0 ? own / median : 1;
    report.spread = std::max(report.spread, factor);
    if (factor < kSlowFactor || own - median < kLeastSeconds) {
      slow_points_[rank] = 0;
    } else if (++slow_points_[rank] == kLoggingPoints) {
      absl::StrAppend(&report.warning, report.warning.empty() ? "" : "; ",
                      Describe(paces, rank, factor));
    }
  }
  return report;
}

absl::StatusOr<PaceReport> ComparePaces(ControlChannel& control, StragglerDetector& detector) {
  const RankPace own{.host = HostName(), .times = control.TakePhaseTimes()};
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> texts, control.AllGather(ToText(own)));
  if (control.rank() != 0) return PaceReport();
  std::vector<RankPace> paces;
  for (const std::string& text : texts) {
    LANGEVIN_ASSIGN_OR_RETURN(paces.emplace_back(), PaceFromText(text));
  }
  return detector.Judge(paces);
}

}  // namespace langevin::distributed
