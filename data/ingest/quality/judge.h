// Judges all images of a preparation together: duplicates, outliers and whatever a bound is set
// for.
//
// A pure function of the records in their order, so every rank comes to the same verdicts.
#ifndef LANGEVIN_DATA_INGEST_QUALITY_JUDGE_H_
#define LANGEVIN_DATA_INGEST_QUALITY_JUDGE_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "configs/prepare_config.h"
#include "data/dataset.h"
#include "data/ingest/quality/measures.h"

namespace langevin::data {

struct JudgedImage {
  Measures measures;
  ImageShape shape;  // As in the source, before geometry.
  Split split = Split::kTrain;
  std::string modality;
  int64_t label = -1;
};

struct Finding {
  enum class Kind {
    kExactDuplicate,
    kNearDuplicate,
    kDark,
    kLight,
    kBlurry,
    kLowInformation,
    kConstant,
    kNonFinite,
    kSaturated,
    kPadding,
    kOddSize,
    kOddAspect,
    kOutlier,
    kLeak,  // A near or exact duplicate in the other split.
  };
  Kind kind = Kind::kExactDuplicate;
  int64_t image = 0;      // Index into the records.
  int64_t other = -1;     // Of duplicates and leaks: the one that stays.
  double score = 0;       // The measure, or the distance.
  bool rejected = false;  // A bound was set for it; false: reported only.
};

// Sorted by image, at most one of each kind an image. Works on `threads`, whose number changes
// nothing.
std::vector<Finding> Judge(std::span<const JudgedImage> images,
                           const configs::QualityConfig& config, int threads = 1);

// "near duplicate of (...)" without the other's name, "too dark": a reason for rejected.csv.
std::string ReasonOf(const Finding& finding);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_QUALITY_JUDGE_H_
