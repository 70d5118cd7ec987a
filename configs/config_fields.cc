#include "configs/config_fields.h"

#include <cstdint>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "configs/config_message.h"

namespace langevin::configs {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

namespace {

template <typename Integer>
std::string WholeNumber() {
  return absl::StrFormat("a whole number from %d to %d", std::numeric_limits<Integer>::min(),
                         std::numeric_limits<Integer>::max());
}

std::string EnumNames(const google::protobuf::EnumDescriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.value_count(); ++i) names.push_back(type.value(i)->name());
  return absl::StrCat("one of ", absl::StrJoin(names, ", "));
}

std::string AllowedValue(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return WholeNumber<int32_t>();
    case FieldDescriptor::CPPTYPE_INT64:
      return WholeNumber<int64_t>();
    case FieldDescriptor::CPPTYPE_UINT64:
      return WholeNumber<uint64_t>();
    case FieldDescriptor::CPPTYPE_BOOL:
      return "true or false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return EnumNames(*field.enum_type());
    case FieldDescriptor::CPPTYPE_STRING:
      return "a string in quotes";
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return absl::StrCat("fields in braces, of ",
                          absl::StrJoin(FieldNames(*field.message_type()), ", "));
    default:
      return "a number";
  }
}

// Paths below `message`, which is at `path`, of all fields called `name`.
void FindEverywhere(const Descriptor& message, const std::string& path, std::string_view name,
                    std::vector<std::string>& found) {
  for (int i = 0; i < message.field_count(); ++i) {
    const FieldDescriptor& field = *message.field(i);
    const std::string field_path = JoinField(path, field.name());
    if (field.name() == name) found.push_back(field_path);
    if (field.message_type() != nullptr) {
      FindEverywhere(*field.message_type(), field_path, name, found);
    }
  }
}

// " a run config" for RunConfig.
std::string KindOf(const Descriptor& root) {
  return absl::StrCat(" a ", absl::AsciiStrToLower(absl::StripSuffix(root.name(), "Config")),
                      " config");
}

}  // namespace

std::string JoinField(std::string_view path, std::string_view name) {
  return path.empty() ? std::string(name) : absl::StrFormat("%s.%s", path, name);
}

std::vector<std::string> FieldNames(const Descriptor& message) {
  std::vector<std::string> names;
  for (int i = 0; i < message.field_count(); ++i) names.push_back(message.field(i)->name());
  return names;
}

const Descriptor* MessageAt(const Descriptor& root, std::string_view path) {
  if (path.empty()) return &root;
  const FieldDescriptor* const field = FieldAt(root, path);
  return field == nullptr ? nullptr : field->message_type();
}

const FieldDescriptor* FieldAt(const Descriptor& root, std::string_view path) {
  const Descriptor* message = &root;
  const FieldDescriptor* field = nullptr;
  for (const std::string& name :
       std::vector<std::string>(absl::StrSplit(absl::string_view(path.data(), path.size()), '.'))) {
    if (message == nullptr) return nullptr;  // Something below a plain value.
    field = message->FindFieldByName(name);
    if (field == nullptr) return nullptr;
    message = field->message_type();
  }
  return field;
}

std::string AllowedValues(const FieldDescriptor& field) {
  if (!field.is_repeated()) return AllowedValue(field);
  return absl::StrCat(AllowedValue(field), ", or a list [a, b] of them");
}

std::string NoSuchField(const Descriptor& root, std::string_view path, std::string_view name) {
  const std::vector<std::string> names = FieldNames(*MessageAt(root, path));
  std::string hint = DidYouMean(name, names);
  if (hint.empty()) {
    std::vector<std::string> elsewhere;
    FindEverywhere(root, "", name, elsewhere);
    if (!elsewhere.empty()) {
      hint = absl::StrFormat("; did you mean %s?", absl::StrJoin(elsewhere, " or "));
    }
  }
  return absl::StrFormat("there is no such field%s%s has %s", hint.empty() ? ";" : hint,
                         path.empty() ? KindOf(root) : absl::StrFormat(" %s", path),
                         absl::StrJoin(names, ", "));
}

}  // namespace langevin::configs
