#include "data/ingest/spooled_pixels.h"

#include "core/base/status_macros.h"

namespace langevin::data {

absl::Status SpooledPixels::Read(int64_t image, PixelsAndMask& out) {
  const SpoolPlace& place = places_[static_cast<size_t>(image)];
  if (place.chunk != open_chunk_) {
    LANGEVIN_ASSIGN_OR_RETURN(
        reader_, SpoolReader::Open(context_.file_system, context_.folder.SpoolPath(place.chunk),
                                   context_.folder.key()));
    open_chunk_ = place.chunk;
  }
  out.pixels.resize(place.pixel_bytes + place.mask_bytes);
  LANGEVIN_RETURN_IF_ERROR(reader_->ReadAt(place.offset, place.crc32c, out.pixels));
  out.mask.assign(out.pixels.begin() + static_cast<int64_t>(place.pixel_bytes), out.pixels.end());
  out.pixels.resize(place.pixel_bytes);
  return absl::OkStatus();
}

absl::Status SpooledPixels::ReadStored(int64_t image, PixelsAndMask& out) {
  LANGEVIN_RETURN_IF_ERROR(Read(image, out));
  const ImageRecord& record = plan_.summary.images[static_cast<size_t>(image)];
  ConvertPixels(FormatOf(record), plan_.formats[static_cast<size_t>(record.dataset)], out.pixels);
  return absl::OkStatus();
}

}  // namespace langevin::data
