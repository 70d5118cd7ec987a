#include "tools/guidance_options.h"

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace langevin::tools {
namespace {

// Whether both say the same noise levels and tell networks of them in the same way.
bool IsSameProcess(const diffusion::ForwardProcess& a, const diffusion::ForwardProcess& b) {
  if (a.end_time() != b.end_time()) return false;
  for (const double share : {0.125, 0.25, 0.5, 0.75, 1.0}) {
    const diffusion::NoiseLevel at_a = a.At(share * a.end_time()),
                                at_b = b.At(share * a.end_time());
    if (at_a.alpha != at_b.alpha || at_a.sigma != at_b.sigma ||
        at_a.network_time != at_b.network_time) {
      return false;
    }
  }
  return true;
}

}  // namespace

void AddGuidanceFlags(CLI::App& command, GuidanceOptions& options) {
  command
      .add_option("--guidance", options.scale,
                  "W: away from what --guide or --null_class says, W times as far (1: not at all)")
      ->check(CLI::Range(0.0, 1000.0));
  command.add_option("--guide", options.guide,
                     "autoguidance: a worse MODEL of the same kind, such as an early checkpoint");
  command.add_option("--null_class", options.null_class,
                     "classifier-free guidance: the class that stands for none in the model");
  command
      .add_option("--guidance_interval", options.interval,
                  "LOW,HIGH: guidance acts only where sigma / alpha is in (LOW, HIGH]")
      ->delimiter(',')
      ->expected(2);
  command
      .add_option("--guidance_rescale", options.rescale,
                  "0 to 1: how much of the image is scaled back to the unguided one's contrast")
      ->check(CLI::Range(0.0, 1.0));
}

absl::Status CheckGuidance(const GuidanceOptions& options) {
  if (!options.scale.has_value()) {
    if (!options.interval.empty() || options.rescale.has_value() || !options.guide.empty() ||
        options.null_class.has_value()) {
      return absl::InvalidArgumentError(
          "--guide, --null_class, --guidance_interval and --guidance_rescale need --guidance W");
    }
    return absl::OkStatus();
  }
  if (!options.guide.empty() && options.null_class.has_value()) {
    return absl::InvalidArgumentError(
        "--guide and --null_class: guidance is away from one of them; give one");
  }
  if (options.interval.size() == 2 &&
      !(options.interval[0] >= 0 && options.interval[0] < options.interval[1])) {
    return absl::InvalidArgumentError(
        "--guidance_interval: must be LOW,HIGH with 0 <= LOW < HIGH, in sigma / alpha");
  }
  return absl::OkStatus();
}

absl::Status AddGuidance(const GuidanceOptions& options, const exporting::Model& model,
                         const exporting::Model* guide, diffusion::SamplingRequest& request) {
  request.guidance.scale = options.scale.value_or(1);
  request.guidance.rescale = options.rescale.value_or(0);
  if (options.interval.size() == 2) {
    request.guidance.low = options.interval[0];
    request.guidance.high = options.interval[1];
  }
  if (!options.scale.has_value()) return absl::OkStatus();
  const configs::ModelConfig& config = model.config;
  if (guide == nullptr) {
    request.null_class = options.null_class.has_value() ? options.null_class : config.null_class();
    if (!request.null_class.has_value()) {
      return absl::FailedPreconditionError(
          absl::StrCat(model.origin,
                       ": --guidance needs something to lead away from: a worse model (--guide "
                       "MODEL), or the class that stands for none in a model that was trained with "
                       "label dropout (--null_class K)"));
    }
    // The null label is a row of its own behind the classes.
    const int64_t rows =
        config.num_classes().value_or(0) + (config.null_class().has_value() ? 1 : 0);
    if (!config.has_class_table() || *request.null_class < 0 || *request.null_class >= rows) {
      return absl::InvalidArgumentError(
          absl::StrCat("--null_class ", *request.null_class, ": ", model.origin,
                       config.has_class_table() ? absl::StrCat(" has the classes 0 to ", rows - 1)
                                                : std::string(" has no table of classes")));
    }
    return absl::OkStatus();
  }
  const configs::ModelConfig& other = guide->config;
  LANGEVIN_ASSIGN_OR_RETURN(request.guide_formulation, exporting::FormulationOf(*guide));
  if (!IsSameProcess(*request.guide_formulation.process, *request.formulation.process)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--guide ", guide->origin, ": was trained with other noise levels than ",
                     model.origin, "; both must have the same diffusion process"));
  }
  if (other.image_channels() != config.image_channels()) {
    return absl::InvalidArgumentError(absl::StrCat("--guide ", guide->origin, ": has ",
                                                   other.image_channels(), " channels, the model ",
                                                   config.image_channels()));
  }
  if (other.is_conditional() &&
      (!config.is_conditional() || other.num_classes() != config.num_classes())) {
    return absl::InvalidArgumentError(
        absl::StrCat("--guide ", guide->origin, ": has other classes than ", model.origin));
  }
  request.guide = guide->network.get();
  request.guide_has_classes = other.is_conditional();
  return absl::OkStatus();
}

}  // namespace langevin::tools
