#include "tools/sample.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "ATen/Parallel.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/png.h"
#include "core/base/safetensors.h"
#include "core/base/staging_folder.h"
#include "core/base/status_macros.h"
#include "core/export/model_source.h"
#include "core/model/state_dict.h"
#include "core/train/sample_grid.h"
#include "distributed/agreement.h"
#include "tools/physical_samples.h"
#include "tools/run_on_ranks.h"

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
  std::optional<double> guidance;
  std::vector<double> guidance_interval;
  std::optional<double> guidance_rescale;
  std::string guide;
  std::optional<int64_t> null_class;
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

// What can be said of guidance without a model.
absl::Status CheckGuidance(const SampleOptions& options) {
  if (!options.guidance.has_value()) {
    if (!options.guidance_interval.empty() || options.guidance_rescale.has_value() ||
        !options.guide.empty() || options.null_class.has_value()) {
      return absl::InvalidArgumentError(
          "--guide, --null_class, --guidance_interval and --guidance_rescale need --guidance W");
    }
    return absl::OkStatus();
  }
  if (!options.guide.empty() && options.null_class.has_value()) {
    return absl::InvalidArgumentError(
        "--guide and --null_class: guidance is away from one of them; give one");
  }
  if (options.guidance_interval.size() == 2 &&
      !(options.guidance_interval[0] >= 0 &&
        options.guidance_interval[0] < options.guidance_interval[1])) {
    return absl::InvalidArgumentError(
        "--guidance_interval: must be LOW,HIGH with 0 <= LOW < HIGH, in sigma / alpha");
  }
  return absl::OkStatus();
}

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

// Guidance away from `guide`, if that is not null, or the null class.
absl::Status AddGuidance(const SampleOptions& options, const exporting::Model& model,
                         const exporting::Model* guide, diffusion::SamplingRequest& request) {
  request.guidance.scale = options.guidance.value_or(1);
  request.guidance.rescale = options.guidance_rescale.value_or(0);
  if (options.guidance_interval.size() == 2) {
    request.guidance.low = options.guidance_interval[0];
    request.guidance.high = options.guidance_interval[1];
  }
  if (!options.guidance.has_value()) return absl::OkStatus();
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
  if (other.in_channels() != config.in_channels()) {
    return absl::InvalidArgumentError(absl::StrCat("--guide ", guide->origin, ": has ",
                                                   other.in_channels(), " channels, the model ",
                                                   config.in_channels()));
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

absl::StatusOr<diffusion::SamplingRequest> MakeRequest(FileSystem& file_system,
                                                       const SampleOptions& options,
                                                       const configs::ModelConfig& model) {
  const std::optional<configs::SampleSize> size = model.sample_size();
  if (!size.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.model, ": its config has no sample_size; add it to config.json"));
  }
  diffusion::SamplingRequest request{.seed = options.seed,
                                     .channels = model.in_channels(),
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

// The bytes of sample `values`' PNG: with 16 bits where the model's data had more than 8.
absl::StatusOr<std::string> SamplePng(std::span<const float> values, const at::Tensor& samples,
                                      const std::optional<Intensities>& intensities) {
  const int64_t channels = samples.size(1), height = samples.size(2), width = samples.size(3);
  if (intensities.has_value() && intensities->dtype == DType::kUint16) {
    return EncodePng(Picture16FromModelRange(values, channels, height, width));
  }
  return EncodePng(PictureFromModelRange(values, channels, height, width));
}

// Writes samples.safetensors, where the data had units physical.safetensors, a PNG for each sample
// and grid.png into a folder that appears whole.
absl::Status WriteSamples(FileSystem& file_system, const std::string& folder,
                          const at::Tensor& samples,
                          const std::optional<Intensities>& intensities) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<StagingFolder> staging,
                            StagingFolder::Create(file_system, folder));
  LANGEVIN_RETURN_IF_ERROR(WriteSafetensors(file_system,
                                            JoinPath(staging->path(), "samples.safetensors"),
                                            model::ViewsOf({{"samples", samples}}), {}));
  if (intensities.has_value() && HasUnits(*intensities)) {
    const at::Tensor physical = samples.clone(at::MemoryFormat::Contiguous);
    ToPhysical(*intensities, {physical.data_ptr<float>(), static_cast<size_t>(physical.numel())});
    LANGEVIN_RETURN_IF_ERROR(WriteSafetensors(
        file_system, JoinPath(staging->path(), "physical.safetensors"),
        model::ViewsOf({{"physical", physical}}), {{"unit", intensities->physical.unit}}));
  }
  const int64_t values = samples.numel() / samples.size(0);
  std::vector<Picture> tiles;
  for (int64_t i = 0; i < samples.size(0); ++i) {
    const std::span<const float> sample(samples.data_ptr<float>() + i * values,
                                        static_cast<size_t>(values));
    tiles.push_back(
        PictureFromModelRange(sample, samples.size(1), samples.size(2), samples.size(3)));
    LANGEVIN_ASSIGN_OR_RETURN(const std::string png, SamplePng(sample, samples, intensities));
    LANGEVIN_RETURN_IF_ERROR(
        file_system.WriteFile(JoinPath(staging->path(), absl::StrFormat("%06d.png", i)), png));
  }
  LANGEVIN_ASSIGN_OR_RETURN(const std::string grid, EncodePng(Grid(tiles)));
  LANGEVIN_RETURN_IF_ERROR(file_system.WriteFile(JoinPath(staging->path(), "grid.png"), grid));
  return staging->CommitReplacing();  // An earlier sampling's folder makes place.
}

// Folders that hold anything but samples are left alone.
absl::Status CheckOutput(FileSystem& file_system, const std::string& folder) {
  if (!file_system.Exists(folder)) return absl::OkStatus();
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> names, file_system.List(folder));
  if (!names.empty() && !file_system.Exists(JoinPath(folder, "samples.safetensors"))) {
    return absl::AlreadyExistsError(
        absl::StrCat(folder, ": holds something else than samples; choose another --output"));
  }
  return absl::OkStatus();
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
    if (runtime.rank() == 0) LANGEVIN_RETURN_IF_ERROR(CheckOutput(file_system, options.output));
    LANGEVIN_RETURN_IF_ERROR(CheckGuidance(options));
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
    if (!options.guide.empty()) {
      guide = exporting::OpenModel(file_system, options.guide, weights, device);
      if (!guide.ok()) return guide.status();
    }
    LANGEVIN_RETURN_IF_ERROR(
        AddGuidance(options, *model, guide.ok() ? &*guide : nullptr, *request));
    sampler = diffusion::MakeSampler(options.sampler, model->scheduler);
    return sampler.status();
  }();
  LANGEVIN_RETURN_IF_ERROR(distributed::AgreeOnStatus(runtime.control(), ready));

  // Each rank draws its whole share before it meets the others, and some end much sooner.
  runtime.SetDeadlines(kSilenceSeconds, kLongestShareSeconds);
  LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<distributed::Communicator> communicator,
                            runtime.MakeCommunicator(launch::CommunicatorKind::kAuto,
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

void AddSamplerOptions(CLI::App& command, diffusion::SamplerOptions& sampler) {
  command.add_option(
      "--sampler", sampler.name,
      diffusion::SamplerNames() +
          "; left out, the one that the model's scheduler is: ddim for DDPM and DDIM, its own for "
          "Euler, Heun, DPMSolver and UniPC, heun for all others (docs/sampling.md)");
  command
      .add_option("--steps", sampler.steps,
                  "sampler steps (default: heun 18, unipc and dpmpp_* 20, pc 1000, others 50)")
      ->check(CLI::Range(int64_t{1}, int64_t{1000000}));
  command
      .add_option("--spacing", sampler.spacing,
                  "of the noise levels: leading, trailing, linspace (models with time steps), "
                  "uniform (others), karras, exponential, beta; left out, as the model's scheduler "
                  "has it")
      ->check(CLI::IsMember(
          {"leading", "trailing", "linspace", "uniform", "karras", "exponential", "beta"}));
  command.add_option("--shift", sampler.shift,
                     "flow models: shift of the times; above 1 more steps where there is much "
                     "noise");
  command.add_option("--eta", sampler.eta,
                     "ddim (default 0), euler_ancestral (default 1): how much of the noise is new "
                     "in each step, 0 to 1");
  command.add_option("--churn", sampler.churn,
                     "euler, heun: noise added before steps (S_churn of Karras et al. 2022)");
  command.add_option("--churn_min", sampler.churn_min, "lowest sigma where --churn acts (S_tmin)");
  command.add_option("--churn_max", sampler.churn_max, "highest sigma where --churn acts (S_tmax)");
  command.add_option("--churn_noise", sampler.churn_noise,
                     "standard deviation of that noise (S_noise, default 1)");
  command.add_option("--order", sampler.order, "unipc: 1 to 3 (default 2)");
  command.add_option("--predictor", sampler.predictor,
                     "pc: reverse_diffusion (default) or euler_maruyama");
  command.add_option("--corrector_steps", sampler.corrector_steps,
                     "pc: Langevin steps for each noise level (default 1)");
  command.add_option("--snr", sampler.snr,
                     "pc: signal-to-noise ratio of Langevin steps (default 0.16)");
  command.add_option("--tolerance", sampler.tolerance,
                     "rk45: relative and absolute error allowed in a step (default 1e-5)");
  command.add_option("--clip", sampler.clip,
                     "clip the predicted image to [-CLIP, CLIP] in every step; 0: do not clip");
  command.add_option("--thresholding", sampler.thresholding,
                     "dynamic thresholding: clip to this quantile of each predicted image and "
                     "scale back into [-1, 1], such as 0.995; 0: do not");
  command.add_option("--threshold_max", sampler.threshold_max,
                     "highest value that --thresholding clips to");
}

void AddGuidanceOptions(CLI::App& command, SampleOptions& options) {
  command
      .add_option("--guidance", options.guidance,
                  "W: away from what --guide or --null_class says, W times as far (1: not at all)")
      ->check(CLI::Range(0.0, 1000.0));
  command.add_option("--guide", options.guide,
                     "autoguidance: a worse MODEL of the same kind, such as an early checkpoint");
  command.add_option("--null_class", options.null_class,
                     "classifier-free guidance: the class that stands for none in the model");
  command
      .add_option("--guidance_interval", options.guidance_interval,
                  "LOW,HIGH: guidance acts only where sigma / alpha is in (LOW, HIGH]")
      ->delimiter(',')
      ->expected(2);
  command
      .add_option("--guidance_rescale", options.guidance_rescale,
                  "0 to 1: how much of the image is scaled back to the unguided one's contrast")
      ->check(CLI::Range(0.0, 1.0));
}

}  // namespace

void RegisterSample(CLI::App& program, std::function<absl::Status()>& action) {
  CLI::App* command =
      program.add_subcommand("sample", "Draw images from a model; also under mpirun or srun");
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
  AddSamplerOptions(*command, options->sampler);
  command->add_option("--seed", options->seed, "image i depends on the seed and i alone")
      ->capture_default_str();
  command->add_option("--weights", options->weights, "of a run: ema (averaged) or raw")
      ->check(CLI::IsMember({"ema", "raw"}))
      ->capture_default_str();
  command->add_option("--class", options->class_label,
                      "class of all images; left out, image i has class i modulo their number");
  AddGuidanceOptions(*command, *options);
  command->add_option(
      "--noise", options->noise,
      "safetensors file whose tensor \"noise\" (count, C, H, W) is the initial noise");
  command->callback([options, &action] {
    action = [options] {
      return RunOnRanks(launch::Purpose::kTool, [&](launch::MpiRuntime& runtime) {
        return SampleOnRank(*options, runtime);
      });
    };
  });
}

}  // namespace langevin::tools
