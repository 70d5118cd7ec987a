#include "core/model/state_dict.h"

#include <cassert>
#include <span>

#include "ATen/ATen.h"

namespace langevin::model {
namespace {

bool IsIn(const Parameter& parameter, int64_t flat_size) {
  return parameter.offset + parameter.numel <= flat_size;
}

std::span<std::byte> BytesOf(const at::Tensor& tensor) {
  return {static_cast<std::byte*>(tensor.data_ptr()), tensor.nbytes()};
}

// View is TensorView or MutableTensorView.
template <typename View>
std::vector<View> MakeViews(const std::vector<NamedTensor>& tensors) {
  std::vector<View> views;
  for (const NamedTensor& named : tensors) {
    const DType dtype = named.tensor.scalar_type() == at::kLong ? DType::kInt64 : DType::kFloat32;
    views.push_back({.name = named.name,
                     .dtype = dtype,
                     .shape = named.tensor.sizes().vec(),
                     .bytes = BytesOf(named.tensor)});
  }
  return views;
}

}  // namespace

std::vector<NamedTensor> StateDict(const ParameterStore& store, const at::Tensor& flat,
                                   std::string_view prefix) {
  std::vector<NamedTensor> tensors = EmptyStateDict(store, flat, prefix);
  size_t i = 0;
  for (const Parameter& parameter : store.parameters()) {
    if (!IsIn(parameter, flat.numel())) continue;
    tensors[i++].tensor.copy_(ParameterStore::ViewOf(flat, parameter));
  }
  return tensors;
}

std::vector<NamedTensor> EmptyStateDict(const ParameterStore& store, const at::Tensor& flat,
                                        std::string_view prefix) {
  std::vector<NamedTensor> tensors;
  for (const Parameter& parameter : store.parameters()) {
    if (!IsIn(parameter, flat.numel())) continue;
    tensors.push_back(
        {std::string(prefix) + parameter.name, at::empty(parameter.shape, at::kFloat)});
  }
  return tensors;
}

std::vector<TensorView> DescribeStateDict(const ParameterStore& store, int64_t flat_size,
                                          std::string_view prefix) {
  std::vector<TensorView> views;
  for (const Parameter& parameter : store.parameters()) {
    if (!IsIn(parameter, flat_size)) continue;
    views.push_back({.name = std::string(prefix) + parameter.name,
                     .dtype = DType::kFloat32,
                     .shape = parameter.shape,
                     .bytes = {}});
  }
  return views;
}

void FillFromStateDict(const ParameterStore& store, const std::vector<NamedTensor>& tensors,
                       at::Tensor flat) {
  const at::NoGradGuard no_grad;
  size_t i = 0;
  for (const Parameter& parameter : store.parameters()) {
    if (!IsIn(parameter, flat.numel())) continue;
    assert(i < tensors.size());
    ParameterStore::ViewOf(flat, parameter).copy_(tensors[i++].tensor);
  }
}

std::vector<TensorView> ViewsOf(const std::vector<NamedTensor>& tensors) {
  return MakeViews<TensorView>(tensors);
}

std::vector<MutableTensorView> MutableViewsOf(const std::vector<NamedTensor>& tensors) {
  return MakeViews<MutableTensorView>(tensors);
}

}  // namespace langevin::model
