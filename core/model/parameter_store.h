// All parameters of a model, as views into flat buffers.
//
// Optimizer, averages, reduction and checkpoints work on whole buffers; layers see ordinary
// tensors. A buffer holds the parameters in the order they were declared, trainable ones first,
// each aligned to 64 bytes with zeros between. In a bf16 run those that compute in fp32 all the
// same stand before the others: they are few, and all through the model, so that the bucket that
// holds them is complete last. Four-dimensional weights are stored channels-last (out, height,
// width, in), the layout the convolutions want; their views have the usual logical shape (out, in,
// height, width).
//
// Used in two phases: layers declare their parameters, then Allocate makes the buffers. Owned by
// the model; one thread.
#ifndef LANGEVIN_CORE_MODEL_PARAMETER_STORE_H_
#define LANGEVIN_CORE_MODEL_PARAMETER_STORE_H_

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "configs/run_config.h"

namespace langevin::model {

// How a parameter starts (the defaults of PyTorch's layers).
struct Initializer {
  enum class Kind {
    kUniform,   // U(-scale, scale): weights and biases of convolutions and linear layers, with
                // scale = 1 / sqrt(fan_in).
    kNormal,    // N(0, scale^2): embeddings.
    kConstant,  // scale: norms.
  };
  Kind kind = Kind::kConstant;
  double scale = 0;
};

struct Parameter {
  std::string name;  // As in diffusers' state dict.
  std::vector<int64_t> shape;
  Initializer initializer;
  bool trainable = true;
  // Norms and time embeddings compute in fp32 whatever the run's precision.
  bool keep_fp32 = false;
  // NormalizeRows scales the row of each output to unit mean square.
  bool unit_rows = false;

  int64_t offset = 0;  // In numbers, from the beginning of a flat buffer.
  int64_t numel = 0;
  // What forward uses: a leaf that requires grad if trainable; fp32, or bf16 if the run's precision
  // says so and keep_fp32 does not.
  at::Tensor weight;
};

// `weight` with each row, which is all that belongs to one index of the first dimension, scaled to
// unit mean square; the epsilon of Karras et al. 2024 keeps rows of zeros what they are.
// Differentiable.
inline constexpr double kUnitRowsEpsilon = 1e-4;
at::Tensor UnitRows(const at::Tensor& weight);

class ParameterStore {
 public:
  ParameterStore() = default;
  ParameterStore(const ParameterStore&) = delete;
  ParameterStore& operator=(const ParameterStore&) = delete;

  // Declares a parameter; the address stays valid as long as the store. Requires a name that is not
  // taken, and that Allocate has not been called.
  const Parameter* Declare(Parameter parameter);

  // Makes the buffers, all zero. Zeros make the trainable part's size a multiple of
  // `trainable_multiple`, so that ranks can share it evenly.
  void Allocate(configs::Precision precision, at::Device device, int64_t trainable_multiple = 1);

  // Scales the rows of the parameters that want it (unit_rows) in master(), and refreshes what
  // forward uses: after each update of the weights. Does nothing where there are none; requires
  // master() where there are.
  void NormalizeRows();

  // Fills the weights: draw i of a parameter is a function of (seed, its name, i).
  void Initialize(uint64_t seed);

  // In declaration order.
  const std::deque<Parameter>& parameters() const { return parameters_; }
  int64_t num_parameters() const;  // Numbers, without padding.
  // Length of the trainable part of a flat buffer, and of the whole.
  int64_t trainable_size() const { return trainable_size_; }
  int64_t flat_size() const { return flat_size_; }
  // Where in the trainable part the weights of bf16 computation begin; trainable_size() in fp32.
  int64_t bf16_begin() const { return bf16_begin_; }
  at::Device device() const { return device_; }

  // fp32 weights, flat_size() long. After changing them, call RefreshComputeWeights.
  const at::Tensor& master() const { return master_; }
  void RefreshComputeWeights() { SetComputeWeights(master_); }

  // In a bf16 run forward and backward do not use the fp32 weights, and their slices may live
  // elsewhere (ZeRO-1): this frees master(), which is undefined then. Requires bf16_begin() <
  // trainable_size().
  void ReleaseMaster();
  // What forward and backward use, from fp32 weights that are flat_size() long.
  void SetComputeWeights(const at::Tensor& weights);
  // What forward and backward use, flat: bf16, flat_size() long, of which [bf16_begin(),
  // trainable_size()) is used; and fp32, bf16_begin() long. Undefined in an fp32 run, whose weights
  // are master().
  const at::Tensor& compute_bf16() const { return compute_bf16_; }
  const at::Tensor& compute_fp32() const { return compute_fp32_; }
  // fp32 weights that are not trained: the end of a flat buffer, from trainable_size() on.
  const at::Tensor& frozen() const { return frozen_; }

  // fp32 gradients of the last backward pass, trainable_size() long. ZeroGradients before a forward
  // pass; CollectGradients brings those of bf16 weights here, once backward has computed them:
  // numbers [begin, end) of the buffer.
  const at::Tensor& gradient() const { return gradient_; }
  void ZeroGradients();
  void CollectGradients(int64_t begin, int64_t end);

  // `parameter`'s part of a flat buffer, or of one that holds the numbers from `begin` on, in its
  // logical shape.
  static at::Tensor ViewOf(const at::Tensor& flat, const Parameter& parameter, int64_t begin = 0);

  // While it lives, forward uses the weights in `flat` (fp32, flat_size() long; an EMA, say) in
  // place of the store's own, without gradients.
  class ScopedWeights {
   public:
    ScopedWeights(ParameterStore& store, const at::Tensor& flat);
    ~ScopedWeights();
    ScopedWeights(const ScopedWeights&) = delete;
    ScopedWeights& operator=(const ScopedWeights&) = delete;

   private:
    ParameterStore& store_;
    std::vector<at::Tensor> saved_;
  };

 private:
  bool ComputesInBf16(const Parameter& parameter) const;
  // A buffer of fp32 weights that forward uses, from the one that holds all.
  at::Tensor ComputeFp32Of(const Parameter& parameter) const;

  std::deque<Parameter> parameters_;
  configs::Precision precision_ = configs::Precision::kFp32;
  at::Device device_ = at::kCPU;
  int64_t trainable_size_ = 0;
  int64_t flat_size_ = 0;
  int64_t bf16_begin_ = 0;
  at::Tensor master_;
  at::Tensor gradient_;
  at::Tensor frozen_;  // In fp32 a part of master_.
  // bf16 only: the weights of forward and backward, and gradients of the first.
  at::Tensor compute_bf16_;
  at::Tensor compute_fp32_;
  at::Tensor gradient_bf16_;
};

}  // namespace langevin::model

#endif  // LANGEVIN_CORE_MODEL_PARAMETER_STORE_H_
