// How often each value occurs in many images: what statistics of the training split come from.
//
// Counts are whole numbers, so that adding them up in any order, on any number of ranks, gives the
// same statistics bit for bit.
#ifndef LANGEVIN_DATA_INGEST_INTENSITY_VALUE_COUNTS_H_
#define LANGEVIN_DATA_INGEST_INTENSITY_VALUE_COUNTS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "core/base/tensor_view.h"

namespace langevin::data {

// The smallest and largest finite value. Also adds up in any order.
struct ValueRange {
  double low = 0, high = 0;
  bool empty = true;

  void Add(double value) {
    low = empty || value < low ? value : low;
    high = empty || value > high ? value : high;
    empty = false;
  }
  void Add(const ValueRange& other) {
    if (other.empty) return;
    Add(other.low);
    Add(other.high);
  }
};

// The range of an image's stored numbers under its mask (a byte a pixel; empty: all valid).
ValueRange RangeOf(std::span<const std::byte> pixels, DType dtype, int64_t channels,
                   std::span<const std::byte> mask);

// One thread at a time.
class ValueCounts {
 public:
  // Of integers every value is counted by itself; float32 values in 2^20 equal parts of `range`
  // (which is not used for integers).
  ValueCounts(DType dtype, const ValueRange& range);

  // Counts an image's stored numbers under its mask. Those that are not finite are passed over.
  void Add(std::span<const std::byte> pixels, int64_t channels, std::span<const std::byte> mask);

  // To and from another rank. DataLoss: it is no such text.
  std::string Serialize() const;
  absl::Status AddSerialized(std::string_view text);

  int64_t total() const;
  // Of the values for which low <= value <= high; the whole range by default. NaN if there is none.
  // Percentiles are NumPy's (linear between neighbours), in [0, 100].
  double Percentile(double percent, double low, double high) const;
  double Mean(double low, double high) const;
  double StandardDeviation(double low, double high) const;  // Of the population.

 private:
  double ValueOf(size_t bin) const;
  // Calls f(value, count) for each bin in [low, high] that is not empty.
  template <typename Function>
  void ForEach(double low, double high, Function f) const;

  const DType dtype_;
  const double low_;
  const double step_;
  std::vector<int64_t> bins_;
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_INTENSITY_VALUE_COUNTS_H_
