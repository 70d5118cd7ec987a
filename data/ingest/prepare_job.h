// Makes a data set out of foreign files: what `langevin prepare` does.
//
// All is written into a folder beside the output and renamed when it is complete and synced, so
// that under the output's name there is a whole data set or nothing. Files are decoded in a
// sandbox.
#ifndef LANGEVIN_DATA_INGEST_PREPARE_JOB_H_
#define LANGEVIN_DATA_INGEST_PREPARE_JOB_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/file_system.h"

namespace langevin::data {

struct PrepareOptions {
  std::vector<std::string> inputs;  // See source_scan.h for the layouts.
  std::string output;
  bool dry_run = false;     // Read and count everything, write nothing.
  int64_t shard_mib = 256;  // At least 1.
  // In [0, 1): the share of images that become split validation, where the inputs have none. Which
  // ones depends on their names alone, so that adding files moves no others.
  double validation_fraction = 0;
};

// Returns lines for a person that say what is in the data set. An output that was already made from
// the same files with the same options is left as it is. Logs progress and each rejected file.
//
// NotFound: no images. DataLoss: none can be read, an IDX file is damaged, the images differ in
// size, or the existing output is damaged. AlreadyExists: the output is something else.
// InvalidArgument: an option is out of range or contradicts the inputs.
absl::StatusOr<std::string> PrepareDataset(FileSystem& file_system, const PrepareOptions& options);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_PREPARE_JOB_H_
