// The few images of a preparation that people see, and how the intensities are distributed.
#ifndef LANGEVIN_DATA_INGEST_PICTURES_H_
#define LANGEVIN_DATA_INGEST_PICTURES_H_

#include "absl/status/status.h"
#include "data/ingest/plan.h"
#include "data/ingest/spooled_pixels.h"

namespace langevin::data {

// Fills pictures and histograms of the plan's summary. Looks at a few thousand images at most,
// whatever their number; a function of the records and pixels.
absl::Status AddPictures(SpooledPixels& pixels, Plan& plan);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_PICTURES_H_
