#include "data/ingest/pictures.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "core/base/status_macros.h"
#include "data/ingest/statistics.h"

namespace langevin::data {
namespace {

constexpr int64_t kThumbnailSide = 64;
constexpr int kPicturesPerClass = 12;
constexpr size_t kClassesShown = 40;
constexpr int kRejectedShown = 200;
constexpr int kDuplicatesShown = 60;
constexpr int64_t kHistogramImages = 2000;
constexpr size_t kBins = 64;

std::set<int64_t> ImagesToShow(const PreparationSummary& summary) {
  std::set<int64_t> chosen;
  std::map<int64_t, int> shown;
  for (size_t i = 0; i < summary.images.size(); ++i) {
    const ImageRecord& image = summary.images[i];
    if (image.rejected) continue;
    if (!shown.contains(image.label) && shown.size() >= kClassesShown) continue;
    if (shown[image.label]++ < kPicturesPerClass) chosen.insert(static_cast<int64_t>(i));
  }
  int rejected = 0, duplicates = 0;
  for (const RejectedRow& row : summary.rejected) {
    if (row.image >= 0 && rejected++ < kRejectedShown) chosen.insert(row.image);
  }
  for (const Finding& finding : summary.findings) {
    if (finding.other < 0 || duplicates++ >= kDuplicatesShown) continue;
    chosen.insert(finding.image);
    chosen.insert(finding.other);
  }
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

void AddTo(ValueHistogram& histogram, double value) {
  const double place = (value - histogram.low) / (histogram.high - histogram.low) * kBins;
  ++histogram.bins[static_cast<size_t>(std::clamp(place, 0., kBins - 1.))];
}

class PictureMaker {
 public:
  PictureMaker(SpooledPixels& pixels, Plan& plan) : pixels_(pixels), plan_(plan) {}

  absl::Status Run() {
    PreparationSummary& summary = plan_.summary;
    for (const int64_t index : ImagesToShow(summary)) {
      LANGEVIN_ASSIGN_OR_RETURN(const DecodedImage image, Load(index));
      summary.pictures[index] = Thumbnail(image, kThumbnailSide);
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
    LANGEVIN_RETURN_IF_ERROR(pixels_.Read(index, image.pixels));
    image.pixels.resize(static_cast<size_t>(record.shape.values()) * SizeOf(record.dtype));
    return image;
  }

  // Twice over an even sample: once for the range, once for the bins.
  absl::Status AddHistograms() {
    PreparationSummary& summary = plan_.summary;
    const int64_t count = static_cast<int64_t>(summary.images.size());
    const int64_t stride = (count + kHistogramImages - 1) / kHistogramImages;
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (const bool counting : {false, true}) {
      if (counting) {
        if (!(low <= high)) return absl::OkStatus();  // No finite number.
        if (low == high) high = low + 1;
        summary.before = {.low = low, .high = high, .bins = std::vector<int64_t>(kBins)};
        summary.after = {.low = -1, .high = 1, .bins = std::vector<int64_t>(kBins)};
      }
      for (int64_t i = 0; i < count; i += stride) {
        LANGEVIN_ASSIGN_OR_RETURN(const DecodedImage image, Load(i));
        const ImageRecord& record = summary.images[static_cast<size_t>(i)];
        const IntensityMap& map =
            plan_.specs[static_cast<size_t>(std::max(record.dataset, 0))].intensity_map;
        for (int64_t k = 0; k < image.shape.values(); ++k) {
          const double stored = ValueAt(image, k);
          if (!std::isfinite(stored)) continue;
          const double physical = stored * image.physical.scale + image.physical.offset;
          if (!counting) {
            low = std::min(low, physical);
            high = std::max(high, physical);
            continue;
          }
          AddTo(summary.before, physical);
          if (!record.rejected) AddTo(summary.after, stored * map.scale + map.offset);
        }
        summary.histogram_images += counting ? 1 : 0;
      }
    }
    return absl::OkStatus();
  }

  SpooledPixels& pixels_;
  Plan& plan_;
};

}  // namespace

absl::Status AddPictures(SpooledPixels& pixels, Plan& plan) {
  return PictureMaker(pixels, plan).Run();
}

}  // namespace langevin::data
