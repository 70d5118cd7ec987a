// How a network is told the time step: a fixed or learned code of it, and two linear layers.
//
// Computed in fp32 in every precision: bf16 cannot tell time step 999 from 1000.
#ifndef LANGEVIN_CORE_MODEL_TIME_EMBEDDING_H_
#define LANGEVIN_CORE_MODEL_TIME_EMBEDDING_H_

#include <cstdint>
#include <optional>
#include <string>

#include "ATen/core/Tensor.h"
#include "configs/unet_config.h"
#include "core/model/layers.h"
#include "core/model/parameter_store.h"

namespace langevin::model {

// Sines and cosines of `values` (N), fractional values allowed, at `dim` / 2 frequencies from 1
// down to 1 / 10000 (Vaswani et al. 2017, section 3.5): (N, dim), fp32, sines first unless
// flip_sin_to_cos. freq_shift: the last frequency is 10000^(-1 + (freq_shift - 1) / half) and so
// on, as in the two codebases that disagree about it.
at::Tensor SinusoidalEmbedding(const at::Tensor& values, int64_t dim, bool flip_sin_to_cos,
                               int64_t freq_shift);

// UNet2DModel's time_proj: positional, fourier (random frequencies, which are part of the weights;
// Tancik et al. 2020) or learned (a table).
class TimeProjection {
 public:
  TimeProjection(ParameterStore& store, const configs::UNetConfig& config);
  // (N) to (N, output_size()), fp32.
  at::Tensor operator()(const at::Tensor& timesteps) const;
  int64_t output_size() const { return output_size_; }

 private:
  std::string type_;
  int64_t dim_;
  bool flip_sin_to_cos_;
  int64_t freq_shift_;
  int64_t output_size_;
  const Parameter* weight_ = nullptr;  // fourier and learned.
};

// Linear, SiLU, linear.
class TimestepEmbedding {
 public:
  // initializer: not set for PyTorch's.
  TimestepEmbedding(ParameterStore& store, const std::string& name, int64_t in_channels,
                    int64_t embed_dim, const std::optional<Initializer>& initializer = {});
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  Linear linear_1_;
  Linear linear_2_;
};

}  // namespace langevin::model

#endif  // LANGEVIN_CORE_MODEL_TIME_EMBEDDING_H_
