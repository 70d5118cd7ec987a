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

constexpr int64_t kDefaultSteps = 50;

// How long a rank may be silent, and how long one may wait for another that is alive.
constexpr double kSilenceSeconds = 60;
constexpr double kLongestShareSeconds = 24 * 3600;

struct SampleOptions {
  std::string model;
  std::string output;
  int64_t count = 16;
  std::string sampler;
  std::optional<int64_t> steps;  // Not set: kDefaultSteps, or all that a shorter process has.
  uint64_t seed = 0;
  std::string weights = "ema";
  std::optional<int64_t> class_label;
  std::optional<double> guidance;
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
  if (model.out_channels() != model.in_channels()) {
    return absl::InvalidArgumentError(absl::StrCat(
        options.model, ": has out_channels ", model.out_channels(), " and in_channels ",
        model.in_channels(), "; sample takes networks whose output is an image alone"));
  }
  if (options.guidance.has_value()) {
    return absl::FailedPreconditionError(absl::StrCat(
        options.model,
        model.null_class().has_value()
            ? ": --guidance is not there yet; leave it out"
            : ": --guidance needs a model that was trained with label dropout, and this one has no "
              "null label; leave --guidance out"));
  }
  diffusion::SamplingRequest request{.seed = options.seed,
                                     .channels = model.in_channels(),
                                     .height = size->height,
                                     .width = size->width,
                                     .class_of = {},
                                     .initial_noise = {}};
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

absl::Status SampleOnRank(const SampleOptions& options, launch::MpiRuntime& runtime) {
  FileSystem& file_system = PosixFileSystem();
  at::set_num_threads(runtime.ComputeThreads(0));
  LANGEVIN_ASSIGN_OR_RETURN(const at::Device device,
                            ChooseDevice(runtime, configs::Backend::kAuto));
  absl::StatusOr<exporting::Model> model = absl::UnknownError("");
  absl::StatusOr<diffusion::SamplingRequest> request = absl::UnknownError("");
  absl::StatusOr<std::unique_ptr<diffusion::Sampler>> sampler = absl::UnknownError("");
  std::optional<Intensities> intensities;
  const absl::Status ready = [&]() -> absl::Status {
    if (runtime.rank() == 0) LANGEVIN_RETURN_IF_ERROR(CheckOutput(file_system, options.output));
    model = exporting::OpenModel(
        file_system, options.model,
        options.weights == "raw" ? exporting::Weights::kRaw : exporting::Weights::kEma, device);
    if (!model.ok()) return model.status();
    const absl::StatusOr<std::optional<Intensities>> known = IntensitiesFrom(model->facts);
    if (!known.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(model->origin, ": ", known.status().message(), "; export it again"));
    }
    intensities = *known;
    request = MakeRequest(file_system, options, model->config);
    if (!request.ok()) return request.status();
    const int64_t steps =
        options.steps.value_or(std::min(kDefaultSteps, model->scheduler.num_train_timesteps));
    sampler = diffusion::MakeSampler(options.sampler, steps, model->scheduler);
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
  LogInfo("%d samples of %s in %s", options.count, model->origin,
          FormatDuration(MonotonicSeconds() - begin));
  if (runtime.rank() == 0) absl::PrintF("%s\n", JoinPath(options.output, "grid.png"));
  return communicator->Shutdown();
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
  command->add_option("--sampler", options->sampler, "ddim (default) or ddpm");
  command->add_option("--steps", options->steps, "sampler steps (default 50)")
      ->check(CLI::Range(int64_t{1}, int64_t{1000000}));
  command->add_option("--seed", options->seed, "image i depends on the seed and i alone")
      ->capture_default_str();
  command->add_option("--weights", options->weights, "of a run: ema (averaged) or raw")
      ->check(CLI::IsMember({"ema", "raw"}))
      ->capture_default_str();
  command->add_option("--class", options->class_label,
                      "class of all images; left out, image i has class i modulo their number");
  command->add_option("--guidance", options->guidance, "scale of classifier-free guidance");
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
