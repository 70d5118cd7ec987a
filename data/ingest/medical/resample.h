// Resampling along one axis by millimetres: linear between samples where the grid gets finer, the
// mean over the new sample's extent where it gets coarser, so that nothing aliases.
#ifndef LANGEVIN_DATA_INGEST_MEDICAL_RESAMPLE_H_
#define LANGEVIN_DATA_INGEST_MEDICAL_RESAMPLE_H_

#include <cstdint>
#include <span>
#include <vector>

namespace langevin::data {

// A new sample as a weighted sum of old ones first, first + 1, ...; the weights sum to 1.
struct Taps {
  int64_t first = 0;
  std::vector<float> weights;
};

// `centers`: ascending positions in millimetres of the old samples, at least two unless `spacing`
// is that of a single one. A sample reaches halfway to its neighbours. The new grid has `spacing`
// exactly, round(extent / spacing) samples (at least one), and the old grid's middle.
// Requires at most `limit` new samples, else gives none.
std::vector<Taps> MakeTaps(std::span<const double> centers, double spacing,
                           int64_t limit = 1 << 16);

// Positions of the new samples, on the scale of `centers`.
std::vector<double> NewCenters(std::span<const double> centers, double spacing, size_t count);

// 0, spacing, 2 spacing ...
std::vector<double> EvenCenters(int64_t count, double spacing);

// (rows, columns, channels) along rows and columns. Values where `mask` is 0 have no weight, and
// new values that rest for more than half on such ones get mask 0; an empty mask is all ones.
struct Plane {
  int64_t rows = 0, columns = 0, channels = 1;
  std::vector<float> values;
  std::vector<float> mask;  // (rows, columns): 0 to 1.
};
Plane ResamplePlane(const Plane& plane, std::span<const Taps> rows, std::span<const Taps> columns);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_MEDICAL_RESAMPLE_H_
