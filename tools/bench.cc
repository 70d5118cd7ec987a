#include "tools/bench.h"

#include <memory>

#include "launch/tensor_subcommands.h"
#include "tools/bench_collectives.h"
#include "tools/bench_loader.h"
#include "tools/bench_step.h"
#include "tools/compute_on_ranks.h"

namespace langevin::tools {
namespace {

// Sets `action` to `run(options, runtime)` on every rank once `command` was parsed.
template <typename Options>
void RunWhenParsed(CLI::App* command, std::function<absl::Status()>& action,
                   const std::shared_ptr<Options>& options,
                   absl::Status (*run)(const Options&, launch::MpiRuntime&)) {
  command->callback([options, run, &action] {
    action = [options, run] {
      return ComputeOnRanks(launch::Purpose::kTool,
                            [&](launch::MpiRuntime& runtime) { return run(*options, runtime); });
    };
  });
}

void AddStepOptions(CLI::App* command, StepBenchOptions& options) {
  command->add_option("--work", options.work, "folder for the benchmark's files")->required();
  command
      ->add_option("--unet", options.unet,
                   "config.json of a UNet2DModel, DiTTransformer2DModel or LangevinEdm2UNet")
      ->required();
  command->add_option("--batch", options.batch, "images per rank and step")->capture_default_str();
  command->add_option("--precision", options.precision, "fp32 or bf16")
      ->check(CLI::IsMember({"fp32", "bf16"}))
      ->capture_default_str();
  command->add_option("--threads", options.threads, "compute threads a rank; 0: this rank's cores")
      ->capture_default_str();
  command->add_option("--reduction", options.reduction, "ordered or fast")
      ->check(CLI::IsMember({"ordered", "fast"}))
      ->capture_default_str();
  command
      ->add_option("--set", options.overrides,
                   "replace a field of the run config, as in distributed.zero_stage=1")
      ->type_name("FIELD=VALUE")
      ->take_all();
}

void RegisterStep(CLI::App* bench, std::function<absl::Status()>& action) {
  CLI::App* command = bench->add_subcommand(
      "step", "The whole training step, with the keys of tests/bench/peer_train.py");
  auto options = std::make_shared<StepBenchOptions>();
  AddStepOptions(command, *options);
  command->add_option("--steps", options->steps, "steps that are timed")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  command->add_option("--warmup", options->warmup, "steps before these, after the first one")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  command->add_flag("--step_ends", options->step_ends,
                    "also print when each step ended, for tests/bench/compare_ddp.py");
  RunWhenParsed(command, action, options, &BenchStep);
}

void RegisterStartup(CLI::App* bench, std::function<absl::Status()>& action) {
  CLI::App* command =
      bench->add_subcommand("startup", "How long it takes until the first step is done");
  auto options = std::make_shared<StepBenchOptions>();
  AddStepOptions(command, *options);
  RunWhenParsed(command, action, options, &BenchStartup);
}

void RegisterCollectives(CLI::App* bench, std::function<absl::Status()>& action) {
  CLI::App* command = bench->add_subcommand(
      "collectives", "Collectives of several sizes, and the latency and bandwidth that fit them");
  auto options = std::make_shared<CollectivesBenchOptions>();
  command->add_option("--work", options->work, "accepted as everywhere; no files are written");
  command->add_option("--min_bytes", options->min_bytes, "smallest size")
      ->check(CLI::Range(int64_t{4}, int64_t{1} << 40))
      ->capture_default_str();
  command->add_option("--max_bytes", options->max_bytes, "largest size; each is 4 times the last")
      ->check(CLI::Range(int64_t{4}, int64_t{1} << 40))
      ->capture_default_str();
  command->add_option("--repetitions", options->repetitions, "of each, of which the median counts")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  RunWhenParsed(command, action, options, &BenchCollectives);
}

void RegisterLoader(CLI::App* bench, std::function<absl::Status()>& action) {
  CLI::App* command = bench->add_subcommand(
      "loader", "From files to batches, with the keys of tests/bench/peer_loader.py");
  auto options = std::make_shared<LoaderBenchOptions>();
  command->add_option("--work", options->work, "folder for the benchmark's files; they stay")
      ->required();
  command->add_option("--side", options->side, "height and width of the images")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command->add_option("--count", options->count, "images")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 32))
      ->capture_default_str();
  command->add_option("--batch", options->batch, "images in each batch")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command->add_option("--threads", options->threads, "loader threads")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  command->add_option("--epochs", options->epochs, "passes that are timed; the median counts")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_option("--layout", options->layout, "of the shards: plain or compressed")
      ->check(CLI::IsMember({"plain", "compressed"}))
      ->capture_default_str();
  command->add_option("--order", options->order, "of the images: sample or block")
      ->check(CLI::IsMember({"sample", "block"}))
      ->capture_default_str();
  command->add_option("--images", options->images,
                      "take the images from this file of raw bytes (count, side, side, 3)");
  RunWhenParsed(command, action, options, &BenchLoader);
}

}  // namespace

void RegisterBench(CLI::App& program, std::function<absl::Status()>& action) {
  CLI::App* bench = program.add_subcommand(launch::kBench.name, launch::kBench.description);
  bench->require_subcommand(1);
  RegisterStep(bench, action);
  RegisterLoader(bench, action);
  RegisterCollectives(bench, action);
  RegisterStartup(bench, action);
}

}  // namespace langevin::tools
