// The first half of a preparation: every source item decoded and measured into the spool, by
// several children of each rank.
#ifndef LANGEVIN_DATA_INGEST_ANALYSE_JOB_H_
#define LANGEVIN_DATA_INGEST_ANALYSE_JOB_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "configs/prepare_config.h"
#include "core/base/file_system.h"
#include "core/base/group.h"
#include "data/ingest/preparation_folder.h"
#include "data/ingest/preparation_summary.h"
#include "data/ingest/source_scan.h"

namespace langevin::data {

class Privacy;

// Items [first, end) of the sources.
struct Chunk {
  int64_t first = 0, end = 0;
};

// Pieces that are worth a file and small enough to be lost: a function of the sources alone.
std::vector<Chunk> CutIntoChunks(const Sources& sources);

// What the parts of the job have in common; all must outlive it.
struct PrepareContext {
  FileSystem& file_system;
  Group& group;
  const Sources& sources;
  const configs::PrepareConfig& config;
  PreparationFolder& folder;
  const Privacy* privacy = nullptr;  // Where there are medical sources.
  int workers = 1;
  std::function<bool()> stop_requested;
};

// All ranks together, at the end of what they did apart: OK if all were; the error of the first
// that had one; else Cancelled, as some were asked to stop.
absl::Status ShareOutcome(Group& group, const absl::Status& status);

// Cancelled if somebody asked for a stop, here or on another rank, which is passed on. For now and
// then: it looks at the file system.
absl::Status CheckStop(const PrepareContext& context);

// All ranks together. Makes the spool files that are not there yet. Cancelled: somebody asked to
// stop; what is complete stays.
absl::Status AnalyseSources(const PrepareContext& context);

// Where the pixels of an image are.
struct SpoolPlace {
  int32_t chunk = 0;
  uint32_t crc32c = 0;
  uint64_t offset = 0;
  uint64_t pixel_bytes = 0, mask_bytes = 0;
};

struct ItemResult {
  std::string reason;  // Why it could not be read; empty: it could.
  std::string contents;
};

// What all children found, in the order of the sources. Memory: some 600 bytes an image.
struct AnalysedSources {
  std::vector<ImageRecord> images;
  std::vector<SpoolPlace> places;  // Of each image.
  std::vector<ItemResult> items;
};

// Each rank for itself, after AnalyseSources.
absl::StatusOr<AnalysedSources> ReadAnalysis(const PrepareContext& context);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_ANALYSE_JOB_H_
