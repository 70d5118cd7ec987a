#include "tools/evaluate_folder.h"

#include <algorithm>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "ATen/ATen.h"
#include "absl/strings/str_cat.h"
#include "core/base/png.h"
#include "core/base/staging_folder.h"
#include "core/base/status_macros.h"
#include "tools/evaluate_report.h"

namespace langevin::tools {
namespace {

constexpr int64_t kShownImages = 64;
constexpr int64_t kShownPairs = 12;

Picture PictureOfSample(const at::Tensor& samples, int64_t index) {
  const int64_t values = samples.numel() / samples.size(0);
  return PictureFromModelRange(
      {samples.data_ptr<float>() + index * values, static_cast<size_t>(values)}, samples.size(1),
      samples.size(2), samples.size(3));
}

absl::StatusOr<Picture> PictureOfReal(RealImages& images, int64_t index) {
  const metrics::ImageSize size = images.size();
  std::vector<float> image(static_cast<size_t>(size.values()));
  LANGEVIN_RETURN_IF_ERROR(images.Read(index, image));
  return PictureFromModelRange(image, size.channels, size.height, size.width);
}

absl::StatusOr<ReportPictures> PicturesFor(const EvaluationResults& results,
                                           const at::Tensor& samples, RealImages& reference,
                                           RealImages& training) {
  ReportPictures pictures;
  for (int64_t i = 0; i < std::min(samples.size(0), kShownImages); ++i) {
    pictures.samples.push_back(PictureOfSample(samples, i));
  }
  for (const int64_t index : reference.Choose(kShownImages, results.seed)) {
    LANGEVIN_ASSIGN_OR_RETURN(Picture picture, PictureOfReal(reference, index));
    pictures.reals.push_back(std::move(picture));
  }
  if (!results.table.memorisation.has_value()) return pictures;
  const metrics::Memorisation& memorisation = *results.table.memorisation;
  for (const auto& [sample, nearest] : ClosestPairs(memorisation, kShownPairs)) {
    LANGEVIN_ASSIGN_OR_RETURN(Picture picture, PictureOfReal(training, nearest));
    pictures.closest.push_back(
        {.sample = PictureOfSample(samples, sample),
         .training = std::move(picture),
         .sample_index = sample,
         .training_index = nearest,
         .distance = memorisation.of_samples.distances[static_cast<size_t>(sample)]});
  }
  return pictures;
}

}  // namespace

absl::Status CheckEvaluationFolder(FileSystem& file_system, const std::string& folder) {
  if (!file_system.Exists(folder)) return absl::OkStatus();
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> names, file_system.List(folder));
  if (!names.empty() && !file_system.Exists(JoinPath(folder, "metrics.json"))) {
    return absl::AlreadyExistsError(
        absl::StrCat(folder, ": holds something else than an evaluation; choose another --output"));
  }
  return absl::OkStatus();
}

absl::Status WriteEvaluationFolder(FileSystem& file_system, const std::string& folder,
                                   const EvaluationResults& results, const at::Tensor& samples,
                                   RealImages& reference, RealImages& training) {
  LANGEVIN_ASSIGN_OR_RETURN(const ReportPictures pictures,
                            PicturesFor(results, samples, reference, training));
  LANGEVIN_ASSIGN_OR_RETURN(const std::string report, RenderEvaluation(results, pictures));
  LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<StagingFolder> staging,
                            StagingFolder::Create(file_system, folder));
  LANGEVIN_RETURN_IF_ERROR(
      file_system.WriteFile(JoinPath(staging->path(), "metrics.json"), ResultsJson(results)));
  LANGEVIN_RETURN_IF_ERROR(file_system.WriteFile(JoinPath(staging->path(), "report.html"), report));
  return staging->CommitReplacing();
}

}  // namespace langevin::tools
