// A probe as one line: what the sandbox sends for it, and what its parent believes of that.
#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "data/ingest/readers/dicom_decoder.h"

namespace langevin::data {
namespace {

constexpr size_t kFields = 12;
constexpr size_t kMaxReason = 512;

std::string Numbers(std::span<const double> values) {
  return absl::StrJoin(values, " ", [](std::string* out, double value) {
    absl::StrAppendFormat(out, "%.17g", value);
  });
}

bool ParseNumbers(absl::string_view text, std::vector<double>& values) {
  for (const absl::string_view part : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    if (!absl::SimpleAtod(part, &values.emplace_back()) || !std::isfinite(values.back())) {
      return false;
    }
  }
  return values.size() <= 3;
}

bool ParseVector(absl::string_view text, std::optional<std::array<double, 3>>& vector) {
  std::vector<double> values;
  if (!ParseNumbers(text, values) || (!values.empty() && values.size() != 3)) return false;
  if (!values.empty()) vector = {values[0], values[1], values[2]};
  return true;
}

bool ParseHash(absl::string_view text, std::string& hash) {
  hash = std::string(text);
  return (text.empty() || text.size() == 16) && std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
         });
}

bool ParseCount(absl::string_view text, int64_t least, int64_t& number) {
  return absl::SimpleAtoi(text, &number) && number >= least &&
         number <= std::numeric_limits<int32_t>::max();
}

}  // namespace

std::string ProbeToText(const DicomProbe& probe) {
  const MedicalFacts& facts = probe.facts;
  const auto vector = [](const std::optional<std::array<double, 3>>& value) {
    return value.has_value() ? Numbers(*value) : "";
  };
  return absl::StrJoin(
      {probe.reason, facts.modality, facts.group, facts.series, vector(facts.position_mm),
       vector(facts.normal), Numbers(facts.spacing_mm),
       absl::StrCat(facts.burned_in_annotation ? 1 : 0, facts.secondary_capture ? 1 : 0),
       absl::StrCat(probe.rows), absl::StrCat(probe.columns), absl::StrCat(probe.frames),
       absl::StrCat(probe.instance_number)},
      "\t");
}

absl::StatusOr<DicomProbe> ProbeFromText(std::string_view text) {
  const std::vector<absl::string_view> fields =
      absl::StrSplit(absl::string_view(text.data(), text.size()), '\t');
  const absl::Status nonsense = absl::DataLossError("is described by nonsense");
  if (fields.size() != kFields || fields[0].size() > kMaxReason || fields[1].size() > 16) {
    return nonsense;
  }
  DicomProbe probe = {.reason = std::string(fields[0])};
  MedicalFacts& facts = probe.facts;
  facts.modality = std::string(fields[1]);
  const bool printable = std::all_of(probe.reason.begin(), probe.reason.end(),
                                     [](char c) { return absl::ascii_isprint(c); }) &&
                         std::all_of(facts.modality.begin(), facts.modality.end(),
                                     [](char c) { return absl::ascii_isprint(c); });
  const absl::string_view flags = fields[7];
  const bool good =
      printable && ParseHash(fields[2], facts.group) && ParseHash(fields[3], facts.series) &&
      ParseVector(fields[4], facts.position_mm) && ParseVector(fields[5], facts.normal) &&
      ParseNumbers(fields[6], facts.spacing_mm) && flags.size() == 2 &&
      ParseCount(fields[8], 0, probe.rows) && ParseCount(fields[9], 0, probe.columns) &&
      ParseCount(fields[10], 1, probe.frames) &&
      ParseCount(fields[11], std::numeric_limits<int32_t>::min(), probe.instance_number);
  if (!good) return nonsense;
  facts.burned_in_annotation = flags[0] == '1';
  facts.secondary_capture = flags[1] == '1';
  return probe;
}

}  // namespace langevin::data
