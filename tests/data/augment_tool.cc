// Augments one image at many positions, for augment_test.py to compare with what others wrote.
//
//     langevin_augment_tool HEIGHT WIDTH CHANNELS SEED FIRST COUNT data.augment.scale=0.2 ...
//
// Standard input: the image (height, width, channels) as float32, then its mask (height, width) as
// bytes. Standard output, for each position: the source map xx xy x yx yy y as float64; gain, shift
// and noise, the labels, and the image (channels, height, width) as float32; the mask as bytes.
#include <cstdio>
#include <string>
#include <vector>

#include "configs/run_config.h"
#include "data/image_transform.h"

namespace langevin::data {
namespace {

template <typename Type>
void Put(const Type* values, size_t count) {
  std::fwrite(values, sizeof(Type), count, stdout);
}

int Run(int argc, char** argv) {
  if (argc < 7) return 2;
  const ImageShape shape = {
      .height = std::stoll(argv[1]), .width = std::stoll(argv[2]), .channels = std::stoll(argv[3])};
  const uint64_t seed = std::stoull(argv[4]);
  const int64_t first = std::stoll(argv[5]), count = std::stoll(argv[6]);
  std::vector<std::string> overrides = {"train.total_images=1", "train.global_batch=1",
                                        "train.microbatch=1"};
  overrides.insert(overrides.end(), argv + 7, argv + argc);
  const auto config = configs::ParseRunConfig("", "test", overrides);
  if (!config.ok()) {
    std::fprintf(stderr, "%s\n", std::string(config.status().message()).c_str());
    return 3;
  }
  const auto values = static_cast<size_t>(shape.values());
  std::vector<float> stored(values), image(values), labels(kAugmentLabels);
  std::vector<uint8_t> mask(static_cast<size_t>(shape.height * shape.width)), moved(mask.size());
  if (std::fread(stored.data(), sizeof(float), values, stdin) != values ||
      std::fread(mask.data(), 1, mask.size(), stdin) != mask.size()) {
    return 4;
  }
  const ImageTransform transform(shape, DType::kFloat32, {}, seed, config->data.augment);
  ImageTransform::Scratch scratch;
  for (int64_t position = first; position < first + count; ++position) {
    transform.Apply(position, std::as_bytes(std::span(stored)), mask,
                    {.image = image, .mask = moved, .augment_labels = labels}, scratch);
    const DrawnAugmentation drawn = DrawAugmentation(config->data.augment, shape, seed, position);
    const Affine& source = drawn.source;
    const double map[] = {source.xx, source.xy, source.x, source.yx, source.yy, source.y};
    const float intensity[] = {drawn.gain, drawn.shift, drawn.noise};
    Put(map, 6);
    Put(intensity, 3);
    Put(labels.data(), labels.size());
    Put(image.data(), image.size());
    Put(moved.data(), moved.size());
  }
  return 0;
}

}  // namespace
}  // namespace langevin::data

int main(int argc, char** argv) { return langevin::data::Run(argc, argv); }
