// DICOM: single files, and series as one source item.
//
// The order of steps is that of PS3.3 C.11 and C.7.6.3: decode, stored bits and sign, modality LUT,
// VOI (on request), inversion of MONOCHROME1, padding into the mask; palettes, planes and YBR
// become interleaved RGB. Physical values are pixel * physical.scale + physical.offset, also after
// the inversion and after a fixed VOI window; windows of files, which differ from image to image,
// give shares of the window (0 to 65535) that have no unit.
//
// What comes out, by what the values after the modality step can be:
//   whole numbers of at most 16 bits after an offset   uint8 (up to 8 bits) or uint16
//   anything else (real slopes, 32 bits, float pixels) float32
//   after a VOI window                                 uint16, the window's ends at 0 and 65535
//
// All of this parses bytes that anybody may have made: call it in the sandbox. Reasons of errors
// hold no value of the file but codes (transfer syntax, SOP class, modality, sizes).
#ifndef LANGEVIN_DATA_INGEST_READERS_DICOM_DECODER_H_
#define LANGEVIN_DATA_INGEST_READERS_DICOM_DECODER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "configs/prepare_config.h"
#include "data/ingest/decoded_image.h"
#include "data/ingest/medical/privacy.h"

namespace langevin::data {

// What the scan needs to group files into series (series.h). No identifiers.
struct DicomProbe {
  std::string reason;  // Not empty: this file gives no image, and why ("is a DICOMDIR").
  MedicalFacts facts;
  int64_t rows = 0, columns = 0, frames = 1;
  int64_t instance_number = 0;  // Order where positions are missing or equal.
};

// Whether a file that begins with `head` (256 bytes are enough) is DICOM: "DICM" at byte 128, or a
// data set without preamble that begins with a plausible element of group 0002 or 0008.
bool LooksLikeDicom(std::span<const std::byte> head);

// Reads all but the pixels. An error is only for files that are not DICOM or damaged.
absl::StatusOr<DicomProbe> ProbeDicom(const std::string& path, const Privacy& privacy);

// One line of text without line break, to travel out of the sandbox, and back. What comes back is
// checked: hashes are hexadecimal, numbers finite, the reason printable.
std::string ProbeToText(const DicomProbe& probe);
absl::StatusOr<DicomProbe> ProbeFromText(std::string_view text);

// The images of one file, in order of frames. Files without pixels, or that `privacy` sets aside,
// are errors with the reason. The frames of a file are sliced by config.axis and resampled where
// they form a volume.
absl::Status DecodeDicom(const std::string& path, const configs::MedicalConfig& config,
                         const Privacy& privacy, const ImageSink& sink);

// The files of one series, in the order of series.h. Slices come one at a time without holding the
// volume where config.axis is kAcquired and nothing is resampled between slices. A file that cannot
// be decoded is an error that says which one ("file 3 of 20: ...").
absl::Status DecodeDicomSeries(std::span<const std::string> paths,
                               const configs::MedicalConfig& config, const Privacy& privacy,
                               const ImageSink& sink);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_READERS_DICOM_DECODER_H_
