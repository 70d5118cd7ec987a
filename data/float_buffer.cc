#include "data/float_buffer.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <new>

namespace langevin::data {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kHugePage = size_t{2} << 20;

float* Allocate(size_t size) {
  const size_t bytes = (size * sizeof(float) + kAlignment - 1) / kAlignment * kAlignment;
  const bool huge = bytes >= 2 * kHugePage;
  void* const memory = std::aligned_alloc(
      huge ? kHugePage : kAlignment,
      huge ? (bytes + kHugePage - 1) / kHugePage * kHugePage : std::max(bytes, kAlignment));
  if (memory == nullptr) throw std::bad_alloc();
  // Fewer page faults; where there are no huge pages nothing is lost.
  if (huge) madvise(memory, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
  return static_cast<float*>(memory);
}

}  // namespace

FloatBuffer::~FloatBuffer() {
  if (data_ != nullptr) pool_->Return(data_);
}

FloatBufferPool::~FloatBufferPool() {
  for (float* const data : free_) std::free(data);
}

FloatBuffer FloatBufferPool::Get() {
  {
    const std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      float* const data = free_.back();  // The one that is most likely in a cache still.
      free_.pop_back();
      return {shared_from_this(), data, size_};
    }
  }
  return {shared_from_this(), Allocate(size_), size_};
}

void FloatBufferPool::Return(float* data) {
  const std::lock_guard lock(mutex_);
  free_.push_back(data);
}

}  // namespace langevin::data
