#include "data/ingest/quality/hamming_index.h"

#include <algorithm>
#include <bit>

namespace langevin::data {
namespace {

uint16_t Quarter(uint64_t hash, int table) { return static_cast<uint16_t>(hash >> (16 * table)); }

}  // namespace

HammingIndex::HammingIndex(int radius) : radius_(radius) {
  for (uint32_t flip = 0; flip < 1u << kTableBits; ++flip) {
    if (std::popcount(flip) <= radius / kTables) flips_.push_back(static_cast<uint16_t>(flip));
  }
  std::stable_sort(flips_.begin(), flips_.end(),
                   [](uint16_t a, uint16_t b) { return std::popcount(a) < std::popcount(b); });
  for (auto& table : tables_) table.resize(size_t{1} << kTableBits);
}

std::vector<HammingIndex::Match> HammingIndex::Find(uint64_t hash) const {
  std::vector<Match> matches;
  int64_t steps = 0;
  for (const uint16_t flip : flips_) {
    for (int table = 0; table < kTables; ++table) {
      const uint16_t quarter = Quarter(hash, table) ^ flip;
      const std::vector<Entry>& entries = tables_[static_cast<size_t>(table)][quarter];
      for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
        if (++steps > kMostSteps) break;
        const uint64_t difference = entry->hash ^ hash;
        const int distance = std::popcount(difference);
        if (distance > radius_) continue;
        matches.push_back({distance, entry->index});
      }
    }
  }
  // One that is near in several quarters was found several times.
  std::sort(matches.begin(), matches.end());
  matches.erase(std::unique(matches.begin(), matches.end()), matches.end());
  if (matches.size() > kMostMatches) matches.resize(kMostMatches);
  return matches;
}

void HammingIndex::Add(uint64_t hash, int64_t index) {
  for (int table = 0; table < kTables; ++table) {
    tables_[static_cast<size_t>(table)][Quarter(hash, table)].push_back({hash, index});
  }
}

}  // namespace langevin::data
