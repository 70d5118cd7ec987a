// langevin_geometry_tool DTYPE BITS HEIGHT WIDTH CHANNELS HAS_MASK a.b=v ...: reads pixels and mask
// from stdin, applies geometry as the overrides of a prepare config say, and writes for each image
// that comes of it a line "height width has_mask bucket", pixels and mask to stdout.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "configs/prepare_config_text.h"
#include "data/ingest/geometry/geometry.h"

int main(int argc, char** argv) {
  using namespace langevin;
  if (argc < 7) return 2;
  data::DecodedImage image;
  const std::string dtype = argv[1];
  image.dtype = dtype == "uint8"    ? DType::kUint8
                : dtype == "uint16" ? DType::kUint16
                                    : DType::kFloat32;
  image.bits = std::atoi(argv[2]);
  image.shape = {
      .height = std::atol(argv[3]), .width = std::atol(argv[4]), .channels = std::atol(argv[5])};
  image.pixels.resize(static_cast<size_t>(image.shape.values()) * SizeOf(image.dtype));
  if (std::atoi(argv[6]) != 0) {
    image.mask.resize(static_cast<size_t>(image.shape.height * image.shape.width));
  }
  if (std::fread(image.pixels.data(), 1, image.pixels.size(), stdin) != image.pixels.size() ||
      std::fread(image.mask.data(), 1, image.mask.size(), stdin) != image.mask.size()) {
    return 2;
  }
  const auto config = configs::ParsePrepareConfig("", "", {argv + 7, argv + argc});
  if (!config.ok()) {
    std::fprintf(stderr, "%s\n", std::string(config.status().message()).c_str());
    return 3;
  }
  const absl::Status status = data::ApplyGeometry(
      image, config->geometry, [](const data::DecodedImage& out, int32_t bucket) {
        std::printf("%ld %ld %d %d\n", static_cast<long>(out.shape.height),
                    static_cast<long>(out.shape.width), out.mask.empty() ? 0 : 1, bucket);
        std::fwrite(out.pixels.data(), 1, out.pixels.size(), stdout);
        std::fwrite(out.mask.data(), 1, out.mask.size(), stdout);
        return absl::OkStatus();
      });
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return 4;
}
