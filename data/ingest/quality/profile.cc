#include "data/ingest/quality/profile.h"

namespace langevin::data {

QualityBounds BoundsOf(configs::QualityProfile profile, std::string_view modality) {
  using configs::QualityProfile;
  if (profile == QualityProfile::kNone) return {};
  if (profile == QualityProfile::kAuto) {
    profile = modality.empty() ? QualityProfile::kPhoto : QualityProfile::kMedical;
  }
  // Dark and light of photographs are cleanvision's defaults (0.32 and 0.05); low information and
  // outliers were chosen on Fashion-MNIST, see docs/quality.md.
  if (profile == QualityProfile::kPhoto) {
    return {.near_duplicate_radius = 8,
            .dark = 0.68,
            .light = 0.95,
            .blur = 0.75,
            .low_information = 0.8,
            .saturated = 0.5,
            .padding = 0.9,
            .outlier = 11,
            .constant = true,
            .non_finite = true};
  }
  return {.near_duplicate_radius = 4,  // Neighbouring slices are alike without being copies.
          .low_information = 0.9,
          .saturated = 0.2,
          .padding = 0.95,
          .outlier = 15,
          .constant = true,
          .non_finite = true};
}

QualityBounds BoundsOf(const configs::QualityConfig& config) {
  return {.near_duplicate_radius = config.near_duplicate_radius,
          .dark = config.max_dark,
          .light = config.max_light,
          .blur = config.max_blur,
          .low_information = config.max_low_information,
          .saturated = config.max_saturated,
          .padding = config.max_padding,
          .outlier = config.max_outlier_score,
          .constant = config.reject_constant,
          .non_finite = config.reject_non_finite};
}

}  // namespace langevin::data
