#include "data/ingest/readers/dicom_decoder.h"

#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "data/ingest/medical/grayscale.h"
#include "data/ingest/medical/series.h"
#include "data/ingest/medical/volume.h"
#include "data/ingest/readers/dicom_dataset.h"
#include "data/ingest/readers/dicom_image.h"
#include "data/ingest/readers/dicom_pixels.h"

namespace langevin::data {
namespace {

// One file, open, with all that its frames have in common.
class OpenedFile {
 public:
  static absl::StatusOr<std::unique_ptr<OpenedFile>> Open(const std::string& path,
                                                          const Privacy& privacy) {
    std::unique_ptr<OpenedFile> opened(new OpenedFile());
    LANGEVIN_ASSIGN_OR_RETURN(opened->file_, OpenDicom(path, /*with_fragments=*/true));
    LANGEVIN_ASSIGN_OR_RETURN(opened->image_, DescribeImage(opened->file_));
    opened->facts_ = FactsOf(opened->file_, 0, privacy);
    const std::string set_aside = WhySetAside(opened->facts_, privacy.config());
    if (!set_aside.empty()) return absl::FailedPreconditionError(set_aside);
    LANGEVIN_ASSIGN_OR_RETURN(DicomPixels pixels, DicomPixels::Open(opened->file_, opened->image_));
    opened->pixels_.emplace(std::move(pixels));
    return opened;
  }

  int64_t frames() const { return image_.frames; }
  const MedicalFacts& facts() const { return facts_; }
  std::optional<SliceGeometry> geometry(int64_t frame) const { return GeometryOf(file_, frame); }

  absl::StatusOr<DecodedImage> Decode(int64_t frame, const configs::MedicalConfig& config,
                                      const Privacy& privacy) const {
    LANGEVIN_ASSIGN_OR_RETURN(DicomFrame decoded, pixels_->ReadFrame(frame));
    DecodedImage image;
    image.shape = {
        .height = image_.rows, .width = image_.columns, .channels = decoded.is_color ? 3 : 1};
    image.images_in_file = image_.frames;
    image.medical = frame == 0 ? facts_ : FactsOf(file_, frame, privacy);
    image.mask = std::move(decoded.mask);
    ModalityTransform modality;
    VoiChoices voi;
    bool inverted = false;
    configs::MedicalConfig rendering = config;
    if (decoded.is_color) {
      rendering.voi = configs::VoiMode::kNone;  // Colours have no window.
    } else {
      const bool is_signed = decoded.stored.is_signed;
      LANGEVIN_ASSIGN_OR_RETURN(modality, ModalityOf(file_, frame, is_signed));
      if (config.voi != configs::VoiMode::kNone) {
        LANGEVIN_ASSIGN_OR_RETURN(voi, VoiOf(file_, frame, is_signed));
      }
      inverted = image_.photometric == "MONOCHROME1";
    }
    LANGEVIN_RETURN_IF_ERROR(RenderGray(decoded.stored, modality, voi, inverted, rendering, image));
    return image;
  }

 private:
  OpenedFile() = default;

  DicomFile file_;
  DicomImage image_;
  MedicalFacts facts_;
  std::optional<DicomPixels> pixels_;  // Refers to the two above.
};

// Where a slice without position lies, for resampling in its plane.
std::optional<SliceGeometry> FlatGeometry(const MedicalFacts& facts) {
  if (facts.spacing_mm.size() < 2) return std::nullopt;
  return SliceGeometry{.along_row = {1, 0, 0},
                       .along_column = {0, 1, 0},
                       .row_spacing = facts.spacing_mm[0],
                       .column_spacing = facts.spacing_mm[1]};
}

absl::Status EmitAlone(DecodedImage image, const std::optional<SliceGeometry>& place,
                       const configs::MedicalConfig& config, SliceFilter& filter) {
  if (config.spacing_mm.size() < 2) return filter.Add(std::move(image));
  const std::optional<SliceGeometry> geometry =
      place.has_value() && image.medical.spacing_mm.size() >= 2 ? place
                                                                : FlatGeometry(image.medical);
  if (!geometry.has_value()) {
    return absl::FailedPreconditionError(
        "has no pixel spacing, and medical.spacing_mm asks for one");
  }
  VolumeBuilder builder;
  const MedicalFacts facts = image.medical;
  const int64_t images = image.images_in_file;
  LANGEVIN_RETURN_IF_ERROR(builder.Add(image, *geometry));
  configs::MedicalConfig in_plane = config;
  in_plane.axis = configs::SliceAxis::kAcquired;
  SliceFilter restore(0, [&](const DecodedImage& resampled) {
    DecodedImage placed = resampled;
    placed.images_in_file = images;
    if (!facts.position_mm.has_value()) placed.medical.position_mm.reset();
    if (!facts.normal.has_value()) placed.medical.normal.reset();
    if (facts.spacing_mm.size() > 2) placed.medical.spacing_mm.push_back(facts.spacing_mm[2]);
    return filter.Add(std::move(placed));
  });
  return EmitSlices(builder.Finish(), in_plane, restore);
}

bool WantsVolume(const configs::MedicalConfig& config) {
  return config.axis != configs::SliceAxis::kAcquired || config.spacing_mm.size() >= 3;
}

// The frames of a file that lie at different places, as one or more stacks of frame numbers.
std::vector<DicomSeries> StacksOf(const OpenedFile& opened) {
  std::vector<double> positions;
  std::vector<int64_t> numbers;
  const std::optional<SliceGeometry> first = opened.geometry(0);
  if (!first.has_value()) return {};
  for (int64_t frame = 0; frame < opened.frames(); ++frame) {
    const std::optional<SliceGeometry> geometry = opened.geometry(frame);
    if (!geometry.has_value() || Dot(geometry->normal(), first->normal()) < 0.99) return {};
    positions.push_back(Dot(geometry->position, first->normal()));
    numbers.push_back(frame);
  }
  std::vector<DicomSeries> stacks = StackSlices(positions, numbers);
  if (stacks.front().spacing_mm == 0) return {};  // All in one place: a film, no volume.
  return stacks;
}

absl::Status DecodeFrames(const OpenedFile& opened, const configs::MedicalConfig& config,
                          const Privacy& privacy, SliceFilter& filter) {
  const std::vector<DicomSeries> stacks =
      WantsVolume(config) && opened.frames() > 1 ? StacksOf(opened) : std::vector<DicomSeries>();
  for (const DicomSeries& stack : stacks) {
    VolumeBuilder builder;
    for (const int64_t frame : stack.files) {
      LANGEVIN_ASSIGN_OR_RETURN(DecodedImage image, opened.Decode(frame, config, privacy));
      if (builder.slices() == 0) {
        image.notes.insert(image.notes.end(), stack.notes.begin(), stack.notes.end());
      }
      LANGEVIN_RETURN_IF_ERROR(builder.Add(image, *opened.geometry(frame)));
    }
    Volume volume = builder.Finish();
    volume.volumes_in_source = static_cast<int64_t>(stacks.size());
    LANGEVIN_RETURN_IF_ERROR(EmitSlices(volume, config, filter));
  }
  for (int64_t frame = 0; stacks.empty() && frame < opened.frames(); ++frame) {
    LANGEVIN_ASSIGN_OR_RETURN(DecodedImage image, opened.Decode(frame, config, privacy));
    if (frame == 0 && WantsVolume(config) && opened.frames() > 1) {
      image.notes.push_back("its frames form no volume: given as they are");
    }
    LANGEVIN_RETURN_IF_ERROR(EmitAlone(std::move(image), opened.geometry(frame), config, filter));
  }
  return absl::OkStatus();
}

absl::Status InFile(size_t index, size_t count, const absl::Status& status) {
  if (status.ok() || count == 1) return status;
  return absl::Status(status.code(), absl::StrFormat("has a file (%d of %d) that %s", index + 1,
                                                     count, status.message()));
}

}  // namespace

bool LooksLikeDicom(std::span<const std::byte> head) {
  if (head.size() >= 132 && std::memcmp(&head[128], "DICM", 4) == 0) return true;
  if (head.size() < 12) return false;
  const auto byte = [&](size_t i) { return std::to_integer<int>(head[i]); };
  // The first element of a data set without preamble: group 0002 or 0008, a small element number,
  // and a VR or, without one, a small length.
  const bool little = (byte(0) == 2 || byte(0) == 8) && byte(1) == 0;
  const bool big = byte(0) == 0 && byte(1) == 8;
  const int element = little ? byte(2) | byte(3) << 8 : byte(2) << 8 | byte(3);
  if ((!little && !big) || element > 0x0110) return false;
  static constexpr const char* kVrs[] = {"UL", "UI", "CS", "OB", "SH", "LO",
                                         "DA", "TM", "AE", "ST", "PN", "SQ"};
  for (const char* const vr : kVrs) {
    if (byte(4) == vr[0] && byte(5) == vr[1]) return true;
  }
  const int length = byte(4) | byte(5) << 8 | byte(6) << 16;
  return little && byte(7) == 0 && length > 0 && length <= 256 && length % 2 == 0;
}

absl::StatusOr<DicomProbe> ProbeDicom(const std::string& path, const Privacy& privacy) {
  LANGEVIN_ASSIGN_OR_RETURN(const DicomFile file, OpenDicom(path, /*with_fragments=*/false));
  DicomProbe probe;
  probe.facts = FactsOf(file, 0, privacy);
  probe.reason = WhyNoImage(file);
  if (!probe.reason.empty()) return probe;
  absl::StatusOr<DicomImage> image = DescribeImage(file);
  if (!image.ok()) {
    probe.reason = std::string(image.status().message());
    return probe;
  }
  probe.reason = WhySetAside(probe.facts, privacy.config());
  probe.rows = image->rows;
  probe.columns = image->columns;
  probe.frames = image->frames;
  const double number = file.dataset.Decimal(kInstanceNumber).value_or(0);
  probe.instance_number = std::abs(number) < 1e9 ? static_cast<int64_t>(number) : 0;
  return probe;
}

absl::Status DecodeDicom(const std::string& path, const configs::MedicalConfig& config,
                         const Privacy& privacy, const ImageSink& sink) {
  return DecodeDicomSeries(std::span(&path, 1), config, privacy, sink);
}

absl::Status DecodeDicomSeries(std::span<const std::string> paths,
                               const configs::MedicalConfig& config, const Privacy& privacy,
                               const ImageSink& sink) {
  SliceFilter filter(config.skip_empty, sink);
  VolumeBuilder builder;
  for (size_t i = 0; i < paths.size(); ++i) {
    absl::StatusOr<std::unique_ptr<OpenedFile>> opened = OpenedFile::Open(paths[i], privacy);
    if (!opened.ok()) return InFile(i, paths.size(), opened.status());
    const bool stacked = paths.size() > 1 && WantsVolume(config) && (*opened)->frames() == 1 &&
                         (*opened)->geometry(0).has_value();
    if (!stacked) {
      LANGEVIN_RETURN_IF_ERROR(
          InFile(i, paths.size(), DecodeFrames(**opened, config, privacy, filter)));
      continue;
    }
    absl::StatusOr<DecodedImage> image = (*opened)->Decode(0, config, privacy);
    if (!image.ok()) return InFile(i, paths.size(), image.status());
    LANGEVIN_RETURN_IF_ERROR(builder.Add(*image, *(*opened)->geometry(0)));
  }
  if (builder.slices() > 0) {
    LANGEVIN_RETURN_IF_ERROR(EmitSlices(builder.Finish(), config, filter));
  }
  return filter.Finish();
}

}  // namespace langevin::data
