// What `langevin evaluate` compares: real images of a data set, and samples, of a model or a
// folder.
#ifndef LANGEVIN_TOOLS_EVALUATE_SOURCES_H_
#define LANGEVIN_TOOLS_EVALUATE_SOURCES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/file_system.h"
#include "core/diffusion/sampling.h"
#include "core/export/model_source.h"
#include "core/metrics/features.h"
#include "data/dataset.h"
#include "data/image_transform.h"

namespace langevin::tools {

// The images of one split in the model's numbers, without augmentation. One thread.
class RealImages {
 public:
  // Errors are Dataset::Open's.
  static absl::StatusOr<std::unique_ptr<RealImages>> Open(FileSystem& file_system,
                                                          const std::string& folder,
                                                          data::Split split);

  const data::Dataset& dataset() const { return *dataset_; }
  metrics::ImageSize size() const;

  // Fills `image` (C, H, W) with image `index`, its checksum checked. DataLoss names the shard.
  absl::Status Read(int64_t index, std::span<float> image);

  // `count` different images (at most all), chosen by the seed.
  std::vector<int64_t> Choose(int64_t count, uint64_t seed) const;

 private:
  explicit RealImages(std::unique_ptr<data::Dataset> dataset);

  const std::unique_ptr<data::Dataset> dataset_;
  const data::ImageTransform transform_;
  data::ImageTransform::Scratch scratch_;
  std::vector<std::byte> stored_;
};

// Brings samples to numbers that images of the data set could have: to the nearest stored integer
// and not outside of what the type holds, or, of float data, not outside of the map's clip. So the
// metrics see what a file of the sample would hold, as is usual for FID.
void RoundToStored(const data::Dataset& dataset, std::span<float> values);

// A folder that `langevin sample` wrote.
struct SampledImages {
  at::Tensor samples;    // (count, C, H, W), fp32.
  std::string checksum;  // Of samples.safetensors; "xxh3-128:" and 32 hexadecimal digits.
};

// The first `count` samples of the folder, or all. NotFound, DataLoss: no such file, a damaged one,
// or images of another size; InvalidArgument: fewer than `count`.
absl::StatusOr<SampledImages> ReadSamples(FileSystem& file_system, const std::string& folder,
                                          const metrics::ImageSize& size,
                                          std::optional<int64_t> count);

// What to ask of a model, whose images must have the size of the data set's (DataLoss otherwise).
// Classes come as often as among the data set's images; where it has none, sample i is of class i
// modulo their number. The request uses `dataset`, which must outlive it.
absl::StatusOr<diffusion::SamplingRequest> MakeEvaluationRequest(const exporting::Model& model,
                                                                 const data::Dataset& dataset,
                                                                 uint64_t seed);

}  // namespace langevin::tools

#endif  // LANGEVIN_TOOLS_EVALUATE_SOURCES_H_
