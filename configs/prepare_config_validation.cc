#include "configs/prepare_config_validation.h"

#include <cmath>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "configs/config_checks.h"
#include "configs/config_message.h"

namespace langevin::configs {
namespace {

using Problem = std::optional<ConfigProblem>;

constexpr int64_t kLargestSide = 1 << 16;

Problem Finite(std::string field, double value) {
  return Require(std::isfinite(value), std::move(field), value, "a finite number");
}

// NaN is in no range.
Problem Share(std::string field, double value) {
  return Require(value >= 0 && value <= 1, std::move(field), value, "from 0 to 1");
}

Problem ShareIfSet(std::string field, const std::optional<double>& value) {
  return value.has_value() ? Share(std::move(field), *value) : std::nullopt;
}

// The first of them that is one.
Problem FirstOf(std::vector<Problem> problems) {
  for (Problem& problem : problems) {
    if (problem.has_value()) return std::move(problem);
  }
  return std::nullopt;
}

Problem InRead(const ReadConfig& config) {
  if (!config.hdf5_images.empty()) return std::nullopt;
  return ConfigProblem{"read.hdf5_images",
                       "value \"\": must be the path of a dataset, like images"};
}

Problem InMedical(const MedicalConfig& config) {
  if (Problem problem =
          FirstOf({InRange("medical.voi_index", config.voi_index, 0, 1000),
                   Finite("medical.voi_center", config.voi_center),
                   Require(config.voi_width > 0 && std::isfinite(config.voi_width),
                           "medical.voi_width", config.voi_width, "a finite number above 0"),
                   Require(config.skip_empty >= 0 && config.skip_empty < 1, "medical.skip_empty",
                           config.skip_empty, "at least 0 and below 1")})) {
    return problem;
  }
  const size_t spacings = config.spacing_mm.size();
  if (spacings != 0 && spacings != 2 && spacings != 3) {
    return ConfigProblem{"medical.spacing_mm",
                         absl::StrFormat("has %d values: must be none, 2 (rows, columns) or 3 "
                                         "(rows, columns, slices)",
                                         spacings)};
  }
  for (const double spacing : config.spacing_mm) {
    if (Problem problem = Require(spacing >= 0.001 && spacing <= 1000, "medical.spacing_mm",
                                  spacing, "from 0.001 to 1000")) {
      return problem;
    }
  }
  return std::nullopt;
}

Problem InBuckets(const GeometryConfig& config) {
  std::set<std::pair<int64_t, int64_t>> seen;
  for (const std::string& bucket : config.buckets) {
    const std::optional<BucketSize> size = ParseBucket(bucket);
    if (!size.has_value()) {
      return ConfigProblem{"geometry.buckets",
                           absl::StrFormat("value %s: must be height and width, like 64x96, each "
                                           "from 1 to %d",
                                           Shown(bucket), kLargestSide)};
    }
    if (!seen.emplace(size->height, size->width).second) {
      return ConfigProblem{"geometry.buckets",
                           absl::StrFormat("value %s: is there twice; keep one", Shown(bucket))};
    }
  }
  if (config.height != 0 || config.width != 0) {
    return ConfigProblem{"geometry.buckets",
                         "are given with geometry.height and width; leave out one or the other"};
  }
  if (config.tile_stride != 0) {
    return ConfigProblem{"geometry.buckets",
                         "are given with geometry.tile_stride; leave out one or the other"};
  }
  if (config.fit == FitMode::kNone) {
    return ConfigProblem{"geometry.fit",
                         "value NONE: must be CROP, PAD or STRETCH where buckets are given"};
  }
  return std::nullopt;
}

Problem InGeometry(const GeometryConfig& config) {
  if (Problem problem =
          FirstOf({InRange("geometry.height", config.height, 0, kLargestSide),
                   InRange("geometry.width", config.width, 0, kLargestSide),
                   Finite("geometry.pad_value", config.pad_value),
                   InRange("geometry.tile_stride", config.tile_stride, 0, kLargestSide)})) {
    return problem;
  }
  if (!config.buckets.empty()) return InBuckets(config);
  if ((config.height == 0) != (config.width == 0)) {
    return ConfigProblem{config.height == 0 ? "geometry.height" : "geometry.width",
                         "value 0: height and width must be given together"};
  }
  if (config.tile_stride > 0 && config.height == 0) {
    return ConfigProblem{"geometry.tile_stride",
                         absl::StrFormat("value %d: needs geometry.height and width, the size of "
                                         "a tile",
                                         config.tile_stride)};
  }
  if (config.tile_stride > 0 && config.fit != FitMode::kNone) {
    return ConfigProblem{"geometry.fit",
                         "must be NONE where tile_stride is given: tiles are cut, not resized"};
  }
  if (config.fit != FitMode::kNone && config.height == 0) {
    return ConfigProblem{"geometry.fit", "needs geometry.height and width, or buckets"};
  }
  return std::nullopt;
}

Problem InIntensity(const IntensityConfig& config) {
  if (Problem problem = FirstOf(
          {Finite("intensity.low", config.low), Finite("intensity.high", config.high),
           Require(config.low_percentile >= 0 && config.low_percentile < 100,
                   "intensity.low_percentile", config.low_percentile, "at least 0 and below 100"),
           Require(config.high_percentile > config.low_percentile && config.high_percentile <= 100,
                   "intensity.high_percentile", config.high_percentile,
                   absl::StrFormat("above low_percentile, which is %g, and at most 100",
                                   config.low_percentile)),
           Finite("intensity.foreground_above", config.foreground_above)})) {
    return problem;
  }
  if (config.mode == IntensityMode::kWindow && !(config.high > config.low)) {
    return ConfigProblem{"intensity.high",
                         absl::StrFormat("value %.9g: must be above intensity.low, which is %.9g",
                                         config.high, config.low)};
  }
  if (config.mode != IntensityMode::kWindow && (config.low != 0 || config.high != 0)) {
    return ConfigProblem{config.low != 0 ? "intensity.low" : "intensity.high",
                         "is only used with intensity.mode WINDOW; set that, or leave it out"};
  }
  return std::nullopt;
}

Problem InQuality(const QualityConfig& config) {
  if (config.near_duplicate_radius.has_value()) {
    if (Problem problem =
            InRange("quality.near_duplicate_radius", *config.near_duplicate_radius, 0, 32)) {
      return problem;
    }
  }
  if (Problem problem =
          FirstOf({ShareIfSet("quality.max_dark", config.max_dark),
                   ShareIfSet("quality.max_light", config.max_light),
                   ShareIfSet("quality.max_blur", config.max_blur),
                   ShareIfSet("quality.max_low_information", config.max_low_information),
                   ShareIfSet("quality.max_saturated", config.max_saturated),
                   ShareIfSet("quality.max_padding", config.max_padding)})) {
    return problem;
  }
  if (!config.max_outlier_score.has_value()) return std::nullopt;
  return Require(*config.max_outlier_score > 0, "quality.max_outlier_score",
                 *config.max_outlier_score, "above 0");
}

}  // namespace

std::optional<ConfigProblem> FindProblem(const PrepareConfig& config) {
  return FirstOf(
      {InRead(config.read), InMedical(config.medical), InGeometry(config.geometry),
       InIntensity(config.intensity), InQuality(config.quality),
       Finite("missing.constant", config.missing.constant),
       Require(config.split.validation_fraction >= 0 && config.split.validation_fraction < 1,
               "split.validation_fraction", config.split.validation_fraction,
               "at least 0 and below 1"),
       InRange("shards.shard_mib", config.shards.shard_mib, 1, 4096)});
}

std::optional<BucketSize> ParseBucket(std::string_view text) {
  const std::vector<std::string> sides =
      absl::StrSplit(absl::string_view(text.data(), text.size()), 'x');
  BucketSize size;
  if (sides.size() != 2 || !absl::SimpleAtoi(sides[0], &size.height) ||
      !absl::SimpleAtoi(sides[1], &size.width) || size.height < 1 || size.width < 1 ||
      size.height > kLargestSide || size.width > kLargestSide) {
    return std::nullopt;
  }
  return size;
}

}  // namespace langevin::configs
