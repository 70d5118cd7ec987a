// Finds the image files that `langevin prepare` was pointed at, with their splits and classes.
//
//   MNIST's files   a folder with train-images-idx3-ubyte and so on, plain or .gz: train-* is split
//                   train, t10k-* or test-* validation; labels come from the files beside them
//   a folder        of files in any mixture of formats: sub-folders are classes, in alphabetical
//                   order; where all sub-folders are named like splits (train, val, validation,
//                   valid, test), the classes are those inside
//   a table (.csv)  see source_table.h
//   a single file
#ifndef LANGEVIN_DATA_INGEST_SOURCE_SCAN_H_
#define LANGEVIN_DATA_INGEST_SOURCE_SCAN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/file_system.h"
#include "data/dataset.h"
#include "data/ingest/decoded_image.h"

namespace langevin::data {

// There can be very many of these: 216 bytes and the path.
struct SourceFile {
  std::string path;
  uint32_t name_begin = 0;  // Where in `path` its name inside the input begins.
  Split split = Split::kTrain;
  uint64_t bytes = 0;
  int64_t label = -1;            // Of the class folder it is in, or the table's; -1: none.
  std::string_view format;       // As FormatOfName says, or FormatOfHead; of static storage.
  std::string labels_path;       // MNIST: the file with its labels; empty if there is none.
  std::string group;             // Of the table: images of a group stay in one split.
  std::vector<float> condition;  // Of the table: what the image shows, as numbers.

  // Of a DICOM series: the files behind `path`, in order.
  std::vector<std::string> more_paths;

  // What reports and messages call it, where its name may be a patient's; empty: its path.
  std::string safe_name;
  const std::string& shown() const { return safe_name.empty() ? path : safe_name; }

  // Inside its input: the same wherever the input lies.
  std::string name() const { return path.substr(name_begin); }
};

struct Rejection {
  std::string path;
  std::string reason;
};

struct Sources {
  std::vector<SourceFile> files;         // In the order of the data set.
  std::vector<std::string> class_names;  // Empty also where labels are mere numbers.
  bool has_labels = false;
  int64_t condition_size = 0;       // Numbers in the condition of each file.
  bool is_idx = false;              // MNIST's files.
  std::vector<Rejection> rejected;  // What is there but is not read.
  std::vector<std::string> notes;   // Remarks for the report.

  bool HasSplit(Split split) const;
};

// Goes by names, and by the first bytes of files whose name says nothing. NotFound: an input, or
// images in it, are not there. DataLoss: the layout is contradictory, such as images with and
// without a class, or a table is wrong.
absl::StatusOr<Sources> FindSources(FileSystem& file_system,
                                    const std::vector<std::string>& inputs);

// "train" and "training" are kTrain; "validation", "val", "valid" and "test" kValidation; in any
// case.
std::optional<Split> SplitOfName(std::string_view name);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_SOURCE_SCAN_H_
