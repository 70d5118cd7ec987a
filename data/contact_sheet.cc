#include "data/contact_sheet.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "core/base/philox.h"
#include "core/base/status_macros.h"
#include "data/manifest.h"

namespace langevin::data {
namespace {

constexpr size_t kColumns = 12;
constexpr size_t kRowsWithoutLabels = 8;
constexpr int64_t kMostClasses = 40;
constexpr int64_t kMaxTileSide = 128;
constexpr int64_t kGap = 2;
constexpr std::array<uint8_t, 3> kMissing = {30, 90, 200};
// Above this share of numbers outside [-1, 1] the map is no map onto it.
constexpr double kShareOutside = 0.01;

struct Place {
  const Dataset* dataset = nullptr;
  int64_t index = 0;
};

// Rows of at most kColumns images, chosen by a key that is a function of split and number.
class Chooser {
 public:
  void AddAll(const Dataset& dataset, uint64_t split) {
    for (int64_t i = 0; i < dataset.size(); ++i) {
      const int64_t label = dataset.has_labels() ? dataset.label(i) : 0;
      if (label >= kMostClasses) continue;
      const size_t most = dataset.has_labels() ? kColumns : kColumns * kRowsWithoutLabels;
      const RandomStream stream(split, static_cast<uint64_t>(i), RandomPurpose::kInitialSample);
      auto& row = rows_[label];
      row.emplace(stream.Uniform(0), std::pair(split, i));
      places_[split] = &dataset;
      if (row.size() > most) row.erase(std::prev(row.end()));
    }
  }

  // In the data set's order.
  std::vector<std::vector<Place>> Rows() const {
    std::vector<std::vector<Place>> rows;
    for (const auto& [label, chosen] : rows_) {
      std::set<std::pair<uint64_t, int64_t>> ordered;
      for (const auto& [key, image] : chosen) ordered.insert(image);
      size_t column = 0;
      for (const auto& [split, index] : ordered) {
        if (column++ % kColumns == 0) rows.emplace_back();
        rows.back().push_back({places_.at(split), index});
      }
    }
    return rows;
  }

 private:
  std::map<int64_t, std::set<std::pair<float, std::pair<uint64_t, int64_t>>>> rows_;
  std::map<uint64_t, const Dataset*> places_;
};

struct ShownImage {
  std::vector<float> values;  // (height, width, channels), in the model's units.
  std::vector<uint8_t> mask;  // Empty where the data set has none.
};

absl::StatusOr<ShownImage> ReadInModelUnits(const Place& place) {
  const Dataset& dataset = *place.dataset;
  const size_t count = static_cast<size_t>(dataset.shape().values());
  std::vector<std::byte> bytes(count * SizeOf(dataset.dtype()));
  LANGEVIN_RETURN_IF_ERROR(dataset.ReadImage(place.index, /*verify=*/true, bytes));
  const IntensityMap& map = dataset.intensity_map();
  ShownImage image = {.values = std::vector<float>(count)};
  std::vector<float>& values = image.values;
  if (dataset.has_masks()) {
    image.mask.resize(static_cast<size_t>(dataset.shape().height * dataset.shape().width));
    std::vector<float> condition(static_cast<size_t>(dataset.condition_size()));
    LANGEVIN_RETURN_IF_ERROR(
        dataset.ReadExtras(place.index, /*verify=*/true, image.mask, condition));
  }
  const auto fill = [&](auto zero) {
    for (size_t i = 0; i < count; ++i) {
      std::memcpy(&zero, bytes.data() + i * sizeof(zero), sizeof(zero));
      const double stored = std::clamp(static_cast<double>(zero), map.clip_low, map.clip_high);
      values[i] = static_cast<float>(stored * map.scale + map.offset);
    }
  };
  if (dataset.dtype() == DType::kUint8) {
    fill(uint8_t{});
  } else if (dataset.dtype() == DType::kUint16) {
    fill(uint16_t{});
  } else {
    fill(float{});
  }
  return image;
}

ShownRange RangeOf(const std::vector<ShownImage>& images) {
  std::vector<float> sample;
  int64_t outside = 0;
  for (const auto& [values, mask] : images) {
    const size_t step = values.size() / 1000 + 1;
    for (size_t i = 0; i < values.size(); i += step) {
      if (!std::isfinite(values[i])) continue;
      sample.push_back(values[i]);
      outside += std::abs(values[i]) > 1.001f;
    }
  }
  if (static_cast<double>(outside) <= kShareOutside * static_cast<double>(sample.size())) return {};
  std::sort(sample.begin(), sample.end());
  const auto at = [&](double share) {
    return sample[static_cast<size_t>(share * static_cast<double>(sample.size() - 1))];
  };
  const ShownRange range = {at(0.01), at(0.99)};
  return range.low < range.high ? range : ShownRange{range.low - 1, range.high + 1};
}

// The part of `length` that cell `index` of `cells` covers, at least one long.
std::pair<int64_t, int64_t> Cell(int64_t index, int64_t cells, int64_t length) {
  const int64_t begin = index * length / cells;
  return {begin, std::max(begin + 1, (index + 1) * length / cells)};
}

}  // namespace

Picture Tile(std::span<const float> values, std::span<const uint8_t> mask, const ImageShape& shape,
             const ShownRange& range, int64_t max_side) {
  const double shrink =
      std::max(1.0, static_cast<double>(std::max(shape.height, shape.width)) / max_side);
  Picture tile = {.width = std::max<int64_t>(1, std::llround(shape.width / shrink)),
                  .height = std::max<int64_t>(1, std::llround(shape.height / shrink)),
                  .channels = 3};
  for (int64_t y = 0; y < tile.height; ++y) {
    const auto [top, bottom] = Cell(y, tile.height, shape.height);
    for (int64_t x = 0; x < tile.width; ++x) {
      const auto [left, right] = Cell(x, tile.width, shape.width);
      std::array<double, 3> sums = {};
      int64_t known = 0;
      for (int64_t row = top; row < bottom; ++row) {
        for (int64_t column = left; column < right; ++column) {
          const int64_t pixel = row * shape.width + column;
          if (!mask.empty() && mask[static_cast<size_t>(pixel)] == 0) continue;
          ++known;
          for (size_t channel = 0; channel < 3; ++channel) {
            const size_t from = shape.channels == 3 ? channel : 0;
            sums[channel] += values[static_cast<size_t>(pixel * shape.channels) + from];
          }
        }
      }
      for (size_t channel = 0; channel < 3; ++channel) {
        const double mean = sums[channel] / static_cast<double>(known);
        const double share = (mean - range.low) / (range.high - range.low);
        tile.pixels.push_back(
            known == 0 || !std::isfinite(share)
                ? kMissing[channel]
                : static_cast<uint8_t>(std::lround(255 * std::clamp(share, 0.0, 1.0))));
      }
    }
  }
  return tile;
}

absl::StatusOr<Picture> ContactSheet(FileSystem& file_system, const std::string& folder) {
  LANGEVIN_ASSIGN_OR_RETURN(const Manifest manifest, ReadManifest(file_system, folder));
  std::vector<std::unique_ptr<Dataset>> splits;
  Chooser chooser;
  for (const SplitEntry& entry : manifest.splits) {
    LANGEVIN_ASSIGN_OR_RETURN(splits.emplace_back(),
                              Dataset::Open(file_system, folder, entry.split));
    chooser.AddAll(*splits.back(), splits.size());
  }
  const std::vector<std::vector<Place>> rows = chooser.Rows();
  std::vector<ShownImage> images;
  for (const std::vector<Place>& row : rows) {
    for (const Place& place : row) {
      LANGEVIN_ASSIGN_OR_RETURN(images.emplace_back(), ReadInModelUnits(place));
    }
  }
  const ShownRange range = RangeOf(images);

  Picture sheet = {.channels = 3};
  size_t next = 0;
  for (size_t row = 0; row < rows.size(); ++row) {
    for (size_t column = 0; column < rows[row].size(); ++column) {
      const ShownImage& image = images[next++];
      const Picture tile = Tile(image.values, image.mask, manifest.shape, range, kMaxTileSide);
      if (sheet.pixels.empty()) {
        sheet.width = static_cast<int64_t>(kColumns) * (tile.width + kGap) - kGap;
        sheet.height = static_cast<int64_t>(rows.size()) * (tile.height + kGap) - kGap;
        sheet.pixels.assign(static_cast<size_t>(sheet.width * sheet.height * 3), 0);
      }
      for (int64_t y = 0; y < tile.height; ++y) {
        const int64_t to = (static_cast<int64_t>(row) * (tile.height + kGap) + y) * sheet.width +
                           static_cast<int64_t>(column) * (tile.width + kGap);
        std::copy_n(tile.pixels.begin() + y * tile.width * 3, tile.width * 3,
                    sheet.pixels.begin() + to * 3);
      }
    }
  }
  return sheet;
}

}  // namespace langevin::data
