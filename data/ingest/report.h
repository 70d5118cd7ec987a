// The two files in which prepare tells people what it found: report.html and rejected.csv.
#ifndef LANGEVIN_DATA_INGEST_REPORT_H_
#define LANGEVIN_DATA_INGEST_REPORT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "data/ingest/preparation_summary.h"

namespace langevin::data {

inline constexpr std::string_view kReportName = "report.html";
inline constexpr std::string_view kRejectedName = "rejected.csv";

// Columns file, reason, score and image (its number in a file of several), with a header line,
// quoted as RFC 4180 has it. Score and image are empty for files that gave no image.
std::string RejectedCsv(const PreparationSummary& summary);

// One page that needs no other file, some megabytes at most. Names no person: see
// report_sections.h. Error: summary.config is no config.
absl::StatusOr<std::string> ReportHtml(const PreparationSummary& summary);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_REPORT_H_
