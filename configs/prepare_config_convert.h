// Between the schema's generated classes and the plain structs of prepare_config.h.
//
// Nothing is checked here: values out of range are carried over as they are.
#ifndef LANGEVIN_CONFIGS_PREPARE_CONFIG_CONVERT_H_
#define LANGEVIN_CONFIGS_PREPARE_CONFIG_CONVERT_H_

#include "configs/prepare_config.h"
#include "prepare_config.pb.h"

namespace langevin::configs {

PrepareConfig FromProto(const proto::PrepareConfig& from);

// Sets every field, also those that have their default, except bounds that are not set.
proto::PrepareConfig ToProto(const PrepareConfig& from);

}  // namespace langevin::configs

#endif  // LANGEVIN_CONFIGS_PREPARE_CONFIG_CONVERT_H_
