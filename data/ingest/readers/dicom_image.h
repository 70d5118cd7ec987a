// What the attributes of a DICOM file say about its pixels and frames.
#ifndef LANGEVIN_DATA_INGEST_READERS_DICOM_IMAGE_H_
#define LANGEVIN_DATA_INGEST_READERS_DICOM_IMAGE_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "data/ingest/decoded_image.h"
#include "data/ingest/medical/geometry.h"
#include "data/ingest/medical/grayscale.h"
#include "data/ingest/medical/privacy.h"
#include "data/ingest/readers/dicom_dataset.h"

namespace langevin::data {

enum class PixelEncoding { kNative, kRle, kJpeg, kJpegLs, kJpeg2000 };
enum class PixelNumber { kInteger, kFloat, kDouble };

struct Palette {
  int64_t first = 0;
  int32_t bits = 8;                              // 8 or 16.
  std::array<std::vector<uint16_t>, 3> entries;  // Red, green, blue: as many each.
};

// The Image Pixel Module (PS3.3 C.7.6.3), checked: sizes are positive, a frame's decoded pixels
// have at most kMaxDecodedBytes.
struct DicomImage {
  PixelEncoding encoding = PixelEncoding::kNative;
  std::string transfer_syntax;
  PixelNumber number = PixelNumber::kInteger;
  int64_t rows = 0, columns = 0, frames = 1;
  int32_t samples = 1;  // 1 or 3.
  int32_t bits_allocated = 16, bits_stored = 16, high_bit = 15;
  bool is_signed = false;
  bool planar = false;                                 // Colour by plane.
  std::string photometric;                             // "MONOCHROME2", ...
  std::optional<std::pair<int64_t, int64_t>> padding;  // Stored numbers from first to second.
  std::optional<Palette> palette;
  const DicomElement* pixels = nullptr;  // In the file.
};

// Unimplemented or DataLoss: a sentence's end about the file.
absl::StatusOr<DicomImage> DescribeImage(const DicomFile& file);

// Why this file gives no image at all: a directory, a report, a plan, a waveform ... Empty where it
// has pixels.
std::string WhyNoImage(const DicomFile& file);
// Why `privacy` sets it aside; empty if it does not.
std::string WhySetAside(const MedicalFacts& facts, const configs::PrivacyConfig& privacy);

// Of frame `frame`: from its functional groups, from those that all frames share, or from the
// file's own attributes, whichever come first.
MedicalFacts FactsOf(const DicomFile& file, int64_t frame, const Privacy& privacy);
std::optional<SliceGeometry> GeometryOf(const DicomFile& file, int64_t frame);
absl::StatusOr<ModalityTransform> ModalityOf(const DicomFile& file, int64_t frame, bool is_signed);
absl::StatusOr<VoiChoices> VoiOf(const DicomFile& file, int64_t frame, bool is_signed);

// 1 where the file does not say; 0 where it says something that is no number of frames.
int64_t NumberOfFrames(const DicomDataset& dataset);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_READERS_DICOM_IMAGE_H_
