// Fields of a config.json: read with type checks, written back.
//
// For the files that read model configs alone; it brings the JSON library, whose exceptions end
// here. Pure functions; any thread.
#ifndef LANGEVIN_CONFIGS_JSON_FIELDS_H_
#define LANGEVIN_CONFIGS_JSON_FIELDS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "configs/config_message.h"
#include "core/base/status_macros.h"
#include "nlohmann/json.hpp"

namespace langevin::configs {

using Json = nlohmann::json;

// The version whose classes have exactly the fields that are read and written.
inline constexpr std::string_view kDiffusersVersion = "0.42.1";

// "FILE: WHAT".
absl::Status JsonError(std::string_view file, std::string_view what);

// An object from its text: at most 1 MiB, not nested deeper than any config.json is.
// InvalidArgument names file and line.
absl::StatusOr<Json> ParseJsonObject(std::string_view json, std::string_view file);

// InvalidArgument unless `object`'s _class_name is `name`, or missing and `may_be_missing`.
absl::Status CheckClassName(const Json& object, std::string_view file, std::string_view name,
                            bool may_be_missing);

// "value V: must be EXPECTED".
absl::Status WrongJson(const Json& value, std::string_view expected);

absl::Status ReadJson(const Json& value, int64_t& out);
absl::Status ReadJson(const Json& value, double& out);
absl::Status ReadJson(const Json& value, bool& out);
absl::Status ReadJson(const Json& value, std::string& out);

template <typename T>
absl::Status ReadJson(const Json& value, std::optional<T>& out) {
  if (value.is_null()) {
    out.reset();
    return absl::OkStatus();
  }
  return ReadJson(value, out.emplace());
}

template <typename T>
absl::Status ReadJson(const Json& value, std::vector<T>& out) {
  if (!value.is_array()) return WrongJson(value, "a list");
  out.clear();
  for (const Json& element : value) {
    T item;
    LANGEVIN_RETURN_IF_ERROR(ReadJson(element, item));
    out.push_back(std::move(item));
  }
  return absl::OkStatus();
}

// A sample_size: null, one number, or height and width.
absl::Status ReadSampleSize(const Json& value, std::vector<int64_t>& out);
Json WriteSampleSize(const std::vector<int64_t>& size);

template <typename T>
Json WriteJson(const T& value) {
  return value;
}

template <typename T>
Json WriteJson(const std::optional<T>& value) {
  return value.has_value() ? Json(*value) : Json(nullptr);
}

// Goes through the fields of one object and keeps the first thing that is wrong with them.
class JsonFields {
 public:
  // All must outlive this. `owner` is what messages call the class.
  JsonFields(const Json& object, std::string_view file, std::string_view owner)
      : object_(object), file_(file), owner_(owner) {}

  // The field's value, or null if the object has no such field.
  const Json* Find(std::string_view name);
  // Notes what came of reading field `name`.
  void Note(std::string_view name, const absl::Status& result);
  template <typename T>
  void Read(std::string_view name, T& field) {
    if (const Json* value = Find(name); value != nullptr) Note(name, ReadJson(*value, field));
  }
  // The first error; also a field that was never asked for, save for those that begin with "_".
  absl::Status Finish();

 private:
  const Json& object_;
  std::string_view file_;
  std::string_view owner_;
  std::vector<std::string> known_;
  absl::Status status_;
};

}  // namespace langevin::configs

#endif  // LANGEVIN_CONFIGS_JSON_FIELDS_H_
