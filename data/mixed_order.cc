#include "data/mixed_order.h"

#include <cassert>
#include <cmath>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace langevin::data {
namespace {

// The first data set's stream is that of a run with this data set alone.
std::string Purpose(size_t part) {
  return part == 0 ? "sample order" : absl::StrCat("sample order, data set ", part);
}

}  // namespace

MixedOrder::MixedOrder(uint64_t seed, const Dataset& dataset, const std::vector<double>& weights,
                       double class_balance)
    : parts_dealt_(weights) {
  const std::vector<int64_t> sizes = dataset.parts();
  assert(weights.size() == sizes.size());
  int64_t begin = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    Part& part = parts_.emplace_back();
    part.begin = begin;
    begin += sizes[i];
    if (class_balance == 0) {
      part.streams.push_back({.order = SampleOrder(seed, sizes[i], Purpose(i)), .members = {}});
      continue;
    }
    std::map<int64_t, std::vector<int64_t>> classes;
    for (int64_t image = 0; image < sizes[i]; ++image) {
      classes[dataset.label(part.begin + image)].push_back(image);
    }
    std::vector<double> class_weights;
    for (auto& [label, members] : classes) {
      const auto count = static_cast<int64_t>(members.size());
      class_weights.push_back(std::pow(static_cast<double>(count), 1 - class_balance));
      part.streams.push_back(
          {.order = SampleOrder(seed, count, absl::StrCat(Purpose(i), ", class ", label)),
           .members = std::move(members)});
    }
    part.classes.emplace(class_weights);
  }
}

void MixedOrder::PicksAt(int64_t first, std::span<Pick> picks) const {
  // Epochs of the streams that these positions met: their keys cost more than an image's place.
  struct Known {
    int64_t epoch;
    Permutation order;
  };
  std::map<const Stream*, Known> known;
  for (size_t i = 0; i < picks.size(); ++i) {
    const Apportionment::Turn turn = parts_dealt_.At(first + static_cast<int64_t>(i));
    const Part& part = parts_[static_cast<size_t>(turn.part)];
    int64_t index = turn.index;
    const Stream* stream = &part.streams.front();
    if (part.classes.has_value()) {
      const Apportionment::Turn class_turn = part.classes->At(index);
      stream = &part.streams[static_cast<size_t>(class_turn.part)];
      index = class_turn.index;
    }
    const int64_t size = stream->order.size();
    const int64_t epoch = index / size;
    auto found = known.find(stream);
    if (found == known.end() || found->second.epoch != epoch) {
      found = known.insert_or_assign(stream, Known{epoch, stream->order.Epoch(epoch)}).first;
    }
    const auto place =
        static_cast<int64_t>(found->second.order(static_cast<uint64_t>(index % size)));
    const int64_t image =
        stream->members.empty() ? place : stream->members[static_cast<size_t>(place)];
    picks[i] = {.sample = part.begin + image};
  }
}

}  // namespace langevin::data
