#include "data/ingest/quality/hamming_index.h"

#include <algorithm>
#include <bit>
#include <iterator>

namespace langevin::data {
namespace {

uint32_t PartOf(uint64_t hash, size_t table, int bits) {
  return static_cast<uint32_t>(hash >> (table * static_cast<size_t>(bits))) & ((1u << bits) - 1);
}

}  // namespace

HammingIndex::HammingIndex(int radius) : radius_(radius) {
  constexpr int kParts = static_cast<int>(kTables);
  for (uint32_t flip = 0; flip < 1u << kTableBits; ++flip) {
    if (std::popcount(flip) <= radius / kParts) flips_.push_back(flip);
  }
  std::stable_sort(flips_.begin(), flips_.end(),
                   [](uint32_t a, uint32_t b) { return std::popcount(a) < std::popcount(b); });
  for (size_t table = 0; table < kTables; ++table) {
    tables_[table].resize(size_t{1} << kTableBits);
    // With radius = a * parts + b, either one of the first b + 1 parts differs in at most a bits,
    // or all of them in more, which leaves fewer than a * (parts - b - 1) for the rest: one of
    // those differs in at most a - 1.
    const int most =
        static_cast<int>(table) <= radius % kParts ? radius / kParts : radius / kParts - 1;
    flip_counts_[table] =
        static_cast<size_t>(std::count_if(flips_.begin(), flips_.end(), [most](uint32_t flip) {
          return std::popcount(flip) <= most;
        }));
  }
}

std::vector<HammingIndex::Match> HammingIndex::Find(uint64_t hash, int64_t before) const {
  std::vector<Match> matches;
  int64_t steps = 0;
  for (size_t flip = 0; flip < flips_.size(); ++flip) {
    for (size_t table = 0; table < kTables; ++table) {
      if (flip >= flip_counts_[table]) continue;
      const std::vector<Entry>& entries =
          tables_[table][PartOf(hash, table, kTableBits) ^ flips_[flip]];
      auto end = entries.end();
      if (!entries.empty() && entries.back().index >= before) {
        end = std::lower_bound(entries.begin(), end, before, [](const Entry& entry, int64_t index) {
          return entry.index < index;
        });
      }
      for (auto entry = std::make_reverse_iterator(end); entry != entries.rend(); ++entry) {
        if (++steps > kMostSteps) break;
        const uint64_t difference = entry->hash ^ hash;
        const int distance = std::popcount(difference);
        if (distance > radius_) continue;
        matches.push_back({distance, entry->index});
      }
    }
  }
  // One that is near in several parts was found several times.
  std::sort(matches.begin(), matches.end());
  matches.erase(std::unique(matches.begin(), matches.end()), matches.end());
  if (matches.size() > kMostMatches) matches.resize(kMostMatches);
  return matches;
}

void HammingIndex::Add(uint64_t hash, int64_t index) {
  for (size_t table = 0; table < kTables; ++table) {
    tables_[table][PartOf(hash, table, kTableBits)].push_back({hash, index});
  }
}

}  // namespace langevin::data
