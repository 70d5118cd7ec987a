#include "core/diffusion/scheduler_config.h"

#include <cmath>
#include <initializer_list>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/status_macros.h"
#include "nlohmann/json.hpp"

namespace langevin::diffusion {
namespace {

using Json = nlohmann::ordered_json;

// Reads fields of one JSON object, remembering the first problem.
class FieldReader {
 public:
  FieldReader(const Json& object, std::string_view file) : object_(object), file_(file) {}

  void Read(const char* name, int64_t& value, int64_t least, int64_t most) {
    const Json* field = Find(name);
    if (field == nullptr) return;
    if (!field->is_number_integer() || field->get<int64_t>() < least ||
        field->get<int64_t>() > most) {
      return Fail(name, *field, absl::StrCat("a whole number from ", least, " to ", most));
    }
    value = field->get<int64_t>();
  }

  void Read(const char* name, double& value, double least, double most) {
    const Json* field = Find(name);
    if (field == nullptr) return;
    if (!field->is_number() || !(field->get<double>() >= least && field->get<double>() <= most)) {
      return Fail(name, *field, absl::StrCat("a number from ", least, " to ", most));
    }
    value = field->get<double>();
  }

  void Read(const char* name, bool& value) {
    const Json* field = Find(name);
    if (field == nullptr) return;
    if (!field->is_boolean()) return Fail(name, *field, "true or false");
    value = field->get<bool>();
  }

  void Read(const char* name, std::string& value, std::initializer_list<const char*> allowed) {
    const Json* field = Find(name);
    if (field == nullptr) return;
    const std::string text = field->is_string() ? field->get<std::string>() : "";
    for (const char* candidate : allowed) {
      if (text == candidate) {
        value = text;
        return;
      }
    }
    Fail(name, *field, absl::StrCat("one of ", absl::StrJoin(allowed, ", ")));
  }

  void Read(const char* name, std::vector<double>& values) {
    const Json* field = Find(name);
    if (field == nullptr) return;
    if (!field->is_array() || field->empty() || field->size() > 100000) {
      return Fail(name, "an array", "1 to 100000 numbers between 0 and 1");
    }
    for (const Json& value : *field) {
      if (!value.is_number() || !(value.get<double>() > 0 && value.get<double>() <= 1)) {
        return Fail(name, value, "numbers above 0, at most 1");
      }
      values.push_back(value.get<double>());
    }
  }

  const absl::Status& status() const { return status_; }

 private:
  const Json* Find(const char* name) const {
    const auto field = object_.find(name);
    return field == object_.end() || field->is_null() ? nullptr : &*field;
  }

  void Fail(const char* name, const Json& value, const std::string& allowed) {
    if (!status_.ok()) return;
    status_ = absl::InvalidArgumentError(
        absl::StrCat(std::string(file_), ": field ", name, ": value ",
                     value.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 80),
                     ": must be ", allowed));
  }

  const Json& object_;
  std::string_view file_;
  absl::Status status_;
};

}  // namespace

SchedulerConfig SchedulerConfigFrom(const configs::DdpmConfig& ddpm) {
  SchedulerConfig config;
  config.num_train_timesteps = ddpm.num_train_timesteps;
  config.beta_start = ddpm.beta_start;
  config.beta_end = ddpm.beta_end;
  switch (ddpm.beta_schedule) {
    case configs::BetaSchedule::kLinear:
      config.beta_schedule = "linear";
      break;
    case configs::BetaSchedule::kScaledLinear:
      config.beta_schedule = "scaled_linear";
      break;
    case configs::BetaSchedule::kCosine:
      config.beta_schedule = "squaredcos_cap_v2";
      break;
    case configs::BetaSchedule::kSigmoid:
      config.beta_schedule = "sigmoid";
      break;
  }
  switch (ddpm.prediction) {
    case configs::Prediction::kEpsilon:
      config.prediction_type = "epsilon";
      break;
    case configs::Prediction::kSample:
      config.prediction_type = "sample";
      break;
    case configs::Prediction::kVPrediction:
    default:  // A valid config has no other.
      config.prediction_type = "v_prediction";
      break;
  }
  config.clip_sample = ddpm.clip_sample;
  config.rescale_betas_zero_snr = ddpm.rescale_betas_zero_snr;
  // From pure noise sampling must begin at the very last step (Lin et al. 2023, section 3.3).
  if (ddpm.rescale_betas_zero_snr) config.timestep_spacing = "trailing";
  switch (ddpm.variance) {
    case configs::Variance::kFixedSmall:
      config.variance_type = "fixed_small";
      break;
    case configs::Variance::kFixedLarge:
      config.variance_type = "fixed_large";
      break;
    case configs::Variance::kLearnedRange:
      config.variance_type = "learned_range";
      break;
  }
  return config;
}

absl::StatusOr<configs::DdpmConfig> DdpmConfigFrom(const SchedulerConfig& scheduler) {
  configs::DdpmConfig ddpm;
  ddpm.num_train_timesteps = scheduler.num_train_timesteps;
  ddpm.beta_start = scheduler.beta_start;
  ddpm.beta_end = scheduler.beta_end;
  ddpm.clip_sample = scheduler.clip_sample;
  if (scheduler.beta_schedule == "linear") {
    ddpm.beta_schedule = configs::BetaSchedule::kLinear;
  } else if (scheduler.beta_schedule == "scaled_linear") {
    ddpm.beta_schedule = configs::BetaSchedule::kScaledLinear;
  } else if (scheduler.beta_schedule == "squaredcos_cap_v2") {
    ddpm.beta_schedule = configs::BetaSchedule::kCosine;
  } else if (scheduler.beta_schedule == "sigmoid") {
    ddpm.beta_schedule = configs::BetaSchedule::kSigmoid;
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat("beta_schedule ", scheduler.beta_schedule,
                     " cannot be trained; give diffusion { ddpm { ... } } in the config"));
  }
  if (!scheduler.trained_betas.empty()) {
    return absl::InvalidArgumentError(
        "trained_betas cannot be trained; give diffusion { ddpm { ... } } in the config");
  }
  ddpm.rescale_betas_zero_snr = scheduler.rescale_betas_zero_snr;
  if (scheduler.class_name == "DDPMScheduler") {
    if (absl::StartsWith(scheduler.variance_type, "fixed_large")) {
      ddpm.variance = configs::Variance::kFixedLarge;
    } else if (scheduler.variance_type == "learned_range") {
      ddpm.variance = configs::Variance::kLearnedRange;
    } else if (scheduler.variance_type == "learned") {
      return absl::InvalidArgumentError(
          "variance_type learned cannot be trained; give diffusion { ddpm { variance: "
          "LEARNED_RANGE } } in the config");
    }
  }
  ddpm.prediction = scheduler.prediction_type == "epsilon"  ? configs::Prediction::kEpsilon
                    : scheduler.prediction_type == "sample" ? configs::Prediction::kSample
                                                            : configs::Prediction::kVPrediction;
  return ddpm;
}

absl::StatusOr<SchedulerConfig> SchedulerConfigFromJson(std::string_view json,
                                                        std::string_view file) {
  const Json object = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(std::string(file), ": is not a JSON object; was the file damaged?"));
  }
  SchedulerConfig config;
  FieldReader reader(object, file);
  const auto class_name = object.find("_class_name");
  const bool is_ddpm = class_name != object.end() && *class_name == "DDPMScheduler";
  config.class_name = is_ddpm ? "DDPMScheduler" : "DDIMScheduler";
  reader.Read("num_train_timesteps", config.num_train_timesteps, 1, 1000000);
  reader.Read("beta_start", config.beta_start, 0, 1);
  reader.Read("beta_end", config.beta_end, 0, 1);
  if (is_ddpm) {
    reader.Read("beta_schedule", config.beta_schedule,
                {"linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid", "laplace"});
  } else {
    reader.Read("beta_schedule", config.beta_schedule,
                {"linear", "scaled_linear", "squaredcos_cap_v2"});
  }
  reader.Read("trained_betas", config.trained_betas);
  reader.Read("variance_type", config.variance_type,
              {"fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log", "learned",
               "learned_range"});
  reader.Read("clip_sample", config.clip_sample);
  reader.Read("clip_sample_range", config.clip_sample_range, 0, 1e6);
  reader.Read("set_alpha_to_one", config.set_alpha_to_one);
  reader.Read("steps_offset", config.steps_offset, 0, 1000000);
  reader.Read("prediction_type", config.prediction_type, {"epsilon", "sample", "v_prediction"});
  reader.Read("thresholding", config.thresholding);
  reader.Read("dynamic_thresholding_ratio", config.dynamic_thresholding_ratio, 0, 1);
  reader.Read("sample_max_value", config.sample_max_value, 0, 1e6);
  reader.Read("timestep_spacing", config.timestep_spacing, {"leading", "trailing", "linspace"});
  reader.Read("rescale_betas_zero_snr", config.rescale_betas_zero_snr);
  LANGEVIN_RETURN_IF_ERROR(reader.status());
  if (!config.trained_betas.empty()) {
    config.num_train_timesteps = static_cast<int64_t>(config.trained_betas.size());
  }
  return config;
}

std::string SchedulerConfigToJson(const SchedulerConfig& config) {
  Json json;
  json["_class_name"] = config.class_name;
  json["_diffusers_version"] = "0.42.1";
  json["num_train_timesteps"] = config.num_train_timesteps;
  json["beta_start"] = config.beta_start;
  json["beta_end"] = config.beta_end;
  json["beta_schedule"] = config.beta_schedule;
  json["trained_betas"] = config.trained_betas.empty() ? Json(nullptr) : Json(config.trained_betas);
  if (config.class_name == "DDPMScheduler") {
    json["variance_type"] = config.variance_type;
  } else {
    json["set_alpha_to_one"] = config.set_alpha_to_one;
  }
  json["clip_sample"] = config.clip_sample;
  json["clip_sample_range"] = config.clip_sample_range;
  json["prediction_type"] = config.prediction_type;
  json["thresholding"] = config.thresholding;
  json["dynamic_thresholding_ratio"] = config.dynamic_thresholding_ratio;
  json["sample_max_value"] = config.sample_max_value;
  json["timestep_spacing"] = config.timestep_spacing;
  json["steps_offset"] = config.steps_offset;
  json["rescale_betas_zero_snr"] = config.rescale_betas_zero_snr;
  return json.dump(2) + "\n";
}

NoiseSchedule MakeNoiseSchedule(const SchedulerConfig& config) {
  const int64_t steps = config.num_train_timesteps;
  std::vector<double> betas;
  if (!config.trained_betas.empty()) {
    betas = config.trained_betas;
  } else if (config.beta_schedule == "scaled_linear") {
    betas = ScaledLinearBetas(steps, config.beta_start, config.beta_end);
  } else if (config.beta_schedule == "squaredcos_cap_v2") {
    betas = CosineBetas(steps);
  } else if (config.beta_schedule == "sigmoid") {
    betas = SigmoidBetas(steps, config.beta_start, config.beta_end);
  } else if (config.beta_schedule == "laplace") {
    betas = LaplaceBetas(steps);
  } else {
    betas = LinearBetas(steps, config.beta_start, config.beta_end);
  }
  if (config.rescale_betas_zero_snr) betas = RescaleToZeroTerminalSnr(betas);
  return MakeNoiseSchedule(std::move(betas));
}

}  // namespace langevin::diffusion
