// An image as a reader of a foreign format hands it over, and what every such reader looks like.
#ifndef LANGEVIN_DATA_INGEST_DECODED_IMAGE_H_
#define LANGEVIN_DATA_INGEST_DECODED_IMAGE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/base/tensor_view.h"
#include "data/dataset.h"

namespace langevin::data {

// No decoded image may have more bytes; a file that claims more is refused before memory is taken.
inline constexpr int64_t kMaxDecodedBytes = int64_t{1} << 29;
// The largest number of a class.
inline constexpr int64_t kMaxLabel = (int64_t{1} << 24) - 1;

// What medical sources say of a slice. No identifiers: names of people, dates, UIDs and numbers of
// records never leave the reader; group and series are salted hashes (16 hexadecimal digits).
struct MedicalFacts {
  std::string modality;  // "CT", "MR", ...
  std::string group;     // Patient.
  std::string series;
  std::optional<std::array<double, 3>> position_mm;  // Of the first pixel, LPS.
  std::optional<std::array<double, 3>> normal;       // Of the slice, unit length, LPS.
  std::vector<double> spacing_mm;  // Rows, columns and, where known, between slices.
  bool burned_in_annotation = false;
  bool secondary_capture = false;
};

struct DecodedImage {
  ImageShape shape;
  DType dtype = DType::kUint8;   // kUint8, kUint16 or kFloat32.
  int32_t bits = 8;              // The source's own depth: the largest number is 2^bits - 1.
  bool alpha_left_out = false;   // The file had an alpha channel.
  int64_t images_in_file = 1;    // How many this file holds; 0: not known before its end.
  PhysicalUnits physical;        // Signed sources are stored with an offset.
  std::optional<int64_t> label;  // Where the file itself says so (HDF5).
  MedicalFacts medical;
  std::vector<std::string> notes;  // Remarks for the report ("gap of 2 slices after slice 17").
  std::vector<std::byte> pixels;   // (height, width, channels) interleaved, native byte order.
  std::vector<uint8_t> mask;  // (height, width): 1 valid, 0 padding, alpha 0 or missing; empty: all
                              // valid. NaN of float images is found later.

  // All else of it.
  DecodedImage WithoutPixels() const {
    DecodedImage copy;
    copy.shape = shape;
    copy.dtype = dtype;
    copy.bits = bits;
    copy.alpha_left_out = alpha_left_out;
    copy.images_in_file = images_in_file;
    copy.physical = physical;
    copy.label = label;
    copy.medical = medical;
    copy.notes = notes;
    return copy;
  }
};

// Takes the images of a file, in order; an error ends the reading and is returned from it.
using ImageSink = std::function<absl::Status(const DecodedImage&)>;

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_DECODED_IMAGE_H_
