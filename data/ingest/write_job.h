// The second half of a preparation: from the spool into shards, shared between ranks by shard.
#ifndef LANGEVIN_DATA_INGEST_WRITE_JOB_H_
#define LANGEVIN_DATA_INGEST_WRITE_JOB_H_

#include <vector>

#include "absl/status/status.h"
#include "data/ingest/analyse_job.h"
#include "data/ingest/plan.h"

namespace langevin::data {

// All ranks together. Writes the shards that are not there yet. Cancelled: somebody asked to stop;
// the shards that are there stay. Memory: twice a shard.
absl::Status WriteShards(const PrepareContext& context, const Plan& plan,
                         const std::vector<SpoolPlace>& places);

// Rank 0, when all shards are written: their digests, and the fingerprints.
absl::Status CompleteManifests(const PrepareContext& context, Plan& plan);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_WRITE_JOB_H_
