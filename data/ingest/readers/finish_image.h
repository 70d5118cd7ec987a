// The last step of every reader of pictures: orientation, alpha and colour as the config asks.
#ifndef LANGEVIN_DATA_INGEST_READERS_FINISH_IMAGE_H_
#define LANGEVIN_DATA_INGEST_READERS_FINISH_IMAGE_H_

#include "absl/status/status.h"
#include "configs/prepare_config.h"
#include "data/ingest/decoded_image.h"

namespace langevin::data {

// What a file says of its pixels besides their values.
struct PixelMeaning {
  bool has_alpha = false;      // The last channel is alpha, of the depth of the others (0 .. 1 in
                               // float images).
  bool premultiplied = false;  // The colours have been multiplied with alpha.
  int orientation = 1;         // EXIF's 1 to 8; others count as 1.
};

// Turns `image`, removes or uses its alpha channel, changes its colours, and hands it to `sink`.
// DataLoss where the colours cannot become what config.color asks for.
absl::Status FinishImage(DecodedImage image, const PixelMeaning& meaning,
                         const configs::ReadConfig& config, const ImageSink& sink);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_READERS_FINISH_IMAGE_H_
