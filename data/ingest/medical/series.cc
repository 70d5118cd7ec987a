#include "data/ingest/medical/series.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <tuple>

#include "absl/strings/str_format.h"
#include "data/ingest/medical/geometry.h"

namespace langevin::data {
namespace {

constexpr double kSamePositionMm = 1e-3;
constexpr size_t kMaxNotes = 8;

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

// Distances of neighbours: what is usual, and what is not.
void DescribeSpacing(std::span<const double> sorted, DicomSeries& series) {
  std::vector<double> gaps;
  for (size_t i = 1; i < sorted.size(); ++i) {
    const double gap = sorted[i] - sorted[i - 1];
    if (gap > kSamePositionMm) gaps.push_back(gap);
  }
  const double usual = series.spacing_mm = Median(gaps);
  if (usual == 0) return;
  const double tolerance = std::max(0.01 * usual, 0.01);
  series.uniform = true;
  int64_t varying = 0;
  double least = usual, most = usual;
  for (size_t i = 1; i < sorted.size(); ++i) {
    const double gap = sorted[i] - sorted[i - 1];
    if (gap <= kSamePositionMm || std::abs(gap - usual) <= tolerance) continue;
    series.uniform = false;
    const double missing = std::round(gap / usual) - 1;
    if (missing >= 1 && std::abs(gap - (missing + 1) * usual) <= tolerance * (missing + 1)) {
      if (series.notes.size() < kMaxNotes) {
        series.notes.push_back(absl::StrFormat("gap of %d slices after slice %d",
                                               static_cast<int64_t>(missing), i - 1));
      }
      continue;
    }
    ++varying;
    least = std::min(least, gap);
    most = std::max(most, gap);
  }
  if (varying > 0) {
    series.notes.push_back(
        absl::StrFormat("varying distances of slices: %.3g to %.3g mm, usually "
                        "%.3g",
                        least, most, usual));
  }
}

DicomSeries MakeStack(std::span<const double> positions, std::vector<int64_t> order) {
  DicomSeries series;
  std::vector<double> sorted;
  int64_t duplicates = 0;
  for (const int64_t index : order) {
    const double position = positions[static_cast<size_t>(index)];
    if (!sorted.empty() && position - sorted.back() <= kSamePositionMm) ++duplicates;
    sorted.push_back(position);
  }
  series.files = std::move(order);
  if (duplicates > 0) {
    series.notes.push_back(absl::StrFormat("%d slices at the position of another one", duplicates));
  }
  DescribeSpacing(sorted, series);
  return series;
}

}  // namespace

std::vector<DicomSeries> StackSlices(std::span<const double> positions,
                                     std::span<const int64_t> numbers) {
  std::vector<int64_t> order(positions.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return std::tuple(positions[static_cast<size_t>(a)], a) <
           std::tuple(positions[static_cast<size_t>(b)], b);
  });
  // Runs of equal positions, each in order of the numbers.
  std::vector<std::pair<size_t, size_t>> runs;
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    const double first = positions[static_cast<size_t>(order[begin])];
    while (end < order.size() &&
           positions[static_cast<size_t>(order[end])] - first <= kSamePositionMm) {
      ++end;
    }
    std::sort(order.begin() + static_cast<ptrdiff_t>(begin),
              order.begin() + static_cast<ptrdiff_t>(end), [&](int64_t a, int64_t b) {
                return std::tuple(numbers[static_cast<size_t>(a)], a) <
                       std::tuple(numbers[static_cast<size_t>(b)], b);
              });
    runs.emplace_back(begin, end);
  }
  const size_t times = runs.empty() ? 0 : runs.front().second - runs.front().first;
  const bool repeated =
      times > 1 && runs.size() > 1 && std::all_of(runs.begin(), runs.end(), [&](const auto& run) {
        return run.second - run.first == times;
      });
  std::vector<DicomSeries> stacks;
  if (!repeated) {
    if (!order.empty()) stacks.push_back(MakeStack(positions, std::move(order)));
    return stacks;
  }
  for (size_t time = 0; time < times; ++time) {
    std::vector<int64_t> one;
    for (const auto& [begin, end] : runs) one.push_back(order[begin + time]);
    stacks.push_back(MakeStack(positions, std::move(one)));
  }
  return stacks;
}

std::vector<DicomSeries> GroupIntoSeries(std::span<const DicomProbe> probes) {
  // Normals that differ by less than a degree or two fall together.
  using Key = std::tuple<std::string, int64_t, int64_t, bool, int, int, int>;
  std::map<Key, size_t> found;
  std::vector<std::vector<int64_t>> groups;
  for (size_t i = 0; i < probes.size(); ++i) {
    const DicomProbe& probe = probes[i];
    if (!probe.reason.empty()) continue;
    const auto index = static_cast<int64_t>(i);
    if (probe.frames > 1 || probe.facts.series.empty()) {
      groups.push_back({index});
      continue;
    }
    const bool placed = probe.facts.normal.has_value() && probe.facts.position_mm.has_value();
    const Vector3 normal = probe.facts.normal.value_or(Vector3{});
    const auto rounded = [&](size_t axis) {
      return static_cast<int>(std::lround(normal[axis] * 20));
    };
    const Key key = {probe.facts.series, probe.rows, probe.columns, placed,
                     rounded(0),         rounded(1), rounded(2)};
    const auto [entry, is_new] = found.emplace(key, groups.size());
    if (is_new) groups.emplace_back();
    groups[entry->second].push_back(index);
  }
  std::vector<DicomSeries> all;
  for (const std::vector<int64_t>& group : groups) {
    const DicomProbe& first = probes[static_cast<size_t>(group.front())];
    if (group.size() == 1) {
      all.push_back({.files = group});
      continue;
    }
    if (!first.facts.position_mm.has_value() || !first.facts.normal.has_value()) {
      DicomSeries series = {.files = group};
      std::stable_sort(series.files.begin(), series.files.end(), [&](int64_t a, int64_t b) {
        return probes[static_cast<size_t>(a)].instance_number <
               probes[static_cast<size_t>(b)].instance_number;
      });
      series.notes.push_back("no positions: ordered by InstanceNumber");
      all.push_back(std::move(series));
      continue;
    }
    std::vector<double> positions;
    std::vector<int64_t> numbers;
    for (const int64_t index : group) {
      const DicomProbe& probe = probes[static_cast<size_t>(index)];
      positions.push_back(Dot(*probe.facts.position_mm, *first.facts.normal));
      numbers.push_back(probe.instance_number);
    }
    for (DicomSeries& stack : StackSlices(positions, numbers)) {
      for (int64_t& file : stack.files) file = group[static_cast<size_t>(file)];
      all.push_back(std::move(stack));
    }
  }
  return all;
}

}  // namespace langevin::data
