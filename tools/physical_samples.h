// From a model's numbers back to what its data meant: stored numbers, and physical values (HU where
// HU went in).
//
// The data set's intensity map travels with checkpoints and exported models as facts.
#ifndef LANGEVIN_TOOLS_PHYSICAL_SAMPLES_H_
#define LANGEVIN_TOOLS_PHYSICAL_SAMPLES_H_

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/tensor_view.h"
#include "data/dataset.h"

namespace langevin::tools {

using Facts = std::vector<std::pair<std::string, std::string>>;

// What a model has to know of its data's intensities.
struct Intensities {
  DType dtype = DType::kUint8;
  data::IntensityMap map;
  data::PhysicalUnits physical;
};

// "intensity_scale", "physical_unit" and so on. What has its default is left out, but for scale,
// offset and data_dtype.
Facts FactsOf(const Intensities& intensities);

// Nothing where a model does not say. InvalidArgument: a fact is no such number.
absl::StatusOr<std::optional<Intensities>> IntensitiesFrom(const Facts& facts);

// Whether physical values are something else than stored numbers.
bool HasUnits(const Intensities& intensities);

// Inverts the map: numbers in the model's range become physical values. Values that the data could
// not have had become the nearest they could: stored integers are whole, not below 0 or above what
// the type holds, and nothing is outside of what the map clips to.
void ToPhysical(const Intensities& intensities, std::span<float> values);

}  // namespace langevin::tools

#endif  // LANGEVIN_TOOLS_PHYSICAL_SAMPLES_H_
