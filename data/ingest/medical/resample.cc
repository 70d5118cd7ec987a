#include "data/ingest/medical/resample.h"

#include <algorithm>
#include <cmath>

namespace langevin::data {
namespace {

// Where samples meet; the outer ones reach as far outwards as inwards.
std::vector<double> EdgesOf(std::span<const double> centers, double single_spacing) {
  const size_t count = centers.size();
  std::vector<double> edges(count + 1);
  for (size_t i = 1; i < count; ++i) edges[i] = (centers[i - 1] + centers[i]) / 2;
  edges.front() = count > 1 ? 2 * centers.front() - edges[1] : centers.front() - single_spacing / 2;
  edges.back() =
      count > 1 ? 2 * centers.back() - edges[count - 1] : centers.front() + single_spacing / 2;
  return edges;
}

double MedianGap(std::span<const double> centers) {
  std::vector<double> gaps;
  for (size_t i = 1; i < centers.size(); ++i) gaps.push_back(centers[i] - centers[i - 1]);
  if (gaps.empty()) return 0;
  std::nth_element(gaps.begin(), gaps.begin() + static_cast<ptrdiff_t>(gaps.size() / 2),
                   gaps.end());
  return gaps[gaps.size() / 2];
}

Taps Linear(std::span<const double> centers, double at) {
  const auto above = std::upper_bound(centers.begin(), centers.end(), at);
  if (above == centers.begin()) return {.first = 0, .weights = {1}};
  const auto next = static_cast<int64_t>(above - centers.begin());
  if (above == centers.end()) return {.first = next - 1, .weights = {1}};
  const double low = centers[static_cast<size_t>(next - 1)];
  const double share = (at - low) / (*above - low);
  if (share < 1e-9) return {.first = next - 1, .weights = {1}};
  return {.first = next - 1, .weights = {static_cast<float>(1 - share), static_cast<float>(share)}};
}

Taps Mean(std::span<const double> edges, double low, double high) {
  Taps taps;
  std::vector<double> weights;
  double sum = 0;
  for (size_t i = 0; i + 1 < edges.size(); ++i) {
    const double overlap = std::min(high, edges[i + 1]) - std::max(low, edges[i]);
    if (overlap <= 1e-9 * (high - low)) continue;
    if (weights.empty()) taps.first = static_cast<int64_t>(i);
    weights.push_back(overlap);
    sum += overlap;
  }
  for (const double weight : weights) taps.weights.push_back(static_cast<float>(weight / sum));
  return taps;
}

}  // namespace

std::vector<double> EvenCenters(int64_t count, double spacing) {
  std::vector<double> centers(static_cast<size_t>(count));
  for (size_t i = 0; i < centers.size(); ++i) centers[i] = static_cast<double>(i) * spacing;
  return centers;
}

std::vector<double> NewCenters(std::span<const double> centers, double spacing, size_t count) {
  const std::vector<double> edges = EdgesOf(centers, spacing);
  const double middle = (edges.front() + edges.back()) / 2;
  std::vector<double> result(count);
  for (size_t i = 0; i < count; ++i) {
    result[i] = middle + (static_cast<double>(i) - (static_cast<double>(count) - 1) / 2) * spacing;
  }
  return result;
}

std::vector<Taps> MakeTaps(std::span<const double> centers, double spacing, int64_t limit) {
  const std::vector<double> edges = EdgesOf(centers, spacing);
  const double wanted = std::max(1.0, std::round((edges.back() - edges.front()) / spacing));
  if (!(wanted <= static_cast<double>(limit))) return {};
  const bool coarser = spacing > MedianGap(centers) * (1 + 1e-9);
  std::vector<Taps> taps;
  for (const double at : NewCenters(centers, spacing, static_cast<size_t>(wanted))) {
    taps.push_back(coarser ? Mean(edges, at - spacing / 2, at + spacing / 2) : Linear(centers, at));
    // Rounding of the number of samples can put one outside the old ones.
    if (taps.back().weights.empty()) taps.back() = Linear(centers, at);
  }
  return taps;
}

Plane ResamplePlane(const Plane& plane, std::span<const Taps> rows, std::span<const Taps> columns) {
  const bool masked = !plane.mask.empty();
  const auto channels = static_cast<size_t>(plane.channels);
  const auto width = static_cast<size_t>(plane.columns);
  Plane wide = {.rows = plane.rows,
                .columns = static_cast<int64_t>(columns.size()),
                .channels = plane.channels};
  wide.values.resize(static_cast<size_t>(plane.rows) * columns.size() * channels);
  if (masked) wide.mask.resize(static_cast<size_t>(plane.rows) * columns.size());
  // Along rows. Values are kept multiplied by their mask until the end.
  for (size_t r = 0; r < static_cast<size_t>(plane.rows); ++r) {
    for (size_t c = 0; c < columns.size(); ++c) {
      float* const out = &wide.values[(r * columns.size() + c) * channels];
      for (size_t t = 0; t < columns[c].weights.size(); ++t) {
        const size_t from = r * width + static_cast<size_t>(columns[c].first) + t;
        const float weight = columns[c].weights[t] * (masked ? plane.mask[from] : 1);
        if (masked) wide.mask[r * columns.size() + c] += weight;
        if (weight == 0) continue;  // What lies under the mask may be NaN.
        for (size_t k = 0; k < channels; ++k) out[k] += weight * plane.values[from * channels + k];
      }
    }
  }
  Plane result = {.rows = static_cast<int64_t>(rows.size()),
                  .columns = wide.columns,
                  .channels = plane.channels};
  const size_t line = columns.size() * channels;
  result.values.resize(rows.size() * line);
  if (masked) result.mask.resize(rows.size() * columns.size());
  for (size_t r = 0; r < rows.size(); ++r) {
    for (size_t t = 0; t < rows[r].weights.size(); ++t) {
      const size_t from = static_cast<size_t>(rows[r].first) + t;
      const float weight = rows[r].weights[t];
      for (size_t i = 0; i < line; ++i) {
        result.values[r * line + i] += weight * wide.values[from * line + i];
      }
      for (size_t i = 0; masked && i < columns.size(); ++i) {
        result.mask[r * columns.size() + i] += weight * wide.mask[from * columns.size() + i];
      }
    }
  }
  for (size_t i = 0; i < result.mask.size(); ++i) {
    if (result.mask[i] <= 0) continue;
    for (size_t k = 0; k < channels; ++k) result.values[i * channels + k] /= result.mask[i];
  }
  return result;
}

}  // namespace langevin::data
