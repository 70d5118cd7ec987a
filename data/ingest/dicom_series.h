// From DICOM files to series: the step between scan and analysis that makes the files of a series
// one source item, in the order of their positions.
#ifndef LANGEVIN_DATA_INGEST_DICOM_SERIES_H_
#define LANGEVIN_DATA_INGEST_DICOM_SERIES_H_

#include "absl/status/status.h"
#include "core/base/group.h"
#include "data/ingest/medical/privacy.h"
#include "data/ingest/source_scan.h"

namespace langevin::data {

// Whether there are files that may name patients.
bool IsMedical(const SourceFile& file);
bool HasMedicalFiles(const Sources& sources);

// All ranks together; the headers are read in sandboxed children, shared between ranks. Files of
// one class, split and table group that are one series become one item where its first file stood.
// Files that give no image become rows of `rejected`, what is odd about a series notes.
absl::Status GroupDicomSeries(Group& group, int workers, const Privacy& privacy, Sources& sources);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_DICOM_SERIES_H_
