// The step of a preparation in which every data set gets its intensity map.
#ifndef LANGEVIN_DATA_INGEST_INTENSITY_CHOOSE_INTENSITIES_H_
#define LANGEVIN_DATA_INGEST_INTENSITY_CHOOSE_INTENSITIES_H_

#include <vector>

#include "absl/status/status.h"
#include "data/ingest/analyse_job.h"
#include "data/ingest/plan.h"

namespace langevin::data {

// All ranks together. Sets the maps in the plan's specs and manifests. Where the mode asks for
// statistics, counts the values of the training split's images, shared between ranks. Cancelled:
// somebody asked to stop. InvalidArgument: see ChooseMap.
absl::Status ChooseIntensities(const PrepareContext& context, Plan& plan,
                               const std::vector<SpoolPlace>& places);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_INTENSITY_CHOOSE_INTENSITIES_H_
