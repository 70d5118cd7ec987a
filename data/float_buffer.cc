#include "data/float_buffer.h"

#include <cstdlib>

#include "core/base/memory.h"

namespace langevin::data {

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
  return {shared_from_this(), static_cast<float*>(AllocateBuffer(size_ * sizeof(float))), size_};
}

void FloatBufferPool::Return(float* data) {
  const std::lock_guard lock(mutex_);
  free_.push_back(data);
}

}  // namespace langevin::data
