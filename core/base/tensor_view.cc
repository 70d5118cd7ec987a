#include "core/base/tensor_view.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace langevin {
namespace {

struct DTypeFacts {
  DType dtype;
  size_t size;
  std::string_view name;
};

constexpr std::array<DTypeFacts, 8> kDTypes = {{{DType::kFloat64, 8, "F64"},
                                                {DType::kFloat32, 4, "F32"},
                                                {DType::kFloat16, 2, "F16"},
                                                {DType::kBFloat16, 2, "BF16"},
                                                {DType::kInt64, 8, "I64"},
                                                {DType::kInt32, 4, "I32"},
                                                {DType::kUint16, 2, "U16"},
                                                {DType::kUint8, 1, "U8"}}};

const DTypeFacts& FactsOf(DType dtype) { return kDTypes[static_cast<size_t>(dtype)]; }

}  // namespace

size_t SizeOf(DType dtype) { return FactsOf(dtype).size; }

std::string_view NameOf(DType dtype) { return FactsOf(dtype).name; }

absl::StatusOr<DType> DTypeFromName(std::string_view name) {
  for (const DTypeFacts& facts : kDTypes) {
    if (facts.name == name) return facts.dtype;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("the number format \"", std::string(name), "\" is not supported"));
}

std::string ShapeString(const std::vector<int64_t>& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

}  // namespace langevin
