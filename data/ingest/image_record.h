// Between an image's record in the spool and in memory, and whether a child's word is believed.
#ifndef LANGEVIN_DATA_INGEST_IMAGE_RECORD_H_
#define LANGEVIN_DATA_INGEST_IMAGE_RECORD_H_

#include <cstdint>

#include "data/ingest/preparation_summary.h"
#include "data/ingest/spool.pb.h"

namespace langevin::data {

// Whether `image` with this many bytes of pixels and mask is one that an honest child sends.
bool IsPossible(const proto::SpoolImage& image, uint64_t payload_bytes);

// Requires a possible one.
ImageRecord RecordFromProto(const proto::SpoolImage& image);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_IMAGE_RECORD_H_
