#include "data/ingest/decoders.h"

#include "absl/strings/match.h"

namespace langevin::data {

bool HasPngName(std::string_view path) {
  return absl::EndsWithIgnoreCase(absl::string_view(path.data(), path.size()), ".png");
}

absl::Status DecodeFile(const std::string& path, const ImageSink& sink) {
  return HasPngName(path) ? DecodePng(path, sink) : DecodeIdx(path, sink);
}

}  // namespace langevin::data
