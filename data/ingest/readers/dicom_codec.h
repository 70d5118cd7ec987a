// One compressed DICOM frame to the numbers in it: JPEG, JPEG-LS and JPEG 2000 by GDCM, run lengths
// (PS3.5 annex G) by hand.
#ifndef LANGEVIN_DATA_INGEST_READERS_DICOM_CODEC_H_
#define LANGEVIN_DATA_INGEST_READERS_DICOM_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "data/ingest/readers/dicom_image.h"

namespace langevin::data {

// What the header of a codestream says, which wins over the DICOM attributes.
struct CodestreamInfo {
  int64_t rows = 0, columns = 0;
  int32_t components = 0;
  int32_t precision = 0;
  bool rgb_components = false;  // Their identifiers are "RGB".
  bool jfif = false;            // Which means YBR.
};

// DataLoss where there is no such header.
absl::StatusOr<CodestreamInfo> ReadCodestreamInfo(PixelEncoding encoding,
                                                  std::span<const uint8_t> codestream);

struct CodedFrame {
  std::vector<uint8_t> bytes;  // Little-endian numbers, channels interleaved.
  int32_t bits_allocated = 8;  // Of a number: 8, 16, 32 or 64.
  int32_t precision = 8;       // Bits of a number that are used.
  std::string photometric;     // What the channels are now.
};

// `codestream` holds a whole frame of `image`. Refuses one of another size before it takes memory
// for the pixels. DataLoss: damaged.
absl::StatusOr<CodedFrame> DecodeFrame(const DicomImage& image,
                                       std::span<const uint8_t> codestream);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_READERS_DICOM_CODEC_H_
