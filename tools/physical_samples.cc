#include "tools/physical_samples.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"

namespace langevin::tools {
namespace {

const std::string* Find(const Facts& facts, std::string_view name) {
  for (const auto& [key, value] : facts) {
    if (key == name) return &value;
  }
  return nullptr;
}

// Leaves `number` as it is where there is no such fact.
absl::Status Read(const Facts& facts, std::string_view name, double& number) {
  const std::string* const text = Find(facts, name);
  if (text == nullptr || (absl::SimpleAtod(*text, &number) && std::isfinite(number))) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrFormat("%s is \"%s\", which is no number", name, *text));
}

}  // namespace

Facts FactsOf(const Intensities& intensities) {
  const auto number = [](double value) { return absl::StrFormat("%.17g", value); };
  Facts facts = {{"intensity_scale", number(intensities.map.scale)},
                 {"intensity_offset", number(intensities.map.offset)},
                 {"data_dtype", std::string(NameOf(intensities.dtype))}};
  if (std::isfinite(intensities.map.clip_low)) {
    facts.emplace_back("intensity_clip_low", number(intensities.map.clip_low));
  }
  if (std::isfinite(intensities.map.clip_high)) {
    facts.emplace_back("intensity_clip_high", number(intensities.map.clip_high));
  }
  if (HasUnits(intensities)) {
    facts.emplace_back("physical_scale", number(intensities.physical.scale));
    facts.emplace_back("physical_offset", number(intensities.physical.offset));
    facts.emplace_back("physical_unit", intensities.physical.unit);
  }
  return facts;
}

absl::StatusOr<std::optional<Intensities>> IntensitiesFrom(const Facts& facts) {
  if (Find(facts, "intensity_scale") == nullptr) return std::nullopt;
  Intensities result;
  LANGEVIN_RETURN_IF_ERROR(Read(facts, "intensity_scale", result.map.scale));
  LANGEVIN_RETURN_IF_ERROR(Read(facts, "intensity_offset", result.map.offset));
  LANGEVIN_RETURN_IF_ERROR(Read(facts, "intensity_clip_low", result.map.clip_low));
  LANGEVIN_RETURN_IF_ERROR(Read(facts, "intensity_clip_high", result.map.clip_high));
  LANGEVIN_RETURN_IF_ERROR(Read(facts, "physical_scale", result.physical.scale));
  LANGEVIN_RETURN_IF_ERROR(Read(facts, "physical_offset", result.physical.offset));
  if (result.map.scale == 0) return absl::InvalidArgumentError("intensity_scale is 0");
  if (const std::string* const unit = Find(facts, "physical_unit")) result.physical.unit = *unit;
  if (const std::string* const dtype = Find(facts, "data_dtype")) {
    LANGEVIN_ASSIGN_OR_RETURN(result.dtype, DTypeFromName(*dtype));
  }
  return result;
}

bool HasUnits(const Intensities& intensities) {
  return intensities.physical != data::PhysicalUnits{};
}

void ToPhysical(const Intensities& intensities, std::span<float> values) {
  const data::IntensityMap& map = intensities.map;
  double low = map.clip_low, high = map.clip_high;
  const bool integers = intensities.dtype != DType::kFloat32;
  if (integers) {
    low = std::max(low, 0.0);
    high = std::min(high, intensities.dtype == DType::kUint8 ? 255.0 : 65535.0);
  }
  for (float& value : values) {
    double stored = std::clamp((static_cast<double>(value) - map.offset) / map.scale, low, high);
    if (integers) stored = std::round(stored);
    value = static_cast<float>(stored * intensities.physical.scale + intensities.physical.offset);
  }
}

}  // namespace langevin::tools
