#include "data/ingest/quality/judge.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_format.h"
#include "core/base/parallel_for.h"
#include "data/ingest/quality/hamming_index.h"
#include "data/ingest/quality/likeness.h"
#include "data/ingest/quality/outliers.h"
#include "data/ingest/quality/profile.h"

namespace langevin::data {
namespace {

// The bound on what is different: the unlikeness of the descriptors, and a thousandth for each bit
// of the hash. Chosen on Fashion-MNIST, where nearly all pairs of different garments are above it
// and most shifted, brightened copies below: docs/quality.md.
constexpr double kMostUnlike = 0.012;
constexpr double kUnlikeOfOneBit = 0.001;
// Hashes of images with less structure say nothing.
constexpr uint32_t kLeastSpread = 12;
// Sizes that differ from the middle half by more than this many of its widths.
constexpr double kOddRanges = 3;

using Kind = Finding::Kind;

class Judgement {
 public:
  Judgement(std::span<const JudgedImage> images, const configs::QualityConfig& config, int threads)
      : images_(images), config_(config), threads_(threads), asked_(BoundsOf(config)) {}

  std::vector<Finding> Run() {
    for (size_t i = 0; i < images_.size(); ++i) JudgeAlone(i);
    FindExactDuplicates();
    FindNearDuplicates();
    FindOddShapes();
    FindOutliers();
    std::stable_sort(findings_.begin(), findings_.end(), [](const Finding& a, const Finding& b) {
      return std::pair(a.image, a.kind) < std::pair(b.image, b.kind);
    });
    return std::move(findings_);
  }

 private:
  QualityBounds Suspicious(size_t i) const {
    return BoundsOf(config_.profile, images_[i].modality);
  }

  void Add(Kind kind, size_t image, double score, bool rejected, int64_t other = -1) {
    findings_.push_back({.kind = kind,
                         .image = static_cast<int64_t>(image),
                         .other = other,
                         .score = score,
                         .rejected = rejected});
  }

  // A finding where `score` is above what was asked for, which rejects, or above the profile's.
  void Compare(Kind kind, size_t image, double score, const std::optional<double>& asked,
               const std::optional<double>& profile) {
    const bool beyond_asked = asked.has_value() && score > *asked;
    const bool beyond_profile = !asked.has_value() && profile.has_value() && score > *profile;
    if (!beyond_asked && !beyond_profile) return;
    Add(kind, image, score, beyond_asked || config_.apply_profile);
  }

  void JudgeAlone(size_t i) {
    const Measures& measures = images_[i].measures;
    const QualityBounds profile = Suspicious(i);
    Compare(Kind::kDark, i, measures.dark, asked_.dark, profile.dark);
    Compare(Kind::kLight, i, measures.light, asked_.light, profile.light);
    Compare(Kind::kBlurry, i, measures.blur, asked_.blur, profile.blur);
    Compare(Kind::kLowInformation, i, measures.low_information, asked_.low_information,
            profile.low_information);
    Compare(Kind::kSaturated, i, measures.saturated, asked_.saturated, profile.saturated);
    Compare(Kind::kPadding, i, measures.padding, asked_.padding, profile.padding);
    const auto flag = [&](Kind kind, double score, bool asked, bool of_profile) {
      if (asked || of_profile) Add(kind, i, score, asked || config_.apply_profile);
    };
    if (measures.constant) flag(Kind::kConstant, 1, asked_.constant, profile.constant);
    if (measures.non_finite > 0) {
      flag(Kind::kNonFinite, measures.non_finite, asked_.non_finite, profile.non_finite);
    }
  }

  static size_t IndexOf(Split split) { return split == Split::kTrain ? 0 : 1; }

  void FindExactDuplicates() {
    if (config_.profile == configs::QualityProfile::kNone && !config_.reject_exact_duplicates) {
      return;
    }
    struct First {
      int64_t of_all;
      std::array<int64_t, 2> of_split = {-1, -1};
    };
    std::map<std::array<uint64_t, 2>, First> seen;
    is_repeated_.assign(images_.size(), false);
    leak_of_.assign(images_.size(), false);
    for (size_t i = 0; i < images_.size(); ++i) {
      const int64_t image = static_cast<int64_t>(i);
      const size_t split = IndexOf(images_[i].split);
      First& first = seen.try_emplace(images_[i].measures.exact_hash, First{image}).first->second;
      if (first.of_split[split] < 0) first.of_split[split] = image;
      if (first.of_all == image) continue;
      is_repeated_[i] = true;
      Add(Kind::kExactDuplicate, i, 0, config_.reject_exact_duplicates || config_.apply_profile,
          first.of_all);
      const int64_t across = first.of_split[1 - split];
      if (across < 0) continue;
      leak_of_[i] = true;
      Add(Kind::kLeak, i, 0, false, across);
    }
  }

  // What an image's candidates for near duplicates are, and what was found of them so far.
  struct Candidates {
    enum Verdict : uint8_t { kUnknown, kAlike, kDifferent };
    std::vector<HammingIndex::Match> matches;
    std::vector<Verdict> verdicts;
  };

  bool HasLookOfItsOwn(size_t i) const {
    const Measures& measures = images_[i].measures;
    return !measures.constant && measures.perceptual_spread >= kLeastSpread &&
           !(i < is_repeated_.size() && is_repeated_[i]);
  }
  bool IsExactLeak(size_t i) const { return i < leak_of_.size() && leak_of_[i]; }
  bool AreAcross(size_t i, const HammingIndex::Match& match) const {
    return images_[static_cast<size_t>(match.index)].split != images_[i].split;
  }

  bool AreAlike(size_t i, const HammingIndex::Match& match) const {
    const JudgedImage& other = images_[static_cast<size_t>(match.index)];
    const double bound = kMostUnlike - kUnlikeOfOneBit * match.distance;
    return Unlikeness(images_[i].measures.descriptor, other.measures.descriptor, bound) <= bound;
  }

  // Compares as far as will be needed if none of the candidates goes itself.
  Candidates CompareAhead(size_t i, const HammingIndex& index) const {
    Candidates result;
    result.matches = index.Find(images_[i].measures.perceptual_hash, static_cast<int64_t>(i));
    result.verdicts.resize(result.matches.size(), Candidates::kUnknown);
    bool is_duplicate = false, is_leak = IsExactLeak(i);
    for (size_t m = 0; m < result.matches.size() && !(is_duplicate && is_leak); ++m) {
      const bool across = AreAcross(i, result.matches[m]);
      if (is_duplicate && (is_leak || !across)) continue;
      const bool alike = AreAlike(i, result.matches[m]);
      result.verdicts[m] = alike ? Candidates::kAlike : Candidates::kDifferent;
      is_duplicate = is_duplicate || alike;
      is_leak = is_leak || (alike && across);
    }
    return result;
  }

  // The first of images that are alike stays. One that is like only such as go themselves stays,
  // too: what it was like is no longer there.
  void Decide(size_t i, const Candidates& candidates, bool rejects, std::vector<bool>& goes) {
    bool is_leak = IsExactLeak(i);
    for (size_t m = 0; m < candidates.matches.size(); ++m) {
      const HammingIndex::Match& match = candidates.matches[m];
      const bool across = AreAcross(i, match);
      const bool may_be_duplicate = !goes[i] && !goes[static_cast<size_t>(match.index)];
      if (!may_be_duplicate && (is_leak || !across)) continue;
      const Candidates::Verdict verdict = candidates.verdicts[m];
      const bool alike =
          verdict == Candidates::kUnknown ? AreAlike(i, match) : verdict == Candidates::kAlike;
      if (!alike) continue;
      if (may_be_duplicate) {
        goes[i] = true;
        Add(Kind::kNearDuplicate, i, match.distance, rejects, match.index);
      }
      if (across && !is_leak) {
        is_leak = true;
        Add(Kind::kLeak, i, match.distance, false, match.index);
      }
      if (goes[i] && is_leak) break;
    }
  }

  // Comparing takes long and is done on several threads, some thousand images ahead of the
  // verdicts, which depend on those before them.
  void FindNearDuplicates() {
    constexpr size_t kAhead = 8192;
    const std::optional<int> radius_of_profile =
        images_.empty() ? std::nullopt : Suspicious(0).near_duplicate_radius;
    const std::optional<int> radius =
        asked_.near_duplicate_radius.has_value() ? asked_.near_duplicate_radius : radius_of_profile;
    if (!radius.has_value()) return;
    const bool rejects = asked_.near_duplicate_radius.has_value() || config_.apply_profile;
    HammingIndex index(std::clamp(*radius, 0, kMaxNearDuplicateRadius));
    for (size_t i = 0; i < images_.size(); ++i) {
      if (HasLookOfItsOwn(i)) {
        index.Add(images_[i].measures.perceptual_hash, static_cast<int64_t>(i));
      }
    }
    std::vector<bool> goes(images_.size());
    std::vector<Candidates> candidates;
    for (size_t first = 0; first < images_.size(); first += kAhead) {
      const size_t count = std::min(kAhead, images_.size() - first);
      candidates.assign(count, {});
      ParallelFor(static_cast<int64_t>(count), threads_, /*grain=*/64,
                  [&](int64_t begin, int64_t end) {
                    for (auto k = static_cast<size_t>(begin); k < static_cast<size_t>(end); ++k) {
                      if (HasLookOfItsOwn(first + k))
                        candidates[k] = CompareAhead(first + k, index);
                    }
                  });
      for (size_t k = 0; k < count; ++k) Decide(first + k, candidates[k], rejects, goes);
    }
  }

  // Values far outside the middle half of all; reported, never rejected: geometry brings all to one
  // size.
  template <typename ValueOf>
  void FindOdd(Kind kind, ValueOf value_of) {
    std::vector<double> sorted;
    for (const JudgedImage& image : images_) sorted.push_back(value_of(image.shape));
    std::sort(sorted.begin(), sorted.end());
    const double lower = sorted[sorted.size() / 4], upper = sorted[sorted.size() * 3 / 4];
    // Where most are equal, a tenth more or less is not odd yet.
    const double margin = std::max(kOddRanges * (upper - lower), std::log(1.1));
    for (size_t i = 0; i < images_.size(); ++i) {
      const double value = value_of(images_[i].shape);
      if (value >= lower - margin && value <= upper + margin) continue;
      Add(kind, i, std::exp(value - sorted[sorted.size() / 2]), false);
    }
  }

  void FindOddShapes() {
    constexpr size_t kFewest = 8;
    if (images_.size() < kFewest || config_.profile == configs::QualityProfile::kNone) return;
    FindOdd(Kind::kOddSize, [](const ImageShape& shape) {
      return std::log(static_cast<double>(shape.height * shape.width)) / 2;
    });
    FindOdd(Kind::kOddAspect, [](const ImageShape& shape) {
      return std::log(static_cast<double>(shape.width) / static_cast<double>(shape.height));
    });
  }

  void FindOutliers() {
    if (config_.profile == configs::QualityProfile::kNone && !asked_.outlier.has_value()) return;
    const std::vector<OutlierScore> scores = ScoreOutliers(images_, threads_);
    for (size_t i = 0; i < images_.size(); ++i) {
      Compare(Kind::kOutlier, i, scores[i].score, asked_.outlier, Suspicious(i).outlier);
    }
  }

  const std::span<const JudgedImage> images_;
  const configs::QualityConfig& config_;
  const int threads_;
  const QualityBounds asked_;
  std::vector<bool> is_repeated_;  // Equal to an earlier one.
  std::vector<bool> leak_of_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> Judge(std::span<const JudgedImage> images,
                           const configs::QualityConfig& config, int threads) {
  return Judgement(images, config, threads).Run();
}

std::string ReasonOf(const Finding& finding) {
  switch (finding.kind) {
    case Kind::kExactDuplicate:
      return "exact duplicate of an earlier image";
    case Kind::kNearDuplicate:
      return absl::StrFormat("near duplicate of an earlier image (%g of 64 bits differ)",
                             finding.score);
    case Kind::kDark:
      return "too dark";
    case Kind::kLight:
      return "too light";
    case Kind::kBlurry:
      return "too blurry";
    case Kind::kLowInformation:
      return "too little information";
    case Kind::kConstant:
      return "constant: all pixels are equal";
    case Kind::kNonFinite:
      return "holds NaN or infinite numbers";
    case Kind::kSaturated:
      return "too many saturated pixels";
    case Kind::kPadding:
      return "too much padding";
    case Kind::kOddSize:
      return "unusual size";
    case Kind::kOddAspect:
      return "unusual aspect ratio";
    case Kind::kOutlier:
      return "outlier: unlike the other images";
    case Kind::kLeak:
      return "duplicate of an image in the other split";
  }
  return "";
}

}  // namespace langevin::data
