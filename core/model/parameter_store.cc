#include "core/model/parameter_store.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <span>
#include <utility>

#include "ATen/ATen.h"
#include "core/base/digest.h"
#include "core/base/philox.h"
#include "core/model/flat_buffer.h"

namespace langevin::model {
namespace {

// Numbers between the beginnings of parameters: 64 bytes of bf16, 128 of fp32.
constexpr int64_t kAlignment = 32;

int64_t AlignedUp(int64_t size) { return (size + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

at::Tensor UnitRows(const at::Tensor& weight) {
  std::vector<int64_t> dims;
  for (int64_t i = 1; i < weight.dim(); ++i) dims.push_back(i);
  const double scale = std::sqrt(static_cast<double>(weight.size(0)) / weight.numel());
  return weight / (kUnitRowsEpsilon + at::linalg_vector_norm(weight, 2, dims, true) * scale);
}

const Parameter* ParameterStore::Declare(Parameter parameter) {
  assert(!master_.defined());
  parameter.numel = 1;
  for (const int64_t extent : parameter.shape) parameter.numel *= extent;
  parameters_.push_back(std::move(parameter));
  return &parameters_.back();
}

bool ParameterStore::ComputesInBf16(const Parameter& parameter) const {
  return precision_ == configs::Precision::kBf16 && !parameter.keep_fp32;
}

at::Tensor ParameterStore::ViewOf(const at::Tensor& flat, const Parameter& parameter,
                                  int64_t begin) {
  const at::Tensor part = flat.narrow(0, parameter.offset - begin, parameter.numel);
  const std::vector<int64_t>& shape = parameter.shape;
  if (shape.size() != 4) return part.view(shape);
  return part.view({shape[0], shape[2], shape[3], shape[1]}).permute({0, 3, 1, 2});
}

void ParameterStore::Allocate(configs::Precision precision, at::Device device,
                              int64_t trainable_multiple) {
  precision_ = precision;
  device_ = device;
  const auto place = [this](const auto& belongs) {
    for (Parameter& parameter : parameters_) {
      if (!belongs(parameter)) continue;
      parameter.offset = flat_size_;
      flat_size_ += AlignedUp(parameter.numel);
    }
  };
  const auto pad = [&] {
    flat_size_ = (flat_size_ + trainable_multiple - 1) / trainable_multiple * trainable_multiple;
    return flat_size_;
  };
  place([this](const Parameter& parameter) {
    return parameter.trainable && !ComputesInBf16(parameter);
  });
  bf16_begin_ = pad();
  place([this](const Parameter& parameter) {
    return parameter.trainable && ComputesInBf16(parameter);
  });
  trainable_size_ = pad();
  place([](const Parameter& parameter) { return !parameter.trainable; });

  const at::TensorOptions options = at::TensorOptions().device(device);
  master_ = ZeroFlatBuffer(flat_size_, options.dtype(at::kFloat));
  gradient_ = ZeroFlatBuffer(trainable_size_, options.dtype(at::kFloat));
  frozen_ = master_.narrow(0, trainable_size_, flat_size_ - trainable_size_);
  if (precision == configs::Precision::kBf16) {
    frozen_ = frozen_.clone();
    compute_bf16_ = ZeroFlatBuffer(flat_size_, options.dtype(at::kBFloat16));
    compute_fp32_ = ZeroFlatBuffer(bf16_begin_, options.dtype(at::kFloat));
    gradient_bf16_ = ZeroFlatBuffer(trainable_size_, options.dtype(at::kBFloat16));
  }
  for (Parameter& parameter : parameters_) {
    const bool bf16 = ComputesInBf16(parameter);
    // detach: a leaf of its own, not a view that autograd would trace back to the buffer.
    parameter.weight =
        (bf16 ? ViewOf(compute_bf16_, parameter) : ComputeFp32Of(parameter)).detach();
    if (!parameter.trainable) continue;
    parameter.weight.requires_grad_(true);
    parameter.weight.mutable_grad() = ViewOf(bf16 ? gradient_bf16_ : gradient_, parameter).detach();
  }
}

at::Tensor ParameterStore::ComputeFp32Of(const Parameter& parameter) const {
  if (precision_ == configs::Precision::kFp32) return ViewOf(master_, parameter);
  return parameter.trainable ? ViewOf(compute_fp32_, parameter)
                             : ViewOf(frozen_, parameter, trainable_size_);
}

void ParameterStore::Initialize(uint64_t seed) {
  const at::NoGradGuard no_grad;
  for (const Parameter& parameter : parameters_) {
    // Drawn in the logical order, so that the layout in memory does not change the values.
    at::Tensor values = at::empty(parameter.shape, at::kFloat);
    const std::span<float> draws(values.data_ptr<float>(), parameter.numel);
    const RandomStream stream(seed, HashString(parameter.name, 0), RandomPurpose::kInitialWeights);
    const auto scale = static_cast<float>(parameter.initializer.scale);
    switch (parameter.initializer.kind) {
      case Initializer::Kind::kConstant:
        values.fill_(scale);
        break;
      case Initializer::Kind::kUniform:
        stream.FillUniform(draws);
        for (float& value : draws) value = (2 * value - 1) * scale;
        break;
      case Initializer::Kind::kNormal:
        stream.FillNormal(draws);
        for (float& value : draws) value *= scale;
        break;
    }
    ViewOf(master_, parameter).copy_(values);
  }
  NormalizeRows();
  RefreshComputeWeights();
}

void ParameterStore::NormalizeRows() {
  const at::NoGradGuard no_grad;
  bool changed = false;
  for (const Parameter& parameter : parameters_) {
    if (!parameter.unit_rows) continue;
    assert(master_.defined());
    const at::Tensor weight = ViewOf(master_, parameter);
    weight.copy_(UnitRows(weight));
    changed = true;
  }
  if (changed) RefreshComputeWeights();
}

int64_t ParameterStore::num_parameters() const {
  int64_t count = 0;
  for (const Parameter& parameter : parameters_) count += parameter.numel;
  return count;
}

void ParameterStore::ReleaseMaster() {
  assert(bf16_begin_ < trainable_size_);
  master_.reset();
}

void ParameterStore::SetComputeWeights(const at::Tensor& weights) {
  if (precision_ == configs::Precision::kFp32) {
    if (!weights.is_same(master_)) master_.copy_(weights);
    return;
  }
  compute_bf16_.copy_(weights);
  compute_fp32_.copy_(weights.narrow(0, 0, bf16_begin_));
  frozen_.copy_(weights.narrow(0, trainable_size_, flat_size_ - trainable_size_));
}

void ParameterStore::ZeroGradients() {
  gradient_.zero_();
  if (gradient_bf16_.defined()) gradient_bf16_.zero_();
}

void ParameterStore::CollectGradients(int64_t begin, int64_t end) {
  if (!gradient_bf16_.defined()) return;
  for (const Parameter& parameter : parameters_) {
    if (!parameter.trainable || !ComputesInBf16(parameter)) continue;
    const int64_t first = std::max(parameter.offset, begin);
    const int64_t count = std::min(parameter.offset + parameter.numel, end) - first;
    if (count <= 0) continue;
    gradient_.narrow(0, first, count).copy_(gradient_bf16_.narrow(0, first, count));
  }
}

ParameterStore::ScopedWeights::ScopedWeights(ParameterStore& store, const at::Tensor& flat)
    : store_(store) {
  const at::Tensor bf16 = store.compute_bf16_.defined() ? flat.to(at::kBFloat16) : at::Tensor();
  for (Parameter& parameter : store_.parameters_) {
    saved_.push_back(parameter.weight);
    parameter.weight = ViewOf(store.ComputesInBf16(parameter) ? bf16 : flat, parameter).detach();
  }
}

ParameterStore::ScopedWeights::~ScopedWeights() {
  for (size_t i = 0; i < saved_.size(); ++i) store_.parameters_[i].weight = saved_[i];
}

}  // namespace langevin::model
