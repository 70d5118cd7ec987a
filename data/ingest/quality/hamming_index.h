// Finds 64-bit hashes that differ in few bits from a given one, among any number of them.
//
// By multi-index hashing (Norouzi, Punjani, Fleet, "Fast Search in Hamming Space with Multi-Index
// Hashing", CVPR 2012): of two hashes that differ in few bits one of five parts differs in hardly
// any, and parts are looked up in tables.
#ifndef LANGEVIN_DATA_INGEST_QUALITY_HAMMING_INDEX_H_
#define LANGEVIN_DATA_INGEST_QUALITY_HAMMING_INDEX_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace langevin::data {

inline constexpr int kMaxNearDuplicateRadius = 15;

// Hashes by their parts.
class HammingIndex {
 public:
  // `radius` from 0 to kMaxNearDuplicateRadius.
  explicit HammingIndex(int radius);

  struct Match {
    int32_t distance = 0;
    int64_t index = 0;
    friend auto operator<=>(const Match&, const Match&) = default;
  };
  // Those with an index below `before` within the radius of `hash`, nearest first, then in order of
  // their index; at most kMostMatches of them. Looks at no more than kMostSteps entries: where very
  // many hashes are nearly equal (a film of one scene), the latest of each table count. Any thread
  // while none adds.
  std::vector<Match> Find(uint64_t hash,
                          int64_t before = std::numeric_limits<int64_t>::max()) const;

  // Indices are added in ascending order.
  void Add(uint64_t hash, int64_t index);

  static constexpr size_t kMostMatches = 32;
  static constexpr int64_t kMostSteps = 1 << 17;

 private:
  static constexpr size_t kTables = 5;
  static constexpr int kTableBits = 13;  // The last table has the 12 that are left.
  struct Entry {
    uint64_t hash;
    int64_t index;
  };

  const int radius_;
  std::vector<uint32_t> flips_;              // What may differ in a part, fewest bits first.
  std::array<size_t, kTables> flip_counts_;  // How many of them a table is asked for.
  std::array<std::vector<std::vector<Entry>>, kTables> tables_;
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_QUALITY_HAMMING_INDEX_H_
