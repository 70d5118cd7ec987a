#include "data/order.h"

#include "data/block_order.h"
#include "data/mixed_order.h"
#include "data/sample_order.h"

namespace langevin::data {

absl::StatusOr<std::unique_ptr<Order>> MakeOrder(const Dataset& dataset,
                                                 const configs::DataConfig& config, uint64_t seed,
                                                 int64_t global_batch) {
  if (config.class_balance > 0 && !dataset.has_labels()) {
    return absl::InvalidArgumentError(
        "data.class_balance is set, but the data set has no labels; leave it out, or prepare the "
        "data from a folder with one sub-folder a class");
  }
  if (config.order == configs::DataOrder::kBlock) {
    return std::make_unique<BlockOrder>(seed, dataset.size(),
                                        BlockOrder::Cut{.block_images = config.block_images,
                                                        .lanes = config.lanes,
                                                        .window_blocks = config.window_blocks,
                                                        .global_batch = global_batch});
  }
  if (config.mix.empty() && config.class_balance == 0) {
    return std::make_unique<SampleOrder>(seed, dataset.size());
  }
  std::vector<double> weights = {config.weight};
  for (const configs::MixConfig& mix : config.mix) weights.push_back(mix.weight);
  return std::make_unique<MixedOrder>(seed, dataset, weights, config.class_balance);
}

}  // namespace langevin::data
