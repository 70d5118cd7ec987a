#include "tools/scaling_plan.h"

#include <cmath>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "ATen/Parallel.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "core/model/make_network.h"
#include "core/optim/schedule.h"
#include "core/train/gradient_exchange.h"
#include "core/train/run_plan.h"
#include "core/train/run_setup.h"
#include "distributed/flat_sharding.h"
#include "distributed/network_model.h"
#include "tools/bench_report.h"
#include "tools/compute_on_ranks.h"
#include "tools/measure_compute.h"

namespace langevin::tools {
namespace {

using nlohmann::ordered_json;

double Mib(int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

std::string NameOfWay(const configs::DistributedConfig& config) {
  return absl::StrCat(config.reduction == configs::Reduction::kFast ? "FAST" : "ORDERED",
                      ", stage ", config.zero_stage.value_or(0));
}

// The config's own way to distribute, with each reduction and stage.
std::vector<configs::DistributedConfig> AllWays(configs::DistributedConfig config) {
  std::vector<configs::DistributedConfig> ways;
  for (const auto reduction : {configs::Reduction::kOrdered, configs::Reduction::kFast}) {
    for (const int stage : {0, 1}) {
      config.reduction = reduction;
      config.zero_stage = stage;
      ways.push_back(config);
    }
  }
  return ways;
}

absl::StatusOr<std::vector<distributed::Network>> NetworksOf(FileSystem& file_system,
                                                             const ScalingOptions& options) {
  if (!options.collectives.empty()) {
    absl::StatusOr<std::string> text =
        file_system.ReadFile(options.collectives, /*limit=*/16 << 20);
    if (!text.ok()) return absl::InvalidArgumentError(std::string(text.status().message()));
    LANGEVIN_ASSIGN_OR_RETURN(distributed::Network network,
                              distributed::NetworkFromJsonLines(*text, options.collectives));
    return std::vector<distributed::Network>{std::move(network)};
  }
  if (options.network.empty()) return distributed::KnownNetworks();
  LANGEVIN_ASSIGN_OR_RETURN(distributed::Network network,
                            distributed::FindNetwork(options.network));
  return std::vector<distributed::Network>{std::move(network)};
}

// The folder itself, or the nearest above it that is there.
std::string ExistingFolder(FileSystem& file_system, std::string folder) {
  while (!file_system.Exists(folder) && ParentFolder(folder) != folder) {
    folder = ParentFolder(folder);
  }
  return folder;
}

ordered_json BatchJson(const Plan& plan) {
  const train::BatchPlan& batch = plan.batch;
  return {{"ranks", batch.ranks},
          {"global_batch", batch.global_batch},
          {"microbatch", batch.microbatch},
          {"microbatches", batch.microbatches},
          {"accumulation_steps", batch.local_microbatches},
          {"images_per_rank", batch.local_microbatches * batch.microbatch},
          {"steps", plan.config.train.total_images / batch.global_batch}};
}

ordered_json DataJson(const Plan& plan) {
  const data::Dataset& dataset = *plan.dataset;
  const int64_t bytes =
      dataset.size() * dataset.shape().values() * static_cast<int64_t>(SizeOf(dataset.dtype()));
  return {{"images", dataset.size()},
          {"steps_per_epoch", Rounded(static_cast<double>(dataset.size()) /
                                      static_cast<double>(plan.batch.global_batch))},
          {"images_per_rank_and_epoch",
           Rounded(static_cast<double>(dataset.size()) / plan.batch.ranks)},
          {"mib_per_rank_and_epoch", Rounded(Mib(bytes) / plan.batch.ranks)}};
}

absl::StatusOr<ordered_json> CheckpointJson(FileSystem& file_system, const std::string& output,
                                            const Plan& plan, int64_t parameters) {
  // Weights, averages and two moments, fp32.
  const int64_t whole =
      4 * (3 + static_cast<int64_t>(optim::AverageNames(plan.config.ema).size())) * parameters;
  LANGEVIN_ASSIGN_OR_RETURN(const uint64_t free_bytes,
                            file_system.FreeBytes(ExistingFolder(file_system, output)));
  return ordered_json{{"mib", Rounded(Mib(whole))},
                      {"mib_per_rank", Rounded(Mib(whole) / plan.batch.ranks)},
                      {"keep", plan.config.checkpoint.keep},
                      {"fit_on_disk", static_cast<int64_t>(free_bytes) / whole}};
}

ordered_json MemoryJson(const std::vector<train::MemoryPart>& parts,
                        const std::optional<int64_t>& activation_bytes) {
  ordered_json json;
  int64_t total = activation_bytes.value_or(0);
  for (const train::MemoryPart& part : parts) {
    json[part.name] = Rounded(Mib(part.bytes));
    total += part.bytes;
  }
  json["activations, estimated"] = activation_bytes.has_value()
                                       ? ordered_json(Rounded(Mib(*activation_bytes)))
                                       : ordered_json("not measured");
  json["sum"] = Rounded(Mib(total));
  return json;
}

ordered_json TrafficJson(const train::Traffic& traffic, int ranks) {
  ordered_json collectives = ordered_json::array();
  const auto add = [&](const std::string& when, int64_t bucket_bytes,
                       const std::vector<distributed::RecordedCollective>& entries) {
    for (const distributed::RecordedCollective& entry : entries) {
      collectives.push_back({{"when", when},
                             {"bucket_mib", Rounded(Mib(bucket_bytes))},
                             {"kind", distributed::NameOf(entry.kind)},
                             {"bytes", entry.bytes},
                             {"count", entry.count}});
    }
  };
  for (const train::BucketTraffic& bucket : traffic.buckets) {
    add("backward", bucket.bytes, bucket.collectives);
  }
  add("after the update", 0, traffic.after_update);
  return {{"mib_sent_per_rank", Rounded(Mib(traffic.BytesSent(ranks)))},
          {"calls", traffic.CollectiveCount()},
          {"collectives", collectives}};
}

ordered_json TimeJson(const train::StepTime& time, const train::BatchPlan& batch) {
  return {{"step_ms", Rounded(time.step_s * 1e3)},
          {"communication_ms", Rounded(time.communication_s * 1e3)},
          {"exposed_ms", Rounded(time.exposed_s * 1e3)},
          {"images_per_s", Rounded(static_cast<double>(batch.global_batch) / time.step_s)},
          {"efficiency", std::round(time.efficiency * 1000) / 1000}};
}

std::string Text(const ordered_json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

void PrintGroup(const std::string& name, const ordered_json& group) {
  absl::PrintF("%s\n", name);
  for (const auto& [key, value] : group.items()) absl::PrintF("  %-26s %s\n", key, Text(value));
}

void PrintText(const ordered_json& plan) {
  PrintGroup("batch", plan["batch"]);
  PrintGroup("data", plan["data"]);
  PrintGroup("checkpoint", plan["checkpoint"]);
  PrintGroup("compute", plan["compute"]);
  for (const ordered_json& way : plan["distributions"]) {
    absl::PrintF("%s%s\n", way["name"].get<std::string>(),
                 way["configured"].get<bool>() ? " (this config)" : "");
    absl::PrintF("  memory of a rank, MiB: ");
    const char* separator = "";
    for (const auto& [key, value] : way["memory_mib"].items()) {
      absl::PrintF("%s%s %s", separator, key == "sum" ? "in all" : key, Text(value));
      separator = ", ";
    }
    absl::PrintF("\n  a step: %s calls, %s MiB leave each rank\n", Text(way["traffic"]["calls"]),
                 Text(way["traffic"]["mib_sent_per_rank"]));
    if (way["configured"].get<bool>()) {
      for (const ordered_json& entry : way["traffic"]["collectives"]) {
        absl::PrintF("    %s: %s x %s of %s bytes\n", Text(entry["when"]), Text(entry["count"]),
                     Text(entry["kind"]), Text(entry["bytes"]));
      }
    }
    for (const auto& [network, time] : way["time"].items()) {
      absl::PrintF("  %-12s step %s ms, exposed %s of %s ms, %s images/s, efficiency %s\n", network,
                   Text(time["step_ms"]), Text(time["exposed_ms"]), Text(time["communication_ms"]),
                   Text(time["images_per_s"]), Text(time["efficiency"]));
    }
  }
  PrintGroup("networks", plan["networks"]);
}

}  // namespace

absl::Status PrintScalingPlan(FileSystem& file_system, const ScalingOptions& options,
                              const std::string& output, const Plan& plan,
                              launch::MpiRuntime& runtime) {
  if (runtime.size() > 1) {
    return absl::InvalidArgumentError("--ranks plans for other ranks: start it without mpirun");
  }
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<distributed::Network> networks,
                            NetworksOf(file_system, options));
  const configs::RunConfig& config = plan.config;
  const std::unique_ptr<model::Network> network = model::MakeNetwork(
      config, config.train.precision, at::kMeta, train::TrainableMultiple(plan.batch.ranks));
  const model::ParameterStore& store = network->parameters();
  const int64_t parameters = store.num_parameters();

  MeasuredCompute compute;
  if (options.microbatch_ms.has_value()) {
    compute.times = {*options.microbatch_ms * 1e-3, options.optimizer_ms * 1e-3};
  } else {
    LANGEVIN_ASSIGN_OR_RETURN(const at::Device device,
                              ChooseDevice(runtime, config.distributed.backend));
    compute = MeasureCompute(config, device);
  }
  std::optional<int64_t> activations;
  if (compute.activation_bytes > 0) activations = compute.activation_bytes;

  ordered_json json = {{"plan", "train"}, {"batch", BatchJson(plan)}, {"data", DataJson(plan)}};
  LANGEVIN_ASSIGN_OR_RETURN(json["checkpoint"],
                            CheckpointJson(file_system, output, plan, parameters));
  json["compute"] = {
      {"parameters", parameters},
      {"microbatch_ms", Rounded(compute.times.microbatch_s * 1e3)},
      {"optimizer_ms", Rounded(compute.times.optimizer_s * 1e3)},
      {"origin", options.microbatch_ms.has_value()
                     ? "as given"
                     : absl::StrCat("measured here with ", at::get_num_threads(), " threads")}};
  json["distributions"] = ordered_json::array();
  // Networks of nodes with GPUs, or the host's own.
  const at::DeviceType device = networks.front().uses_compute_cores ? at::kCPU : at::kMeta;
  configs::DistributedConfig configured = config.distributed;
  configured.zero_stage =
      train::ZeroStageOf(config, plan.batch.ranks, configured.overlap.value_or(device != at::kCPU));
  for (const configs::DistributedConfig& way : AllWays(configured)) {
    LANGEVIN_ASSIGN_OR_RETURN(const train::Traffic traffic,
                              train::TrafficOfStep(store, way, plan.batch, device));
    ordered_json times;
    for (const distributed::Network& link : networks) {
      times[link.name] =
          TimeJson(train::PredictStep(compute.times, *way.zero_stage, plan.batch, traffic, link),
                   plan.batch);
    }
    const std::vector<train::MemoryPart> memory = train::MemoryOfRank(
        store, way, plan.batch, static_cast<int64_t>(optim::AverageNames(config.ema).size()),
        distributed::PieceElements(device));
    json["distributions"].push_back({{"name", NameOfWay(way)},
                                     {"configured", NameOfWay(way) == NameOfWay(configured)},
                                     {"memory_mib", MemoryJson(memory, activations)},
                                     {"traffic", TrafficJson(traffic, plan.batch.ranks)},
                                     {"time", times}});
  }
  for (const distributed::Network& link : networks) {
    json["networks"][link.name] = link.description;
  }
  if (options.json) {
    PrintJsonLine(json);
  } else {
    PrintText(json);
  }
  return absl::OkStatus();
}

}  // namespace langevin::tools
