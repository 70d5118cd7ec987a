// The two files in which prepare tells people what it found: report.html and rejected.csv.
#ifndef LANGEVIN_DATA_INGEST_REPORT_H_
#define LANGEVIN_DATA_INGEST_REPORT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "data/ingest/source_scan.h"
#include "data/ingest/statistics.h"
#include "data/manifest.h"

namespace langevin::data {

inline constexpr std::string_view kReportName = "report.html";
inline constexpr std::string_view kRejectedName = "rejected.csv";

// Columns file and reason, with a header line, quoted as RFC 4180 has it.
std::string RejectedCsv(const std::vector<Rejection>& rejected);

// One page that needs no other file. `title` is what the data set is called.
absl::StatusOr<std::string> ReportHtml(const std::string& title, const Manifest& manifest,
                                       const Statistics& statistics,
                                       const std::vector<Rejection>& rejected);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_REPORT_H_
