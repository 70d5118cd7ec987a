// A table that names the image files of a data set: `langevin prepare --input table.csv`.
//
// The first row is the header. Columns: file (must be there), label, group, split, condition, in
// any order. Paths are relative to the table's folder.
#ifndef LANGEVIN_DATA_INGEST_SOURCE_TABLE_H_
#define LANGEVIN_DATA_INGEST_SOURCE_TABLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/file_system.h"
#include "data/ingest/source_scan.h"

namespace langevin::data {

struct SourceTable {
  std::vector<SourceFile> files;     // In the table's order; their `format` is not set.
  std::vector<std::string> classes;  // Where labels are names: files[i].label is an index into it.
  bool has_labels = false;
  int64_t condition_size = 0;       // Numbers in each file's condition.
  std::vector<Rejection> rejected;  // Rows whose file is missing, a link, listed before, or outside
                                    // the table's folder without an absolute path.
};

// DataLoss names the table, the line and the remedy: no header, unknown or doubled columns, rows of
// another length, some rows without a label, a split that is none, conditions that are no numbers
// or not equally many.
absl::StatusOr<SourceTable> ReadSourceTable(FileSystem& file_system, const std::string& path);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_SOURCE_TABLE_H_
