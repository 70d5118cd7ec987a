// What the benchmarks share: statistics of a few timings, and how a result is printed.
#ifndef LANGEVIN_TOOLS_BENCH_REPORT_H_
#define LANGEVIN_TOOLS_BENCH_REPORT_H_

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "nlohmann/json.hpp"

namespace langevin::tools {

// Requires at least one value.
inline double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

// Two places behind the point, as the peer's script prints.
inline double Rounded(double value) { return std::round(value * 100) / 100; }

// One line on stdout, at once.
inline void PrintJsonLine(const nlohmann::ordered_json& object) {
  std::printf("%s\n", object.dump().c_str());
  std::fflush(stdout);
}

}  // namespace langevin::tools

#endif  // LANGEVIN_TOOLS_BENCH_REPORT_H_
