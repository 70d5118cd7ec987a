// How far the numbers of a data set are spread: what EDM calls sigma_data.
#ifndef LANGEVIN_DATA_MEASURE_DEVIATION_H_
#define LANGEVIN_DATA_MEASURE_DEVIATION_H_

#include "absl/status/statusor.h"
#include "data/dataset.h"

namespace langevin::data {

// The standard deviation of all values, in the model's range and without augmentation, of at most
// 4096 images that lie evenly in the data set: a function of the data alone, to four digits, which
// is all that so many images tell. 0 where all values are the same. DataLoss as ReadImage says.
absl::StatusOr<double> MeasureDeviation(const Dataset& dataset);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_MEASURE_DEVIATION_H_
