// A reader of foreign files, FUZZ_DECODER, fed with anything. The first byte chooses options.
#include "data/ingest/decoders.h"
#include "tests/fuzz/fuzz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using langevin::configs::AlphaMode;
  using langevin::configs::ColorMode;
  if (size == 0) return 0;
  langevin::configs::ReadConfig config;
  config.color = static_cast<ColorMode>((data[0] & 3) % 3);
  config.alpha = static_cast<AlphaMode>(data[0] >> 2 & 3);
  config.exif_orientation = (data[0] & 16) == 0;
  if ((data[0] & 32) != 0) config.hdf5_labels = "labels";
  const std::string path = langevin::FuzzFile("input", data + 1, size - 1);
  // Reads what it is given, as measuring would.
  uint8_t sum = 0;
  langevin::data::FUZZ_DECODER(path, config, [&sum](const langevin::data::DecodedImage& image) {
    if (image.pixels.size() != static_cast<size_t>(image.shape.values()) * SizeOf(image.dtype)) {
      __builtin_trap();
    }
    for (const std::byte value : image.pixels) sum ^= std::to_integer<uint8_t>(value);
    for (const uint8_t valid : image.mask) sum ^= valid;
    return absl::OkStatus();
  }).IgnoreError();
  volatile uint8_t kept = sum;
  static_cast<void>(kept);
  return 0;
}
