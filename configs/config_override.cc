#include "configs/config_override.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "configs/config_fields.h"
#include "configs/config_message.h"
#include "core/base/status_macros.h"
#include "prepare_config.pb.h"
#include "run_config.pb.h"

namespace langevin::configs {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Strings may stand in quotes, as they do in a config's text.
std::string WithoutQuotes(const std::string& text) {
  if (text.size() < 2) return text;
  const char quote = text.front();
  if ((quote != '"' && quote != '\'') || text.back() != quote) return text;
  return text.substr(1, text.size() - 2);
}

// Sets the field, or adds to it if it is repeated. False if `text` is no value of its type.
class FieldWriter {
 public:
  FieldWriter(Message& message, const FieldDescriptor& field) : message_(message), field_(field) {}

  bool Write(const std::string& text) const {
    const google::protobuf::Reflection& reflection = *message_.GetReflection();
    switch (field_.cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        if (int32_t value; absl::SimpleAtoi(text, &value)) {
          reflection.SetInt32(&message_, &field_, value);  // None is repeated.
          return true;
        }
        return false;
      case FieldDescriptor::CPPTYPE_INT64:
        if (int64_t value; absl::SimpleAtoi(text, &value)) {
          if (field_.is_repeated()) {
            reflection.AddInt64(&message_, &field_, value);
          } else {
            reflection.SetInt64(&message_, &field_, value);
          }
          return true;
        }
        return false;
      case FieldDescriptor::CPPTYPE_UINT64:
        if (uint64_t value; absl::SimpleAtoi(text, &value)) {
          reflection.SetUInt64(&message_, &field_, value);
          return true;
        }
        return false;
      case FieldDescriptor::CPPTYPE_DOUBLE:
        if (double value; absl::SimpleAtod(text, &value)) {
          if (field_.is_repeated()) {
            reflection.AddDouble(&message_, &field_, value);
          } else {
            reflection.SetDouble(&message_, &field_, value);
          }
          return true;
        }
        return false;
      case FieldDescriptor::CPPTYPE_BOOL:
        if (text != "true" && text != "false") return false;
        reflection.SetBool(&message_, &field_, text == "true");
        return true;
      case FieldDescriptor::CPPTYPE_ENUM:
        if (const auto* value = field_.enum_type()->FindValueByName(text); value != nullptr) {
          reflection.SetEnum(&message_, &field_, value);
          return true;
        }
        return false;
      case FieldDescriptor::CPPTYPE_STRING:
        if (field_.is_repeated()) {
          reflection.AddString(&message_, &field_, WithoutQuotes(text));
        } else {
          reflection.SetString(&message_, &field_, WithoutQuotes(text));
        }
        return true;
      default:
        return false;
    }
  }

 private:
  Message& message_;
  const FieldDescriptor& field_;
};

// The items of `[x,y]`, or of a single value.
std::vector<std::string> Items(const FieldDescriptor& field, absl::string_view value) {
  if (!field.is_repeated()) return {std::string(value)};
  absl::string_view list = value;
  if (absl::ConsumePrefix(&list, "[") && absl::ConsumeSuffix(&list, "]")) {
    if (absl::StripAsciiWhitespace(list).empty()) return {};
  } else {
    list = value;
  }
  std::vector<std::string> items;
  for (const absl::string_view item : absl::StrSplit(list, ',')) {
    items.emplace_back(absl::StripAsciiWhitespace(item));
  }
  return items;
}

bool MayBeNull(const FieldDescriptor& field) {
  if (field.containing_type() == proto::QualityConfig::descriptor()) {
    return !field.has_default_value();
  }
  const google::protobuf::Descriptor* const type = field.containing_type();
  if (type == proto::DiTConfig::descriptor() || type == proto::Edm2UNetConfig::descriptor()) {
    return field.name() == "sample_size" || (!field.is_repeated() && !field.has_default_value());
  }
  return type == proto::UNetConfig::descriptor() &&
         (field.name() == "sample_size" || field.name() == "mid_block_type" ||
          field.name() == "norm_num_groups" ||
          (!field.is_repeated() && !field.has_default_value()));
}

absl::Status Assign(Message& message, const FieldDescriptor& field, absl::string_view value) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  reflection.ClearField(&message, &field);
  if (value == "null" && MayBeNull(field)) {
    // Unset is null, save for the two fields whose defaults are not.
    if (field.name() == "mid_block_type") reflection.SetString(&message, &field, "");
    if (field.name() == "norm_num_groups") reflection.SetInt64(&message, &field, 0);
    return absl::OkStatus();
  }
  const FieldWriter writer(message, field);
  for (const std::string& item : Items(field, value)) {
    if (!writer.Write(item)) {
      return absl::InvalidArgumentError(
          absl::StrFormat("value %s: must be %s", Shown(item), AllowedValues(field)));
    }
  }
  return absl::OkStatus();
}

absl::Status ApplyTo(Message& config, const std::string& path, absl::string_view value) {
  Message* message = &config;
  std::string parent;
  std::vector<std::string> names = absl::StrSplit(path, '.');
  for (size_t i = 0; i < names.size(); ++i) {
    const FieldDescriptor* const field = message->GetDescriptor()->FindFieldByName(names[i]);
    if (field == nullptr) {
      return absl::InvalidArgumentError(NoSuchField(*config.GetDescriptor(), parent, names[i]));
    }
    parent = JoinField(parent, names[i]);
    const bool last = i + 1 == names.size();
    if (field->message_type() == nullptr) {
      if (last) return Assign(*message, *field, value);
      return absl::InvalidArgumentError(absl::StrCat(parent, " is a value and has no fields"));
    }
    if (field->is_repeated()) {
      return absl::InvalidArgumentError(
          absl::StrCat(parent, " is a list of groups, which only the config's file can give"));
    }
    if (last) {
      return absl::InvalidArgumentError(
          absl::StrFormat("%s is a group of fields: set one of %s", parent,
                          absl::StrJoin(FieldNames(*field->message_type()), ", ")));
    }
    message = message->GetReflection()->MutableMessage(message, field);
  }
  return absl::OkStatus();
}

}  // namespace

std::string OverrideOrigin(std::string_view override_text) {
  return absl::StrCat("--set ", Shown(override_text, 200));
}

absl::StatusOr<std::string> ApplyOverride(std::string_view override_text,
                                          google::protobuf::Message& config) {
  const size_t equals = override_text.find('=');
  if (equals == std::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat(OverrideOrigin(override_text),
                     ": must be a field and its value, like train.microbatch=16"));
  }
  const auto stripped = [&](size_t from, size_t to) {
    return std::string(
        absl::StripAsciiWhitespace(absl::string_view(override_text.data() + from, to - from)));
  };
  const std::string path = stripped(0, equals);
  const std::string value = stripped(equals + 1, override_text.size());
  if (const absl::Status status = ApplyTo(config, path, value); !status.ok()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: %s", OverrideOrigin(override_text), std::string(status.message())));
  }
  return path;
}

}  // namespace langevin::configs
