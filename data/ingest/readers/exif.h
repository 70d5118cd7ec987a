// The orientation that EXIF data ask for.
#ifndef LANGEVIN_DATA_INGEST_READERS_EXIF_H_
#define LANGEVIN_DATA_INGEST_READERS_EXIF_H_

#include <cstdint>
#include <span>

namespace langevin::data {

// 1 to 8, of tag 0x0112 in the first directory of `app1`, the body of a JPEG's marker APP1 ("Exif",
// two zeros, a TIFF header). 1 where there is none or the data are damaged.
int OrientationOfExif(std::span<const uint8_t> app1);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_READERS_EXIF_H_
