// Makes a data set out of foreign files: what `langevin prepare` does.
//
// In four steps: scan the inputs; decode and measure each item in a sandbox, into a spool; plan the
// data set from the small records alone; write its shards from the spool. Decoding and writing are
// shared between ranks. All happens in a folder beside the output (preparation_folder.h), and is
// renamed when it is complete and synced: under the output's name there is a whole data set or
// nothing. Memory: the records of all images, and twice a shard or the largest image a worker.
#ifndef LANGEVIN_DATA_INGEST_PREPARE_JOB_H_
#define LANGEVIN_DATA_INGEST_PREPARE_JOB_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "configs/prepare_config.h"
#include "core/base/file_system.h"
#include "core/base/group.h"

namespace langevin::data {

// The effective config, in the data set's folder.
inline constexpr std::string_view kConfigName = "prepare.textproto";

struct PrepareOptions {
  std::vector<std::string> inputs;  // See source_scan.h for the layouts.
  std::string output;
  // Decode and judge everything, and write the report alone: OUTPUT.report.html.
  bool dry_run = false;
  // A data set that this one is a new version of: its shards come first, as the same files, and the
  // inputs' files that it was not made from behind them. Empty: none.
  std::string append_to;
  configs::PrepareConfig config;  // Valid: see configs::LoadPrepareConfig.
  int workers = 1;                // Children that decode at the same time, on this rank.
  // Looked at now and then; true ends the preparation so that it can go on later. May be null.
  std::function<bool()> stop_requested;
};

// Called by all ranks of `group` together, with the same options but `workers`. Returns lines for a
// person that say what is in the data set. The data set has the same bytes for any number of ranks
// and workers, and however often it was interrupted: what was decoded and written stands in
// OUTPUT.preparing until the data set is complete. An output that was already made from the same
// files with the same options is left as it is. Logs progress and rejected files.
//
// NotFound: no images. DataLoss: none can be read, an IDX file is damaged, the images differ in
// size, or the existing output is damaged. AlreadyExists: the output is something else.
// InvalidArgument: the config contradicts the inputs. Cancelled: stopped on request.
// FailedPrecondition: another process makes the same output.
absl::StatusOr<std::string> PrepareDataset(FileSystem& file_system, Group& group,
                                           const PrepareOptions& options);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_PREPARE_JOB_H_
