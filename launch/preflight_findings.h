// The judgement over what preflight found: pure functions from facts to a table.
#ifndef LANGEVIN_LAUNCH_PREFLIGHT_FINDINGS_H_
#define LANGEVIN_LAUNCH_PREFLIGHT_FINDINGS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "launch/launch_environment.h"
#include "launch/preflight_facts.h"
#include "launch/preflight_interfaces.h"
#include "launch/preflight_network.h"

namespace langevin::launch {

enum class Verdict { kFine, kNote, kWrong };  // A note works, but not as well as it could.

struct Finding {
  std::string check;
  std::string found;
  Verdict verdict = Verdict::kFine;
  std::string advice;  // What to do; empty if it is fine.
  bool is_about_launcher = false;
};

// Which of the optional things preflight was asked to look at.
struct Asked {
  bool config = false;
  bool data = false;
  bool output = false;
};

// `ranks` is never empty; `network.links` is empty if there was nothing to measure.
std::vector<Finding> Judge(const LaunchEnvironment& environment,
                           const std::vector<RankFacts>& ranks, const NetworkFacts& network,
                           const Asked& asked, const InterfaceChoice& interfaces = {});

// A table of check, found and verdict, with the advice below it.
std::string FormatFindings(const std::vector<Finding>& findings);

// OK if nothing is wrong; Unavailable if the launcher is; else FailedPrecondition. Names the
// checks.
absl::Status StatusOf(const std::vector<Finding>& findings);

}  // namespace langevin::launch

#endif  // LANGEVIN_LAUNCH_PREFLIGHT_FINDINGS_H_
