// Between an image's record in the spool and in memory, and whether a child's word is believed.
#ifndef LANGEVIN_DATA_INGEST_IMAGE_RECORD_H_
#define LANGEVIN_DATA_INGEST_IMAGE_RECORD_H_

#include <cstddef>
#include <span>

#include "data/ingest/preparation_summary.h"
#include "data/ingest/spool.pb.h"

namespace langevin::data {

// Whether `image` with these pixels and mask is one that an honest child sends: known values, sizes
// that fit each other and the limits, finite numbers, no name in clear where a hash belongs.
bool IsPossible(const proto::SpoolImage& image, std::span<const std::byte> payload);

// Requires a possible one. Texts become printable.
ImageRecord RecordFromProto(const proto::SpoolImage& image);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_IMAGE_RECORD_H_
