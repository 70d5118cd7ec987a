#include "tools/evaluate_sources.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "ATen/ATen.h"
#include "absl/strings/str_cat.h"
#include "configs/run_config.h"
#include "core/base/digest.h"
#include "core/base/permutation.h"
#include "core/base/safetensors.h"
#include "core/base/status_macros.h"
#include "core/base/tensor_view.h"
#include "core/model/state_dict.h"

namespace langevin::tools {
namespace {

std::string SizeText(int64_t channels, int64_t height, int64_t width) {
  return absl::StrCat(channels, " x ", height, " x ", width);
}

std::string SizeText(const metrics::ImageSize& size) {
  return SizeText(size.channels, size.height, size.width);
}

absl::StatusOr<std::string> ChecksumOf(FileSystem& file_system, const std::string& path) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<RandomAccessFile> file,
                            file_system.OpenForReading(path));
  Digest digest;
  std::vector<std::byte> piece(size_t{1} << 20);
  for (uint64_t offset = 0; offset < file->size(); offset += piece.size()) {
    const std::span<std::byte> part =
        std::span(piece).first(std::min<uint64_t>(piece.size(), file->size() - offset));
    LANGEVIN_RETURN_IF_ERROR(file->ReadAt(offset, part));
    digest.Update(part);
  }
  return absl::StrCat("xxh3-128:", digest.Hex());
}

}  // namespace

RealImages::RealImages(std::unique_ptr<data::Dataset> dataset)
    : dataset_(std::move(dataset)),
      transform_(dataset_->shape(), dataset_->dtype(), dataset_->intensity_map(), /*seed=*/0,
                 configs::AugmentConfig()),
      stored_(static_cast<size_t>(dataset_->shape().values()) * SizeOf(dataset_->dtype())) {}

absl::StatusOr<std::unique_ptr<RealImages>> RealImages::Open(FileSystem& file_system,
                                                             const std::string& folder,
                                                             data::Split split) {
  LANGEVIN_ASSIGN_OR_RETURN(std::unique_ptr<data::Dataset> dataset,
                            data::Dataset::Open(file_system, folder, split));
  return std::unique_ptr<RealImages>(new RealImages(std::move(dataset)));
}

metrics::ImageSize RealImages::size() const {
  const data::ImageShape& shape = dataset_->shape();
  return {.channels = shape.channels, .height = shape.height, .width = shape.width};
}

absl::Status RealImages::Read(int64_t index, std::span<float> image) {
  LANGEVIN_RETURN_IF_ERROR(dataset_->ReadImage(index, /*verify=*/true, stored_));
  transform_.Apply(/*position=*/0, stored_, {}, {.image = image}, scratch_);
  return absl::OkStatus();
}

std::vector<int64_t> RealImages::Choose(int64_t count, uint64_t seed) const {
  const Permutation order(static_cast<uint64_t>(dataset_->size()),
                          HashString("evaluate: real images", seed));
  std::vector<int64_t> chosen;
  for (int64_t i = 0; i < std::min(count, dataset_->size()); ++i) {
    chosen.push_back(static_cast<int64_t>(order(static_cast<uint64_t>(i))));
  }
  return chosen;
}

void RoundToStored(const data::Dataset& dataset, std::span<float> values) {
  const data::IntensityMap& map = dataset.intensity_map();
  double low = map.clip_low, high = map.clip_high;
  const bool is_integer = dataset.dtype() != DType::kFloat32;
  if (is_integer) {
    low = std::max(low, 0.0);
    high = std::min(high, dataset.dtype() == DType::kUint8 ? 255.0 : 65535.0);
  }
  for (float& value : values) {
    double stored = (static_cast<double>(value) - map.offset) / map.scale;
    if (is_integer) stored = std::nearbyint(stored);
    // What is no number stays none, and is found.
    value = static_cast<float>(std::clamp(stored, low, high) * map.scale + map.offset);
  }
}

absl::StatusOr<SampledImages> ReadSamples(FileSystem& file_system, const std::string& folder,
                                          const metrics::ImageSize& size,
                                          std::optional<int64_t> count) {
  const std::string path = JoinPath(folder, "samples.safetensors");
  if (!file_system.Exists(path)) {
    return absl::NotFoundError(
        absl::StrCat(path, ": is not there; --samples takes a folder that langevin sample wrote"));
  }
  LANGEVIN_ASSIGN_OR_RETURN(const SafetensorsFile file, SafetensorsFile::Open(file_system, path));
  const auto entry = file.entries().find("samples");
  if (entry == file.entries().end() || entry->second.dtype != DType::kFloat32 ||
      entry->second.shape.size() != 4) {
    return absl::DataLossError(absl::StrCat(
        path,
        ": has no tensor \"samples\" of type F32 and shape (count, channels, height, width)"));
  }
  const std::vector<int64_t>& shape = entry->second.shape;
  if (shape[1] != size.channels || shape[2] != size.height || shape[3] != size.width) {
    return absl::DataLossError(absl::StrCat(
        path, ": its samples are ", SizeText(shape[1], shape[2], shape[3]),
        " and the data set's images ", SizeText(size), "; give the data the model was trained on"));
  }
  if (shape[0] < count.value_or(1)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": holds ", shape[0], " samples; make --count smaller, or sample more"));
  }
  const model::NamedTensor samples{"samples", at::empty(shape, at::kFloat)};
  LANGEVIN_RETURN_IF_ERROR(file.Read(model::MutableViewsOf({samples}).front()));
  LANGEVIN_ASSIGN_OR_RETURN(const std::string checksum, ChecksumOf(file_system, path));
  return SampledImages{samples.tensor.narrow(0, 0, count.value_or(shape[0])).contiguous(),
                       checksum};
}

absl::StatusOr<diffusion::SamplingRequest> MakeEvaluationRequest(const exporting::Model& model,
                                                                 const data::Dataset& dataset,
                                                                 uint64_t seed) {
  const configs::ModelConfig& config = model.config;
  const data::ImageShape& shape = dataset.shape();
  const auto [height, width] =
      config.sample_size().value_or(configs::SampleSize{shape.height, shape.width});
  if (config.image_channels() != shape.channels || height != shape.height || width != shape.width) {
    return absl::DataLossError(absl::StrCat(
        model.origin, ": makes images of ", SizeText(config.image_channels(), height, width),
        " and the data set's are ", SizeText(shape.channels, shape.height, shape.width),
        "; give the data the model was trained on"));
  }
  diffusion::SamplingRequest request{.seed = seed,
                                     .channels = shape.channels,
                                     .height = height,
                                     .width = width,
                                     .class_of = {},
                                     .initial_noise = {}};
  LANGEVIN_ASSIGN_OR_RETURN(request.formulation, exporting::FormulationOf(model));
  if (!config.is_conditional()) return request;
  if (config.condition_size().has_value()) {
    return absl::InvalidArgumentError(absl::StrCat(
        model.origin,
        ": is conditioned on vectors (class_embed_type identity), which evaluate cannot give; "
        "sample it from Python and give --samples"));
  }
  const std::optional<int64_t> classes = config.num_classes();
  if (dataset.has_labels()) {
    if (classes.has_value() && dataset.num_classes() > *classes) {
      return absl::DataLossError(absl::StrCat(model.origin, ": has ", *classes,
                                              " classes and the data set ", dataset.num_classes(),
                                              "; give the data the model was trained on"));
    }
    const Permutation order(static_cast<uint64_t>(dataset.size()),
                            HashString("evaluate: classes", seed));
    request.class_of = [order, &dataset](int64_t sample) {
      const int64_t place = sample % dataset.size();
      return dataset.label(static_cast<int64_t>(order(static_cast<uint64_t>(place))));
    };
  } else if (classes.has_value()) {
    request.class_of = [count = *classes](int64_t sample) { return sample % count; };
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat(model.origin,
                     ": is class-conditional and the data set has no labels; sample the classes "
                     "with langevin sample and give --samples"));
  }
  return request;
}

}  // namespace langevin::tools
