#include "data/ingest/readers/png_filter.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace langevin::data {
namespace {

uint8_t Paeth(int left, int above, int corner) {
  const int to_left = std::abs(above - corner);
  const int to_above = std::abs(left - corner);
  const int to_corner = std::abs(left + above - 2 * corner);
  if (to_left <= to_above && to_left <= to_corner) return static_cast<uint8_t>(left);
  return static_cast<uint8_t>(to_above <= to_corner ? above : corner);
}

// The three filters that look to the left, a byte at a time.
template <size_t kStep>
void UndoScalar(uint8_t filter, const uint8_t* filtered, const uint8_t* above, uint8_t* row,
                size_t begin, size_t size) {
  for (size_t i = begin; i < size; ++i) {
    const int left = i >= kStep ? row[i - kStep] : 0;
    const int corner = i >= kStep ? above[i - kStep] : 0;
    int predicted = left;
    if (filter == 3) predicted = (left + above[i]) >> 1;
    if (filter == 4) predicted = Paeth(left, above[i], corner);
    row[i] = static_cast<uint8_t>(filtered[i] + predicted);
  }
}

#if defined(__SSE2__)

// A pixel in the lower bytes of a register. kStep is 3, 4, 6 or 8; 4 or 8 bytes are read.
template <size_t kStep>
__m128i Load(const uint8_t* from) {
  if constexpr (kStep <= 4) {
    int32_t value;
    std::memcpy(&value, from, 4);
    return _mm_cvtsi32_si128(value);
  } else {
    return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
  }
}

template <size_t kStep>
void Store(uint8_t* to, __m128i pixel) {
  if constexpr (kStep <= 4) {
    const int32_t value = _mm_cvtsi128_si32(pixel);
    std::memcpy(to, &value, kStep);
  } else {
    const int64_t value = _mm_cvtsi128_si64(pixel);
    std::memcpy(to, &value, kStep);
  }
}

__m128i Absolute(__m128i value) {
  return _mm_max_epi16(value, _mm_sub_epi16(_mm_setzero_si128(), value));
}

// The predictor of Paeth for 8 lanes of 16 bits.
__m128i PaethLanes(__m128i left, __m128i above, __m128i corner) {
  const __m128i from_corner = _mm_sub_epi16(above, corner);
  const __m128i beside = _mm_sub_epi16(left, corner);
  const __m128i to_left = Absolute(from_corner);
  const __m128i to_above = Absolute(beside);
  const __m128i to_corner = Absolute(_mm_add_epi16(from_corner, beside));
  const __m128i least = _mm_min_epi16(to_corner, _mm_min_epi16(to_left, to_above));
  const __m128i is_left = _mm_cmpeq_epi16(least, to_left);
  const __m128i is_above = _mm_cmpeq_epi16(least, to_above);
  const __m128i others =
      _mm_or_si128(_mm_and_si128(is_above, above), _mm_andnot_si128(is_above, corner));
  return _mm_or_si128(_mm_and_si128(is_left, left), _mm_andnot_si128(is_left, others));
}

template <size_t kStep>
void UndoVector(uint8_t filter, const uint8_t* filtered, const uint8_t* above, uint8_t* row,
                size_t size) {
  constexpr size_t kRead = kStep <= 4 ? 4 : 8;
  const __m128i zero = _mm_setzero_si128();
  const __m128i ones = _mm_set1_epi8(1);
  __m128i left = zero, corner = zero;  // In bytes; for Paeth in 16-bit lanes.
  size_t i = 0;
  for (; i + kRead <= size; i += kStep) {
    const __m128i difference = Load<kStep>(filtered + i);
    if (filter == 1) {
      left = _mm_add_epi8(left, difference);
      Store<kStep>(row + i, left);
    } else if (filter == 3) {
      const __m128i up = Load<kStep>(above + i);
      // pavg rounds up: take back the half where exactly one of the two is odd.
      const __m128i half = _mm_and_si128(_mm_xor_si128(left, up), ones);
      left = _mm_add_epi8(difference, _mm_sub_epi8(_mm_avg_epu8(left, up), half));
      Store<kStep>(row + i, left);
    } else {
      const __m128i up = _mm_unpacklo_epi8(Load<kStep>(above + i), zero);
      const __m128i predicted = PaethLanes(left, up, corner);
      const __m128i pixel = _mm_add_epi8(difference, _mm_packus_epi16(predicted, predicted));
      Store<kStep>(row + i, pixel);
      left = _mm_unpacklo_epi8(pixel, zero);
      corner = up;
    }
  }
  UndoScalar<kStep>(filter, filtered, above, row, i, size);
}

#else

template <size_t kStep>
void UndoVector(uint8_t filter, const uint8_t* filtered, const uint8_t* above, uint8_t* row,
                size_t size) {
  UndoScalar<kStep>(filter, filtered, above, row, 0, size);
}

#endif

}  // namespace

bool UndoPngFilter(uint8_t filter, size_t step, std::span<const uint8_t> filtered,
                   std::span<const uint8_t> above, std::span<uint8_t> row) {
  const size_t size = row.size();
  if (filter == 0) {
    if (filtered.data() != row.data()) std::memcpy(row.data(), filtered.data(), size);
    return true;
  }
  if (filter == 2) {
    const uint8_t* const from = filtered.data();
    const uint8_t* const up = above.data();
    uint8_t* const to = row.data();
    for (size_t i = 0; i < size; ++i) to[i] = static_cast<uint8_t>(from[i] + up[i]);
    return true;
  }
  if (filter > 4) return false;
  switch (step) {
    case 1:
      UndoScalar<1>(filter, filtered.data(), above.data(), row.data(), 0, size);
      break;
    case 2:
      UndoScalar<2>(filter, filtered.data(), above.data(), row.data(), 0, size);
      break;
    case 3:
      UndoVector<3>(filter, filtered.data(), above.data(), row.data(), size);
      break;
    case 4:
      UndoVector<4>(filter, filtered.data(), above.data(), row.data(), size);
      break;
    case 6:
      UndoVector<6>(filter, filtered.data(), above.data(), row.data(), size);
      break;
    case 8:
      UndoVector<8>(filter, filtered.data(), above.data(), row.data(), size);
      break;
    default:
      return false;
  }
  return true;
}

}  // namespace langevin::data
