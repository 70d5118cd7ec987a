// The loops of pixel_kernels.h for AVX2 with FMA. Call them only where the machine has both.
//
// LANGEVIN_AVX2_KERNELS is set by the build for x86-64, whose compiler can make them.
#ifndef LANGEVIN_DATA_PIXEL_KERNELS_AVX2_H_
#define LANGEVIN_DATA_PIXEL_KERNELS_AVX2_H_

#include "data/pixel_kernels.h"

namespace langevin::data::kernels {

// The argument only chooses the type.
Kernels<uint8_t> Avx2Kernels(const uint8_t*);
Kernels<uint16_t> Avx2Kernels(const uint16_t*);
Kernels<float> Avx2Kernels(const float*);

void Avx2FinishStreaming();

}  // namespace langevin::data::kernels

#endif  // LANGEVIN_DATA_PIXEL_KERNELS_AVX2_H_
