// Decodes files as `prepare` would, for tests that compare with other software:
//
//   langevin_decode_file [color=gray|rgb] [alpha=white|black|mask] [orientation=off]
//                        [images=PATH] [labels=PATH] FILE...
//
// For each image one line "image height width channels dtype bits scale offset label mask-bytes
// alpha-left-out images-in-file" and the bytes of pixels and mask; then, for each file, one line
// "file REASON".
#include <cstdio>
#include <string>
#include <string_view>

#include "absl/strings/str_format.h"
#include "data/ingest/decoders.h"
#include "data/ingest/sandbox.h"

namespace langevin::data {
namespace {

bool TakeOption(std::string_view argument, configs::ReadConfig& config) {
  using configs::AlphaMode;
  using configs::ColorMode;
  if (argument == "color=gray") return config.color = ColorMode::kGray, true;
  if (argument == "color=rgb") return config.color = ColorMode::kRgb, true;
  if (argument == "alpha=white") return config.alpha = AlphaMode::kWhite, true;
  if (argument == "alpha=black") return config.alpha = AlphaMode::kBlack, true;
  if (argument == "alpha=mask") return config.alpha = AlphaMode::kMask, true;
  if (argument == "orientation=off") return config.exif_orientation = false, true;
  if (argument.starts_with("images=")) return config.hdf5_images = argument.substr(7), true;
  if (argument.starts_with("labels=")) return config.hdf5_labels = argument.substr(7), true;
  return false;
}

absl::Status Print(const DecodedImage& image) {
  absl::PrintF("image %d %d %d %s %d %.17g %.17g %d %d %d %d\n", image.shape.height,
               image.shape.width, image.shape.channels, std::string(NameOf(image.dtype)),
               image.bits, image.physical.scale, image.physical.offset, image.label.value_or(-1),
               image.mask.size(), image.alpha_left_out ? 1 : 0, image.images_in_file);
  std::fwrite(image.pixels.data(), 1, image.pixels.size(), stdout);
  std::fwrite(image.mask.data(), 1, image.mask.size(), stdout);
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  DecodeOptions options;
  int i = 1;
  while (i < argc && TakeOption(argv[i], options.read)) ++i;
  SandboxedDecoder decoder([&options](const std::string& path, const ImageSink& sink) {
    return DecodeFile(path, options, sink);
  });
  for (; i < argc; ++i) {
    const absl::StatusOr<std::string> reason = decoder.Decode(argv[i], Print);
    if (!reason.ok()) return 1;
    absl::PrintF("file %s\n", *reason);
  }
  return 0;
}

}  // namespace
}  // namespace langevin::data

int main(int argc, char** argv) { return langevin::data::Main(argc, argv); }
