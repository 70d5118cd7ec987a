// What a run trains on: the data set of --data, or several that data.mix puts together.
#ifndef LANGEVIN_DATA_MIXED_DATASET_H_
#define LANGEVIN_DATA_MIXED_DATASET_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "configs/run_config.h"
#include "core/base/file_system.h"
#include "data/dataset.h"

namespace langevin::data {

// Split train of the data set in `folder`, and behind it those of config.mix. Errors are
// Dataset::Open's; InvalidArgument names the folder of a data set that cannot go with the first
// one.
absl::StatusOr<std::unique_ptr<Dataset>> OpenTrainingData(FileSystem& file_system,
                                                          const std::string& folder,
                                                          const configs::DataConfig& config);

// Several data sets as one: their images one after the other. Classes with names are put together
// by name, those of the first data set keeping their numbers; classes without names by number. The
// fingerprint is one of all fingerprints in their order. InvalidArgument, naming the data set by
// its entry in `names`, if shape, number format, intensity map, labels or conditions differ.
absl::StatusOr<std::unique_ptr<Dataset>> MixDatasets(std::vector<std::unique_ptr<Dataset>> datasets,
                                                     const std::vector<std::string>& names);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_MIXED_DATASET_H_
