// Protobuf text format into the schema, with messages that a person can act on.
//
// protobuf's own parser decides what is right. What it says where something is wrong names neither
// the field's path nor what is allowed, so the text is then scanned once more for the field that
// stands there.
#ifndef LANGEVIN_CONFIGS_CONFIG_TEXT_PARSER_H_
#define LANGEVIN_CONFIGS_CONFIG_TEXT_PARSER_H_

#include <string_view>

#include "absl/status/status.h"
#include "google/protobuf/message.h"
#include "google/protobuf/text_format.h"

namespace langevin::configs {

// Parses `text`, at most 1 MiB of UTF-8, into `config`, which must be empty, and notes in
// `locations` where each field stands. InvalidArgument names `file`, line, field, value and what is
// allowed.
absl::Status ParseConfigText(std::string_view text, std::string_view file,
                             google::protobuf::Message& config,
                             google::protobuf::TextFormat::ParseInfoTree& locations);

// The line, from 1, of the field at `path` below `root`; where it is not in the text, that of the
// message around it; 0 if that is `root` itself.
int LineOf(const google::protobuf::Descriptor& root, std::string_view path,
           const google::protobuf::TextFormat::ParseInfoTree& locations);

}  // namespace langevin::configs

#endif  // LANGEVIN_CONFIGS_CONFIG_TEXT_PARSER_H_
