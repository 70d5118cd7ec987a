// What `langevin train` is going to do: found out and checked before anything is written.
#ifndef LANGEVIN_TOOLS_TRAIN_PLAN_H_
#define LANGEVIN_TOOLS_TRAIN_PLAN_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "configs/run_config.h"
#include "core/base/file_system.h"
#include "core/export/model_folder.h"
#include "core/train/batch_plan.h"
#include "data/dataset.h"
#include "data/order.h"
#include "launch/mpi_runtime.h"

namespace langevin::tools {

// The flags of `langevin train`.
struct TrainOptions {
  std::string config;
  std::string data;
  std::string output;
  std::string init;
  std::string resume = "auto";
  std::vector<std::string> overrides;
  bool dry_run = false;
};

struct Plan {
  configs::RunConfig config;  // Resolved: with all that the data set and --init decide.
  std::unique_ptr<data::Dataset> dataset;  // Of --data and data.mix.
  std::unique_ptr<data::Order> order;
  std::optional<exporting::ModelFolder> init;  // Of --init.
  train::BatchPlan batch;
  int zero_stage = 0;  // That all ranks have agreed on (train::ZeroStageOf).
};

// Reads config, data set and --init, and checks them against each other and against what is in the
// run folder. InvalidArgument, NotFound or DataLoss with the file and the remedy.
absl::StatusOr<Plan> MakePlan(FileSystem& file_system, const TrainOptions& options, int rank,
                              int ranks);

// Names and values for a person: the head of the log and of the report.
using Table = std::vector<std::pair<std::string, std::string>>;
Table DescribeRun(const TrainOptions& options, const Plan& plan, const launch::MpiRuntime& runtime,
                  const at::Device& device, int64_t num_parameters);

}  // namespace langevin::tools

#endif  // LANGEVIN_TOOLS_TRAIN_PLAN_H_
