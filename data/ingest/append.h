// New images behind those of a data set: a new version of it, whose old shards are the same files.
#ifndef LANGEVIN_DATA_INGEST_APPEND_H_
#define LANGEVIN_DATA_INGEST_APPEND_H_

#include <cstdint>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/file_system.h"
#include "data/ingest/analyse_job.h"
#include "data/ingest/plan.h"
#include "data/manifest.h"

namespace langevin::data {

// A file of a data set's folder: digests of the source files it was made from, one a line.
inline constexpr std::string_view kSourcesName = "sources.txt";

// The data set that is appended to.
struct ParentDataset {
  std::string folder;
  Manifest manifest;
  std::set<std::string> contents;  // Of its source files.
};

// `config` is the text of the config that new images are prepared with: the old one's, or the
// versions would not fit. NotFound, DataLoss: see ReadManifest. InvalidArgument: another config, or
// a data set of buckets.
absl::StatusOr<ParentDataset> OpenParent(FileSystem& file_system, const std::string& folder,
                                         const std::string& config);

// Leaves out the images of files that the parent was made from as well. Returns how many files.
int64_t DropKnownSources(const ParentDataset& parent, AnalysedSources& analysed);

// Numbers the classes as the parent has them, new ones behind. InvalidArgument: one has labels and
// the other has none.
absl::Status MergeClasses(const ParentDataset& parent, Sources& sources, AnalysedSources& analysed);

// Puts the parent's shards before the plan's, and takes over its number format and intensity map.
// InvalidArgument: the new images are of another size, or do not fit into the format.
absl::Status AppendTo(const ParentDataset& parent, Plan& plan);

// Gives the parent's shards their names in `folder`; those that are there already are left.
absl::Status LinkOldShards(FileSystem& file_system, const ParentDataset& parent, const Plan& plan,
                           const std::string& folder);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_APPEND_H_
