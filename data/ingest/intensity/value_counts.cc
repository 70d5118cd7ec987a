#include "data/ingest/intensity/value_counts.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace langevin::data {
namespace {

constexpr size_t kFloatBins = 1 << 20;

// Calls f(value) for each number under the mask.
template <typename T, typename Function>
void ForEachValid(std::span<const std::byte> pixels, int64_t channels,
                  std::span<const std::byte> mask, Function f) {
  const std::span values(reinterpret_cast<const T*>(pixels.data()), pixels.size() / sizeof(T));
  if (mask.empty()) {
    for (const T value : values) f(value);
    return;
  }
  const size_t step = static_cast<size_t>(channels);
  for (size_t pixel = 0; pixel < mask.size(); ++pixel) {
    if (mask[pixel] == std::byte{0}) continue;
    for (size_t c = 0; c < step; ++c) f(values[pixel * step + c]);
  }
}

size_t BinsFor(DType dtype) {
  if (dtype == DType::kUint8) return 1 << 8;
  return dtype == DType::kUint16 ? size_t{1} << 16 : kFloatBins;
}

}  // namespace

ValueRange RangeOf(std::span<const std::byte> pixels, DType dtype, int64_t channels,
                   std::span<const std::byte> mask) {
  ValueRange range;
  const auto add = [&range](auto value) {
    if (std::isfinite(static_cast<double>(value))) range.Add(static_cast<double>(value));
  };
  if (dtype == DType::kUint8) {
    ForEachValid<uint8_t>(pixels, channels, mask, add);
  } else if (dtype == DType::kUint16) {
    ForEachValid<uint16_t>(pixels, channels, mask, add);
  } else {
    ForEachValid<float>(pixels, channels, mask, add);
  }
  return range;
}

ValueCounts::ValueCounts(DType dtype, const ValueRange& range)
    : dtype_(dtype),
      low_(dtype == DType::kFloat32 ? range.low : 0),
      step_(dtype == DType::kFloat32
                ? std::max((range.high - range.low) / static_cast<double>(kFloatBins - 1),
                           std::numeric_limits<double>::min())
                : 1),
      bins_(BinsFor(dtype)) {}

double ValueCounts::ValueOf(size_t bin) const { return low_ + step_ * static_cast<double>(bin); }

void ValueCounts::Add(std::span<const std::byte> pixels, int64_t channels,
                      std::span<const std::byte> mask) {
  const auto count = [this](auto value) { ++bins_[static_cast<size_t>(value)]; };
  if (dtype_ == DType::kUint8) {
    ForEachValid<uint8_t>(pixels, channels, mask, count);
  } else if (dtype_ == DType::kUint16) {
    ForEachValid<uint16_t>(pixels, channels, mask, count);
  } else {
    ForEachValid<float>(pixels, channels, mask, [this](float value) {
      if (!std::isfinite(value)) return;
      const double place = std::round((static_cast<double>(value) - low_) / step_);
      ++bins_[static_cast<size_t>(std::clamp(place, 0.0, static_cast<double>(kFloatBins - 1)))];
    });
  }
}

std::string ValueCounts::Serialize() const {
  // Pairs of bin and count, as eight bytes each.
  std::string text;
  for (size_t bin = 0; bin < bins_.size(); ++bin) {
    if (bins_[bin] == 0) continue;
    const int64_t pair[2] = {static_cast<int64_t>(bin), bins_[bin]};
    text.append(reinterpret_cast<const char*>(pair), sizeof(pair));
  }
  return text;
}

absl::Status ValueCounts::AddSerialized(std::string_view text) {
  int64_t pair[2];
  if (text.size() % sizeof(pair) != 0) return absl::DataLossError("counts are cut short");
  for (size_t at = 0; at < text.size(); at += sizeof(pair)) {
    std::memcpy(pair, text.data() + at, sizeof(pair));
    if (pair[0] < 0 || pair[0] >= static_cast<int64_t>(bins_.size())) {
      return absl::DataLossError("counts are of another range");
    }
    bins_[static_cast<size_t>(pair[0])] += pair[1];
  }
  return absl::OkStatus();
}

template <typename Function>
void ValueCounts::ForEach(double low, double high, Function f) const {
  for (size_t bin = 0; bin < bins_.size(); ++bin) {
    if (bins_[bin] == 0) continue;
    const double value = ValueOf(bin);
    if (value >= low && value <= high) f(value, bins_[bin]);
  }
}

int64_t ValueCounts::total() const {
  int64_t total = 0;
  for (const int64_t count : bins_) total += count;
  return total;
}

double ValueCounts::Percentile(double percent, double low, double high) const {
  int64_t total = 0;
  ForEach(low, high, [&total](double, int64_t count) { total += count; });
  if (total == 0) return std::nan("");
  const double rank = percent / 100 * static_cast<double>(total - 1);
  const int64_t below = static_cast<int64_t>(std::floor(rank));
  const int64_t above = std::min(below + 1, total - 1);
  double value_below = 0, value_above = 0;
  int64_t seen = 0;
  ForEach(low, high, [&](double value, int64_t count) {
    if (seen <= below && below < seen + count) value_below = value;
    if (seen <= above && above < seen + count) value_above = value;
    seen += count;
  });
  return value_below + (value_above - value_below) * (rank - static_cast<double>(below));
}

double ValueCounts::Mean(double low, double high) const {
  double sum = 0, total = 0;
  ForEach(low, high, [&](double value, int64_t count) {
    sum += value * static_cast<double>(count);
    total += static_cast<double>(count);
  });
  return sum / total;
}

double ValueCounts::StandardDeviation(double low, double high) const {
  const double mean = Mean(low, high);
  double sum = 0, total = 0;
  ForEach(low, high, [&](double value, int64_t count) {
    sum += (value - mean) * (value - mean) * static_cast<double>(count);
    total += static_cast<double>(count);
  });
  return std::sqrt(sum / total);
}

}  // namespace langevin::data
