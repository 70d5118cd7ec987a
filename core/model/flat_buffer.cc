#include "core/model/flat_buffer.h"

#include <atomic>
#include <cstdlib>

#include "ATen/ATen.h"
#include "core/base/memory.h"

namespace langevin::model {

namespace {

// Buffers are read and written side by side. Where all begin at a huge page, the same place in each
// falls into the same few lines of the cache; so each begins a little later than the one before.
size_t NextOffset() {
  constexpr size_t kStagger = 17 * 64, kPlaces = 16;
  static std::atomic<size_t> buffers = 0;
  return buffers++ % kPlaces * kStagger;
}

}  // namespace

at::Tensor ZeroFlatBuffer(int64_t size, const at::TensorOptions& options) {
  if (!options.device().is_cpu()) return at::zeros({size}, options);
  const size_t bytes = static_cast<size_t>(size) * options.dtype().itemsize();
  const size_t offset = NextOffset();
  void* const memory = AllocateBuffer(bytes + offset);
  return at::from_blob(
             static_cast<char*>(memory) + offset, {size}, [memory](void*) { std::free(memory); },
             options)
      .zero_();
}

at::Tensor CloneFlatBuffer(const at::Tensor& flat) {
  return ZeroFlatBuffer(flat.numel(), flat.options()).copy_(flat);
}

}  // namespace langevin::model
