// A named array of numbers in memory, as files hold it: what a checkpoint, a safetensors file and
// the digest of a training state are made of. It knows nothing of LibTorch, devices or gradients.
#ifndef LANGEVIN_CORE_BASE_TENSOR_VIEW_H_
#define LANGEVIN_CORE_BASE_TENSOR_VIEW_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace langevin {

// The number formats of the safetensors format that Langevin reads and writes.
enum class DType { kFloat64, kFloat32, kFloat16, kBFloat16, kInt64, kInt32, kUint16, kUint8 };

// Bytes a number.
size_t SizeOf(DType dtype);
// The safetensors name: "F64", "F32", "F16", "BF16", "I64", "I32", "U16", "U8".
std::string_view NameOf(DType dtype);
absl::StatusOr<DType> DTypeFromName(std::string_view name);

// Row-major, little endian, without gaps: bytes.size() is the product of the shape times SizeOf.
// The bytes belong to somebody else.
struct TensorView {
  std::string name;
  DType dtype = DType::kFloat32;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;
};

// The same with bytes to write into.
struct MutableTensorView {
  std::string name;
  DType dtype = DType::kFloat32;
  std::vector<int64_t> shape;
  std::span<std::byte> bytes;
};

// "[64, 1, 3, 3]".
std::string ShapeString(const std::vector<int64_t>& shape);

}  // namespace langevin

#endif  // LANGEVIN_CORE_BASE_TENSOR_VIEW_H_
