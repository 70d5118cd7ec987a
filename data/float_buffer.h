// Memory for batches that is used again: allocating and zeroing it for each takes longer than
// filling it.
#ifndef LANGEVIN_DATA_FLOAT_BUFFER_H_
#define LANGEVIN_DATA_FLOAT_BUFFER_H_

#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

namespace langevin::data {

class FloatBufferPool;

// Floats, aligned to 64 bytes; their values are whatever was there. Moves, and goes back to its
// pool when destroyed, which it may outlive.
class FloatBuffer {
 public:
  FloatBuffer() = default;
  FloatBuffer(FloatBuffer&& other) noexcept
      : pool_(std::move(other.pool_)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  FloatBuffer& operator=(FloatBuffer&& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~FloatBuffer();

  float* data() { return data_; }
  const float* data() const { return data_; }
  size_t size() const { return size_; }
  float* begin() { return data_; }
  float* end() { return data_ + size_; }
  const float* begin() const { return data_; }
  const float* end() const { return data_ + size_; }
  float operator[](size_t index) const { return data_[index]; }

 private:
  friend class FloatBufferPool;
  FloatBuffer(std::shared_ptr<FloatBufferPool> pool, float* data, size_t size)
      : pool_(std::move(pool)), data_(data), size_(size) {}

  std::shared_ptr<FloatBufferPool> pool_;
  float* data_ = nullptr;
  size_t size_ = 0;
};

// Buffers of one size. Any thread. Memory: what was out at the same time at most.
class FloatBufferPool : public std::enable_shared_from_this<FloatBufferPool> {
 public:
  static std::shared_ptr<FloatBufferPool> Create(size_t size) {
    return std::shared_ptr<FloatBufferPool>(new FloatBufferPool(size));
  }
  ~FloatBufferPool();

  // Throws std::bad_alloc where there is no memory.
  FloatBuffer Get();

 private:
  friend class FloatBuffer;
  explicit FloatBufferPool(size_t size) : size_(size) {}
  void Return(float* data);

  const size_t size_;
  std::mutex mutex_;
  std::vector<float*> free_;  // Guarded by mutex_.
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_FLOAT_BUFFER_H_
