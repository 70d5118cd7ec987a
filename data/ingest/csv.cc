#include "data/ingest/csv.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "data/ingest/utf8.h"

namespace langevin::data {
namespace {

constexpr size_t kMaxFields = 1000;

}  // namespace

CsvReader::CsvReader(std::string_view text) : rest_(text) {
  if (rest_.starts_with("\xef\xbb\xbf")) rest_.remove_prefix(3);
}

absl::Status CsvReader::Problem(std::string_view what) const {
  return absl::DataLossError(absl::StrFormat("line %d: %s", next_line_, what));
}

bool CsvReader::TakeLineEnd() {
  const size_t size = rest_.starts_with("\r\n") ? 2 : rest_.starts_with("\n") ? 1 : 0;
  rest_.remove_prefix(size);
  if (size > 0) ++next_line_;
  return size > 0;
}

absl::Status CsvReader::TakeField(std::string& field) {
  field.clear();
  if (!rest_.starts_with('"')) {
    const size_t size = std::min(rest_.find_first_of("\",\r\n"), rest_.size());
    if (size < rest_.size() && rest_[size] == '"') {
      return Problem("a quote stands inside a field that does not begin with one");
    }
    field = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return absl::OkStatus();
  }
  rest_.remove_prefix(1);
  while (true) {
    const size_t size = rest_.find('"');
    if (size == std::string_view::npos) return Problem("a quoted field is not closed");
    next_line_ +=
        std::count(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(size), '\n');
    field += rest_.substr(0, size);
    rest_.remove_prefix(size + 1);
    if (!rest_.starts_with('"')) return absl::OkStatus();
    field += '"';
    rest_.remove_prefix(1);
  }
}

absl::StatusOr<bool> CsvReader::Next(std::vector<std::string>& fields) {
  fields.clear();
  while (TakeLineEnd()) {
  }
  line_ = next_line_;
  if (rest_.empty()) return false;
  while (true) {
    std::string field;
    LANGEVIN_RETURN_IF_ERROR(TakeField(field));
    if (!IsUtf8(field)) return Problem("is not UTF-8; save the table as such");
    if (fields.size() == kMaxFields) return Problem("has too many fields");
    fields.push_back(std::move(field));
    if (rest_.empty() || TakeLineEnd()) return true;
    if (!rest_.starts_with(',')) return Problem("a comma or the line's end is missing");
    rest_.remove_prefix(1);
  }
}

}  // namespace langevin::data
