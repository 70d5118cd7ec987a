// Rows of stored numbers to the model's floats: the inner loops of the loader.
//
// What every loop computes is float(stored * scale + offset), product and sum in double precision,
// so that the bits are the same on every machine: the AVX2 loops are chosen at run time and give
// what the portable ones give (pixel_kernels_test.cc compares them number by number).
#ifndef LANGEVIN_DATA_PIXEL_KERNELS_H_
#define LANGEVIN_DATA_PIXEL_KERNELS_H_

#include <cstdint>

namespace langevin::data::kernels {

struct LinearMap {
  double scale = 1;
  double offset = 0;
  // Where `exact` is set, fma(k, half_high, k * half_low) with k = 2 * stored - zero gives the same
  // floats in single precision, at a quarter of the cost: MakeLinearMap tries all stored integers.
  bool exact = false;
  int32_t zero = 0;
  float half_high = 0;
  float half_low = 0;
};

// The map for integers from 0 to `largest`; 0: for floats.
LinearMap MakeLinearMap(double scale, double offset, int32_t largest);

// What a loop does with each row.
enum class Direction { kForward, kMirrored };
// kStreamed: past the caches, for batches that do not fit in them.
enum class Store { kCached, kStreamed };

// The loops of one instruction set. Type is uint8_t, uint16_t or float.
template <typename Type>
struct Kernels {
  // Of rows that follow on each other: out[i] = map(in[i]); kMirrored: out[width - 1 - i].
  void (*map_rows)(const Type* in, int64_t rows, int64_t width, const LinearMap& map,
                   Direction direction, Store store, float* out);
  // planes[c * count + i] = in[i * channels + c]; three channels are the case that counts.
  void (*split_channels)(const Type* in, int64_t count, int64_t channels, Type* planes);
};

template <typename Type>
Kernels<Type> PortableKernels();
// The fastest that this machine has.
template <typename Type>
Kernels<Type> BestKernels();

// Makes what kStreamed loops wrote visible to other threads.
void FinishStreaming();

}  // namespace langevin::data::kernels

#endif  // LANGEVIN_DATA_PIXEL_KERNELS_H_
