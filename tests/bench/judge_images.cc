// Measures and judges the images of a NumPy file as `langevin prepare` would, without the rest of
// it:
//
//   langevin_judge_images IMAGES.npy [quality.FIELD=VALUE]...   uint8, (count, height, width)
//   langevin_judge_images --random COUNT                        records of chance, to take the time
//
// One line for each finding on stdout: kind, image, other, score, rejected. Times on stderr.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "configs/prepare_config_text.h"
#include "core/base/clock.h"
#include "core/base/philox.h"
#include "data/ingest/quality/judge.h"

namespace langevin::data {
namespace {

const char* NameOf(Finding::Kind kind) {
  constexpr const char* kNames[] = {
      "exact_duplicate", "near_duplicate", "dark",       "light",     "blurry",
      "low_information", "constant",       "non_finite", "saturated", "padding",
      "odd_size",        "odd_aspect",     "outlier",    "leak"};
  return kNames[static_cast<int>(kind)];
}

struct Images {
  int64_t count = 0, height = 0, width = 0;
  std::string bytes;
  size_t begin = 0;
};

// The one kind of file that the benchmark writes: version 1, C order.
Images ReadNpy(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  Images images;
  images.bytes.assign(std::istreambuf_iterator<char>(file), {});
  const size_t shape = images.bytes.find("'shape': (");
  if (images.bytes.compare(0, 8, "\x93NUMPY\x01\0", 8) != 0 || shape > 200 ||
      images.bytes.find("'descr': '|u1'") > 200 ||
      std::sscanf(images.bytes.c_str() + shape, "'shape': (%ld, %ld, %ld)", &images.count,
                  &images.height, &images.width) != 3) {
    std::fprintf(stderr, "%s: is no uint8 array of three dimensions\n", path.c_str());
    std::exit(2);
  }
  images.begin = images.bytes.find('\n') + 1;
  return images;
}

std::vector<JudgedImage> MeasureAll(const Images& images) {
  std::vector<JudgedImage> judged;
  const int64_t pixels = images.height * images.width;
  for (int64_t i = 0; i < images.count; ++i) {
    DecodedImage image = {.shape = {images.height, images.width, 1}};
    const auto bytes =
        std::as_bytes(std::span(images.bytes).subspan(images.begin + i * pixels, pixels));
    image.pixels.assign(bytes.begin(), bytes.end());
    judged.push_back({.measures = Measure(image), .shape = image.shape});
  }
  return judged;
}

// Half of them in families of ten, few bits apart.
std::vector<JudgedImage> RandomRecords(int64_t count) {
  std::vector<JudgedImage> judged(static_cast<size_t>(count));
  for (size_t i = 0; i < judged.size(); ++i) {
    Measures& measures = judged[i].measures;
    const RandomStream own(1, i, RandomPurpose::kTrainingNoise);
    const RandomStream family(2, i / 10, RandomPurpose::kTrainingNoise);
    const RandomStream& stream = i % 20 < 10 ? own : family;
    measures.exact_hash = {own.Word(0), own.Word(1)};
    measures.perceptual_hash = stream.Word(2) | uint64_t{stream.Word(3)} << 32;
    for (uint32_t flip = 0; flip < 3; ++flip) {
      measures.perceptual_hash ^= uint64_t{1} << own.UniformInt(4 + flip, 64);
    }
    measures.perceptual_spread = 100;
    own.FillNormal(measures.features);
    for (uint32_t k = 0; k < measures.descriptor.size(); ++k) {
      measures.descriptor[k] = static_cast<uint8_t>(2 * own.UniformInt(10 + k, 126));
    }
    judged[i].shape = {28, 28, 1};
  }
  return judged;
}

int Main(int count, char** arguments) {
  const std::vector<std::string> words(arguments + 1, arguments + count);
  if (words.empty()) return 2;
  const bool is_random = words[0] == "--random";
  const auto config =
      configs::ParsePrepareConfig("", "", {words.begin() + (is_random ? 2 : 1), words.end()});
  if (!config.ok()) {
    std::fprintf(stderr, "%s\n", std::string(config.status().message()).c_str());
    return 3;
  }
  const double start = MonotonicSeconds();
  const std::vector<JudgedImage> judged =
      is_random ? RandomRecords(std::atol(words.at(1).c_str())) : MeasureAll(ReadNpy(words[0]));
  const double measured = MonotonicSeconds();
  const std::vector<Finding> findings = Judge(judged, config->quality);
  std::fprintf(stderr, "%zu images: measured in %.2f s, judged in %.2f s, %zu findings\n",
               judged.size(), measured - start, MonotonicSeconds() - measured, findings.size());
  if (is_random) return 0;
  for (const Finding& finding : findings) {
    std::printf("%s %ld %ld %.6g %d\n", NameOf(finding.kind), finding.image, finding.other,
                finding.score, finding.rejected ? 1 : 0);
  }
  return 0;
}

}  // namespace
}  // namespace langevin::data

int main(int count, char** arguments) { return langevin::data::Main(count, arguments); }
