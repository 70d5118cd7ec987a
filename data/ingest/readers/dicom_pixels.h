// The frames of a DICOM file as stored numbers: decoded, with the unused bits gone and the sign
// right, planes and YBR turned to interleaved RGB, and padding as a mask.
#ifndef LANGEVIN_DATA_INGEST_READERS_DICOM_PIXELS_H_
#define LANGEVIN_DATA_INGEST_READERS_DICOM_PIXELS_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "data/ingest/medical/grayscale.h"
#include "data/ingest/readers/dicom_dataset.h"
#include "data/ingest/readers/dicom_image.h"

namespace langevin::data {

struct DicomFrame {
  StoredPixels stored;
  bool is_color = false;      // Three channels, RGB.
  std::vector<uint8_t> mask;  // As in DecodedImage; empty: nothing is padding.
};

// Holds one frame at a time. `file` and `image` must outlive it.
class DicomPixels {
 public:
  // DataLoss: the file has fewer bytes or fragments than its frames need.
  static absl::StatusOr<DicomPixels> Open(const DicomFile& file, const DicomImage& image);

  absl::StatusOr<DicomFrame> ReadFrame(int64_t frame) const;

 private:
  DicomPixels(const DicomFile& file, const DicomImage& image) : file_(file), image_(image) {}
  absl::Status FindFrames();
  absl::StatusOr<std::vector<uint8_t>> ReadRanges(const std::vector<ByteRange>& ranges) const;
  absl::StatusOr<std::vector<uint8_t>> ReadNative(int64_t frame) const;

  const DicomFile& file_;
  const DicomImage& image_;
  std::vector<std::vector<ByteRange>> coded_frames_;
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_READERS_DICOM_PIXELS_H_
