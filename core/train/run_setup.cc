#include "core/train/run_setup.h"

#include <unistd.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "configs/run_config_validation.h"
#include "core/base/status_macros.h"
#include "core/diffusion/scheduler_config.h"
#include "core/optim/schedule.h"
#include "data/augment.h"
#include "data/measure_deviation.h"

namespace langevin::train {
namespace {

// Whether one's weights are the other's; neither the size of the images nor how often labels are
// dropped matters to them, and what is made of augmentation labels begins at zero.
bool SameArchitecture(configs::ModelConfig a, configs::ModelConfig b) {
  for (configs::ModelConfig* model : {&a, &b}) {
    model->set_sample_size(std::nullopt);
    model->label_dropout = model->null_class().has_value() ? 0.5 : 0;
    model->augment_dim = 0;
  }
  // A DiT has the null label whether it was trained or not.
  if (std::holds_alternative<configs::DiTConfig>(a.architecture)) {
    a.label_dropout = b.label_dropout = 0;
  }
  return a == b;
}

absl::Status FitModelToData(configs::ModelConfig& model, const data::Dataset& dataset) {
  const data::ImageShape& shape = dataset.shape();
  const std::string name = absl::StrCat("model.", model.family());
  const bool is_square_only = std::holds_alternative<configs::DiTConfig>(model.architecture);
  if (is_square_only && shape.height != shape.width) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": needs square images, but those of the data set are ", shape.height,
                     " x ", shape.width, "; use unet or prepare the data square"));
  }
  if (!model.sample_size().has_value()) {
    model.set_sample_size(configs::SampleSize{shape.height, shape.width});
  }
  const configs::SampleSize size = *model.sample_size();
  if (size.height != shape.height || size.width != shape.width) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ".sample_size is ", size.height, " x ", size.width,
                     ", but the images of the data set are ", shape.height, " x ", shape.width,
                     "; leave sample_size out or prepare the data in that size"));
  }
  if (model.image_channels() != shape.channels) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, ".in_channels ", model.in_channels(), ": the images of the data set have ",
        shape.channels, " channels, and in_channels must be ",
        model.self_conditioning ? "twice that, with model.self_conditioning" : "that"));
  }
  // Filling in sample_size can make the model impossible: a size that cannot be halved often
  // enough.
  if (const auto problem = configs::FindProblem(model); problem.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("model.", problem->field, ": ", problem->message));
  }
  if (model.augment_dim > 0 && model.augment_dim != data::kAugmentLabels) {
    return absl::InvalidArgumentError(
        absl::StrCat("model.augment_dim ", model.augment_dim, ": must be ", data::kAugmentLabels,
                     ", which is how many numbers data.augment.edm gives, or 0"));
  }
  if (!model.is_conditional()) return absl::OkStatus();
  if (model.condition_size().has_value()) {
    return absl::InvalidArgumentError(
        "model.unet.class_embed_type \"identity\" needs condition vectors, which data sets do not "
        "have; leave it out or use num_class_embeds");
  }
  if (!dataset.has_labels()) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, " is class-conditional, but the data set has no labels; ",
                     is_square_only ? "use unet or edm2_unet"
                                    : "leave its number of classes and class_embed_type out",
                     ", or prepare the data from a folder with one sub-folder a class"));
  }
  const std::optional<int64_t> classes = model.num_classes();
  if (classes.has_value() && *classes < dataset.num_classes()) {
    return absl::InvalidArgumentError(absl::StrCat(name, " has ", *classes, " classes (",
                                                   is_square_only ? "num_embeds_ada_norm"
                                                   : model.family() == "unet" ? "num_class_embeds"
                                                                              : "num_classes",
                                                   "): the data set has ", dataset.num_classes(),
                                                   " classes; must be at least that"));
  }
  return absl::OkStatus();
}

// The standard deviation of the data, where the config leaves it to them.
absl::Status MeasureDataSigma(const data::Dataset& dataset, configs::DiffusionConfig& config) {
  if (!configs::NeedsDataSigma(config) || config.data_sigma.has_value()) return absl::OkStatus();
  LANGEVIN_ASSIGN_OR_RETURN(config.data_sigma, data::MeasureDeviation(dataset));
  if (*config.data_sigma > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "diffusion.data_sigma was not set, and cannot be measured: all values of the images are the "
      "same; look at the data set's report.html");
}

}  // namespace

absl::StatusOr<configs::RunConfig> ResolveConfig(configs::RunConfig config,
                                                 const data::Dataset& dataset,
                                                 const exporting::ModelFolder* init) {
  if (init != nullptr) {
    if (!config.model.has_value()) {
      config.model = init->model;
      config.model->set_sample_size(std::nullopt);
    } else if (!SameArchitecture(*config.model, init->model)) {
      return absl::InvalidArgumentError(absl::StrCat(
          init->path,
          ": model of the config differs from this folder's; leave model out of the config to take "
          "the folder's"));
    }
    if (!config.diffusion.process.has_value() && init->has_scheduler) {
      absl::StatusOr<configs::DiffusionConfig> diffusion =
          diffusion::DiffusionConfigFrom(init->scheduler);
      if (!diffusion.ok()) {
        return absl::InvalidArgumentError(absl::StrCat(
            init->path, ": its scheduler: ", std::string(diffusion.status().message())));
      }
      config.diffusion.process = diffusion->process;
      if (!config.diffusion.data_sigma.has_value()) {
        config.diffusion.data_sigma = diffusion->data_sigma;
      }
    }
  }
  if (!config.model.has_value()) {
    return absl::InvalidArgumentError(
        "the config has no model; give model { unet { ... } }, or --init with a diffusers folder");
  }
  if (!config.diffusion.process.has_value()) config.diffusion.process = configs::DdpmConfig();
  LANGEVIN_RETURN_IF_ERROR(FitModelToData(*config.model, dataset));
  LANGEVIN_RETURN_IF_ERROR(MeasureDataSigma(dataset, config.diffusion));
  LANGEVIN_RETURN_IF_ERROR(data::CheckAugmentFits(config.data.augment, dataset.shape()));
  if (config.monitor.log_every_images == 0) {
    const int64_t steps = config.train.total_images / config.train.global_batch;
    config.monitor.log_every_images = (steps + 99) / 100 * config.train.global_batch;
  }
  // What was filled in must fit the rest: time steps the model knows, steps the process has.
  return configs::ParseRunConfig(configs::ToText(config), "the config with what was filled in", {});
}

int ZeroStageOf(const configs::RunConfig& config, int ranks, bool overlaps) {
  if (config.distributed.zero_stage.has_value()) return *config.distributed.zero_stage;
  if (ranks == 1 || overlaps) return 0;
  return config.model.has_value() &&
                 configs::NeedsWholeWeights(*config.model, config.train.precision)
             ? 0
             : 1;
}

int64_t StateBytes(int64_t num_parameters, const configs::RunConfig& config, int ranks,
                   int zero_stage) {
  const bool bf16 = config.train.precision == configs::Precision::kBf16;
  // Weights of forward and backward, and gradients, which are also there in fp32; and the gradient
  // in bf16 where it is sent so.
  int64_t bytes_each = 8;  // 4 + 4, or in bf16 2 + 4 + 2.
  if (config.distributed.gradient_precision == configs::Precision::kBf16) bytes_each += 2;
  // Two moments, the averages, and the fp32 weights if they are not those of forward and backward.
  const auto averages = static_cast<int64_t>(optim::AverageNames(config.ema).size());
  const int64_t sliced = (8 + 4 * averages + (bf16 ? 4 : 0)) * num_parameters;
  return num_parameters * bytes_each + (zero_stage > 0 ? sliced / ranks : sliced);
}

absl::Status CheckMemory(int64_t num_parameters, const configs::RunConfig& config, int ranks,
                         int ranks_on_host, int zero_stage) {
  const auto available = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  const int64_t needed = StateBytes(num_parameters, config, ranks, zero_stage) * ranks_on_host;
  if (needed <= available) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat(
      "the model has %d parameters: weights, gradients and optimizer of %d ranks take %.1f GiB, "
      "but this machine has %.1f GiB; make the model smaller, start fewer ranks here, or set "
      "distributed.zero_stage to 1",
      num_parameters, ranks_on_host, static_cast<double>(needed) / (1 << 30),
      static_cast<double>(available) / (1 << 30)));
}

}  // namespace langevin::train
