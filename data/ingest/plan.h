// What the data set will be: a pure function of the small records of all images, so that every rank
// comes to the same one.
#ifndef LANGEVIN_DATA_INGEST_PLAN_H_
#define LANGEVIN_DATA_INGEST_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "configs/prepare_config.h"
#include "data/ingest/analyse_job.h"
#include "data/ingest/preparation_summary.h"
#include "data/ingest/stored_format.h"
#include "data/shard_writer.h"

namespace langevin::data {

struct ShardPlan {
  int32_t dataset = 0;  // Index into Plan::specs and PreparationSummary::datasets.
  Split split = Split::kTrain;
  std::string file;             // In the folder of its data set.
  std::vector<int64_t> images;  // Indices into the records.
};

struct Plan {
  // Complete but for title, config, pictures, histograms, intensity maps, digests, fingerprints.
  PreparationSummary summary;
  // Of each data set; intensity maps are chosen later.
  std::vector<ShardSpec> specs;
  std::vector<StoredFormat> formats;
  std::vector<ShardPlan> shards;
};

// The format in which an image was decoded.
StoredFormat FormatOf(const ImageRecord& image);

// Takes the records. DataLoss: no image can be read, they differ in what all must share, an IDX
// file is damaged. InvalidArgument: a split would be empty that the config asks for.
// `threads` changes nothing of the plan.
absl::StatusOr<Plan> MakePlan(const Sources& sources, const configs::PrepareConfig& config,
                              std::vector<ImageRecord> images, const std::vector<ItemResult>& items,
                              bool is_appended, int threads);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_PLAN_H_
