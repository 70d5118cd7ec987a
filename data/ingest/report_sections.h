// The parts of a preparation's report.html, one function for each heading. Each returns HTML, empty
// where there is nothing to say.
//
// A report is mailed around: no part names a person. Paths of medical files are left out, for they
// often hold names; rejected.csv, which stays with the data, has them.
#ifndef LANGEVIN_DATA_INGEST_REPORT_SECTIONS_H_
#define LANGEVIN_DATA_INGEST_REPORT_SECTIONS_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "configs/prepare_config.h"
#include "data/ingest/preparation_summary.h"

namespace langevin::data {

// In numbers (report_numbers.cc).
std::string KeyNumbers(const PreparationSummary& summary);
std::string Advice(const PreparationSummary& summary, const configs::PrepareConfig& config);
std::string InAndOut(const PreparationSummary& summary);
std::string ClassCounts(const PreparationSummary& summary);
std::string SplitsAndGroups(const PreparationSummary& summary);

// In charts (report_charts.cc).
std::string Intensities(const PreparationSummary& summary);
std::string QualityCharts(const PreparationSummary& summary, const configs::PrepareConfig& config);
std::string MedicalFactsOf(const PreparationSummary& summary);

// In pictures (report_pictures.cc), each with at most so many bytes of them.
std::string Examples(const PreparationSummary& summary, size_t most_bytes);
std::string LeftOut(const PreparationSummary& summary, size_t most_bytes);
std::string Duplicates(const PreparationSummary& summary, size_t most_bytes);
std::string Suspects(const PreparationSummary& summary, size_t most_bytes);

// Whether paths are left out. Looks at every file.
bool HidesPaths(const PreparationSummary& summary);
// Whether a finding still concerns the data set: its image is kept, and for duplicates and leaks
// the other one, too.
bool IsOpen(const PreparationSummary& summary, const Finding& finding);
// What the report calls a class and an image.
std::string ClassNameOf(const PreparationSummary& summary, int64_t label);
std::string ImageNameOf(const PreparationSummary& summary, int64_t image, bool hides_paths);
// "1,234". Requires number >= 0.
std::string WithCommas(int64_t number);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_REPORT_SECTIONS_H_
