// Which DICOM files belong together, and in which order: by position along the slices' normal, as
// the numbers in file names and InstanceNumber promise nothing.
#ifndef LANGEVIN_DATA_INGEST_MEDICAL_SERIES_H_
#define LANGEVIN_DATA_INGEST_MEDICAL_SERIES_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/ingest/readers/dicom_decoder.h"

namespace langevin::data {

struct DicomSeries {
  std::vector<int64_t> files;      // Indices into the probes, first slice first.
  double spacing_mm = 0;           // The usual distance between slices; 0: not known.
  bool uniform = false;            // All distances are the usual one within 1 % (or 0.01 mm).
  std::vector<std::string> notes;  // "gap of 2 slices after slice 17", duplicates, no positions.
};

// The same for slices that are known to belong together: positions along their normal, and the
// order where positions are equal. The indices of `files` are those of the positions.
std::vector<DicomSeries> StackSlices(std::span<const double> positions,
                                     std::span<const int64_t> numbers);

// Groups files without `reason` by series, size and normal (a localiser with three directions gives
// three), files of several frames alone. Where every position occurs k times (time points,
// diffusion weights) each becomes a series of its own, by InstanceNumber; other files at an
// occupied position are kept behind the first and noted. The result is in order of the first file
// among the probes and does not depend on anything but the probes.
std::vector<DicomSeries> GroupIntoSeries(std::span<const DicomProbe> probes);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_MEDICAL_SERIES_H_
