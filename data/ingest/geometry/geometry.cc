#include "data/ingest/geometry/geometry.h"

namespace langevin::data {

absl::Status ApplyGeometry(const DecodedImage& image, const configs::GeometryConfig& config,
                           const GeometrySink& sink) {
  (void)config;
  return sink(image, 0);
}

}  // namespace langevin::data
