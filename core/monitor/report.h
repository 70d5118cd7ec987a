// report.html: a run on one page that can be mailed and opens without a network.
#ifndef LANGEVIN_CORE_MONITOR_REPORT_H_
#define LANGEVIN_CORE_MONITOR_REPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/monitor/event_list.h"
#include "core/monitor/run_monitor.h"

namespace langevin::monitor {

struct SamplePicture {
  int64_t images_seen = 0;
  std::string png;   // The bytes of the file; empty if it is too large to be put into the page.
  std::string path;  // Relative to the run folder.
};

struct ReportContent {
  RunFacts facts;
  int64_t images_seen = 0;  // Where the run stands.
  double unix_time = 0;     // When the report is made, in seconds since 1970.
  std::vector<LogPoint> points;
  std::vector<SamplePicture> samples;  // In order of time.
  std::vector<RunEvent> events;
};

// The page. All texts are escaped. A pure function.
std::string RenderReport(const ReportContent& content);

}  // namespace langevin::monitor

#endif  // LANGEVIN_CORE_MONITOR_REPORT_H_
