#include "data/ingest/intensity/choose_intensities.h"

#include <cstring>
#include <memory>
#include <string>

#include "core/base/clock.h"
#include "core/base/status_macros.h"
#include "data/ingest/intensity/choose_map.h"
#include "data/ingest/intensity/value_counts.h"
#include "data/ingest/spooled_pixels.h"

namespace langevin::data {
namespace {

class TrainingCounter {
 public:
  TrainingCounter(const PrepareContext& context, const Plan& plan,
                  const std::vector<SpoolPlace>& places)
      : context_(context), plan_(plan), places_(places), pixels_(context, plan, places) {}

  absl::StatusOr<ValueCounts> Count(int32_t dataset) {
    ValueRange range;
    const DType dtype = plan_.formats[static_cast<size_t>(dataset)].dtype;
    const int64_t channels = plan_.specs[static_cast<size_t>(dataset)].shape.channels;
    if (dtype == DType::kFloat32) {
      absl::Status status = ForEachImage(dataset, [&](const PixelsAndMask& image) {
        range.Add(RangeOf(image.pixels, dtype, channels, image.mask));
      });
      LANGEVIN_RETURN_IF_ERROR(ShareOutcome(context_.group, status));
      LANGEVIN_ASSIGN_OR_RETURN(range, Combine(range));
    }
    ValueCounts mine(dtype, range);
    absl::Status status = ForEachImage(
        dataset, [&](const PixelsAndMask& image) { mine.Add(image.pixels, channels, image.mask); });
    LANGEVIN_RETURN_IF_ERROR(ShareOutcome(context_.group, status));
    LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> texts,
                              context_.group.AllGather(mine.Serialize()));
    ValueCounts all(dtype, range);
    for (const std::string& text : texts) LANGEVIN_RETURN_IF_ERROR(all.AddSerialized(text));
    return all;
  }

 private:
  // This rank's share: the images in its chunks.
  template <typename Function>
  absl::Status ForEachImage(int32_t dataset, Function f) {
    PixelsAndMask image;
    for (size_t i = 0; i < places_.size(); ++i) {
      const ImageRecord& record = plan_.summary.images[i];
      if (record.rejected || record.dataset != dataset || record.split != Split::kTrain ||
          places_[i].chunk % context_.group.size() != context_.group.rank()) {
        continue;
      }
      LANGEVIN_RETURN_IF_ERROR(pixels_.ReadStored(static_cast<int64_t>(i), image));
      f(image);
      if (const double now = MonotonicSeconds(); now - last_look_ >= 0.5) {
        last_look_ = now;
        LANGEVIN_RETURN_IF_ERROR(CheckStop(context_));
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<ValueRange> Combine(const ValueRange& mine) {
    std::string text;
    if (!mine.empty) {
      text.append(reinterpret_cast<const char*>(&mine.low), sizeof(double));
      text.append(reinterpret_cast<const char*>(&mine.high), sizeof(double));
    }
    LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> texts, context_.group.AllGather(text));
    ValueRange range;
    for (const std::string& received : texts) {
      if (received.size() != 2 * sizeof(double)) continue;
      for (const size_t at : {size_t{0}, sizeof(double)}) {
        double value;
        std::memcpy(&value, received.data() + at, sizeof(value));
        range.Add(value);
      }
    }
    return range;
  }

  const PrepareContext& context_;
  const Plan& plan_;
  const std::vector<SpoolPlace>& places_;
  SpooledPixels pixels_;
  double last_look_ = MonotonicSeconds();
};

}  // namespace

absl::Status ChooseIntensities(const PrepareContext& context, Plan& plan,
                               const std::vector<SpoolPlace>& places) {
  const configs::IntensityConfig& config = context.config.intensity;
  TrainingCounter counter(context, plan, places);
  for (size_t dataset = 0; dataset < plan.specs.size(); ++dataset) {
    std::unique_ptr<ValueCounts> counts;
    if (NeedsCounts(config.mode)) {
      LANGEVIN_ASSIGN_OR_RETURN(ValueCounts counted, counter.Count(static_cast<int32_t>(dataset)));
      counts = std::make_unique<ValueCounts>(std::move(counted));
    }
    const StoredFormat& format = plan.formats[dataset];
    LANGEVIN_ASSIGN_OR_RETURN(
        plan.specs[dataset].intensity_map,
        ChooseMap(config, format.dtype, format.bits, format.physical, counts.get()));
    plan.summary.datasets[dataset].manifest.intensity_map = plan.specs[dataset].intensity_map;
  }
  return absl::OkStatus();
}

}  // namespace langevin::data
