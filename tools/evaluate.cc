#include "tools/evaluate.h"

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/metrics/metric_set.h"
#include "launch/tensor_subcommands.h"
#include "tools/compute_on_ranks.h"
#include "tools/evaluation.h"

namespace langevin::tools {

void RegisterEvaluate(CLI::App& program, std::function<absl::Status()>& action) {
  CLI::App* command = program.add_subcommand(launch::kEvaluate.name, launch::kEvaluate.description);
  auto options = std::make_shared<EvaluateOptions>();
  CLI::Option_group* images = command->add_option_group("images", "What to evaluate (one of)");
  CLI::Option* model = images->add_option("--model", options->model,
                                          "a run, one of its checkpoints, or a diffusers folder");
  images->add_option("--samples", options->samples, "a folder that langevin sample wrote");
  images->require_option(1);
  command->add_option("--data", options->data, "the data set it was trained on")->required();
  command->add_option("--output", options->output, "folder for metrics.json and report.html")
      ->required();
  command->add_option(
      "--features", options->features,
      "TorchScript file of a network, (N, C, H, W) -> (N, D) features or a tuple (features, "
      "logits); left out, images are compared by their pixels");
  command
      ->add_option(
          "--metrics", options->metrics,
          absl::StrCat("of ", metrics::KnownMetricNames(), "; left out, all but bits_per_dim"))
      ->delimiter(',')
      ->check(CLI::Validator(
          [](const std::string& name) {
            return metrics::FindMetric(name) != nullptr
                       ? std::string()
                       : absl::StrCat("there is no metric \"", name, "\"; there are ",
                                      metrics::KnownMetricNames());
          },
          "NAME,..."));
  command->add_option("--split", options->split, "of the data set, to compare with")
      ->check(CLI::IsMember({"validation", "train"}))
      ->capture_default_str();
  command
      ->add_option("--count", options->count,
                   "how many samples (default 1000, or all of --samples)")
      ->check(CLI::Range(int64_t{1}, int64_t{10000000}));
  command->add_option("--sampler", options->sampler, "as for langevin sample")->needs(model);
  command->add_option("--steps", options->steps, "sampler steps (default 50)")
      ->check(CLI::Range(int64_t{1}, int64_t{1000000}))
      ->needs(model);
  command->add_option("--weights", options->weights, "of a run: ema (averaged) or raw")
      ->check(CLI::IsMember({"ema", "raw"}))
      ->capture_default_str()
      ->needs(model);
  command
      ->add_option("--likelihood", options->likelihood,
                   "for bits_per_dim: bound (the variational bound, of models with time steps; "
                   "their default) or flow (the probability flow's density)")
      ->check(CLI::IsMember({"bound", "flow"}))
      ->needs(model);
  command
      ->add_option("--likelihood_images", options->likelihood_images,
                   "for bits_per_dim: how many images of the split, chosen by the seed")
      ->check(CLI::Range(int64_t{2}, int64_t{100000000}))
      ->capture_default_str()
      ->needs(model);
  command
      ->add_option("--likelihood_terms", options->likelihood_terms,
                   "for bits_per_dim by bound: how many of its terms to compute, an estimate "
                   "without bias; 0: all time steps")
      ->check(CLI::Range(int64_t{0}, int64_t{1000000}))
      ->capture_default_str()
      ->needs(model);
  command
      ->add_option("--seed", options->seed,
                   "of the samples, of the images chosen for the floor, and of the intervals")
      ->capture_default_str();
  command->callback([options, &action] {
    action = [options] {
      return ComputeOnRanks(launch::Purpose::kTool, [&](launch::MpiRuntime& runtime) {
        return EvaluateOnRank(*options, runtime);
      });
    };
  });
}

}  // namespace langevin::tools
