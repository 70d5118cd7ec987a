// Numbers of foreign files and what is stored of them: bytes, 16-bit words or floats.
//
//   bool, unsigned 8, signed 8     uint8 (signed ones with offset -128)
//   unsigned 16, signed 16         uint16 (signed ones with offset -32768)
//   wider integers                 uint16 where all of the file fit after an offset, else float32
//                                  with a note
//   float of 16, 32, 64 bits       float32
#ifndef LANGEVIN_DATA_INGEST_READERS_NUMBERS_H_
#define LANGEVIN_DATA_INGEST_READERS_NUMBERS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "data/ingest/decoded_image.h"

namespace langevin::data {

struct NumberFormat {
  enum class Kind { kBool, kUnsigned, kSigned, kFloat };
  Kind kind = Kind::kUnsigned;
  int bytes = 1;
  bool swapped = false;  // The other byte order than this machine's.
};

// How the numbers of one file are stored. Wide integers must all be observed before they are
// converted, so that all images of a file are stored alike. One thread at a time.
class NumberMap {
 public:
  // DataLoss where numbers of this format cannot be read.
  static absl::StatusOr<NumberMap> For(const NumberFormat& format);

  bool needs_range() const { return format_.kind != NumberFormat::Kind::kFloat && IsWide(); }
  // Takes note of whole numbers' range. `numbers` need not be aligned.
  void Observe(std::span<const std::byte> numbers);
  // After all were observed.
  void Decide();

  DType dtype() const { return dtype_; }
  // Says in `image` how its numbers are stored. Its pixels are left alone.
  void Describe(DecodedImage& image) const;
  // `stored` holds as many numbers as `numbers`, of dtype().
  void Convert(std::span<const std::byte> numbers, std::span<std::byte> stored) const;

 private:
  explicit NumberMap(const NumberFormat& format) : format_(format) {}
  bool IsWide() const { return format_.bytes > 2; }

  NumberFormat format_;
  DType dtype_ = DType::kUint8;
  int32_t bits_ = 8;
  // Of wide integers, the unsigned ones with their uppermost bit turned over, so that all compare
  // as signed ones.
  int64_t smallest_ = INT64_MAX, largest_ = INT64_MIN;
  double offset_ = 0;
  std::string note_;
};

// Whole numbers as such, for labels; those beyond 63 bits become -1. Requires a format that is not
// kFloat and that NumberMap takes; others give nothing.
std::vector<int64_t> IntegersOf(const NumberFormat& format, std::span<const std::byte> numbers);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_READERS_NUMBERS_H_
