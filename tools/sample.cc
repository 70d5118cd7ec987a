#include "tools/sample.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "ATen/Parallel.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/safetensors.h"
#include "core/base/status_macros.h"
#include "core/export/model_source.h"
#include "core/model/state_dict.h"
#include "core/train/sample_grid.h"
#include "distributed/agreement.h"
#include "launch/tensor_subcommands.h"
#include "tools/compute_on_ranks.h"
#include "tools/guidance_options.h"
#include "tools/physical_samples.h"
#include "tools/sample_folder.h"
#include "tools/sampler_flags.h"

namespace langevin::tools {
namespace {

// How long a rank may be silent, and how long one may wait for another that is alive.
constexpr double kSilenceSeconds = 60;
constexpr double kLongestShareSeconds = 24 * 3600;

struct SampleOptions {
  std::string model;
  std::string output;
  int64_t count = 16;
  diffusion::SamplerOptions sampler;
  uint64_t seed = 0;
  std::string weights = "ema";
  std::optional<int64_t> class_label;
  GuidanceOptions guidance;
  std::string noise;
};

// Reads tensor `noise` (at least count, C, H, W) of a safetensors file.
absl::StatusOr<at::Tensor> ReadNoise(FileSystem& file_system, const std::string& path,
                                     const diffusion::SamplingRequest& request, int64_t count) {
  LANGEVIN_ASSIGN_OR_RETURN(const SafetensorsFile file, SafetensorsFile::Open(file_system, path));
  const auto entry = file.entries().find("noise");
  const std::vector<int64_t> shape = {count, request.channels, request.height, request.width};
  if (entry == file.entries().end() || entry->second.dtype != DType::kFloat32 ||
      entry->second.shape != shape) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": must hold a tensor \"noise\" of type F32 and shape ", ShapeString(shape),
        entry == file.entries().end()
            ? ""
            : absl::StrCat("; it is ", std::string(NameOf(entry->second.dtype)), " ",
                           ShapeString(entry->second.shape))));
  }
  const model::NamedTensor noise{"noise", at::empty(shape, at::kFloat)};
  LANGEVIN_RETURN_IF_ERROR(file.Read(model::MutableViewsOf({noise}).front()));
  return noise.tensor;
}

absl::StatusOr<diffusion::SamplingRequest> MakeRequest(FileSystem& file_system,
                                                       const SampleOptions& options,
                                                       const configs::ModelConfig& model) {
  const std::optional<configs::SampleSize> size = model.sample_size();
  if (!size.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.model, ": its config has no sample_size; add it to config.json"));
  }
  diffusion::SamplingRequest request{.seed = options.seed,
                                     .channels = model.image_channels(),
                                     .height = size->height,
                                     .width = size->width,
                                     .class_of = {},
                                     .initial_noise = {},
                                     .count = options.count};
  if (model.condition_size().has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.model,
                     ": is conditioned on vectors (class_embed_type identity), which sample cannot "
                     "give; use it from Python"));
  }
  const std::optional<int64_t> classes = model.num_classes();
  if (options.class_label.has_value()) {
    if (!model.is_conditional()) {
      return absl::InvalidArgumentError(
          absl::StrCat(options.model, ": has no classes; leave --class out"));
    }
    if (*options.class_label < 0 || (classes.has_value() && *options.class_label >= *classes)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--class ", *options.class_label, ": must be from 0 to ",
                       classes.has_value() ? absl::StrCat(*classes - 1) : "any number"));
    }
    request.class_of = [label = *options.class_label](int64_t) { return label; };
  } else if (model.is_conditional()) {
    if (!model.has_class_table()) {
      return absl::InvalidArgumentError(
          absl::StrCat(options.model, ": is class-conditional; give --class"));
    }
    request.class_of = [count = *classes](int64_t sample) { return sample % count; };
  }
  if (!options.noise.empty()) {
    LANGEVIN_ASSIGN_OR_RETURN(request.initial_noise,
                              ReadNoise(file_system, options.noise, request, options.count));
  }
  return request;
}

// "50 network evaluations each": `evaluations` of one image each were made by rank 0.
std::string DescribeEvaluations(const diffusion::Sampler& sampler, int64_t evaluations,
                                int64_t ranks, int64_t count) {
  const int64_t batches = diffusion::NumSamplingBatches(count);
  const int64_t own = std::min((batches + ranks - 1) / ranks, batches) * diffusion::kSamplingBatch;
  const int64_t images = sampler.is_adaptive() ? std::min(own, count) : own;
  return absl::StrFormat("%s%.4g network evaluations each", sampler.is_adaptive() ? "about " : "",
                         static_cast<double>(evaluations) / static_cast<double>(images));
}

absl::Status SampleOnRank(const SampleOptions& options, launch::MpiRuntime& runtime) {
  FileSystem& file_system = PosixFileSystem();
  at::set_num_threads(runtime.ComputeThreads(0));
  LANGEVIN_ASSIGN_OR_RETURN(const at::Device device,
                            ChooseDevice(runtime, configs::Backend::kAuto));
  absl::StatusOr<exporting::Model> model = absl::UnknownError("");
  absl::StatusOr<exporting::Model> guide = absl::UnknownError("");
  absl::StatusOr<diffusion::SamplingRequest> request = absl::UnknownError("");
  absl::StatusOr<std::unique_ptr<diffusion::Sampler>> sampler = absl::UnknownError("");
  std::optional<Intensities> intensities;
  const absl::Status ready = [&]() -> absl::Status {
    if (runtime.rank() == 0)
      LANGEVIN_RETURN_IF_ERROR(CheckSampleFolder(file_system, options.output));
    LANGEVIN_RETURN_IF_ERROR(CheckGuidance(options.guidance));
    const exporting::Weights weights =
        options.weights == "raw" ? exporting::Weights::kRaw : exporting::Weights::kEma;
    model = exporting::OpenModel(file_system, options.model, weights, device);
    if (!model.ok()) return model.status();
    const absl::StatusOr<std::optional<Intensities>> known = IntensitiesFrom(model->facts);
    if (!known.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(model->origin, ": ", known.status().message(), "; export it again"));
    }
    intensities = *known;
    request = MakeRequest(file_system, options, model->config);
    if (!request.ok()) return request.status();
    LANGEVIN_ASSIGN_OR_RETURN(request->formulation, exporting::FormulationOf(*model));
    if (!options.guidance.guide.empty()) {
      guide = exporting::OpenModel(file_system, options.guidance.guide, weights, device);
      if (!guide.ok()) return guide.status();
    }
    LANGEVIN_RETURN_IF_ERROR(
        AddGuidance(options.guidance, *model, guide.ok() ? &*guide : nullptr, *request));
    sampler = diffusion::MakeSampler(options.sampler, model->scheduler);
    return sampler.status();
  }();
  LANGEVIN_RETURN_IF_ERROR(distributed::AgreeOnStatus(runtime.control(), ready));

  // Each rank draws its whole share before it meets the others, and some end much sooner.
  runtime.SetDeadlines(kSilenceSeconds, kLongestShareSeconds);
  LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<distributed::Communicator> communicator,
                            launch::MakeCommunicator(runtime, launch::CommunicatorKind::kAuto,
                                                     device.is_cuda(), kLongestShareSeconds));
  runtime.control().SetPhase("sample", 0);
  const double begin = MonotonicSeconds();
  int64_t evaluations = 0;  // Of one image each, by this rank.
  request->on_evaluation = [&](int64_t images) { evaluations += images; };
  LANGEVIN_ASSIGN_OR_RETURN(
      const at::Tensor samples,
      train::SampleTogether(
          *communicator, *model->network, device, **sampler, *request, options.count,
          [&](int64_t done, int64_t total) {
            const double elapsed = MonotonicSeconds() - begin;
            LogStatusLine(absl::StrFormat(
                "%3d%% of %d samples  elapsed %s  left %s", 100 * done / total, options.count,
                FormatDuration(elapsed),
                FormatDuration(elapsed * static_cast<double>(total - done) / done)));
          }));
  LogStatusLine("");
  absl::Status written;
  if (runtime.rank() == 0)
    written = WriteSamples(file_system, options.output, samples, intensities);
  LANGEVIN_RETURN_IF_ERROR(distributed::AgreeOnStatus(runtime.control(), written));
  if (runtime.rank() == 0) {
    LogInfo("%d samples of %s in %s: %s, %s", options.count, model->origin,
            FormatDuration(MonotonicSeconds() - begin),
            options.sampler.name.empty() ? diffusion::DefaultSampler(model->scheduler)
                                         : options.sampler.name,
            DescribeEvaluations(**sampler, evaluations, communicator->size(), options.count));
  }
  if (runtime.rank() == 0) absl::PrintF("%s\n", JoinPath(options.output, "grid.png"));
  return communicator->Shutdown();
}

}  // namespace

void RegisterSample(CLI::App& program, std::function<absl::Status()>& action) {
  CLI::App* command = program.add_subcommand(launch::kSample.name, launch::kSample.description);
  auto options = std::make_shared<SampleOptions>();
  command
      ->add_option("--model", options->model,
                   "a run, one of its checkpoints, or a diffusers folder")
      ->required();
  command
      ->add_option("--output", options->output,
                   "folder for samples.safetensors, 000000.png ... and grid.png, and "
                   "physical.safetensors where the model's data had units (HU)")
      ->required();
  command->add_option("--count", options->count, "how many images")
      ->check(CLI::Range(int64_t{1}, int64_t{1000000}))
      ->capture_default_str();
  AddSamplerFlags(*command, options->sampler);
  command->add_option("--seed", options->seed, "image i depends on the seed and i alone")
      ->capture_default_str();
  command->add_option("--weights", options->weights, "of a run: ema (averaged) or raw")
      ->check(CLI::IsMember({"ema", "raw"}))
      ->capture_default_str();
  command->add_option("--class", options->class_label,
                      "class of all images; left out, image i has class i modulo their number");
  AddGuidanceFlags(*command, options->guidance);
  command->add_option(
      "--noise", options->noise,
      "safetensors file whose tensor \"noise\" (count, C, H, W) is the initial noise");
  command->callback([options, &action] {
    action = [options] {
      return ComputeOnRanks(launch::Purpose::kTool, [&](launch::MpiRuntime& runtime) {
        return SampleOnRank(*options, runtime);
      });
    };
  });
}

}  // namespace langevin::tools
