// NIfTI-1 and NIfTI-2 (.nii, .nii.gz, .hdr with .img) and ANALYZE 7.5.
//
// Each volume in the file is handed over in slices along config.axis, with the patient's axes where
// a radiologist expects them (EmitSlices in volume.h), whatever order and direction the file stores
// them in: voxels are only reordered, never resampled unless asked. kAcquired stands for the view
// that is nearest to the file's third axis.
#ifndef LANGEVIN_DATA_INGEST_READERS_NIFTI_DECODER_H_
#define LANGEVIN_DATA_INGEST_READERS_NIFTI_DECODER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "configs/prepare_config.h"
#include "data/ingest/decoded_image.h"
#include "data/ingest/medical/privacy.h"

namespace langevin::data {

struct NiftiHeader {
  enum class Kind { kAnalyze, kPair, kSingle };  // kSingle: voxels follow in the same file.
  Kind kind = Kind::kSingle;
  int version = 1;                  // 1 or 2.
  bool swapped = false;             // Numbers are in the other byte order than this machine's.
  std::array<int64_t, 7> dim = {};  // Voxels along x, y, z, t, ...: each at least 1; their product
                                    // times the size of a voxel fits in 63 bits.
  int datatype = 0;                 // A code of the NIfTI standard that is read.
  int64_t data_offset = 0;          // Of the first voxel.
  double slope = 1, intercept = 0;  // Finite; 1 and 0 where the file gives none.
  // Rows of the affine to RAS millimetres: sform where its code is positive, else qform, else
  // ANALYZE's rule (x to the left), as nibabel does. One that is not finite or not invertible is
  // passed over.
  std::array<std::array<double, 4>, 3> affine = {};
};

// The header at the beginning of `bytes` (352 for NIfTI-1, 544 for NIfTI-2; more do no harm).
// Touches no file and takes no memory, whatever the bytes.
absl::StatusOr<NiftiHeader> ParseNiftiHeader(std::span<const std::byte> bytes);

// Whether a file that begins with `head` (uncompressed; 352 bytes) may be one.
bool LooksLikeNifti(std::span<const std::byte> head);

// The slices of each volume in the file, or in the .hdr/.img pair of which `path` is one.
absl::Status DecodeNifti(const std::string& path, const configs::MedicalConfig& config,
                         const Privacy& privacy, const ImageSink& sink);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_READERS_NIFTI_DECODER_H_
