// Between the schema's generated classes and the plain structs of run_config.h.
//
// Nothing is checked here: values out of range are carried over as they are.
#ifndef LANGEVIN_CONFIGS_RUN_CONFIG_CONVERT_H_
#define LANGEVIN_CONFIGS_RUN_CONFIG_CONVERT_H_

#include <optional>

#include "configs/run_config.h"
#include "run_config.pb.h"

namespace langevin::configs {

RunConfig FromProto(const proto::RunConfig& from);

// Sets every field, also those that have their default, except those that are null and the member
// of a oneof that is not used.
proto::RunConfig ToProto(const RunConfig& from);

// Nothing if it names no architecture.
std::optional<ModelConfig> FromProto(const proto::ModelConfig& from);
void ToProto(const ModelConfig& from, proto::ModelConfig& to);

DiffusionConfig FromProto(const proto::DiffusionConfig& from);
void ToProto(const DiffusionConfig& from, proto::DiffusionConfig& to);

}  // namespace langevin::configs

#endif  // LANGEVIN_CONFIGS_RUN_CONFIG_CONVERT_H_
