#include "tools/evaluate_likelihood.h"

#include <cmath>
#include <numbers>
#include <optional>
#include <span>
#include <utility>

#include "ATen/ATen.h"
#include "absl/strings/str_cat.h"
#include "core/base/philox.h"
#include "core/base/status_macros.h"
#include "core/diffusion/likelihood.h"
#include "core/diffusion/self_conditioning.h"

namespace langevin::tools {
namespace {

using diffusion::SchedulerFamily;

bool HasSteps(const exporting::Model& model) {
  return diffusion::FamilyOf(model.scheduler) == SchedulerFamily::kDiscrete &&
         !model.scheduler.use_flow_sigmas;
}

std::string MethodFor(const exporting::Model& model, const LikelihoodOptions& options) {
  if (!options.method.empty()) return options.method;
  return HasSteps(model) ? "bound" : "flow";
}

// What one image gives: its bits per value, and behind them those of by_time.
class ImageBits {
 public:
  ImageBits(const exporting::Model& model, const diffusion::Formulation& formulation,
            double level_width, const LikelihoodOptions& options)
      : model_(model),
        formulation_(formulation),
        width_(level_width),
        options_(options),
        is_bound_(MethodFor(model, options) == "bound") {
    if (is_bound_) schedule_ = diffusion::MakeNoiseSchedule(model.scheduler);
  }

  // The bound's terms by tenths, and the prior.
  int64_t parts() const { return is_bound_ ? 11 : 0; }

  std::vector<double> Of(const at::Tensor& image, const at::Tensor& label, int64_t index) const {
    const diffusion::Denoiser denoiser = DenoiserFor(label);
    const double unit = 1 / (static_cast<double>(image.numel()) * std::numbers::ln2);
    std::vector<double> bits;
    if (is_bound_) {
      const diffusion::VariationalBound bound =
          diffusion::BoundOf(image, denoiser, *formulation_.process, schedule_,
                             {.variance = model_.scheduler.variance_type.starts_with("fixed_large")
                                              ? diffusion::StepVariance::kBeta
                                              : diffusion::StepVariance::kPosterior,
                              .half_bin = width_ / 2,
                              .clips = model_.scheduler.clip_sample,
                              .terms = options_.terms},
                             options_.seed, static_cast<uint64_t>(index));
      bits.push_back(bound.nats * unit);
      for (const double part : bound.by_time) bits.push_back(part * unit);
      bits.push_back(bound.prior * unit);
      return bits;
    }
    // A density over values becomes a probability of levels where each is spread evenly over its
    // own width (Theis et al. 2016): log2(levels / range) bits on top.
    const diffusion::LogLikelihood likelihood = diffusion::FlowLogLikelihood(
        image + Dequantisation(image, index), denoiser, *formulation_.process,
        {.tolerance = options_.tolerance}, options_.seed, static_cast<uint64_t>(index));
    bits.push_back(-likelihood.nats * unit - std::log2(width_));
    return bits;
  }

 private:
  diffusion::Denoiser DenoiserFor(const at::Tensor& label) const {
    const model::Network& network = *model_.network;
    // What a probability is of must not depend on what was asked before: never with an estimate.
    diffusion::Formulation formulation = formulation_;
    formulation.self_conditioned = false;
    return diffusion::MakeDenoiser(formulation, [this, &network, label](const at::Tensor& sample,
                                                                        double time) {
      const at::Tensor times = at::full({1}, time, sample.options().dtype(at::kFloat));
      return network.Forward(
          formulation_.self_conditioned ? diffusion::WithEstimate(sample, at::Tensor()) : sample,
          times, label, model::ForwardContext());
    });
  }

  at::Tensor Dequantisation(const at::Tensor& image, int64_t index) const {
    at::Tensor noise = at::empty(image.sizes(), at::kFloat);
    RandomStream(options_.seed, static_cast<uint64_t>(index), RandomPurpose::kDequantisation)
        .FillUniform({noise.data_ptr<float>(), static_cast<size_t>(noise.numel())});
    return (width_ * (noise - 0.5)).to(image.options());
  }

  const exporting::Model& model_;
  const diffusion::Formulation& formulation_;
  const double width_;  // Of a level, in the model's values.
  const LikelihoodOptions& options_;
  const bool is_bound_;
  diffusion::NoiseSchedule schedule_;
};

}  // namespace

absl::Status CheckLikelihood(const exporting::Model& model, const data::Dataset& dataset,
                             const LikelihoodOptions& options) {
  if (dataset.dtype() == DType::kFloat32) {
    return absl::InvalidArgumentError(
        "bits_per_dim: images of floating-point numbers have no levels to count bits of; prepare "
        "the data in 8 or 16 bits");
  }
  if (MethodFor(model, options) == "bound" && !HasSteps(model)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--likelihood bound: ", model.origin,
                     " has continuous time; its likelihood is found by flow"));
  }
  if (model.scheduler.rescale_betas_zero_snr && MethodFor(model, options) == "flow") {
    return absl::InvalidArgumentError(
        absl::StrCat("--likelihood flow: between the last two time steps of ", model.origin,
                     ", of which the last is pure noise, there is no flow; give bound"));
  }
  if (model.config.condition_size().has_value()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "bits_per_dim: ", model.origin, " is conditioned on vectors, which evaluate cannot give"));
  }
  return absl::OkStatus();
}

absl::StatusOr<BitsPerDim> MeasureBitsPerDim(
    distributed::Communicator& communicator, const exporting::Model& model,
    const at::Device& device, RealImages& source, const std::vector<int64_t>& images,
    const LikelihoodOptions& options, const std::function<void(int64_t, int64_t)>& on_image) {
  LANGEVIN_ASSIGN_OR_RETURN(const diffusion::Formulation formulation,
                            exporting::FormulationOf(model));
  const data::Dataset& dataset = source.dataset();
  const ImageBits bits(model, formulation, std::abs(dataset.intensity_map().scale), options);
  const int64_t count = static_cast<int64_t>(images.size()), width = 1 + bits.parts();
  const int64_t ranks = communicator.size(), rank = communicator.rank();
  const metrics::ImageSize size = source.size();
  // Each rank fills the rows of its images; all rows come together, and each is taken from its own.
  const at::Tensor mine = at::zeros({count, width}, at::kDouble);
  at::Tensor image = at::empty({1, size.channels, size.height, size.width}, at::kFloat);
  for (int64_t i = rank; i < count; i += ranks) {
    LANGEVIN_RETURN_IF_ERROR(
        source.Read(images[i], {image.data_ptr<float>(), static_cast<size_t>(image.numel())}));
    at::Tensor label;
    if (model.config.is_conditional()) {
      const int64_t classes = model.config.num_classes().value_or(1);
      const int64_t known = dataset.has_labels() ? dataset.label(images[i]) : images[i] % classes;
      label = at::full({1}, known, at::kLong).to(device);
    }
    const std::vector<double> row = bits.Of(image.to(device), label, images[i]);
    for (int64_t k = 0; k < width; ++k) mine[i][k] = row[k];
    if (on_image) on_image(i / ranks + 1, (count + ranks - 1) / ranks);
  }
  at::Tensor all = mine.unsqueeze(0);
  if (ranks > 1) {
    const at::Tensor input = mine.to(device).flatten();
    const at::Tensor output = at::empty({ranks * input.numel()}, input.options());
    LANGEVIN_RETURN_IF_ERROR(communicator.AllGather(output, input)->Wait());
    all = output.to(at::kCPU).view({ranks, count, width});
  }
  BitsPerDim result{.method = MethodFor(model, options),
                    .by_time = std::vector<double>(bits.parts(), 0)};
  for (int64_t i = 0; i < count; ++i) {
    const at::Tensor row = all[i % ranks][i];
    result.by_image.push_back(row[0].item<double>());
    for (int64_t k = 0; k < bits.parts(); ++k) {
      result.by_time[k] += row[k + 1].item<double>() / static_cast<double>(count);
    }
  }
  return result;
}

}  // namespace langevin::tools
