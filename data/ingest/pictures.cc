#include "data/ingest/pictures.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "core/base/philox.h"
#include "core/base/status_macros.h"
#include "data/contact_sheet.h"

namespace langevin::data {
namespace {

constexpr int64_t kThumbnailSide = 64;
constexpr size_t kPicturesPerClass = 12;
constexpr size_t kClassesShown = 40;
constexpr int kRejectedShown = 200;
constexpr int kPairsPerKind = 20;
constexpr size_t kSuspectsPerKind = 16;
constexpr int64_t kHistogramImages = 2000;
constexpr size_t kBins = 64;

// Keeps the `most` entries with the smallest keys of each kind: a sample that depends on nothing
// but the keys.
template <typename Kind>
class Smallest {
 public:
  explicit Smallest(size_t most) : most_(most) {}

  void Add(const Kind& kind, double key, int64_t image) {
    std::set<std::pair<double, int64_t>>& chosen = chosen_[kind];
    chosen.emplace(key, image);
    if (chosen.size() > most_) chosen.erase(std::prev(chosen.end()));
  }
  void InsertInto(std::set<int64_t>& images) const {
    for (const auto& [kind, chosen] : chosen_) {
      for (const auto& [key, image] : chosen) images.insert(image);
    }
  }
  bool Knows(const Kind& kind) const { return chosen_.contains(kind); }
  size_t kinds() const { return chosen_.size(); }

 private:
  const size_t most_;
  std::map<Kind, std::set<std::pair<double, int64_t>>> chosen_;
};

std::set<int64_t> ImagesToShow(const PreparationSummary& summary) {
  std::set<int64_t> chosen;
  Smallest<int64_t> examples(kPicturesPerClass);
  for (size_t i = 0; i < summary.images.size(); ++i) {
    const ImageRecord& image = summary.images[i];
    if (image.rejected) continue;
    if (!examples.Knows(image.label) && examples.kinds() >= kClassesShown) continue;
    const RandomStream stream(/*seed=*/0, i, RandomPurpose::kInitialSample);
    examples.Add(image.label, stream.Uniform(0), static_cast<int64_t>(i));
  }
  examples.InsertInto(chosen);
  int rejected = 0;
  for (const RejectedRow& row : summary.rejected) {
    if (row.image >= 0 && rejected++ < kRejectedShown) chosen.insert(row.image);
  }
  // The first pairs, and of what else was found the worst.
  std::map<Finding::Kind, int> pairs;
  Smallest<Finding::Kind> worst(kSuspectsPerKind);
  for (const Finding& finding : summary.findings) {
    // Constant images look like nothing.
    if (summary.images[static_cast<size_t>(finding.image)].measures.constant) continue;
    if (finding.other < 0) {
      worst.Add(finding.kind, -finding.score, finding.image);
    } else if (pairs[finding.kind]++ < kPairsPerKind) {
      chosen.insert(finding.image);
      chosen.insert(finding.other);
    }
  }
  worst.InsertInto(chosen);
  return chosen;
}

double ValueAt(const DecodedImage& image, int64_t index) {
  const std::byte* const place =
      image.pixels.data() + index * static_cast<int64_t>(SizeOf(image.dtype));
  if (image.dtype == DType::kUint8) return std::to_integer<int>(*place);
  if (image.dtype == DType::kUint16) {
    uint16_t value;
    std::memcpy(&value, place, sizeof(value));
    return value;
  }
  float value;
  std::memcpy(&value, place, sizeof(value));
  return static_cast<double>(value);
}

void AddTo(ValueHistogram& histogram, double value, int64_t times) {
  const double place = (value - histogram.low) / (histogram.high - histogram.low) * kBins;
  histogram.bins[static_cast<size_t>(std::clamp(place, 0., kBins - 1.))] += times;
}

class PictureMaker {
 public:
  PictureMaker(SpooledPixels& pixels, Plan& plan) : pixels_(pixels), plan_(plan) {}

  absl::Status Run() {
    PreparationSummary& summary = plan_.summary;
    for (const int64_t index : ImagesToShow(summary)) {
      LANGEVIN_ASSIGN_OR_RETURN(const DecodedImage image, Load(index));
      summary.pictures[index] = ThumbnailOf(index, image);
    }
    return AddHistograms();
  }

 private:
  absl::StatusOr<DecodedImage> Load(int64_t index) {
    const ImageRecord& record = plan_.summary.images[static_cast<size_t>(index)];
    DecodedImage image;
    image.shape = record.shape;
    image.dtype = record.dtype;
    image.bits = record.bits;
    image.physical = record.physical;
    LANGEVIN_RETURN_IF_ERROR(pixels_.Read(index, payload_));
    image.pixels.swap(payload_.pixels);
    image.mask.resize(payload_.mask.size());
    std::transform(payload_.mask.begin(), payload_.mask.end(), image.mask.begin(),
                   [](std::byte valid) { return std::to_integer<uint8_t>(valid); });
    return image;
  }

  // A stored number in the model's units.
  double ToModel(int64_t index, const DecodedImage& image, double stored) const {
    const ImageRecord& record = plan_.summary.images[static_cast<size_t>(index)];
    const size_t dataset = static_cast<size_t>(std::max(record.dataset, 0));
    const IntensityMap& map = plan_.specs[dataset].intensity_map;
    const PhysicalUnits& units = plan_.formats[dataset].physical;
    const double physical = stored * image.physical.scale + image.physical.offset;
    const double common = (physical - units.offset) / units.scale;  // As it is stored.
    return std::clamp(common, map.clip_low, map.clip_high) * map.scale + map.offset;
  }

  // As the model sees it: what its intensity map cuts off is cut off here, too.
  Picture ThumbnailOf(int64_t index, const DecodedImage& image) const {
    std::vector<float> values(static_cast<size_t>(image.shape.values()));
    ShownRange range;
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] =
          static_cast<float>(ToModel(index, image, ValueAt(image, static_cast<int64_t>(i))));
      // A z-score knows no end: three deviations are shown.
      if (std::abs(values[i]) > 1.001f) range = {.low = -3, .high = 3};
    }
    Picture picture = Tile(values, image.mask, image.shape, range, kThumbnailSide);
    bool is_gray = true;
    for (size_t i = 0; i < picture.pixels.size(); i += 3) {
      is_gray = is_gray && picture.pixels[i] == picture.pixels[i + 1] &&
                picture.pixels[i] == picture.pixels[i + 2];
    }
    if (!is_gray) return picture;
    for (size_t i = 0; 3 * i < picture.pixels.size(); ++i) {
      picture.pixels[i] = picture.pixels[3 * i];
    }
    picture.pixels.resize(picture.pixels.size() / 3);
    picture.channels = 1;
    return picture;
  }

  // Calls f(stored, how often) for the finite numbers of `image`, each once where there are few.
  // Where `extremes_only`, which is cheaper, for some of them: the smallest and largest included.
  template <typename Function>
  void ForEachNumber(const DecodedImage& image, bool extremes_only, Function f) {
    if (image.dtype == DType::kFloat32) {
      for (int64_t k = 0; k < image.shape.values(); ++k) {
        const double stored = ValueAt(image, k);
        if (std::isfinite(stored)) f(stored, 1);
      }
      return;
    }
    if (extremes_only && image.dtype == DType::kUint8) {
      uint8_t low = 255, high = 0;
      for (const std::byte value : image.pixels) {
        low = std::min(low, std::to_integer<uint8_t>(value));
        high = std::max(high, std::to_integer<uint8_t>(value));
      }
      if (low <= high) {
        f(low, 1);
        f(high, 1);
      }
      return;
    }
    counts_.assign(image.dtype == DType::kUint8 ? 1 << 8 : 1 << 16, 0);
    if (image.dtype == DType::kUint8) {
      for (const std::byte value : image.pixels) ++counts_[std::to_integer<size_t>(value)];
    } else {
      const std::span values(reinterpret_cast<const uint16_t*>(image.pixels.data()),
                             image.pixels.size() / sizeof(uint16_t));
      for (const uint16_t value : values) ++counts_[value];
    }
    for (size_t value = 0; value < counts_.size(); ++value) {
      if (counts_[value] > 0) f(static_cast<double>(value), counts_[value]);
    }
  }

  // Twice over an even sample: once for the range, once for the bins.
  absl::Status AddHistograms() {
    PreparationSummary& summary = plan_.summary;
    const int64_t count = static_cast<int64_t>(summary.images.size());
    const int64_t stride = (count + kHistogramImages - 1) / kHistogramImages;
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    ValueHistogram before = {.low = kInfinity, .high = -kInfinity};
    ValueHistogram after = {.low = -1, .high = 1};  // Or farther, for z-scores.
    for (const bool counting : {false, true}) {
      if (counting) {
        if (!(before.low <= before.high)) return absl::OkStatus();  // No finite number.
        if (before.low == before.high) before.high = before.low + 1;
        before.bins.resize(kBins);
        after.bins.resize(kBins);
      }
      for (int64_t i = 0; i < count; i += stride) {
        LANGEVIN_ASSIGN_OR_RETURN(const DecodedImage image, Load(i));
        const bool is_kept = !summary.images[static_cast<size_t>(i)].rejected;
        ForEachNumber(image, /*extremes_only=*/!counting, [&](double stored, int64_t times) {
          const double physical = stored * image.physical.scale + image.physical.offset;
          const double seen = ToModel(i, image, stored);
          if (counting) {
            AddTo(before, physical, times);
            if (is_kept) AddTo(after, seen, times);
            return;
          }
          before.low = std::min(before.low, physical);
          before.high = std::max(before.high, physical);
          if (!is_kept) return;
          after.low = std::min(after.low, seen);
          after.high = std::max(after.high, seen);
        });
        summary.histogram_images += counting ? 1 : 0;
      }
    }
    summary.before = std::move(before);
    summary.after = std::move(after);
    return absl::OkStatus();
  }

  SpooledPixels& pixels_;
  Plan& plan_;
  PixelsAndMask payload_;
  std::vector<int64_t> counts_;  // Of stored numbers.
};

}  // namespace

absl::Status AddPictures(SpooledPixels& pixels, Plan& plan) {
  return PictureMaker(pixels, plan).Run();
}

}  // namespace langevin::data
