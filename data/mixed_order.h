// The order of several data sets mixed by weight, or of classes that come more often than they are.
//
// Positions are dealt to data sets and inside each to classes (apportionment.h), so that the
// proportions hold in every stretch of the run and not only on average. Every data set or class is
// a stream of its own, in which each image comes once before any comes again.
#ifndef LANGEVIN_DATA_MIXED_ORDER_H_
#define LANGEVIN_DATA_MIXED_ORDER_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "data/apportionment.h"
#include "data/order.h"
#include "data/sample_order.h"

namespace langevin::data {

// Immutable; any thread. Memory: a number for each image where classes are balanced.
class MixedOrder : public Order {
 public:
  // A weight for each of dataset.parts(). `class_balance` from 0 to 1: a class of n images has the
  // weight n^(1 - class_balance); above 0 it needs labels.
  MixedOrder(uint64_t seed, const Dataset& dataset, const std::vector<double>& weights,
             double class_balance);

  void PicksAt(int64_t first, std::span<Pick> picks) const override;

 private:
  // One class, or all of a data set.
  struct Stream {
    SampleOrder order;
    std::vector<int64_t> members;  // Images of the data set; empty: all, in their order.
  };
  struct Part {
    int64_t begin = 0;  // The data set's first image in the whole.
    std::vector<Stream> streams;
    std::optional<Apportionment> classes;  // Of streams, where there are several.
  };

  Apportionment parts_dealt_;
  std::vector<Part> parts_;
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_MIXED_ORDER_H_
