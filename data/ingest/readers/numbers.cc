#include "data/ingest/readers/numbers.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "absl/strings/str_format.h"

namespace langevin::data {
namespace {

constexpr double kLargestWord = 65535;
constexpr double kFloatExact = 1 << 24;  // float32 holds all integers up to here.
// Turns unsigned 64-bit numbers into signed ones of the same order.
constexpr uint64_t kUppermostBit = uint64_t{1} << 63;

// Calls `use(index, number)` for each number, in this machine's byte order.
template <typename T, typename Use>
void ForEach(std::span<const std::byte> numbers, bool swapped, Use use) {
  const size_t count = numbers.size() / sizeof(T);
  for (size_t i = 0; i < count; ++i) {
    T value;
    if (swapped) {
      std::byte bytes[sizeof(T)];
      std::reverse_copy(numbers.data() + i * sizeof(T), numbers.data() + (i + 1) * sizeof(T),
                        bytes);
      std::memcpy(&value, bytes, sizeof(T));
    } else {
      std::memcpy(&value, numbers.data() + i * sizeof(T), sizeof(T));
    }
    use(i, value);
  }
}

// Calls `use` with each integer, unsigned 64-bit ones wrapped below zero.
template <typename Use>
void ForEachWide(const NumberFormat& format, std::span<const std::byte> numbers, Use use) {
  const bool is_signed = format.kind == NumberFormat::Kind::kSigned;
  if (format.bytes == 4 && is_signed) {
    ForEach<int32_t>(numbers, format.swapped, [&](size_t i, int32_t v) { use(i, int64_t{v}); });
  } else if (format.bytes == 4) {
    ForEach<uint32_t>(numbers, format.swapped, [&](size_t i, uint32_t v) { use(i, int64_t{v}); });
  } else if (is_signed) {
    ForEach<int64_t>(numbers, format.swapped, use);
  } else {
    ForEach<uint64_t>(numbers, format.swapped, [&](size_t i, uint64_t v) {
      use(i, static_cast<int64_t>(v ^ kUppermostBit));
    });
  }
}

// IEEE 754 binary16, which C++20 has no type for.
float FloatFromHalf(uint16_t half) {
  const int exponent = half >> 10 & 31;
  const int fraction = half & 1023;
  float value = 0;
  if (exponent == 31) {
    value = fraction == 0 ? INFINITY : NAN;
  } else if (exponent == 0) {
    value = std::ldexp(static_cast<float>(fraction), -24);
  } else {
    value = std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
  }
  return (half >> 15) != 0 ? -value : value;
}

template <typename T>
void Put(std::span<std::byte> stored, size_t index, T value) {
  std::memcpy(stored.data() + index * sizeof(T), &value, sizeof(T));
}

}  // namespace

absl::StatusOr<NumberMap> NumberMap::For(const NumberFormat& format) {
  const auto unsupported = [&format](const char* kind) {
    return absl::DataLossError(absl::StrFormat("its numbers are %s of %d bits, which are not read",
                                               kind, 8 * format.bytes));
  };
  NumberMap map(format);
  if (format.kind == NumberFormat::Kind::kFloat) {
    if (format.bytes != 2 && format.bytes != 4 && format.bytes != 8) return unsupported("floats");
    map.dtype_ = DType::kFloat32;
    map.bits_ = 32;
    return map;
  }
  if (format.bytes != 1 && format.bytes != 2 && format.bytes != 4 && format.bytes != 8) {
    return unsupported("integers");
  }
  if (map.IsWide()) return map;
  map.dtype_ = format.bytes == 1 ? DType::kUint8 : DType::kUint16;
  map.bits_ = format.kind == NumberFormat::Kind::kBool ? 1 : 8 * format.bytes;
  if (format.kind == NumberFormat::Kind::kSigned) map.offset_ = format.bytes == 1 ? -128 : -32768;
  return map;
}

void NumberMap::Observe(std::span<const std::byte> numbers) {
  ForEachWide(format_, numbers, [this](size_t, int64_t value) {
    smallest_ = std::min(smallest_, value);
    largest_ = std::max(largest_, value);
  });
}

void NumberMap::Decide() {
  if (!needs_range()) return;
  const bool wrapped = format_.kind != NumberFormat::Kind::kSigned && format_.bytes == 8;
  if (smallest_ > largest_) smallest_ = largest_ = wrapped ? INT64_MIN : 0;  // No number at all.
  const auto number = [wrapped](int64_t value) {
    return wrapped ? static_cast<double>(static_cast<uint64_t>(value) ^ kUppermostBit)
                   : static_cast<double>(value);
  };
  const double smallest = number(smallest_), largest = number(largest_);
  const bool fit = static_cast<uint64_t>(largest_) - static_cast<uint64_t>(smallest_) <=
                   static_cast<uint64_t>(kLargestWord);
  dtype_ = DType::kUint16;
  bits_ = 16;
  // Offsets that do not depend on the numbers first, so that files of a kind are stored alike.
  if (smallest >= 0 && largest <= kLargestWord) {
    offset_ = 0;
  } else if (smallest >= -32768 && largest <= 32767) {
    offset_ = -32768;
  } else if (fit && std::abs(smallest) < std::ldexp(1, 52)) {  // float64 holds it exactly.
    offset_ = smallest;
  } else {
    dtype_ = DType::kFloat32;
    bits_ = 32;
    const bool exact = smallest >= -kFloatExact && largest <= kFloatExact;
    note_ = absl::StrFormat("integers from %.0f to %.0f are stored as float32%s", smallest, largest,
                            exact ? "" : ", which rounds those beyond 16777216");
  }
}

void NumberMap::Describe(DecodedImage& image) const {
  image.dtype = dtype_;
  image.bits = bits_;
  image.physical.offset = offset_;
  if (!note_.empty()) image.notes.push_back(note_);
}

void NumberMap::Convert(std::span<const std::byte> numbers, std::span<std::byte> stored) const {
  using Kind = NumberFormat::Kind;
  const bool swapped = format_.swapped;
  if (format_.kind == Kind::kFloat) {
    if (format_.bytes == 2) {
      ForEach<uint16_t>(numbers, swapped,
                        [&](size_t i, uint16_t v) { Put(stored, i, FloatFromHalf(v)); });
    } else if (format_.bytes == 4 && !swapped) {
      std::memcpy(stored.data(), numbers.data(), numbers.size());
    } else if (format_.bytes == 4) {
      ForEach<uint32_t>(numbers, swapped, [&](size_t i, uint32_t v) { Put(stored, i, v); });
    } else {
      ForEach<uint64_t>(numbers, swapped, [&](size_t i, uint64_t v) {
        const double value = std::bit_cast<double>(v);
        // The cast of what float32 cannot hold is undefined.
        const double bound = std::numeric_limits<float>::max();
        Put(stored, i,
            std::abs(value) > bound
                ? std::copysign(INFINITY, static_cast<float>(std::signbit(value) ? -1 : 1))
                : static_cast<float>(value));
      });
    }
    return;
  }
  if (format_.bytes == 1) {
    const uint8_t flip = format_.kind == Kind::kSigned ? 0x80 : 0;
    const bool is_bool = format_.kind == Kind::kBool;
    for (size_t i = 0; i < numbers.size(); ++i) {
      const uint8_t value = std::to_integer<uint8_t>(numbers[i]);
      stored[i] = is_bool ? std::byte(value != 0) : std::byte(value ^ flip);
    }
  } else if (format_.bytes == 2) {
    const uint16_t flip = format_.kind == Kind::kSigned ? 0x8000 : 0;
    ForEach<uint16_t>(numbers, swapped, [&](size_t i, uint16_t v) {
      Put(stored, i, static_cast<uint16_t>(v ^ flip));
    });
  } else {
    const bool wrapped = format_.kind != Kind::kSigned && format_.bytes == 8;
    const uint64_t base =
        static_cast<uint64_t>(static_cast<int64_t>(offset_)) + (wrapped ? kUppermostBit : 0);
    ForEachWide(format_, numbers, [&](size_t i, int64_t value) {
      if (dtype_ == DType::kUint16) {
        Put(stored, i, static_cast<uint16_t>(static_cast<uint64_t>(value) - base));
      } else if (wrapped) {
        Put(stored, i, static_cast<float>(static_cast<uint64_t>(value) ^ kUppermostBit));
      } else {
        Put(stored, i, static_cast<float>(value));
      }
    });
  }
}

std::vector<int64_t> IntegersOf(const NumberFormat& format, std::span<const std::byte> numbers) {
  const bool is_signed = format.kind == NumberFormat::Kind::kSigned;
  std::vector<int64_t> integers;
  const auto add = [&integers](size_t, auto value) {
    integers.push_back(static_cast<int64_t>(value));
  };
  if (format.kind == NumberFormat::Kind::kFloat) return integers;
  integers.reserve(numbers.size() / static_cast<size_t>(std::max(format.bytes, 1)));
  if (format.bytes == 1 && is_signed) {
    ForEach<int8_t>(numbers, false, add);
  } else if (format.bytes == 1) {
    ForEach<uint8_t>(numbers, false, add);
  } else if (format.bytes == 2 && is_signed) {
    ForEach<int16_t>(numbers, format.swapped, add);
  } else if (format.bytes == 2) {
    ForEach<uint16_t>(numbers, format.swapped, add);
  } else if (format.bytes == 4 || format.bytes == 8) {
    const bool wrapped = format.bytes == 8 && !is_signed;
    ForEachWide(format, numbers, [&](size_t, int64_t value) {
      // What was turned over and is not below zero was beyond 63 bits.
      if (wrapped)
        value =
            value >= 0 ? -1 : static_cast<int64_t>(static_cast<uint64_t>(value) ^ kUppermostBit);
      integers.push_back(value);
    });
  }
  return integers;
}

}  // namespace langevin::data
