// Decodes files as `prepare` would, for tests that compare with other software:
//
//   langevin_decode_file [color=gray|rgb] [alpha=white|black|mask] [orientation=off]
//                        [images=PATH] [labels=PATH] FILE...
//
// For each image one line "image height width channels dtype bits scale offset label mask-bytes
// alpha-left-out images-in-file" and the bytes of pixels and mask; then, for each file, one line
// "file REASON".
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_format.h"
#include "data/ingest/decoders.h"
#include "data/ingest/sandboxed_worker.h"

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

std::string Header(const DecodedImage& image) {
  return absl::StrFormat("image %d %d %d %s %d %.17g %.17g %d %d %d %d\n", image.shape.height,
                         image.shape.width, image.shape.channels, std::string(NameOf(image.dtype)),
                         image.bits, image.physical.scale, image.physical.offset,
                         image.label.value_or(-1), image.mask.size(), image.alpha_left_out ? 1 : 0,
                         image.images_in_file);
}

class Printer : public WorkReceiver {
 public:
  absl::StatusOr<bool> Record(int64_t /*file*/, std::string_view text,
                              std::span<const std::byte> payload) override {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fwrite(payload.data(), 1, payload.size(), stdout);
    return true;
  }
  absl::Status Done(int64_t /*file*/, const std::string& reason, const std::string& /*last_words*/,
                    bool /*lost*/) override {
    absl::PrintF("file %s\n", reason);
    return absl::OkStatus();
  }
  void Again(int64_t /*file*/) override {}  // Each file is a request of its own.
};

int Main(int argc, char** argv) {
  DecodeOptions options;
  int i = 1;
  while (i < argc && TakeOption(argv[i], options.read)) ++i;
  SandboxedWorker worker({.run = [&](int64_t file, const EmitRecord& emit, std::string&) {
    return DecodeFile(argv[file], options, [&emit](const DecodedImage& image) {
      std::vector<std::byte> payload = image.pixels;
      const auto mask = std::as_bytes(std::span(image.mask));
      payload.insert(payload.end(), mask.begin(), mask.end());
      emit(Header(image), payload);
      return absl::OkStatus();
    });
  }});
  Printer printer;
  for (; i < argc; ++i) {
    if (!worker.Run(i, i + 1, printer).ok()) return 1;
  }
  return 0;
}

}  // namespace
}  // namespace langevin::data

int main(int argc, char** argv) { return langevin::data::Main(argc, argv); }
