#include "data/apportionment.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>
#include <queue>
#include <utility>

namespace langevin::data {
namespace {

// Whole numbers in the proportion of the weights, if their sum can be small.
std::vector<int64_t> ExactQuotas(const std::vector<double>& shares) {
  const auto parts = static_cast<int64_t>(shares.size());
  for (int64_t period = parts; period <= Apportionment::kLargestPeriod; ++period) {
    std::vector<int64_t> quotas;
    for (const double share : shares) {
      const double exact = share * static_cast<double>(period);
      const double whole = std::round(exact);
      if (whole < 1 || std::abs(exact - whole) > 1e-9 * whole) break;
      quotas.push_back(static_cast<int64_t>(whole));
    }
    if (quotas.size() == shares.size() &&
        std::accumulate(quotas.begin(), quotas.end(), int64_t{0}) == period) {
      return quotas;
    }
  }
  return {};
}

// The method of largest remainders, with at least one for each.
std::vector<int64_t> RoundedQuotas(const std::vector<double>& shares) {
  const auto parts = static_cast<int64_t>(shares.size());
  const int64_t period = std::max(Apportionment::kLargestPeriod, 8 * parts);
  std::vector<int64_t> quotas;
  std::vector<std::pair<double, size_t>> remainders;
  for (size_t i = 0; i < shares.size(); ++i) {
    const double exact = shares[i] * static_cast<double>(period - parts);
    quotas.push_back(1 + static_cast<int64_t>(exact));
    remainders.emplace_back(std::floor(exact) - exact, i);
  }
  std::sort(remainders.begin(), remainders.end());
  int64_t left = period - std::accumulate(quotas.begin(), quotas.end(), int64_t{0});
  for (size_t i = 0; left > 0; i = (i + 1) % remainders.size(), --left) {
    ++quotas[remainders[i].second];
  }
  return quotas;
}

}  // namespace

Apportionment::Apportionment(const std::vector<double>& weights) {
  assert(!weights.empty());
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<double> shares;
  for (const double weight : weights) shares.push_back(weight / sum);
  quotas_ = ExactQuotas(shares);
  if (quotas_.empty()) quotas_ = RoundedQuotas(shares);

  // Turn j of a part with quota q must be at or after floor(j P / q) and before ceil((j + 1) P /
  // q); of those that may come, the one whose time ends first does.
  const int64_t period = std::accumulate(quotas_.begin(), quotas_.end(), int64_t{0});
  using Timed = std::pair<int64_t, int32_t>;  // A time and the part.
  std::priority_queue<Timed, std::vector<Timed>, std::greater<>> waiting, ready;
  std::vector<int32_t> turns(quotas_.size());
  for (size_t part = 0; part < quotas_.size(); ++part) {
    waiting.emplace(0, static_cast<int32_t>(part));
  }
  for (int64_t time = 0; time < period; ++time) {
    while (!waiting.empty() && waiting.top().first <= time) {
      const int32_t part = waiting.top().second;
      const auto at = static_cast<size_t>(part);
      ready.emplace(((turns[at] + 1) * period + quotas_[at] - 1) / quotas_[at], part);
      waiting.pop();
    }
    assert(!ready.empty() && ready.top().first > time);
    const int32_t part = ready.top().second;
    ready.pop();
    const auto at = static_cast<size_t>(part);
    slots_.push_back({.part = part, .before = turns[at]});
    ++turns[at];
    if (turns[at] < quotas_[at]) waiting.emplace(turns[at] * period / quotas_[at], part);
  }
}

}  // namespace langevin::data
