// The readers of foreign formats. They parse bytes that anybody may have made, and so run only in
// the sandbox (sandbox.h) and in tests.
#ifndef LANGEVIN_DATA_INGEST_DECODERS_H_
#define LANGEVIN_DATA_INGEST_DECODERS_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "data/ingest/decoded_image.h"

namespace langevin::data {

// PNG of any kind: 8 bits a channel for depths up to 8 (1, 2 and 4 bits are scaled to 0..255), else
// 16; gray gives one channel, RGB and palettes three; alpha is left out.
absl::Status DecodePng(const std::string& path, const ImageSink& sink);

// IDX, plain or compressed with gzip, of unsigned bytes. Three dimensions: one gray image for each
// of the first. One dimension (labels): one image of one row.
absl::Status DecodeIdx(const std::string& path, const ImageSink& sink);

// Picks the reader by the file's name: "*.png" in any case, else IDX.
absl::Status DecodeFile(const std::string& path, const ImageSink& sink);

bool HasPngName(std::string_view path);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_DECODERS_H_
