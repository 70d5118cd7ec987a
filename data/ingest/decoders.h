// The readers of foreign formats, and which of them takes a file. They parse bytes that anybody may
// have made, and so run only in the sandbox (sandbox.h) and in tests.
//
// Errors are the rest of a sentence that begins with the file's name. No reader allocates more than
// a small multiple of kMaxDecodedBytes, whatever a file claims; those that take `config` honour its
// color, and, where the format has any, alpha and orientation. See docs/data_format.md.
#ifndef LANGEVIN_DATA_INGEST_DECODERS_H_
#define LANGEVIN_DATA_INGEST_DECODERS_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "configs/prepare_config.h"
#include "data/ingest/decoded_image.h"
#include "data/ingest/file_kind.h"

namespace langevin::data {

class Privacy;  // medical/privacy.h.

// What readers go by.
struct DecodeOptions {
  configs::ReadConfig read;
  configs::MedicalConfig medical;
  const Privacy* privacy =
      nullptr;  // Must be there for DICOM and NIfTI, which are refused without.
};

// PNG of any kind: 8 bits a channel for depths up to 8 (1, 2 and 4 bits are scaled to 0..255), else
// 16; gray gives one channel, RGB and palettes three.
absl::Status DecodePng(const std::string& path, const configs::ReadConfig& config,
                       const ImageSink& sink);

// JPEG of 8 bits: gray gives one channel, all else three; CMYK without a colour profile. Truncated
// and damaged files are refused.
absl::Status DecodeJpeg(const std::string& path, const configs::ReadConfig& config,
                        const ImageSink& sink);

// TIFF: 1 to 64-bit integers and 16 to 64-bit floats of any number of channels in strips or tiles;
// each page that is no thumbnail is an image. Depths below 8 are scaled to 0..255.
absl::Status DecodeTiff(const std::string& path, const configs::ReadConfig& config,
                        const ImageSink& sink);

// NPY, plain or compressed with gzip, and NPZ; see array_images.h for the shapes, numbers.h for the
// types. In an NPZ all arrays of three and four dimensions (where there are none, those of two) are
// images, in the order of their names; "train_images", "x" and the like take their labels from
// "train_labels", "y".
absl::Status DecodeNpy(const std::string& path, const configs::ReadConfig& config,
                       const ImageSink& sink);
absl::Status DecodeNpz(const std::string& path, const configs::ReadConfig& config,
                       const ImageSink& sink);

// IDX, plain or compressed with gzip, of any element type. (N, H, W), (N, H, W, C) or one image
// (H, W); one dimension (labels): one image of one row.
absl::Status DecodeIdx(const std::string& path, const configs::ReadConfig& config,
                       const ImageSink& sink);

// The dataset config.hdf5_images, with labels from config.hdf5_labels. One thread at a time, over
// all of the process.
absl::Status DecodeHdf5(const std::string& path, const configs::ReadConfig& config,
                        const ImageSink& sink);

// Reads a file with the reader that its first bytes call for, whatever its name.
absl::Status DecodeFile(const std::string& path, const DecodeOptions& options,
                        const ImageSink& sink);

// The name of the format ("PNG") whose reader takes a file that begins so; empty where none does.
std::string_view FormatOfHead(const FileHead& head);
// The same by the name of a file alone: "a.JPG" is JPEG. Empty: it has to be opened.
std::string_view FormatOfName(std::string_view path);
// "PNG, JPEG, ...": the formats that are read, for people.
std::string KnownFormats();

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_DECODERS_H_
