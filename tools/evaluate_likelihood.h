// How many bits a model needs for each value of held-out images, on all ranks together.
#ifndef LANGEVIN_TOOLS_EVALUATE_LIKELIHOOD_H_
#define LANGEVIN_TOOLS_EVALUATE_LIKELIHOOD_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/diffusion/sampling.h"
#include "core/export/model_source.h"
#include "distributed/communicator.h"
#include "tools/evaluate_sources.h"

namespace langevin::tools {

struct LikelihoodOptions {
  // "bound": the variational bound, of models with time steps; "flow": by the probability flow,
  // with uniform dequantisation; "": the first that the model has.
  std::string method;
  int64_t terms = 0;  // Of the bound; 0: all time steps.
  double tolerance = 1e-5;
  uint64_t seed = 0;
};

struct BitsPerDim {
  std::string method;            // "bound" or "flow".
  std::vector<double> by_image;  // In the order of the images.
  // Of the bound: its terms' share by tenths of the time steps, the first with least noise, and at
  // last the prior's. Mean bits per value.
  std::vector<double> by_time;
};

// Whether it can be computed for this model and data: InvalidArgument says why not.
absl::Status CheckLikelihood(const exporting::Model& model, const data::Dataset& dataset,
                             const LikelihoodOptions& options);

// Of `images`, each on one rank: the same numbers on all ranks, for any number of them. The classes
// of conditional models are the images' own where the data have labels. `on_image` hears how many
// of this rank's images are done, of how many. All ranks together.
absl::StatusOr<BitsPerDim> MeasureBitsPerDim(distributed::Communicator& communicator,
                                             const exporting::Model& model,
                                             const at::Device& device, RealImages& source,
                                             const std::vector<int64_t>& images,
                                             const LikelihoodOptions& options,
                                             const std::function<void(int64_t, int64_t)>& on_image);

}  // namespace langevin::tools

#endif  // LANGEVIN_TOOLS_EVALUATE_LIKELIHOOD_H_
