// Palettes of PALETTE COLOR images, plain (PS3.3 C.7.6.3.1.5) and segmented (C.7.9.2).
#ifndef LANGEVIN_DATA_INGEST_READERS_DICOM_PALETTE_H_
#define LANGEVIN_DATA_INGEST_READERS_DICOM_PALETTE_H_

#include "absl/status/statusor.h"
#include "data/ingest/readers/dicom_dataset.h"
#include "data/ingest/readers/dicom_image.h"

namespace langevin::data {

absl::StatusOr<Palette> PaletteOf(const DicomDataset& dataset, bool is_signed);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_READERS_DICOM_PALETTE_H_
