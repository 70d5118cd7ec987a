#include "data/ingest/analyse_item.h"

#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/digest.h"
#include "core/base/file_system.h"
#include "core/base/status_macros.h"
#include "data/ingest/decoders.h"
#include "data/ingest/geometry/geometry.h"
#include "data/ingest/intensity/choose_map.h"
#include "data/ingest/quality/measures.h"
#include "data/ingest/quality/missing.h"
#include "data/ingest/readers/dicom_decoder.h"
#include "data/ingest/spool.pb.h"

namespace langevin::data {
namespace {

constexpr uint64_t kPieceBytes = 1 << 20;
constexpr uint64_t kImageCost = 256;  // Also tiny images are not free.
constexpr size_t kMaxNotes = 16;      // Of one image.
constexpr size_t kMaxNoteBytes = 500;

void SetShape(const ImageShape& from, proto::SpoolShape& to) {
  to.set_height(from.height);
  to.set_width(from.width);
  to.set_channels(from.channels);
}

void SetMedical(const MedicalFacts& from, proto::SpoolMedical& to) {
  to.set_modality(from.modality);
  to.set_group(from.group);
  to.set_series(from.series);
  if (from.position_mm.has_value()) {
    to.mutable_position_mm()->Assign(from.position_mm->begin(), from.position_mm->end());
  }
  if (from.normal.has_value()) {
    to.mutable_normal()->Assign(from.normal->begin(), from.normal->end());
  }
  to.mutable_spacing_mm()->Assign(from.spacing_mm.begin(), from.spacing_mm.end());
  to.set_burned_in_annotation(from.burned_in_annotation);
  to.set_secondary_capture(from.secondary_capture);
}

bool SaysAnything(const MedicalFacts& facts) {
  return !facts.modality.empty() || !facts.group.empty() || !facts.series.empty() ||
         !facts.spacing_mm.empty() || facts.burned_in_annotation || facts.secondary_capture;
}

// One item's way through the steps.
class Analysis {
 public:
  Analysis(const Sources& sources, const configs::PrepareConfig& config, const Privacy* privacy,
           int64_t item, const EmitRecord& emit)
      : sources_(sources),
        config_(config),
        file_(sources.files[static_cast<size_t>(item)]),
        item_(item),
        emit_(emit),
        options_{.read = config.read, .medical = config.medical, .privacy = privacy} {}

  absl::Status Run() {
    if (!file_.labels_path.empty()) LANGEVIN_RETURN_IF_ERROR(ReadIdxLabels());
    LANGEVIN_RETURN_IF_ERROR(Decode());
    return sources_.is_idx && next_index_ == 0 ? absl::DataLossError("holds no image")
                                               : absl::OkStatus();
  }

 private:
  absl::Status Decode() {
    const ImageSink sink = [this](const DecodedImage& image) { return Take(image); };
    if (file_.more_paths.empty()) return DecodeFile(file_.path, options_, sink);
    std::vector<std::string> paths = {file_.path};
    paths.insert(paths.end(), file_.more_paths.begin(), file_.more_paths.end());
    return DecodeDicomSeries(paths, options_.medical, *options_.privacy, sink);
  }

  absl::Status ReadIdxLabels() {
    const absl::Status status =
        DecodeFile(file_.labels_path, {}, [this](const DecodedImage& image) -> absl::Status {
          if (image.images_in_file != 1 || image.shape.height != 1) {
            return absl::DataLossError("holds images, where labels are expected");
          }
          if (image.dtype != DType::kUint8 || image.physical.offset != 0) {
            return absl::DataLossError("holds labels that are no unsigned bytes");
          }
          idx_labels_.resize(image.pixels.size());
          std::transform(image.pixels.begin(), image.pixels.end(), idx_labels_.begin(),
                         [](std::byte value) { return std::to_integer<uint8_t>(value); });
          return absl::OkStatus();
        });
    if (!status.ok()) {
      return absl::DataLossError(
          absl::StrCat("its labels are of no use: ", file_.labels_path, " ", status.message()));
    }
    if (idx_labels_.empty()) {
      return absl::DataLossError(
          absl::StrCat("its labels are of no use: ", file_.labels_path, " holds no label"));
    }
    return absl::OkStatus();
  }

  absl::Status CheckIdxImage(const DecodedImage& image) const {
    if (image.images_in_file == 1 && image.shape.height == 1) {
      return absl::DataLossError("holds labels, where images are expected");
    }
    if (!idx_labels_.empty() && image.images_in_file != static_cast<int64_t>(idx_labels_.size())) {
      return absl::DataLossError(absl::StrFormat("holds %d images, but %s has %d labels",
                                                 image.images_in_file, file_.labels_path,
                                                 idx_labels_.size()));
    }
    return absl::OkStatus();
  }

  absl::Status Take(const DecodedImage& decoded) {
    if (sources_.is_idx) LANGEVIN_RETURN_IF_ERROR(CheckIdxImage(decoded));
    // The bombs among compressed files; a series is not one file.
    decoded_bytes_ += decoded.pixels.size() + decoded.mask.size() + kImageCost;
    const SandboxLimits limits;
    if (file_.more_paths.empty() &&
        decoded_bytes_ > limits.decoded_bytes + limits.decoded_bytes_per_byte * file_.bytes) {
      return absl::DataLossError(absl::StrFormat(
          "becomes more than %d bytes of images, too much for its size", decoded_bytes_));
    }
    const int64_t index = next_index_++;
    int64_t label = decoded.label.value_or(file_.label);
    if (!idx_labels_.empty()) label = idx_labels_[static_cast<size_t>(index)];
    const double share =
        decoded.images_in_file <= 0
            ? 0
            : static_cast<double>(next_index_) / static_cast<double>(decoded.images_in_file);
    return ApplyGeometry(decoded, config_.geometry,
                         [&](const DecodedImage& image, int32_t bucket) -> absl::Status {
                           return Finish(decoded.shape, image, index, label, bucket, share);
                         });
  }

  absl::Status Finish(const ImageShape& source_shape, const DecodedImage& image, int64_t index,
                      int64_t label, int32_t bucket, double share) {
    const Measures measures = Measure(image);
    const auto emit = [&](const DecodedImage& finished) {
      Emit(source_shape, finished, measures, index, label, bucket, share);
      return absl::OkStatus();
    };
    const bool z_score = config_.intensity.mode == configs::IntensityMode::kImageZScore;
    if (image.mask.empty() && image.dtype != DType::kFloat32) {
      return z_score ? emit(ZScore(image)) : emit(image);
    }
    DecodedImage filled = image;
    LANGEVIN_RETURN_IF_ERROR(FillMissing(config_.missing, filled));
    return z_score ? emit(ZScore(filled)) : emit(filled);
  }

  void Emit(const ImageShape& source_shape, const DecodedImage& image, const Measures& measures,
            int64_t index, int64_t label, int32_t bucket, double share) {
    record_.Clear();
    record_.set_item(item_);
    record_.set_index(index);
    SetShape(source_shape, *record_.mutable_source_shape());
    SetShape(image.shape, *record_.mutable_shape());
    record_.set_dtype(static_cast<int32_t>(image.dtype));
    record_.set_bits(image.bits);
    record_.set_alpha_left_out(image.alpha_left_out);
    record_.set_physical_scale(image.physical.scale);
    record_.set_physical_offset(image.physical.offset);
    record_.set_physical_unit(image.physical.unit);
    record_.set_label(label);
    record_.set_bucket(bucket);
    record_.set_measures(&measures, sizeof(measures));
    if (SaysAnything(image.medical)) SetMedical(image.medical, *record_.mutable_medical());
    for (const std::string& note : image.notes) {
      if (record_.note_size() < kMaxNotes) record_.add_note(note.substr(0, kMaxNoteBytes));
    }
    record_.set_source_share(share);
    record_.set_pixel_bytes(image.pixels.size());
    record_.set_mask_bytes(image.mask.size());
    if (image.mask.empty()) {
      emit_(record_.SerializeAsString(), image.pixels);
    } else {
      payload_ = image.pixels;
      const auto mask = std::as_bytes(std::span(image.mask));
      payload_.insert(payload_.end(), mask.begin(), mask.end());
      emit_(record_.SerializeAsString(), payload_);
    }
  }

  const Sources& sources_;
  const configs::PrepareConfig& config_;
  const SourceFile& file_;
  const int64_t item_;
  const EmitRecord& emit_;
  const DecodeOptions options_;
  int64_t next_index_ = 0;
  uint64_t decoded_bytes_ = 0;
  std::vector<uint8_t> idx_labels_;
  proto::SpoolImage record_;
  std::vector<std::byte> payload_;
};

// False if it cannot be read.
bool AddFileTo(Digest& digest, const std::string& path) {
  const auto file = PosixFileSystem().OpenForReading(path);
  if (!file.ok()) return false;
  digest.UpdateInteger((*file)->size());
  std::vector<std::byte> piece(std::min((*file)->size(), kPieceBytes));
  for (uint64_t offset = 0; offset < (*file)->size(); offset += kPieceBytes) {
    const std::span bytes =
        std::span(piece).first(std::min<uint64_t>(kPieceBytes, (*file)->size() - offset));
    if (!(*file)->ReadAt(offset, bytes).ok()) return false;
    digest.Update(bytes);
  }
  return true;
}

}  // namespace

std::string ContentsOf(const SourceFile& file) {
  Digest digest;
  if (!AddFileTo(digest, file.path)) return "?";
  if (!file.labels_path.empty() && !AddFileTo(digest, file.labels_path)) return "?";
  for (const std::string& path : file.more_paths) {
    if (!AddFileTo(digest, path)) return "?";
  }
  return digest.Hex();
}

SandboxedWork AnalysisOf(const Sources& sources, const configs::PrepareConfig& config,
                         const Privacy* privacy) {
  return {
      .run =
          [&sources, &config, privacy](int64_t item, const EmitRecord& emit,
                                       std::string& last_words) {
            const absl::Status status = Analysis(sources, config, privacy, item, emit).Run();
            last_words = ContentsOf(sources.files[static_cast<size_t>(item)]);
            return status;
          },
      .source_bytes =
          [&sources](int64_t item) { return sources.files[static_cast<size_t>(item)].bytes; },
  };
}

}  // namespace langevin::data
