// Compiled with -mavx2 -mfma. Nothing that other files also compile may be included: the linker
// keeps one copy of an inline function, and it could be the one that old machines cannot run.
#include "data/pixel_kernels_avx2.h"

#include <immintrin.h>

namespace langevin::data::kernels {
namespace {

// Eight stored numbers as integers, or as the floats that they are.
inline __m256i Load(const uint8_t* in) {
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(in)));
}
inline __m256i Load(const uint16_t* in) {
  return _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(in)));
}

inline void ToDouble(const uint8_t* in, __m256d& low, __m256d& high) {
  const __m256i integers = Load(in);
  low = _mm256_cvtepi32_pd(_mm256_castsi256_si128(integers));
  high = _mm256_cvtepi32_pd(_mm256_extracti128_si256(integers, 1));
}
inline void ToDouble(const uint16_t* in, __m256d& low, __m256d& high) {
  const __m256i integers = Load(in);
  low = _mm256_cvtepi32_pd(_mm256_castsi256_si128(integers));
  high = _mm256_cvtepi32_pd(_mm256_extracti128_si256(integers, 1));
}
inline void ToDouble(const float* in, __m256d& low, __m256d& high) {
  low = _mm256_cvtps_pd(_mm_loadu_ps(in));
  high = _mm256_cvtps_pd(_mm_loadu_ps(in + 4));
}

// The definition: product and sum rounded one after the other.
class DoubleMap {
 public:
  explicit DoubleMap(const LinearMap& map)
      : scale_(_mm256_set1_pd(map.scale)), offset_(_mm256_set1_pd(map.offset)) {}

  template <typename Type>
  __m256 Eight(const Type* in) const {
    __m256d low, high;
    ToDouble(in, low, high);
    low = _mm256_add_pd(_mm256_mul_pd(low, scale_), offset_);
    high = _mm256_add_pd(_mm256_mul_pd(high, scale_), offset_);
    return _mm256_set_m128(_mm256_cvtpd_ps(high), _mm256_cvtpd_ps(low));
  }

 private:
  __m256d scale_, offset_;
};

// The same floats from two single-precision operations, where LinearMap says so.
class ExactMap {
 public:
  explicit ExactMap(const LinearMap& map)
      : zero_(_mm256_set1_epi32(map.zero)),
        high_(_mm256_set1_ps(map.half_high)),
        low_(_mm256_set1_ps(map.half_low)) {}

  template <typename Type>
  __m256 Eight(const Type* in) const {
    const __m256i integers = Load(in);
    const __m256 steps =
        _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_add_epi32(integers, integers), zero_));
    return _mm256_fmadd_ps(steps, high_, _mm256_mul_ps(steps, low_));
  }

 private:
  __m256i zero_;
  __m256 high_, low_;
};

// The map that changes nothing, except that it makes -0 to 0 as adding the offset does.
class Identity {
 public:
  explicit Identity(const LinearMap& /*map*/) {}
  __m256 Eight(const float* in) const {
    return _mm256_add_ps(_mm256_loadu_ps(in), _mm256_setzero_ps());
  }
};

template <Store kStore>
inline void Put(float* out, __m256 value) {
  if constexpr (kStore == Store::kStreamed) {
    _mm256_stream_ps(out, value);
  } else {
    _mm256_storeu_ps(out, value);
  }
}

template <Direction kDirection, Store kStore, typename MapType, typename Type>
void Sweep(const Type* in, int64_t count, const LinearMap& map, float* out) {
  const MapType to_model(map);
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    __m256 eight = to_model.Eight(in + i);
    if constexpr (kDirection == Direction::kMirrored) {
      eight = _mm256_permutevar8x32_ps(eight, _mm256_setr_epi32(7, 6, 5, 4, 3, 2, 1, 0));
      Put<kStore>(out + count - 8 - i, eight);
    } else {
      Put<kStore>(out + i, eight);
    }
  }
  if (i == count) return;
  // The rest, fewer than eight, in a row of its own.
  Type rest[8] = {};
  float mapped[8];
  for (int64_t j = i; j < count; ++j) rest[j - i] = in[j];
  _mm256_storeu_ps(mapped, to_model.Eight(rest));
  for (int64_t j = i; j < count; ++j) {
    out[kDirection == Direction::kMirrored ? count - 1 - j : j] = mapped[j - i];
  }
}

template <Direction kDirection, typename MapType, typename Type>
void SweepRows(const Type* in, int64_t rows, int64_t width, const LinearMap& map, Store store,
               float* out) {
  // Streaming needs whole vectors at their place; other rows are stored as usual.
  const float* const first = kDirection == Direction::kMirrored ? out + width - 8 : out;
  const bool fits = reinterpret_cast<uintptr_t>(first) % 32 == 0 && (rows == 1 || width % 8 == 0);
  if (store == Store::kStreamed && fits) {
    for (int64_t row = 0; row < rows; ++row) {
      Sweep<kDirection, Store::kStreamed, MapType>(in + row * width, width, map, out + row * width);
    }
  } else {
    for (int64_t row = 0; row < rows; ++row) {
      Sweep<kDirection, Store::kCached, MapType>(in + row * width, width, map, out + row * width);
    }
  }
}

template <typename MapType, typename Type>
void Choose(const Type* in, int64_t rows, int64_t width, const LinearMap& map, Direction direction,
            Store store, float* out) {
  if (direction == Direction::kMirrored) {
    SweepRows<Direction::kMirrored, MapType>(in, rows, width, map, store, out);
  } else {  // Rows follow on each other: one long one.
    SweepRows<Direction::kForward, MapType>(in, 1, rows * width, map, store, out);
  }
}

template <typename Type>
void MapIntegers(const Type* in, int64_t rows, int64_t width, const LinearMap& map,
                 Direction direction, Store store, float* out) {
  map.exact ? Choose<ExactMap>(in, rows, width, map, direction, store, out)
            : Choose<DoubleMap>(in, rows, width, map, direction, store, out);
}

void MapFloats(const float* in, int64_t rows, int64_t width, const LinearMap& map,
               Direction direction, Store store, float* out) {
  const bool identity = map.scale == 1 && map.offset == 0;
  identity ? Choose<Identity>(in, rows, width, map, direction, store, out)
           : Choose<DoubleMap>(in, rows, width, map, direction, store, out);
}

template <typename Type>
void SplitChannels(const Type* in, int64_t count, int64_t channels, Type* planes) {
  for (int64_t channel = 0; channel < channels; ++channel) {
    for (int64_t i = 0; i < count; ++i) planes[channel * count + i] = in[i * channels + channel];
  }
}

// Sixteen pixels of three bytes at a time: from each of three vectors the bytes of one channel.
void SplitBytes(const uint8_t* in, int64_t count, int64_t channels, uint8_t* planes) {
  if (channels != 3) return SplitChannels(in, count, channels, planes);
  const char n = -1;  // A zero byte.
  const __m128i red[3] = {_mm_setr_epi8(0, 3, 6, 9, 12, 15, n, n, n, n, n, n, n, n, n, n),
                          _mm_setr_epi8(n, n, n, n, n, n, 2, 5, 8, 11, 14, n, n, n, n, n),
                          _mm_setr_epi8(n, n, n, n, n, n, n, n, n, n, n, 1, 4, 7, 10, 13)};
  const __m128i green[3] = {_mm_setr_epi8(1, 4, 7, 10, 13, n, n, n, n, n, n, n, n, n, n, n),
                            _mm_setr_epi8(n, n, n, n, n, 0, 3, 6, 9, 12, 15, n, n, n, n, n),
                            _mm_setr_epi8(n, n, n, n, n, n, n, n, n, n, n, 2, 5, 8, 11, 14)};
  const __m128i blue[3] = {_mm_setr_epi8(2, 5, 8, 11, 14, n, n, n, n, n, n, n, n, n, n, n),
                           _mm_setr_epi8(n, n, n, n, n, 1, 4, 7, 10, 13, n, n, n, n, n, n),
                           _mm_setr_epi8(n, n, n, n, n, n, n, n, n, n, 0, 3, 6, 9, 12, 15)};
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const __m128i* const from = reinterpret_cast<const __m128i*>(in + 3 * i);
    const __m128i part[3] = {_mm_loadu_si128(from), _mm_loadu_si128(from + 1),
                             _mm_loadu_si128(from + 2)};
    const auto gather = [&part](const __m128i* choice) {
      return _mm_or_si128(
          _mm_or_si128(_mm_shuffle_epi8(part[0], choice[0]), _mm_shuffle_epi8(part[1], choice[1])),
          _mm_shuffle_epi8(part[2], choice[2]));
    };
    _mm_storeu_si128(reinterpret_cast<__m128i*>(planes + i), gather(red));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(planes + count + i), gather(green));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(planes + 2 * count + i), gather(blue));
  }
  for (; i < count; ++i) {
    for (int64_t channel = 0; channel < 3; ++channel) {
      planes[channel * count + i] = in[3 * i + channel];
    }
  }
}

}  // namespace

Kernels<uint8_t> Avx2Kernels(const uint8_t*) {
  return {.map_rows = MapIntegers<uint8_t>, .split_channels = SplitBytes};
}
Kernels<uint16_t> Avx2Kernels(const uint16_t*) {
  return {.map_rows = MapIntegers<uint16_t>, .split_channels = SplitChannels<uint16_t>};
}
Kernels<float> Avx2Kernels(const float*) {
  return {.map_rows = MapFloats, .split_channels = SplitChannels<float>};
}

void Avx2FinishStreaming() { _mm_sfence(); }

}  // namespace langevin::data::kernels
