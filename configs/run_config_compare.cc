// Whether a run may go on with a config that has changed.
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "configs/config_fields.h"
#include "configs/config_message.h"
#include "configs/run_config.h"
#include "configs/run_config_convert.h"
#include "google/protobuf/text_format.h"

namespace langevin::configs {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::TextFormat;

struct Difference {
  std::string field;
  std::string before;
  std::string now;
};

std::string Show(const Message& message, const FieldDescriptor& field) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  std::string text;
  if (field.is_repeated()) {
    std::vector<std::string> items(reflection.FieldSize(message, &field));
    for (size_t i = 0; i < items.size(); ++i) {
      TextFormat::PrintFieldValueToString(message, &field, static_cast<int>(i), &items[i]);
    }
    return Shown(absl::StrCat("[", absl::StrJoin(items, ", "), "]"), 200);
  }
  if (!reflection.HasField(message, &field)) return "not set";
  if (field.message_type() != nullptr) return "set";
  TextFormat::PrintFieldValueToString(message, &field, -1, &text);
  return Shown(text, 200);
}

std::optional<Difference> FirstDifference(const Message& before, const Message& now,
                                          const std::string& path) {
  const google::protobuf::Reflection& reflection = *before.GetReflection();
  for (int i = 0; i < before.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *before.GetDescriptor()->field(i);
    const std::string field_path = JoinField(path, field.name());
    const bool both_messages = field.message_type() != nullptr && !field.is_repeated() &&
                               reflection.HasField(before, &field) &&
                               reflection.HasField(now, &field);
    if (both_messages) {
      if (const auto difference = FirstDifference(reflection.GetMessage(before, &field),
                                                  reflection.GetMessage(now, &field), field_path)) {
        return difference;
      }
      continue;
    }
    const std::string old_value = Show(before, field), new_value = Show(now, field);
    if (old_value != new_value) return Difference{field_path, old_value, new_value};
  }
  return std::nullopt;
}

// `config` without what may change while a run goes on.
proto::RunConfig WhatWeightsDependOn(RunConfig config) {
  if (!config.diffusion.process.has_value()) config.diffusion.process = DdpmConfig();
  proto::RunConfig kept = ToProto(config);
  // Of how ranks share the work only the rounding of sums changes weights.
  kept.clear_distributed();
  kept.mutable_distributed()->set_gradient_precision(
      static_cast<proto::Precision>(config.distributed.gradient_precision));
  kept.clear_checkpoint();
  kept.clear_monitor();
  kept.mutable_ema()->clear_snapshot_every_images();
  kept.mutable_data()->clear_loader_threads();
  kept.mutable_data()->clear_prefetch();
  kept.mutable_data()->clear_verify_checksums();
  kept.mutable_data()->clear_checksum_rate();
  // Data sets are told apart by their fingerprints; where they lie does not matter.
  for (proto::MixConfig& mix : *kept.mutable_data()->mutable_mix()) mix.clear_path();
  if (config.data.order == DataOrder::kSample) {
    kept.mutable_data()->clear_block_images();
    kept.mutable_data()->clear_lanes();
    kept.mutable_data()->clear_window_blocks();
  }
  // The weight decay says which of the two it is.
  kept.mutable_optimizer()->clear_kind();
  // The other schedules end at total_images.
  if (config.optimizer.schedule == LearningRateSchedule::kConstant ||
      config.optimizer.schedule == LearningRateSchedule::kInverseSqrt) {
    kept.mutable_train()->clear_total_images();
  }
  return kept;
}

}  // namespace

absl::Status CheckSameRun(const RunConfig& before, const RunConfig& now) {
  const std::optional<Difference> difference =
      FirstDifference(WhatWeightsDependOn(before), WhatWeightsDependOn(now), "");
  if (!difference.has_value()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrFormat(
      "field %s: was %s when the run began and is now %s: a run cannot go on with another value; "
      "set it back, or start a new run in another --output",
      difference->field, difference->before, difference->now));
}

}  // namespace langevin::configs
