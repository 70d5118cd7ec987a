#include "data/ingest/quality/judge.h"

#include <map>

namespace langevin::data {

std::vector<Finding> Judge(std::span<const JudgedImage> images,
                           const configs::QualityConfig& config) {
  std::vector<Finding> findings;
  std::map<std::array<uint64_t, 2>, int64_t> first;
  for (size_t i = 0; i < images.size(); ++i) {
    const auto [place, is_new] =
        first.emplace(images[i].measures.exact_hash, static_cast<int64_t>(i));
    if (is_new) continue;
    findings.push_back({.kind = Finding::Kind::kExactDuplicate,
                        .image = static_cast<int64_t>(i),
                        .other = place->second,
                        .rejected = config.reject_exact_duplicates});
  }
  return findings;
}

std::string ReasonOf(const Finding& finding) {
  return finding.kind == Finding::Kind::kExactDuplicate ? "exact duplicate" : "outside a bound";
}

}  // namespace langevin::data
