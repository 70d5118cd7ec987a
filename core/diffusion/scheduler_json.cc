// Schedulers' configs as JSON. One list of the fields of each class says both what is read and what
// is written.
#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/status_macros.h"
#include "core/diffusion/scheduler_config.h"
#include "nlohmann/json.hpp"

namespace langevin::diffusion {
namespace {

using Json = nlohmann::ordered_json;
using Words = std::initializer_list<const char*>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Python writes infinite numbers as bare words, which JSON does not have.
constexpr std::array<const char*, 3> kNonFinite = {"-Infinity", "Infinity", "NaN"};

// `json` with Python's words for infinite numbers, outside of strings, as strings.
std::string QuoteNonFinite(std::string_view json) {
  std::string quoted;
  bool in_string = false;
  for (size_t i = 0; i < json.size(); ++i) {
    if (in_string && json[i] == '\\' && i + 1 < json.size()) {
      quoted += json[i++];
    } else if (json[i] == '"') {
      in_string = !in_string;
    } else if (!in_string) {
      const auto word = std::find_if(kNonFinite.begin(), kNonFinite.end(),
                                     [&](const char* w) { return json.substr(i).starts_with(w); });
      if (word != kNonFinite.end()) {
        absl::StrAppend(&quoted, "\"", *word, "\"");
        i += std::string_view(*word).size() - 1;
        continue;
      }
    }
    quoted += json[i];
  }
  return quoted;
}

// Reads fields of one JSON object, remembering the first problem.
class FieldReader {
 public:
  FieldReader(const Json& object, std::string_view file) : object_(object), file_(file) {}

  void Field(const char* name, int64_t& value, int64_t least, int64_t most) {
    const Json* field = Find(name);
    if (field == nullptr) return;
    if (!field->is_number_integer() || field->get<int64_t>() < least ||
        field->get<int64_t>() > most) {
      return Fail(name, *field, absl::StrCat("a whole number from ", least, " to ", most));
    }
    value = field->get<int64_t>();
  }

  void Field(const char* name, double& value, double least, double most) {
    const Json* field = Find(name);
    if (field == nullptr) return;
    if (least == -kInfinity && *field == "-Infinity") {
      value = -kInfinity;
      return;
    }
    if (!field->is_number() || !(field->get<double>() >= least && field->get<double>() <= most)) {
      return Fail(name, *field, absl::StrCat("a number from ", least, " to ", most));
    }
    value = field->get<double>();
  }

  void Field(const char* name, std::optional<double>& value, double least, double most) {
    if (const auto field = object_.find(name); field != object_.end() && field->is_null()) {
      value.reset();
    }
    if (Find(name) == nullptr) return;
    double number = 0;
    Field(name, number, least, most);
    value = number;
  }

  void Field(const char* name, bool& value) {
    const Json* field = Find(name);
    if (field == nullptr) return;
    if (!field->is_boolean()) return Fail(name, *field, "true or false");
    value = field->get<bool>();
  }

  void Field(const char* name, std::string& value, Words allowed) {
    const Json* field = Find(name);
    if (field == nullptr) return;
    const std::string text = field->is_string() ? field->get<std::string>() : "";
    if (std::any_of(allowed.begin(), allowed.end(),
                    [&](const char* word) { return text == word; })) {
      value = text;
    } else {
      Fail(name, *field, absl::StrCat("one of ", absl::StrJoin(allowed, ", ")));
    }
  }

  void Field(const char* name, std::vector<double>& values) {
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

  void Field(const char* name, std::vector<int64_t>& values) {
    const Json* field = Find(name);
    if (field == nullptr) return;
    if (!field->is_array() || field->size() > 100000) return Fail(name, *field, "whole numbers");
    for (const Json& value : *field) {
      if (!value.is_number_integer()) return Fail(name, value, "whole numbers");
      values.push_back(value.get<int64_t>());
    }
  }

  // Something of which it only matters that it is there.
  void Presence(const char* name, bool& value) { value = Find(name) != nullptr; }

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

// Writes fields into a JSON object.
class FieldWriter {
 public:
  explicit FieldWriter(Json& object) : object_(object) {}

  void Field(const char* name, int64_t& value, int64_t /*least*/, int64_t /*most*/) {
    object_[name] = value;
  }
  void Field(const char* name, bool& value) { object_[name] = value; }
  void Field(const char* name, std::vector<int64_t>& values) { object_[name] = values; }
  void Field(const char* name, double& value, double /*least*/, double /*most*/) {
    object_[name] = std::isfinite(value) ? Json(value) : Json("-Infinity");
  }
  void Field(const char* name, std::optional<double>& value, double /*least*/, double /*most*/) {
    object_[name] = value.has_value() ? Json(*value) : Json(nullptr);
  }
  void Field(const char* name, std::string& value, Words /*allowed*/) { object_[name] = value; }
  // diffusers has null where there are none.
  void Field(const char* name, std::vector<double>& values) {
    object_[name] = values.empty() ? Json(nullptr) : Json(values);
  }
  void Presence(const char* name, bool& /*value*/) { object_[name] = nullptr; }

 private:
  Json& object_;
};

template <typename Visitor>
void VisitTimeSpacing(SchedulerConfig& config, Visitor& visitor) {
  visitor.Field("timestep_spacing", config.timestep_spacing, {"leading", "trailing", "linspace"});
  visitor.Field("steps_offset", config.steps_offset, 0, 1000000);
}

template <typename Visitor>
void VisitSpacingSwitches(SchedulerConfig& config, Visitor& visitor) {
  visitor.Field("use_karras_sigmas", config.use_karras_sigmas);
  visitor.Field("use_exponential_sigmas", config.use_exponential_sigmas);
  visitor.Field("use_beta_sigmas", config.use_beta_sigmas);
}

template <typename Visitor>
void VisitThresholding(SchedulerConfig& config, Visitor& visitor) {
  visitor.Field("thresholding", config.thresholding);
  visitor.Field("dynamic_thresholding_ratio", config.dynamic_thresholding_ratio, 0, 1);
  visitor.Field("sample_max_value", config.sample_max_value, 0, 1e6);
}

template <typename Visitor>
void VisitSolver(SchedulerConfig& config, Visitor& visitor) {
  visitor.Field("solver_order", config.solver_order, 1, 3);
  visitor.Field("lower_order_final", config.lower_order_final);
  if (config.class_name == "UniPCMultistepScheduler") {
    visitor.Field("solver_type", config.solver_type, {"bh1", "bh2", "midpoint", "heun", "logrho"});
    visitor.Field("predict_x0", config.predict_x0);
    visitor.Field("disable_corrector", config.disable_corrector);
    visitor.Presence("solver_p", config.has_solver_p);
    return;
  }
  visitor.Field("solver_type", config.solver_type, {"midpoint", "heun", "logrho", "bh1", "bh2"});
  visitor.Field("algorithm_type", config.algorithm_type,
                {"dpmsolver++", "sde-dpmsolver++", "dpmsolver", "sde-dpmsolver", "deis"});
  visitor.Field("euler_at_final", config.euler_at_final);
}

template <typename Visitor>
void VisitDiscrete(SchedulerConfig& config, Visitor& visitor) {
  const std::string& name = config.class_name;
  const bool is_ddpm = name == "DDPMScheduler", is_ddim = name == "DDIMScheduler";
  const bool is_euler = name == "EulerDiscreteScheduler", is_heun = name == "HeunDiscreteScheduler";
  const bool is_dpm = name == "DPMSolverMultistepScheduler",
             is_unipc = name == "UniPCMultistepScheduler";
  visitor.Field("num_train_timesteps", config.num_train_timesteps, 1, 1000000);
  visitor.Field("beta_start", config.beta_start, 0, 1);
  visitor.Field("beta_end", config.beta_end, 0, 1);
  if (is_ddpm) {
    visitor.Field("beta_schedule", config.beta_schedule,
                  {"linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid", "laplace"});
  } else if (is_heun) {
    visitor.Field("beta_schedule", config.beta_schedule,
                  {"linear", "scaled_linear", "squaredcos_cap_v2", "exp"});
  } else {
    visitor.Field("beta_schedule", config.beta_schedule,
                  {"linear", "scaled_linear", "squaredcos_cap_v2"});
  }
  visitor.Field("trained_betas", config.trained_betas);
  if (is_ddpm) {
    visitor.Field("variance_type", config.variance_type,
                  {"fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log", "learned",
                   "learned_range"});
  }
  if (is_ddim) visitor.Field("set_alpha_to_one", config.set_alpha_to_one);
  if (is_ddpm || is_ddim || is_heun) {
    visitor.Field("clip_sample", config.clip_sample);
    visitor.Field("clip_sample_range", config.clip_sample_range, 0, 1e6);
  }
  if (is_dpm || is_unipc) {
    visitor.Field("prediction_type", config.prediction_type,
                  {"epsilon", "sample", "v_prediction", "flow_prediction"});
  } else if (name == "EulerAncestralDiscreteScheduler") {
    visitor.Field("prediction_type", config.prediction_type, {"epsilon", "v_prediction"});
  } else {
    visitor.Field("prediction_type", config.prediction_type, {"epsilon", "sample", "v_prediction"});
  }
  if (is_ddpm || is_ddim || is_dpm || is_unipc) VisitThresholding(config, visitor);
  VisitTimeSpacing(config, visitor);
  if (!is_heun) visitor.Field("rescale_betas_zero_snr", config.rescale_betas_zero_snr);
  if (is_euler || is_heun || is_dpm || is_unipc) VisitSpacingSwitches(config, visitor);
  if (is_euler || is_unipc) {
    visitor.Field("sigma_min", config.sigma_min, 1e-9, 1e9);
    visitor.Field("sigma_max", config.sigma_max, 1e-9, 1e9);
  }
  if (is_euler || is_dpm || is_unipc) {
    visitor.Field("final_sigmas_type", config.final_sigmas_type, {"zero", "sigma_min"});
  }
  if (is_euler) {
    visitor.Field("interpolation_type", config.interpolation_type, {"linear", "log_linear"});
    visitor.Field("timestep_type", config.timestep_type, {"discrete", "continuous"});
  }
  if (!is_dpm && !is_unipc) return;
  VisitSolver(config, visitor);
  visitor.Field("use_flow_sigmas", config.use_flow_sigmas);
  visitor.Field("flow_shift", config.flow_shift, 1e-6, 1e6);
  visitor.Field("use_dynamic_shifting", config.use_dynamic_shifting);
  visitor.Field("time_shift_type", config.time_shift_type, {"exponential", "linear"});
  if (is_unipc) {
    visitor.Field("shift_terminal", config.shift_terminal, 0, 0.999);
    return;
  }
  visitor.Field("use_lu_lambdas", config.use_lu_lambdas);
  visitor.Field("lambda_min_clipped", config.lambda_min_clipped, -kInfinity, 1e6);
  // Whether a network's second half is a variance, which its channels say.
  std::string variance = "null";
  visitor.Field("variance_type", variance, {"learned", "learned_range", "null"});
}

template <typename Visitor>
void VisitEdm(SchedulerConfig& config, Visitor& visitor) {
  visitor.Field("sigma_min", config.sigma_min, 1e-9, 1e9);
  visitor.Field("sigma_max", config.sigma_max, 1e-9, 1e9);
  visitor.Field("sigma_data", config.sigma_data, 1e-9, 1e9);
  visitor.Field("sigma_schedule", config.sigma_schedule, {"karras", "exponential"});
  visitor.Field("num_train_timesteps", config.num_train_timesteps, 1, 1000000);
  visitor.Field("prediction_type", config.prediction_type, {"epsilon", "v_prediction"});
  visitor.Field("rho", config.rho, 0.1, 1000);
  visitor.Field("final_sigmas_type", config.final_sigmas_type, {"zero", "sigma_min"});
  if (config.class_name == "EDMEulerScheduler") return;
  VisitThresholding(config, visitor);
  VisitSolver(config, visitor);
}

template <typename Visitor>
void VisitFlow(SchedulerConfig& config, Visitor& visitor) {
  visitor.Field("num_train_timesteps", config.num_train_timesteps, 1, 1000000);
  visitor.Field("shift", config.shift, 1e-6, 1e6);
  if (config.class_name == "FlowMatchHeunDiscreteScheduler") return;
  visitor.Field("use_dynamic_shifting", config.use_dynamic_shifting);
  visitor.Field("base_shift", config.base_shift, -1e6, 1e6);
  visitor.Field("max_shift", config.max_shift, -1e6, 1e6);
  visitor.Field("base_image_seq_len", config.base_image_seq_len, 1, 1000000000);
  visitor.Field("max_image_seq_len", config.max_image_seq_len, 1, 1000000000);
  visitor.Field("invert_sigmas", config.invert_sigmas);
  visitor.Field("shift_terminal", config.shift_terminal, 0, 0.999);
  VisitSpacingSwitches(config, visitor);
  visitor.Field("time_shift_type", config.time_shift_type, {"exponential", "linear"});
  visitor.Field("stochastic_sampling", config.stochastic_sampling);
}

template <typename Visitor>
void VisitLangevin(SchedulerConfig& config, Visitor& visitor) {
  visitor.Field("process", config.process,
                {"edm", "vp", "sub_vp", "ve", "linear", "trigonometric"});
  visitor.Field("target", config.target,
                {"epsilon", "sample", "v", "score", "velocity", "preconditioned"});
  visitor.Field("data_sigma", config.sigma_data, 1e-9, 1e9);
  visitor.Field("beta_min", config.beta_min, 0, 1e6);
  visitor.Field("beta_max", config.beta_max, 1e-9, 1e6);
  visitor.Field("sigma_min", config.sigma_min, 1e-9, 1e9);
  visitor.Field("sigma_max", config.sigma_max, 1e-9, 1e9);
  visitor.Field("rho", config.rho, 0.1, 1000);
  visitor.Field("shift", config.shift, 1e-6, 1e6);
  visitor.Field("learned_variance", config.learned_variance);
}

// Calls the visitor with each field that config.class_name has.
template <typename Visitor>
void VisitFields(SchedulerConfig& config, Visitor& visitor) {
  switch (FamilyOf(config)) {
    case SchedulerFamily::kDiscrete:
      return VisitDiscrete(config, visitor);
    case SchedulerFamily::kEdm:
      return VisitEdm(config, visitor);
    case SchedulerFamily::kFlow:
      return VisitFlow(config, visitor);
    case SchedulerFamily::kLangevin:
      return VisitLangevin(config, visitor);
    case SchedulerFamily::kScoreVe:
      visitor.Field("num_train_timesteps", config.num_train_timesteps, 1, 1000000);
      visitor.Field("snr", config.snr, 1e-9, 1e3);
      visitor.Field("sigma_min", config.sigma_min, 1e-9, 1e9);
      visitor.Field("sigma_max", config.sigma_max, 1e-9, 1e9);
      visitor.Field("sampling_eps", config.sampling_eps, 0, 0.5);
      visitor.Field("correct_steps", config.correct_steps, 0, 10);
      return;
    case SchedulerFamily::kScoreVp:
      visitor.Field("num_train_timesteps", config.num_train_timesteps, 1, 1000000);
      visitor.Field("beta_min", config.beta_min, 0, 1e6);
      visitor.Field("beta_max", config.beta_max, 1e-9, 1e6);
      visitor.Field("sampling_eps", config.sampling_eps, 1e-9, 0.5);
      return;
  }
}

// What no single field can say.
absl::Status CheckTogether(const SchedulerConfig& config, std::string_view file) {
  const auto fail = [&](std::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat(std::string(file), ": ", config.class_name, ": ", std::string(what)));
  };
  if (config.use_karras_sigmas + config.use_exponential_sigmas + config.use_beta_sigmas +
          config.use_lu_lambdas >
      1) {
    return fail(
        "only one of use_karras_sigmas, use_exponential_sigmas, use_beta_sigmas and "
        "use_lu_lambdas can be true");
  }
  const SchedulerFamily family = FamilyOf(config);
  if (family == SchedulerFamily::kEdm || family == SchedulerFamily::kScoreVe ||
      family == SchedulerFamily::kLangevin) {
    if (!config.sigma_min.has_value() || !config.sigma_max.has_value()) {
      return fail("sigma_min and sigma_max must be numbers");
    }
  }
  if (config.sigma_min.has_value() && config.sigma_max.has_value() &&
      *config.sigma_min >= *config.sigma_max) {
    return fail("sigma_min must be below sigma_max");
  }
  if (config.beta_min >= config.beta_max) return fail("beta_min must be below beta_max");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SchedulerConfig> SchedulerConfigFromJson(std::string_view json,
                                                        std::string_view file) {
  const Json object = Json::parse(QuoteNonFinite(json), nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(std::string(file), ": is not a JSON object; was the file damaged?"));
  }
  const auto class_name = object.find("_class_name");
  SchedulerConfig config = SchedulerConfigOf(class_name != object.end() && class_name->is_string()
                                                 ? class_name->get<std::string>()
                                                 : "DDIMScheduler");
  FieldReader reader(object, file);
  VisitFields(config, reader);
  LANGEVIN_RETURN_IF_ERROR(reader.status());
  LANGEVIN_RETURN_IF_ERROR(CheckTogether(config, file));
  if (!config.trained_betas.empty()) {
    config.num_train_timesteps = static_cast<int64_t>(config.trained_betas.size());
  }
  return config;
}

std::string SchedulerConfigToJson(const SchedulerConfig& config) {
  Json json;
  json["_class_name"] = config.class_name;
  json["_diffusers_version"] = "0.42.1";
  SchedulerConfig fields = config;
  FieldWriter writer(json);
  VisitFields(fields, writer);
  if (config.class_name == "DPMSolverMultistepScheduler") json["variance_type"] = nullptr;
  std::string text = json.dump(2) + "\n";
  if (const size_t at = text.find("\"-Infinity\""); at != std::string::npos) {
    text.replace(at, 11, "-Infinity");
  }
  return text;
}

}  // namespace langevin::diffusion
