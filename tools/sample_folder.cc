#include "tools/sample_folder.h"

#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/png.h"
#include "core/base/safetensors.h"
#include "core/base/staging_folder.h"
#include "core/base/status_macros.h"
#include "core/model/state_dict.h"

namespace langevin::tools {
namespace {

// The bytes of sample `values`' PNG: with 16 bits where the model's data had more than 8.
absl::StatusOr<std::string> SamplePng(std::span<const float> values, const at::Tensor& samples,
                                      const std::optional<Intensities>& intensities) {
  const int64_t channels = samples.size(1), height = samples.size(2), width = samples.size(3);
  if (intensities.has_value() && intensities->dtype == DType::kUint16) {
    return EncodePng(Picture16FromModelRange(values, channels, height, width));
  }
  return EncodePng(PictureFromModelRange(values, channels, height, width));
}

}  // namespace

absl::Status CheckSampleFolder(FileSystem& file_system, const std::string& folder) {
  if (!file_system.Exists(folder)) return absl::OkStatus();
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> names, file_system.List(folder));
  if (!names.empty() && !file_system.Exists(JoinPath(folder, "samples.safetensors"))) {
    return absl::AlreadyExistsError(
        absl::StrCat(folder, ": holds something else than samples; choose another --output"));
  }
  return absl::OkStatus();
}

absl::Status WriteSamples(FileSystem& file_system, const std::string& folder,
                          const at::Tensor& samples,
                          const std::optional<Intensities>& intensities) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<StagingFolder> staging,
                            StagingFolder::Create(file_system, folder));
  LANGEVIN_RETURN_IF_ERROR(WriteSafetensors(file_system,
                                            JoinPath(staging->path(), "samples.safetensors"),
                                            model::ViewsOf({{"samples", samples}}), {}));
  if (intensities.has_value() && HasUnits(*intensities)) {
    const at::Tensor physical = samples.clone(at::MemoryFormat::Contiguous);
    ToPhysical(*intensities, {physical.data_ptr<float>(), static_cast<size_t>(physical.numel())});
    LANGEVIN_RETURN_IF_ERROR(WriteSafetensors(
        file_system, JoinPath(staging->path(), "physical.safetensors"),
        model::ViewsOf({{"physical", physical}}), {{"unit", intensities->physical.unit}}));
  }
  const int64_t values = samples.numel() / samples.size(0);
  std::vector<Picture> tiles;
  for (int64_t i = 0; i < samples.size(0); ++i) {
    const std::span<const float> sample(samples.data_ptr<float>() + i * values,
                                        static_cast<size_t>(values));
    tiles.push_back(
        PictureFromModelRange(sample, samples.size(1), samples.size(2), samples.size(3)));
    LANGEVIN_ASSIGN_OR_RETURN(const std::string png, SamplePng(sample, samples, intensities));
    LANGEVIN_RETURN_IF_ERROR(
        file_system.WriteFile(JoinPath(staging->path(), absl::StrFormat("%06d.png", i)), png));
  }
  LANGEVIN_ASSIGN_OR_RETURN(const std::string grid, EncodePng(Grid(tiles)));
  LANGEVIN_RETURN_IF_ERROR(file_system.WriteFile(JoinPath(staging->path(), "grid.png"), grid));
  return staging->CommitReplacing();  // An earlier sampling's folder makes place.
}

}  // namespace langevin::tools
