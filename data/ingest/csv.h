// Comma-separated values as RFC 4180 has them: quoted fields may hold commas, doubled quotes and
// line breaks; lines end with LF or CRLF.
#ifndef LANGEVIN_DATA_INGEST_CSV_H_
#define LANGEVIN_DATA_INGEST_CSV_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace langevin::data {

// Reads records one by one. The text must outlive it.
class CsvReader {
 public:
  // A byte-order mark is passed over.
  explicit CsvReader(std::string_view text);

  // The fields of the next record, false at the end. Empty lines are passed over. DataLoss, naming
  // the line: a quote that is not closed or stands inside a field, a carriage return alone, bytes
  // that are no UTF-8, or more than 1,000 fields.
  absl::StatusOr<bool> Next(std::vector<std::string>& fields);

  // Where the record that came last begins, from 1.
  int64_t line() const { return line_; }

 private:
  absl::Status TakeField(std::string& field);
  absl::Status Problem(std::string_view what) const;
  bool TakeLineEnd();

  std::string_view rest_;
  int64_t line_ = 0;
  int64_t next_line_ = 1;
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_CSV_H_
