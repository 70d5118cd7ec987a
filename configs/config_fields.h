// What the schema knows about its fields, in words for messages.
//
// Paths are names joined by dots, from the config's own message (`root`: RunConfig, PrepareConfig)
// down: "train.microbatch". "" is `root` itself.
#ifndef LANGEVIN_CONFIGS_CONFIG_FIELDS_H_
#define LANGEVIN_CONFIGS_CONFIG_FIELDS_H_

#include <string>
#include <string_view>
#include <vector>

#include "google/protobuf/descriptor.h"

namespace langevin::configs {

// "a" + "b" is "a.b"; "" + "b" is "b".
std::string JoinField(std::string_view path, std::string_view name);

// The names of all fields of `message`, in the schema's order.
std::vector<std::string> FieldNames(const google::protobuf::Descriptor& message);

// The message at `path`, or null if there is none.
const google::protobuf::Descriptor* MessageAt(const google::protobuf::Descriptor& root,
                                              std::string_view path);

// The field at `path`, or null if there is none.
const google::protobuf::FieldDescriptor* FieldAt(const google::protobuf::Descriptor& root,
                                                 std::string_view path);

// What may stand in the field: "a whole number from 0 to 18446744073709551615", "one of FP32,
// BF16".
std::string AllowedValues(const google::protobuf::FieldDescriptor& field);

// For a name that the message at `path` does not have: that it has none, which one may have been
// meant (in this message, or of the same name elsewhere), and which there are.
std::string NoSuchField(const google::protobuf::Descriptor& root, std::string_view path,
                        std::string_view name);

}  // namespace langevin::configs

#endif  // LANGEVIN_CONFIGS_CONFIG_FIELDS_H_
