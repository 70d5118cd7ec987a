#include "core/base/crc32c.h"

#include <array>
#include <cstring>

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace langevin {
namespace {

// Multiplies a polynomial modulo Castagnoli's by x. Bit 31 - i of the number is the coefficient of
// x^i, as in the checksum.
constexpr uint32_t TimesX(uint32_t polynomial) {
  return (polynomial >> 1) ^ ((polynomial & 1) != 0 ? 0x82f63b78 : 0);
}

constexpr std::array<uint32_t, 256> MakeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t remainder = byte;
    for (int bit = 0; bit < 8; ++bit) remainder = TimesX(remainder);
    table[byte] = remainder;
  }
  return table;
}

constexpr std::array<uint32_t, 256> kTable = MakeTable();

#ifdef __x86_64__
// What a checksum is multiplied by, without carries, so that the crc32 instruction then gives the
// checksum of the same data with `bytes` zeros behind them: x^(8 bytes - 33), as the product of two
// reflected numbers has one factor x too few and the instruction brings in x^32.
constexpr uint64_t ShiftFactor(size_t bytes) {
  uint32_t power = 0x80000000;  // x^0.
  for (size_t i = 0; i < 8 * bytes - 33; ++i) power = TimesX(power);
  return power;
}

__attribute__((target("sse4.2,pclmul"))) inline uint64_t Shift(uint64_t state, uint64_t factor) {
  const __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<int64_t>(state)),
                                               _mm_cvtsi64_si128(static_cast<int64_t>(factor)), 0);
  return _mm_crc32_u64(0, static_cast<uint64_t>(_mm_cvtsi128_si64(product)));
}

inline uint64_t LoadWord(const std::byte* data) {
  uint64_t word;
  std::memcpy(&word, data, 8);
  return word;
}

// As many blocks of 3 * kBytes as there are, each as three streams side by side: the instruction
// takes three cycles, and one can begin in each.
template <size_t kBytes>
__attribute__((target("sse4.2,pclmul"))) inline uint64_t ThreeStreams(const std::byte*& data,
                                                                      size_t& size,
                                                                      uint64_t state) {
  constexpr uint64_t kByOne = ShiftFactor(kBytes), kByTwo = ShiftFactor(2 * kBytes);
  for (; size >= 3 * kBytes; data += 3 * kBytes, size -= 3 * kBytes) {
    uint64_t second = 0, third = 0;
    for (size_t i = 0; i < kBytes; i += 8) {
      state = _mm_crc32_u64(state, LoadWord(data + i));
      second = _mm_crc32_u64(second, LoadWord(data + kBytes + i));
      third = _mm_crc32_u64(third, LoadWord(data + 2 * kBytes + i));
    }
    state = Shift(state, kByTwo) ^ Shift(second, kByOne) ^ third;
  }
  return state;
}

__attribute__((target("sse4.2,pclmul"))) uint32_t Crc32cHardware(std::span<const std::byte> bytes,
                                                                 uint32_t crc) {
  uint64_t state = ~crc;
  const std::byte* data = bytes.data();
  size_t size = bytes.size();
  state = ThreeStreams<4096>(data, size, state);
  state = ThreeStreams<512>(data, size, state);
  state = ThreeStreams<64>(data, size, state);
  for (; size >= 8; data += 8, size -= 8) state = _mm_crc32_u64(state, LoadWord(data));
  for (; size > 0; ++data, --size) {
    state = _mm_crc32_u8(static_cast<uint32_t>(state), static_cast<uint8_t>(*data));
  }
  return ~static_cast<uint32_t>(state);
}
#endif

}  // namespace

namespace internal {

uint32_t Crc32cPortable(std::span<const std::byte> bytes, uint32_t crc) {
  uint32_t state = ~crc;
  for (const std::byte byte : bytes) {
    state = (state >> 8) ^ kTable[(state ^ static_cast<uint8_t>(byte)) & 0xff];
  }
  return ~state;
}

}  // namespace internal

uint32_t Crc32c(std::span<const std::byte> bytes, uint32_t crc) {
#ifdef __x86_64__
  static const bool has_instructions =
      __builtin_cpu_supports("sse4.2") != 0 && __builtin_cpu_supports("pclmul") != 0;
  if (has_instructions) return Crc32cHardware(bytes, crc);
#endif
  return internal::Crc32cPortable(bytes, crc);
}

}  // namespace langevin
