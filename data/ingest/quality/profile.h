// What is suspicious in photographs and in medical images: the bounds that reports warn at.
#ifndef LANGEVIN_DATA_INGEST_QUALITY_PROFILE_H_
#define LANGEVIN_DATA_INGEST_QUALITY_PROFILE_H_

#include <optional>
#include <string_view>

#include "configs/prepare_config.h"

namespace langevin::data {

// A measure above its bound is a finding; nullopt: no bound.
struct QualityBounds {
  std::optional<int> near_duplicate_radius;
  std::optional<double> dark, light, blur, low_information, saturated, padding, outlier;
  bool constant = false;
  bool non_finite = false;
};

// `profile` for an image of this modality, "" where the source is not medical. Dark, light and
// smooth are what medical images are; theirs are looser. kNone: no bounds.
QualityBounds BoundsOf(configs::QualityProfile profile, std::string_view modality);

// The bounds that were asked for, each of which rejects.
QualityBounds BoundsOf(const configs::QualityConfig& config);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_QUALITY_PROFILE_H_
