// libtiff over a file in memory, quiet and bounded: nothing is printed, and no single allocation is
// larger than an image may be.
#ifndef LANGEVIN_DATA_INGEST_READERS_TIFF_FILE_H_
#define LANGEVIN_DATA_INGEST_READERS_TIFF_FILE_H_

#include <tiffio.h>

#include <cstdint>
#include <memory>
#include <string>

namespace langevin::data {

// What the handle reads. Must outlive it, and `contents` must outlive this.
struct TiffMemory {
  const std::string& contents;
  uint64_t at = 0;
  std::string error = {};  // The first thing that libtiff said was wrong; empty so far.
};

using TiffHandle = std::unique_ptr<TIFF, void (*)(TIFF*)>;

// Null where the file is no TIFF; memory.error says why.
TiffHandle OpenTiff(TiffMemory& memory);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_READERS_TIFF_FILE_H_
