// The pixels of a preparation's images, back from the spool.
#ifndef LANGEVIN_DATA_INGEST_SPOOLED_PIXELS_H_
#define LANGEVIN_DATA_INGEST_SPOOLED_PIXELS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "data/ingest/analyse_job.h"
#include "data/ingest/plan.h"
#include "data/ingest/spool.h"

namespace langevin::data {

struct PixelsAndMask {
  std::vector<std::byte> pixels;
  std::vector<std::byte> mask;  // A byte a pixel; empty: all valid.
};

// Memory: the records of one chunk. The arguments must outlive it. One thread at a time.
class SpooledPixels {
 public:
  SpooledPixels(const PrepareContext& context, const Plan& plan,
                const std::vector<SpoolPlace>& places)
      : context_(context), plan_(plan), places_(places) {}

  // As it was decoded, in the format that the image's record names. Fastest in order.
  absl::Status Read(int64_t image, PixelsAndMask& out);
  // In the format of its data set.
  absl::Status ReadStored(int64_t image, PixelsAndMask& out);

 private:
  const PrepareContext& context_;
  const Plan& plan_;
  const std::vector<SpoolPlace>& places_;
  int32_t open_chunk_ = -1;  // The one that was read last: images come in order.
  std::unique_ptr<SpoolReader> reader_;
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_SPOOLED_PIXELS_H_
