// The second half of a preparation: from the spool into shards, shared between ranks by shard.
#ifndef LANGEVIN_DATA_INGEST_WRITE_JOB_H_
#define LANGEVIN_DATA_INGEST_WRITE_JOB_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "data/ingest/analyse_job.h"
#include "data/ingest/plan.h"
#include "data/ingest/spool.h"

namespace langevin::data {

// The pixels of the images in the spool. One thread at a time.
class SpooledPixels {
 public:
  SpooledPixels(const PrepareContext& context, const std::vector<SpoolPlace>& places)
      : context_(context), places_(places) {}

  // Fills `payload` with pixels and mask of an image.
  absl::Status Read(int64_t image, std::vector<std::byte>& payload);

 private:
  const PrepareContext& context_;
  const std::vector<SpoolPlace>& places_;
  int32_t open_chunk_ = -1;  // The one that was read last: images come in order.
  std::unique_ptr<SpoolReader> reader_;
};

// All ranks together. Writes the shards that are not there yet. Cancelled: somebody asked to stop;
// the shards that are there stay. Memory: twice a shard.
absl::Status WriteShards(const PrepareContext& context, const Plan& plan,
                         const std::vector<SpoolPlace>& places);

// Rank 0, when all shards are written: their digests, and the fingerprints.
absl::Status CompleteManifests(const PrepareContext& context, Plan& plan);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_WRITE_JOB_H_
