#include "data/ingest/report.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "configs/prepare_config_text.h"
#include "core/base/html.h"
#include "core/base/status_macros.h"
#include "data/ingest/report_sections.h"

namespace langevin::data {
namespace {

// Thumbnails are most of the page: some 4 MB of them at most.
constexpr size_t kExampleBytes = 1'500'000, kLeftOutBytes = 1'000'000, kDuplicateBytes = 800'000,
                 kSuspectBytes = 700'000;

std::string CsvField(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  return absl::StrCat(
      "\"", absl::StrReplaceAll(absl::string_view(text.data(), text.size()), {{"\"", "\"\""}}),
      "\"");
}

}  // namespace

std::string RejectedCsv(const PreparationSummary& summary) {
  std::string csv = "file,reason,score,image\n";
  for (const RejectedRow& row : summary.rejected) {
    absl::StrAppend(&csv, CsvField(row.path), ",", CsvField(row.reason), ",");
    if (row.image >= 0) {
      absl::StrAppendFormat(&csv, "%.6g,%d", row.score,
                            summary.images[static_cast<size_t>(row.image)].index);
    } else {
      csv += ",";
    }
    csv += "\n";
  }
  return csv;
}

absl::StatusOr<std::string> ReportHtml(const PreparationSummary& summary) {
  LANGEVIN_ASSIGN_OR_RETURN(const configs::PrepareConfig config,
                            configs::ParsePrepareConfig(summary.config, "config", {}));
  return HtmlPage(
      absl::StrCat("Data set ", summary.title),
      summary.dry_run ? "What langevin prepare would make of it; nothing was written"
                      : "What langevin prepare found, and what it made of it",
      absl::StrCat(KeyNumbers(summary), Advice(summary, config), InAndOut(summary),
                   ClassCounts(summary), SplitsAndGroups(summary), Examples(summary, kExampleBytes),
                   Intensities(summary), Duplicates(summary, kDuplicateBytes),
                   Suspects(summary, kSuspectBytes), QualityCharts(summary, config),
                   MedicalFactsOf(summary), LeftOut(summary, kLeftOutBytes),
                   "<h2>Config</h2>\n<pre>", HtmlEscape(summary.config), "</pre>\n"));
}

}  // namespace langevin::data
