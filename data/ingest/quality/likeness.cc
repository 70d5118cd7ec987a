#include "data/ingest/quality/likeness.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

namespace langevin::data {
namespace {

constexpr int kSide = Measures::kDescriptorSide;
constexpr int kCells = kSide * kSide;
constexpr int kIterations = 4;
constexpr double kLongestShift = 3;
constexpr double kLargestGain = 3;
constexpr int kFewestCells = (kSide - 2) * (kSide - 2) / 6;
// Pairs that are farther apart than this before the shift is refined are not brought near by it.
constexpr double kHopeless = 0.08;
// An iteration that leaves more than this of what was unexplained will not get far.
constexpr double kSlow = 0.7;

// A descriptor as numbers.
struct Patch {
  std::array<float, kCells> values;
  std::array<uint8_t, kCells> known;      // Inside the image.
  std::array<uint8_t, kCells> saturated;  // A brightened copy may have lost detail here.
};

Patch ToPatch(const Descriptor& descriptor) {
  Patch patch;
  for (size_t i = 0; i < kCells; ++i) {
    patch.known[i] = descriptor[i] != Measures::kUnknown;
    patch.saturated[i] = patch.known[i] && descriptor[i] % 2 == 1;
    patch.values[i] = static_cast<float>(descriptor[i] / 2);
  }
  return patch;
}

// `patch` as seen from (down, across) cells off, bilinear; a place is known if all it is made of
// is.
Patch Shifted(const Patch& patch, double down, double across) {
  const int y0 = static_cast<int>(std::floor(down)), x0 = static_cast<int>(std::floor(across));
  const float fy = static_cast<float>(down - y0), fx = static_cast<float>(across - x0);
  Patch shifted;
  for (int y = 0; y < kSide; ++y) {
    const int top = y + y0, bottom = std::min(top + 1, kSide - 1);
    for (int x = 0; x < kSide; ++x) {
      const size_t to = static_cast<size_t>(y * kSide + x);
      const int left = x + x0, right = std::min(left + 1, kSide - 1);
      if (top < 0 || left < 0 || top >= kSide || left >= kSide) {
        shifted.values[to] = 0;
        shifted.known[to] = shifted.saturated[to] = 0;
        continue;
      }
      const size_t a = static_cast<size_t>(top * kSide + left);
      const size_t b = static_cast<size_t>(top * kSide + right);
      const size_t c = static_cast<size_t>(bottom * kSide + left);
      const size_t d = static_cast<size_t>(bottom * kSide + right);
      shifted.known[to] = patch.known[a] & patch.known[b] & patch.known[c] & patch.known[d];
      shifted.saturated[to] =
          patch.saturated[a] | patch.saturated[b] | patch.saturated[c] | patch.saturated[d];
      shifted.values[to] = (patch.values[a] * (1 - fx) + patch.values[b] * fx) * (1 - fy) +
                           (patch.values[c] * (1 - fx) + patch.values[d] * fx) * fy;
    }
  }
  return shifted;
}

constexpr int kTerms = 4;
using Terms = std::array<double, kTerms>;

// Solves the positive definite system whose right-hand side is the last column.
Terms Solve(std::array<std::array<double, kTerms + 1>, kTerms> matrix) {
  for (size_t pivot = 0; pivot < kTerms; ++pivot) {
    for (size_t row = pivot + 1; row < kTerms; ++row) {
      const double factor = matrix[row][pivot] / matrix[pivot][pivot];
      for (size_t k = pivot; k <= kTerms; ++k) matrix[row][k] -= factor * matrix[pivot][k];
    }
  }
  Terms solution;
  for (size_t row = kTerms; row-- > 0;) {
    solution[row] = matrix[row][kTerms];
    for (size_t k = row + 1; k < kTerms; ++k) solution[row] -= matrix[row][k] * solution[k];
    solution[row] /= matrix[row][row];
  }
  return solution;
}

struct Fit {
  double down = 0, across = 0;  // The shift that would fit better.
  double unexplained = 1;
};

// Least squares of `target` = gain * (patch + down * d/dy patch + across * d/dx patch) + offset,
// over the cells known and unsaturated in both. What it leaves unexplained counts the saturated
// ones, too, as far as they contradict: a saturated number stands for itself or more. None: too few
// cells, nothing to fit, or a gain that no change of brightness has.
std::optional<Fit> FitOnce(const Patch& patch, const Patch& target) {
  std::array<std::array<double, kTerms + 1>, kTerms> normal = {};
  std::array<std::array<float, kTerms + 1>, kCells> cells;  // Terms, and the target as the last.
  std::array<int, kCells> bound;  // 0: exact; -1: the target is at least this, 1: at most.
  int count = 0, exact = 0;
  double sum = 0, squares = 0;
  for (int y = 1; y + 1 < kSide; ++y) {
    for (int x = 1; x + 1 < kSide; ++x) {
      const size_t i = static_cast<size_t>(y * kSide + x);
      if (!(target.known[i] & patch.known[i] & patch.known[i - 1] & patch.known[i + 1] &
            patch.known[i - kSide] & patch.known[i + kSide])) {
        continue;
      }
      if (patch.saturated[i] && target.saturated[i]) continue;
      std::array<float, kTerms + 1>& terms = cells[static_cast<size_t>(count)];
      terms = {patch.values[i], (patch.values[i + kSide] - patch.values[i - kSide]) / 2,
               (patch.values[i + 1] - patch.values[i - 1]) / 2, 1, target.values[i]};
      bound[static_cast<size_t>(count++)] = target.saturated[i] - patch.saturated[i];
      sum += target.values[i];
      squares += target.values[i] * target.values[i];
      if (target.saturated[i] || patch.saturated[i]) continue;
      ++exact;
      for (size_t j = 0; j < kTerms; ++j) {
        for (size_t k = j; k <= kTerms; ++k) normal[j][k] += terms[j] * terms[k];
      }
    }
  }
  const double variance = squares - sum * sum / std::max(count, 1);
  if (exact < kFewestCells || variance < count) return std::nullopt;  // Less than one step.
  for (size_t j = 0; j < kTerms; ++j) {
    for (size_t k = 0; k < j; ++k) normal[j][k] = normal[k][j];
    normal[j][j] += 1e-3;  // A patch without slope in one direction has no shift in it.
  }
  const Terms solution = Solve(normal);
  const double gain = solution[0];
  if (gain < 1 / kLargestGain || gain > kLargestGain) return std::nullopt;

  double unexplained = 0;
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    double excess = cells[i][kTerms];  // Of the target over what is predicted.
    for (size_t j = 0; j < kTerms; ++j) excess -= solution[j] * cells[i][j];
    if (bound[i] * excess < 0) continue;
    unexplained += excess * excess;
  }
  return Fit{.down = solution[1] / gain,
             .across = solution[2] / gain,
             .unexplained = std::min(1.0, unexplained / variance)};
}

double OneWay(const Patch& patch, const Patch& target, double bound) {
  double down = 0, across = 0, best = 1;
  for (int i = 0; i < kIterations; ++i) {
    const std::optional<Fit> fit = FitOnce(i == 0 ? patch : Shifted(patch, down, across), target);
    if (!fit.has_value()) break;
    const bool is_slow = i > 0 && fit->unexplained > kSlow * best;
    best = std::min(best, fit->unexplained);
    if (best > bound && (is_slow || best > kHopeless)) break;
    // Far steps lead astray: the slope is that of one cell.
    const double step_down = std::clamp(fit->down, -1.0, 1.0);
    const double step_across = std::clamp(fit->across, -1.0, 1.0);
    if (std::abs(step_down) < 0.05 && std::abs(step_across) < 0.05) break;
    down = std::clamp(down + step_down, -kLongestShift, kLongestShift);
    across = std::clamp(across + step_across, -kLongestShift, kLongestShift);
  }
  return best;
}

}  // namespace

double Unlikeness(const Descriptor& a, const Descriptor& b, double bound) {
  const Patch first = ToPatch(a), second = ToPatch(b);
  const double forward = OneWay(first, second, bound);
  return forward > bound ? forward : std::max(forward, OneWay(second, first, bound));
}

}  // namespace langevin::data
