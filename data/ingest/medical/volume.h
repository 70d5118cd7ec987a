// Volumes: assembled from slices, and given out again in slices along any axis, at any spacing.
#ifndef LANGEVIN_DATA_INGEST_MEDICAL_VOLUME_H_
#define LANGEVIN_DATA_INGEST_MEDICAL_VOLUME_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "configs/prepare_config.h"
#include "data/ingest/decoded_image.h"
#include "data/ingest/medical/geometry.h"

namespace langevin::data {

// Voxels in the order (slices, rows, columns, channels).
struct Volume {
  DecodedImage format;  // Shape of a slice, type, units, facts and notes; no pixels.
  int64_t slices = 0;
  int64_t volumes_in_source = 1;  // For images_in_file of its slices.
  std::vector<std::byte> voxels;
  std::vector<uint8_t> mask;  // (slices, rows, columns); empty: all valid.
  // LPS millimetres: a voxel is at origin + column * column_step + row * row_step +
  // slice_direction * slice_position[slice]. The direction has length 1, positions ascend from 0.
  Vector3 origin = {};
  Vector3 column_step = {}, row_step = {}, slice_direction = {};
  std::vector<double> slice_position;
  // kAcquired means the anatomical view that is nearest to the stored slices (NIfTI); else the
  // slices as they are.
  bool acquired_is_view = false;
};

// Puts slices together. They must be added in order of their position.
class VolumeBuilder {
 public:
  // A slice at a position that is already taken is left out and noted. InvalidArgument: another
  // size or number of channels than the first; ResourceExhausted: more than kMaxDecodedBytes.
  absl::Status Add(const DecodedImage& slice, const SliceGeometry& geometry);
  // Requires at least one slice. Notes gaps and slices that are not stacked along their normal.
  Volume Finish();
  int64_t slices() const { return volume_.slices; }

 private:
  void ToFloat();

  Volume volume_;
  Vector3 first_position_ = {}, normal_ = {};
  int64_t duplicates_ = 0;
  bool sheared_ = false;
};

// Leaves out slices that are empty, and says how many. Holds back one image, to say it with the
// last; Finish hands it over.
class SliceFilter {
 public:
  SliceFilter(double skip_empty, const ImageSink& sink) : skip_empty_(skip_empty), sink_(sink) {}
  absl::Status Add(DecodedImage image);
  // FailedPrecondition if all images were left out.
  absl::Status Finish();

 private:
  const double skip_empty_;
  const ImageSink& sink_;
  std::optional<DecodedImage> pending_;
  int64_t seen_ = 0, left_out_ = 0;
};

// Hands over the slices of `volume` along config.axis, resampled to config.spacing_mm (between
// rows, columns and slices of what is handed over). Axial slices go from feet to head and have
// anterior at the top; coronal ones go from anterior to posterior, sagittal ones from the patient's
// right to the left, both with the head at the top; anterior is on the left of sagittal slices, the
// patient's right on the left of the others.
absl::Status EmitSlices(const Volume& volume, const configs::MedicalConfig& config,
                        SliceFilter& filter);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_MEDICAL_VOLUME_H_
