// What becomes of missing pixels: padding, and NaN or infinite numbers of float images.
#ifndef LANGEVIN_DATA_INGEST_QUALITY_MISSING_H_
#define LANGEVIN_DATA_INGEST_QUALITY_MISSING_H_

#include "absl/status/status.h"
#include "configs/prepare_config.h"
#include "data/ingest/decoded_image.h"

namespace langevin::data {

// Takes pixels that are not finite out of `image`'s mask (a pixel with one bad channel is missing
// in all), fills all missing ones as config.impute says, and empties a mask that has become all
// ones.
//
// kNone: not finite becomes 0; padding stays as it came. kConstant: config.constant, which is in
// physical units, rounded to what the type can hold. kLocalMean: the mean of the known pixels
// around it, near ones more, per channel; far from any, the mean of what is around there, and 0
// where nothing in the image is known. The mask keeps saying what is missing; config.keep_mask is
// the writer's business.
//
// InvalidArgument: the mask has another size than the image, or the constant is beyond what the
// image's type can hold. Any thread.
absl::Status FillMissing(const configs::MissingConfig& config, DecodedImage& image);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_QUALITY_MISSING_H_
