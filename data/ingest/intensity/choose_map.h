// From stored numbers to the model's range: which map a config and the training split ask for.
#ifndef LANGEVIN_DATA_INGEST_INTENSITY_CHOOSE_MAP_H_
#define LANGEVIN_DATA_INGEST_INTENSITY_CHOOSE_MAP_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "configs/prepare_config.h"
#include "core/base/tensor_view.h"
#include "data/dataset.h"
#include "data/ingest/decoded_image.h"
#include "data/ingest/intensity/value_counts.h"

namespace langevin::data {

// The standard deviation that z-scored data have in the model's range: EDM's sigma_data (Karras et
// al. 2022, table 1), so that its preconditioning fits.
inline constexpr double kModelDeviation = 0.5;

// Whether the mode needs the counts of the training split.
bool NeedsCounts(configs::IntensityMode mode);

// `bits` is the depth of integers; `counts` of the stored numbers of the training split, null where
// they are not needed. InvalidArgument, for people: the values do not suffice (all are equal, or
// none is foreground).
absl::StatusOr<IntensityMap> ChooseMap(const configs::IntensityConfig& config, DType dtype,
                                       int32_t bits, const PhysicalUnits& physical,
                                       const ValueCounts* counts);

// The image's own (x - mean) / deviation over its valid, finite pixels, as float32; others become 0
// and masked. A constant image is all 0. Physical units are lost. Any thread.
DecodedImage ZScore(const DecodedImage& image);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_INTENSITY_CHOOSE_MAP_H_
