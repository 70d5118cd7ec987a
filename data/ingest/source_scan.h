// Finds the image files that `langevin prepare` was pointed at, with their splits and classes.
//
// Two layouts are known. A folder with the files of MNIST (train-images-idx3-ubyte and so on, plain
// or .gz) is IDX: train-* is split train, t10k-* or test-* validation. Any other folder holds PNG
// files: sub-folders are classes, in alphabetical order; where all sub-folders are named like
// splits (train, val, validation, valid, test), the classes are those inside.
#ifndef LANGEVIN_DATA_INGEST_SOURCE_SCAN_H_
#define LANGEVIN_DATA_INGEST_SOURCE_SCAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/file_system.h"
#include "data/dataset.h"

namespace langevin::data {

struct SourceFile {
  std::string path;
  std::string name;  // Inside its input: the same wherever the input lies.
  uint64_t bytes = 0;
  Split split = Split::kTrain;
  int64_t label = -1;       // Of the class folder it is in; -1 if it is in none.
  std::string labels_path;  // IDX: the file with its labels; empty if there is none.
};

struct Rejection {
  std::string path;
  std::string reason;
};

struct Sources {
  std::vector<SourceFile> files;  // In the order of the data set.
  std::vector<std::string> class_names;
  bool has_labels = false;
  bool is_idx = false;
  std::vector<Rejection> rejected;  // What is there but is not read.

  bool HasSplit(Split split) const;
};

// Looks at names only; opens no file. NotFound: an input, or images in it, are not there. DataLoss:
// the layout is contradictory, such as images with and without a class.
absl::StatusOr<Sources> FindSources(FileSystem& file_system,
                                    const std::vector<std::string>& inputs);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_SOURCE_SCAN_H_
