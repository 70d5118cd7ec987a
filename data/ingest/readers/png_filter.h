// Undoes the filters of PNG's scanlines (PNG specification, section 9), vectorised where a pixel
// depends on its left neighbour.
#ifndef LANGEVIN_DATA_INGEST_READERS_PNG_FILTER_H_
#define LANGEVIN_DATA_INGEST_READERS_PNG_FILTER_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace langevin::data {

// Writes the bytes of a scanline to `row`. `filtered` and `above` (the scanline before, zeros for
// the first) have the size of `row`; `filtered` may be `row` itself. `step` is the distance to the
// same channel of the pixel on the left: 1, 2, 3, 4, 6 or 8. False: there is no such filter.
bool UndoPngFilter(uint8_t filter, size_t step, std::span<const uint8_t> filtered,
                   std::span<const uint8_t> above, std::span<uint8_t> row);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_READERS_PNG_FILTER_H_
