// What a run is, as plain values: seed, model, diffusion, data, optimizer, averages, schedule.
//
// Fields and defaults are those of run_config.proto, which documents them. A RunConfig that came
// from LoadRunConfig is valid: all values in range, and together possible.
#ifndef LANGEVIN_CONFIGS_RUN_CONFIG_H_
#define LANGEVIN_CONFIGS_RUN_CONFIG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "configs/diffusion_config.h"
#include "configs/model_config.h"
#include "core/base/file_system.h"

namespace langevin::configs {

enum class LearningRateSchedule { kConstant, kLinearDecay, kCosineDecay, kInverseSqrt };
enum class OptimizerKind { kAdamW, kAdam };
enum class Precision { kFp32, kBf16 };
enum class Backend { kAuto, kMpi, kNccl };
enum class Reduction { kOrdered, kFast };
enum class DataOrder { kSample, kBlock };

struct EdmAugmentConfig {
  double probability = 0;
  bool x_flip = true;
  bool y_flip = true;
  bool scale = true;
  bool rotate = true;
  bool anisotropy = true;
  bool translate = true;

  friend bool operator==(const EdmAugmentConfig&, const EdmAugmentConfig&) = default;
};

struct AugmentConfig {
  bool horizontal_flip = false;
  bool vertical_flip = false;
  bool quarter_turns = false;
  double crop = 0;
  double scale = 0;
  double rotate_degrees = 0;
  double translate = 0;
  double intensity_scale = 0;
  double intensity_shift = 0;
  double noise = 0;
  EdmAugmentConfig edm;

  friend bool operator==(const AugmentConfig&, const AugmentConfig&) = default;
};

struct MixConfig {
  std::string path;
  double weight = 1;
};

struct DataConfig {
  AugmentConfig augment;
  int loader_threads = 1;
  int prefetch = 4;
  bool verify_checksums = true;
  double checksum_rate = 1;
  DataOrder order = DataOrder::kSample;
  int64_t block_images = 64;
  int64_t lanes = 8;
  int64_t window_blocks = 16;
  double class_balance = 0;
  double weight = 1;
  std::vector<MixConfig> mix;
};

struct OptimizerConfig {
  OptimizerKind kind = OptimizerKind::kAdamW;  // kAdam has weight_decay 0.
  double learning_rate = 1e-4;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.01;
  double clip_norm = 1;
  int64_t warmup_images = 0;
  LearningRateSchedule schedule = LearningRateSchedule::kConstant;
  int64_t reference_images = 0;  // kInverseSqrt: above 0; else 0.
};

struct EmaConfig {
  std::optional<double> decay;  // If set, half_life_images is not used.
  int64_t half_life_images = 500000;
  double rampup_ratio = 0.05;
  // If not empty, none of the above is used: power-function averages instead.
  std::vector<double> power_std;
  int64_t snapshot_every_images = 0;
};

struct TrainConfig {
  int64_t total_images = 0;
  int64_t global_batch = 0;
  int64_t microbatch = 0;
  Precision precision = Precision::kFp32;
};

struct DistributedConfig {
  Backend backend = Backend::kAuto;
  Reduction reduction = Reduction::kOrdered;
  std::optional<int> zero_stage;  // Not set: see train::ZeroStageOf.
  double timeout_seconds = 60;
  int threads_per_rank = 0;
  Precision gradient_precision = Precision::kFp32;
  std::optional<bool> overlap;  // Not set: as the communicator advises.
};

struct CheckpointConfig {
  int64_t every_images = 0;
  double every_seconds = 600;
  int keep = 2;
};

struct MonitorConfig {
  int64_t log_every_images = 0;
  int64_t sample_every_images = 0;
  int sample_count = 16;
  int sample_steps = 20;
};

struct RunConfig {
  uint64_t seed = 0;
  std::optional<ModelConfig> model;  // Not set: comes with --init.
  DiffusionConfig diffusion;
  DataConfig data;
  OptimizerConfig optimizer;
  EmaConfig ema;
  TrainConfig train;
  DistributedConfig distributed;
  CheckpointConfig checkpoint;
  MonitorConfig monitor;
};

// Reads `path` (at most 1 MiB of protobuf text format), applies `overrides` ("a.b=value", in their
// order; a repeated field is given whole as [x,y]; strings need no quotes) and checks everything.
// Intervals that are no multiple of global_batch are rounded up to one.
//
// InvalidArgument names file and line (or the --set), field, value and what is allowed; NotFound
// becomes InvalidArgument too, since a config that is not there is a bad config.
absl::StatusOr<RunConfig> LoadRunConfig(FileSystem& file_system, const std::string& path,
                                        const std::vector<std::string>& overrides);

// The same from text; `file` is what messages call it.
absl::StatusOr<RunConfig> ParseRunConfig(std::string_view text, std::string_view file,
                                         const std::vector<std::string>& overrides);

// The whole config in text format, every field set: what stands in RUN/config.textproto and in each
// checkpoint. ParseRunConfig gives it back.
std::string ToText(const RunConfig& config);

// Whether `now` may go on from a checkpoint of `before`: OK if they make the same weights from the
// same images. What may differ: total_images (unless the learning rate schedule depends on it),
// data.loader_threads, data.prefetch, data.verify_checksums, data.checksum_rate, where the data
// sets of data.mix lie, ema.snapshot_every_images, distributed, checkpoint, monitor. Else
// FailedPrecondition naming the first field that differs and both values.
absl::Status CheckSameRun(const RunConfig& before, const RunConfig& now);

}  // namespace langevin::configs

#endif  // LANGEVIN_CONFIGS_RUN_CONFIG_H_
