#include "configs/json_fields.h"

#include <algorithm>
#include <cstddef>
#include <limits>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace langevin::configs {
namespace {

constexpr size_t kLargestText = 1 << 20;
constexpr int kDeepestNesting = 32;

std::string Show(const Json& value) {
  return Shown(value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

// How deep lists and objects nest, without parsing: deep nesting is refused before the parser sees
// it.
bool NestsTooDeep(std::string_view json) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    if (depth > kDeepestNesting) return true;
  }
  return false;
}

}  // namespace

absl::Status JsonError(std::string_view file, std::string_view what) {
  return absl::InvalidArgumentError(absl::StrFormat("%s: %s", file, what));
}

absl::StatusOr<Json> ParseJsonObject(std::string_view json, std::string_view file) {
  if (json.size() > kLargestText) {
    return JsonError(file, absl::StrFormat("is %d bytes long; a config.json has at most %d",
                                           json.size(), kLargestText));
  }
  if (NestsTooDeep(json)) {
    return JsonError(file,
                     absl::StrFormat("nests lists and objects more than %d deep", kDeepestNesting));
  }
  Json object;
  try {
    object = Json::parse(json);
  } catch (const Json::parse_error& error) {
    const std::string_view before = json.substr(0, error.byte);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s:%d: is not JSON: %s", file, line,
        before.size() >= json.size() ? "it ends too early" : "there is a syntax error"));
  } catch (const Json::exception& error) {  // Numbers that no double holds.
    return JsonError(file, absl::StrFormat("is not usable JSON: %s", error.what()));
  }
  if (!object.is_object())
    return JsonError(file, "must hold a JSON object, as diffusers writes it");
  return object;
}

absl::Status CheckClassName(const Json& object, std::string_view file, std::string_view name,
                            bool may_be_missing) {
  const auto found = object.find("_class_name");
  if (found == object.end() ? may_be_missing : *found == name) return absl::OkStatus();
  return JsonError(file,
                   absl::StrFormat("field _class_name: value %s: must be \"%s\"; other models "
                                   "cannot be used",
                                   found == object.end() ? "null" : Show(*found), name));
}

absl::Status WrongJson(const Json& value, std::string_view expected) {
  return absl::InvalidArgumentError(absl::StrFormat("value %s: must be %s", Show(value), expected));
}

absl::Status ReadJson(const Json& value, int64_t& out) {
  const bool fits = value.is_number_integer() &&
                    (!value.is_number_unsigned() ||
                     value.get<uint64_t>() <= uint64_t{std::numeric_limits<int64_t>::max()});
  if (!fits) return WrongJson(value, "a whole number");
  out = value.get<int64_t>();
  return absl::OkStatus();
}

absl::Status ReadJson(const Json& value, double& out) {
  if (!value.is_number()) return WrongJson(value, "a number");
  out = value.get<double>();
  return absl::OkStatus();
}

absl::Status ReadJson(const Json& value, bool& out) {
  if (!value.is_boolean()) return WrongJson(value, "true or false");
  out = value.get<bool>();
  return absl::OkStatus();
}

absl::Status ReadJson(const Json& value, std::string& out) {
  if (!value.is_string()) return WrongJson(value, "a string");
  out = value.get<std::string>();
  return absl::OkStatus();
}

absl::Status ReadSampleSize(const Json& value, std::vector<int64_t>& out) {
  out.clear();
  if (value.is_null()) return absl::OkStatus();
  if (value.is_array() && value.size() == 2) return ReadJson(value, out);
  if (!value.is_number_integer()) {
    return WrongJson(value, "null, a whole number, or a list of height and width");
  }
  return ReadJson(value, out.emplace_back());
}

Json WriteSampleSize(const std::vector<int64_t>& size) {
  if (size.empty()) return nullptr;
  return size.size() == 1 ? Json(size.front()) : Json(size);
}

const Json* JsonFields::Find(std::string_view name) {
  known_.emplace_back(name);
  const auto value = object_.find(known_.back());
  return value == object_.end() ? nullptr : &*value;
}

void JsonFields::Note(std::string_view name, const absl::Status& result) {
  if (!status_.ok() || result.ok()) return;
  status_ = JsonError(file_, absl::StrFormat("field %s: %s", Shown(name), result.message()));
}

absl::Status JsonFields::Finish() {
  for (const auto& [name, value] : object_.items()) {
    if (absl::StartsWith(name, "_") || absl::c_linear_search(known_, name)) continue;
    Note(name,
         absl::InvalidArgumentError(absl::StrFormat("value %s: %s has no such field%s", Show(value),
                                                    owner_, DidYouMean(name, known_))));
  }
  return status_;
}

}  // namespace langevin::configs
