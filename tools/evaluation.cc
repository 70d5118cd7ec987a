#include "tools/evaluation.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ATen/ATen.h"
#include "ATen/Parallel.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/status_macros.h"
#include "core/export/model_source.h"
#include "core/metrics/extract_together.h"
#include "core/metrics/features.h"
#include "core/metrics/metric_set.h"
#include "core/train/sample_grid.h"
#include "distributed/agreement.h"
#include "tools/compute_on_ranks.h"
#include "tools/evaluate_folder.h"
#include "tools/evaluate_likelihood.h"
#include "tools/evaluate_results.h"
#include "tools/evaluate_sources.h"
#include "tools/progress_line.h"

namespace langevin::tools {
namespace {

constexpr int64_t kDefaultCount = 1000;
constexpr int64_t kReplicates = 200;

// How long a rank may be silent, and how long one may wait for another that is alive.
constexpr double kRankSilenceSeconds = 60;
constexpr double kLongestWaitSeconds = 24 * 3600;

// One evaluation on one rank. All ranks go through Prepare (and agree on how that ended), Run and
// Finish together.
class Evaluation {
 public:
  Evaluation(const EvaluateOptions& options, launch::MpiRuntime& runtime, const at::Device& device)
      : options_(options), runtime_(runtime), device_(device) {}

  // Opens everything and checks all that can be wrong before something is computed.
  absl::Status Prepare() {
    if (runtime_.rank() == 0) {
      LANGEVIN_RETURN_IF_ERROR(CheckEvaluationFolder(file_system_, options_.output));
    }
    LANGEVIN_RETURN_IF_ERROR(OpenData());
    const metrics::ImageSize size = reference_->size();
    LANGEVIN_ASSIGN_OR_RETURN(
        extractor_,
        options_.features.empty()
            ? metrics::MakePixelFeatures(size)
            : metrics::LoadFeatureModule(file_system_, options_.features, size, device_));
    results_.features = extractor_->info();
    LANGEVIN_RETURN_IF_ERROR(options_.model.empty() ? OpenSamples() : OpenSampledModel());
    LANGEVIN_RETURN_IF_ERROR(ChooseMetrics());
    LANGEVIN_RETURN_IF_ERROR(
        metrics::CheckImageCounts(names_, results_.count, results_.references));
    PlanFloor();
    return absl::OkStatus();
  }

  absl::Status Run(distributed::Communicator& communicator) {
    if (model_.has_value()) LANGEVIN_RETURN_IF_ERROR(Sample(communicator));
    LANGEVIN_RETURN_IF_ERROR(RoundSamples());
    LANGEVIN_RETURN_IF_ERROR(ExtractAll(communicator));
    return names_.contains("bits_per_dim") ? MeasureLikelihood(communicator) : absl::OkStatus();
  }

  // On rank 0: computes the metrics and writes the folder.
  absl::Status Finish() {
    const int threads = runtime_.ComputeThreads(0);
    const auto tell = [](const std::string& step) {
      LogStatusLine(absl::StrCat("computing ", step));
    };
    results_.table = metrics::ComputeMetrics(
        names_, sets_, {.seed = options_.seed, .replicates = kReplicates}, threads, tell);
    LogStatusLine("");
    AddLikelihood();
    NoteCopies();
    return WriteEvaluationFolder(file_system_, options_.output, results_, samples_, *reference_,
                                 *training_);
  }

  const EvaluationResults& results() const { return results_; }

 private:
  absl::Status OpenData() {
    LANGEVIN_ASSIGN_OR_RETURN(training_,
                              RealImages::Open(file_system_, options_.data, data::Split::kTrain));
    auto held_out = RealImages::Open(file_system_, options_.data, data::Split::kValidation);
    if (held_out.ok()) {
      held_out_ = *std::move(held_out);
    } else if (held_out.status().code() != absl::StatusCode::kNotFound) {
      return held_out.status();
    } else if (options_.split == "validation") {
      return absl::NotFoundError(absl::StrCat(
          options_.data,
          ": has no validation split to compare with; give --split train, or prepare the data with "
          "--validation_fraction"));
    }
    compares_with_training_ = options_.split == "train";
    reference_ = compares_with_training_ ? training_.get() : held_out_.get();
    results_.data = options_.data;
    results_.fingerprint = training_->dataset().fingerprint();
    results_.split = options_.split;
    results_.references = reference_->dataset().size();
    results_.seed = options_.seed;
    results_.replicates = kReplicates;
    return absl::OkStatus();
  }

  absl::Status OpenSamples() {
    LANGEVIN_ASSIGN_OR_RETURN(
        SampledImages images,
        ReadSamples(file_system_, options_.samples, reference_->size(), options_.count));
    samples_ = images.samples;
    results_.count = samples_.size(0);
    results_.origin = {.path = options_.samples, .checksum = images.checksum};
    return absl::OkStatus();
  }

  absl::Status OpenSampledModel() {
    LANGEVIN_ASSIGN_OR_RETURN(
        model_, exporting::OpenModel(
                    file_system_, options_.model,
                    options_.weights == "raw" ? exporting::Weights::kRaw : exporting::Weights::kEma,
                    device_));
    LANGEVIN_ASSIGN_OR_RETURN(request_,
                              MakeEvaluationRequest(*model_, reference_->dataset(), options_.seed));
    const std::string sampler =
        options_.sampler.empty() ? diffusion::DefaultSampler(model_->scheduler) : options_.sampler;
    const int64_t steps =
        options_.steps.value_or(diffusion::DefaultSteps(sampler, model_->scheduler));
    LANGEVIN_ASSIGN_OR_RETURN(sampler_,
                              diffusion::MakeSampler(options_.sampler, steps, model_->scheduler));
    results_.count = options_.count.value_or(kDefaultCount);
    results_.origin = {
        .is_model = true, .path = model_->origin, .sampler = sampler, .steps = steps};
    for (const auto& [name, value] : model_->facts) {
      if (name == "weights") results_.origin.weights = value;
      if (name == "images_seen") results_.origin.images_seen = value;
      if (name == "data_fingerprint" && value != results_.fingerprint) {
        results_.notes.push_back(
            "the model was trained on other data than it is compared with here (another "
            "fingerprint)");
      }
    }
    return absl::OkStatus();
  }

  // All metrics, or those that were asked for, which must be possible then.
  absl::Status ChooseMetrics() {
    names_ = {options_.metrics.begin(), options_.metrics.end()};
    for (const metrics::MetricInfo& metric : metrics::KnownMetrics()) {
      if (!options_.metrics.empty() && !names_.contains(metric.name)) continue;
      if (metric.is_of_model) {
        if (!options_.metrics.empty()) LANGEVIN_RETURN_IF_ERROR(PlanLikelihood());
        continue;
      }
      std::string obstacle;
      if (metric.needs_logits && results_.features.classes == 0) {
        obstacle = absl::StrCat(metric.name,
                                " needs logits: give --features a module of a classifier that "
                                "returns (features, logits)");
      } else if (metric.needs_training && held_out_ == nullptr) {
        obstacle = absl::StrCat(metric.name, " needs held-out images, and ", options_.data,
                                " has no validation split; prepare it with --validation_fraction");
      }
      if (obstacle.empty()) {
        names_.insert(metric.name);
      } else if (!options_.metrics.empty()) {
        return absl::InvalidArgumentError(obstacle);
      } else {
        results_.notes.push_back(absl::StrCat("left out: ", obstacle));
      }
    }
    if (results_.features.are_pixels) {
      results_.notes.push_back(
          "compared by pixels, not by a network's features: good for following one model, not to "
          "be held against FID and its like anywhere else; --features gives a network");
    }
    const int64_t least = std::min(results_.count, results_.references);
    if (names_.contains("fid") && least <= results_.features.dimension) {
      results_.notes.push_back(absl::StrCat(
          "fid of ", least, " images by ", results_.features.dimension,
          " features is mostly a matter of their number: covariances need more images than "
          "features"));
    }
    needs_all_ = std::any_of(
        metrics::KnownMetrics().begin(), metrics::KnownMetrics().end(),
        [&](const auto& metric) { return metric.needs_training && names_.contains(metric.name); });
    return absl::OkStatus();
  }

  // Which real images take the samples' place for the floor: as many of the other split, or, where
  // there is none, of one half of the training images, compared with the other half.
  void PlanFloor() {
    if (held_out_ != nullptr) {
      const RealImages& other = compares_with_training_ ? *held_out_ : *training_;
      floor_ = other.Choose(results_.count, options_.seed);
      results_.floor =
          absl::StrCat(floor_.size(), " images of split ",
                       compares_with_training_ ? "validation" : "train", " in the samples' place");
    } else if (const int64_t images = training_->dataset().size(); images >= 2) {
      floor_ = training_->Choose(images, options_.seed);
      floor_rest_.assign(floor_.begin() + images / 2, floor_.end());
      floor_.resize(static_cast<size_t>(std::min(results_.count, images / 2)));
      results_.floor =
          absl::StrCat(floor_.size(), " training images in the samples' place, against ",
                       floor_rest_.size(), " other training images");
    }
    results_.floor_images = static_cast<int64_t>(floor_.size());
  }

  absl::Status Sample(distributed::Communicator& communicator) {
    runtime_.control().SetPhase("sample", 0);
    ProgressLine progress(absl::StrCat(results_.count, " samples"));
    LANGEVIN_ASSIGN_OR_RETURN(
        samples_, train::SampleTogether(
                      communicator, *model_->network, device_, *sampler_, request_, results_.count,
                      [&](int64_t done, int64_t total) { progress.Show(done, total); }));
    return absl::OkStatus();
  }

  absl::Status PlanLikelihood() {
    if (!model_.has_value()) {
      return absl::InvalidArgumentError(
          "bits_per_dim is of a model, not of samples; give --model in place of --samples");
    }
    likelihood_ = {
        .method = options_.likelihood, .terms = options_.likelihood_terms, .seed = options_.seed};
    return CheckLikelihood(*model_, reference_->dataset(), likelihood_);
  }

  absl::Status MeasureLikelihood(distributed::Communicator& communicator) {
    runtime_.control().SetPhase("likelihood", 0);
    const std::vector<int64_t> images =
        reference_->Choose(options_.likelihood_images, options_.seed);
    ProgressLine progress(absl::StrCat("bits of ", images.size(), " images"));
    LANGEVIN_ASSIGN_OR_RETURN(
        bits_, MeasureBitsPerDim(communicator, *model_, device_, *reference_, images, likelihood_,
                                 [&](int64_t done, int64_t total) { progress.Show(done, total); }));
    return absl::OkStatus();
  }

  void AddLikelihood() {
    if (!bits_.has_value()) return;
    const double count = static_cast<double>(bits_->by_image.size());
    double sum = 0, squares = 0;
    for (const double bits : bits_->by_image) sum += bits;
    const double mean = sum / count;
    for (const double bits : bits_->by_image) squares += (bits - mean) * (bits - mean);
    // Of a mean of so many images.
    const double error = count > 1 ? std::sqrt(squares / (count - 1) / count) : 0;
    results_.table.values.push_back(
        {.name = "bits_per_dim",
         .estimate = {.value = mean, .low = mean - 1.96 * error, .high = mean + 1.96 * error},
         .less_is_better = true});
    results_.likelihood_images = static_cast<int64_t>(bits_->by_image.size());
    results_.likelihood_method = bits_->method;
    results_.bits_by_image = bits_->by_image;
    results_.bits_by_time = bits_->by_time;
  }

  absl::Status RoundSamples() {
    const at::Tensor finite = at::isfinite(samples_).flatten(1).all(1).logical_not().nonzero();
    if (finite.size(0) > 0) {
      return absl::DataLossError(absl::StrCat(
          results_.origin.path, ": sample ", finite[0][0].item<int64_t>(),
          " has numbers that are not finite; the model has diverged, take an earlier checkpoint"));
    }
    RoundToStored(reference_->dataset(),
                  {samples_.data_ptr<float>(), static_cast<size_t>(samples_.numel())});
    return absl::OkStatus();
  }

  // Features of `images` images of a split: all, or those of `chosen`.
  absl::StatusOr<metrics::Features> ExtractReal(distributed::Communicator& communicator,
                                                RealImages& images,
                                                const std::vector<int64_t>* chosen,
                                                const std::string& split) {
    const int64_t count =
        chosen != nullptr ? static_cast<int64_t>(chosen->size()) : images.dataset().size();
    ProgressLine progress(absl::StrCat("features of ", count, " images of split ", split));
    return metrics::ExtractTogether(
        communicator, *extractor_, images.size(), device_, count,
        [&](int64_t index, std::span<float> image) {
          return images.Read(chosen != nullptr ? (*chosen)[static_cast<size_t>(index)] : index,
                             image);
        },
        [&](int64_t done) { progress.Show(done, count); });
  }

  absl::Status ExtractAll(distributed::Communicator& communicator) {
    runtime_.control().SetPhase("features", 0);
    const int64_t values = reference_->size().values();
    {
      ProgressLine progress(absl::StrCat("features of ", results_.count, " samples"));
      LANGEVIN_ASSIGN_OR_RETURN(
          sets_.samples, metrics::ExtractTogether(
                             communicator, *extractor_, reference_->size(), device_, results_.count,
                             [&](int64_t index, std::span<float> image) {
                               const float* const sample =
                                   samples_.data_ptr<float>() + index * values;
                               std::copy(sample, sample + values, image.begin());
                               return absl::OkStatus();
                             },
                             [&](int64_t done) { progress.Show(done, results_.count); }));
    }
    LANGEVIN_ASSIGN_OR_RETURN(const metrics::Features reference,
                              ExtractReal(communicator, *reference_, nullptr, options_.split));
    sets_.reference = reference.values;
    metrics::Features other;
    if (held_out_ != nullptr) {
      LANGEVIN_ASSIGN_OR_RETURN(
          other, ExtractReal(communicator, compares_with_training_ ? *held_out_ : *training_,
                             needs_all_ ? nullptr : &floor_,
                             compares_with_training_ ? "validation" : "train"));
    }
    if (runtime_.rank() == 0) AssignSets(reference, other);
    return absl::OkStatus();
  }

  void AssignSets(const metrics::Features& reference, const metrics::Features& other) {
    const auto rows = [](const metrics::Features& features, const std::vector<int64_t>& chosen) {
      const at::Tensor indices = at::tensor(chosen, at::kLong);
      return metrics::Features{
          features.values.index_select(0, indices),
          features.logits.defined() ? features.logits.index_select(0, indices) : at::Tensor()};
    };
    if (held_out_ == nullptr) {
      if (floor_.empty()) return;
      sets_.floor_samples = rows(reference, floor_);
      sets_.floor_reference = rows(reference, floor_rest_).values;
      return;
    }
    sets_.floor_samples = needs_all_ ? rows(other, floor_) : other;
    sets_.floor_reference = reference.values;
    sets_.training = compares_with_training_ ? reference.values : other.values;
    sets_.held_out = compares_with_training_ ? other.values : reference.values;
  }

  // Copies of training images among the held-out ones hide copies among the samples.
  void NoteCopies() {
    const std::optional<metrics::Memorisation>& memorisation = results_.table.memorisation;
    if (!memorisation.has_value() || memorisation->threshold > 0) return;
    results_.notes.push_back(
        "at least 1 % of the held-out images are copies of training images, by these features: "
        "nearest_neighbour_share cannot tell copies among the samples then; prepare the data "
        "without duplicates");
  }

  const EvaluateOptions& options_;
  launch::MpiRuntime& runtime_;
  const at::Device device_;
  FileSystem& file_system_ = PosixFileSystem();

  std::unique_ptr<RealImages> training_;
  std::unique_ptr<RealImages> held_out_;  // Null where the data set has no validation split.
  RealImages* reference_ = nullptr;       // One of the two.
  bool compares_with_training_ = false;
  bool needs_all_ = false;  // Features of both splits, not of those chosen for the floor alone.
  std::unique_ptr<metrics::FeatureExtractor> extractor_;
  std::set<std::string> names_;  // Of the metrics to compute.

  std::optional<exporting::Model> model_;  // Not set: samples come from a folder.
  diffusion::SamplingRequest request_;
  std::unique_ptr<diffusion::Sampler> sampler_;
  at::Tensor samples_;
  LikelihoodOptions likelihood_;
  std::optional<BitsPerDim> bits_;

  std::vector<int64_t> floor_;       // Real images in the samples' place.
  std::vector<int64_t> floor_rest_;  // What they are compared with, where there is no other split.
  metrics::EvaluatedSets sets_;
  EvaluationResults results_;
};

}  // namespace

absl::Status EvaluateOnRank(const EvaluateOptions& options, launch::MpiRuntime& runtime) {
  at::set_num_threads(runtime.ComputeThreads(0));
  LANGEVIN_ASSIGN_OR_RETURN(const at::Device device,
                            ChooseDevice(runtime, configs::Backend::kAuto));
  const double begin = MonotonicSeconds();
  Evaluation evaluation(options, runtime, device);
  LANGEVIN_RETURN_IF_ERROR(distributed::AgreeOnStatus(runtime.control(), evaluation.Prepare()));

  // Each rank samples its whole share before it meets the others, and rank 0 alone computes the
  // metrics.
  runtime.SetDeadlines(kRankSilenceSeconds, kLongestWaitSeconds);
  LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<distributed::Communicator> communicator,
                            launch::MakeCommunicator(runtime, launch::CommunicatorKind::kAuto,
                                                     device.is_cuda(), kLongestWaitSeconds));
  LANGEVIN_RETURN_IF_ERROR(evaluation.Run(*communicator));
  runtime.control().SetPhase("metrics", 0);
  absl::Status finished;
  if (runtime.rank() == 0) finished = evaluation.Finish();
  LANGEVIN_RETURN_IF_ERROR(distributed::AgreeOnStatus(runtime.control(), finished));
  for (const std::string& note : evaluation.results().notes) LogInfo("note: %s", note);
  LogInfo("evaluated %s in %s", evaluation.results().origin.path,
          FormatDuration(MonotonicSeconds() - begin));
  if (runtime.rank() == 0) {
    absl::PrintF("%s\n%s\n", ResultsText(evaluation.results()),
                 JoinPath(options.output, "report.html"));
  }
  return communicator->Shutdown();
}

}  // namespace langevin::tools
