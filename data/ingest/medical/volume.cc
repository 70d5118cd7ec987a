#include "data/ingest/medical/volume.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>

#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"

namespace langevin::data {
namespace {

constexpr double kSamePositionMm = 1e-3;

bool SameUnits(const PhysicalUnits& a, const PhysicalUnits& b) {
  return a.scale == b.scale && a.offset == b.offset && a.unit == b.unit;
}

double StoredValue(const std::byte* pixels, DType dtype, size_t index) {
  if (dtype == DType::kUint8) return static_cast<double>(std::to_integer<int>(pixels[index]));
  if (dtype == DType::kUint16) return reinterpret_cast<const uint16_t*>(pixels)[index];
  return reinterpret_cast<const float*>(pixels)[index];
}

}  // namespace

// Physical values, where slices are not of one kind.
void VolumeBuilder::ToFloat() {
  DecodedImage& format = volume_.format;
  const PhysicalUnits units = format.physical;
  const size_t count = volume_.voxels.size() / SizeOf(format.dtype);
  std::vector<std::byte> values(count * sizeof(float));
  for (size_t i = 0; i < count; ++i) {
    reinterpret_cast<float*>(values.data())[i] = static_cast<float>(
        StoredValue(volume_.voxels.data(), format.dtype, i) * units.scale + units.offset);
  }
  volume_.voxels = std::move(values);
  format.dtype = DType::kFloat32;
  format.bits = 32;
  format.physical = {.scale = 1, .offset = 0, .unit = units.unit};
}

absl::Status VolumeBuilder::Add(const DecodedImage& slice, const SliceGeometry& geometry) {
  DecodedImage& format = volume_.format;
  if (volume_.slices == 0) {
    format = slice;
    format.pixels = {};
    format.mask = {};
    first_position_ = geometry.position;
    normal_ = geometry.normal();
    volume_.origin = geometry.position;
    volume_.column_step = Scaled(geometry.along_row, geometry.column_spacing);
    volume_.row_step = Scaled(geometry.along_column, geometry.row_spacing);
    volume_.slice_direction = normal_;
  } else if (slice.shape != format.shape) {
    return absl::InvalidArgumentError(absl::StrFormat("has slices of %d x %d and of %d x %d pixels",
                                                      format.shape.height, format.shape.width,
                                                      slice.shape.height, slice.shape.width));
  }
  const Vector3 moved = Sum(geometry.position, Scaled(first_position_, -1));
  const double along = Dot(moved, normal_);
  const double last = volume_.slice_position.empty() ? -INFINITY : volume_.slice_position.back();
  if (along <= last + kSamePositionMm) {
    ++duplicates_;
    return absl::OkStatus();
  }
  const double sideways = Length(Sum(moved, Scaled(normal_, -along)));
  sheared_ |= sideways > 0.05 * std::abs(along) + 0.01;
  DecodedImage converted;
  const DecodedImage* source = &slice;
  if (volume_.slices > 0 &&
      (slice.dtype != format.dtype || !SameUnits(slice.physical, format.physical))) {
    if (format.dtype != DType::kFloat32 || format.physical.scale != 1 ||
        format.physical.offset != 0) {
      ToFloat();
    }
    VolumeBuilder one;
    LANGEVIN_RETURN_IF_ERROR(one.Add(slice, geometry));
    one.ToFloat();
    converted.pixels = std::move(one.volume_.voxels);
    converted.mask = slice.mask;
    source = &converted;
  }
  if (volume_.voxels.size() + source->pixels.size() > static_cast<size_t>(kMaxDecodedBytes)) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("is a volume of more than %d MiB; slice it along its acquired axis",
                        kMaxDecodedBytes >> 20));
  }
  const auto pixels = static_cast<size_t>(format.shape.height * format.shape.width);
  if (!source->mask.empty() && volume_.mask.empty()) {
    volume_.mask.assign(pixels * static_cast<size_t>(volume_.slices), 1);
  }
  volume_.voxels.insert(volume_.voxels.end(), source->pixels.begin(), source->pixels.end());
  if (!source->mask.empty()) {
    volume_.mask.insert(volume_.mask.end(), source->mask.begin(), source->mask.end());
  } else if (!volume_.mask.empty()) {
    volume_.mask.resize(volume_.mask.size() + pixels, 1);
  }
  volume_.slice_position.push_back(along);
  ++volume_.slices;
  return absl::OkStatus();
}

Volume VolumeBuilder::Finish() {
  std::vector<std::string>& notes = volume_.format.notes;
  if (duplicates_ > 0) {
    notes.push_back(
        absl::StrFormat("%d slices at a position that is taken are left out", duplicates_));
  }
  if (sheared_) notes.push_back("slices are not stacked along their normal (gantry tilt?)");
  return std::move(volume_);
}

absl::Status SliceFilter::Add(DecodedImage image) {
  if (!(skip_empty_ > 0)) return sink_(image);
  ++seen_;
  const auto channels = static_cast<size_t>(image.shape.channels);
  const auto pixels = static_cast<size_t>(image.shape.height * image.shape.width);
  std::vector<double> lowest(channels, INFINITY);
  const auto valid = [&](size_t i) { return image.mask.empty() || image.mask[i] != 0; };
  size_t inside = 0, different = 0;
  for (size_t i = 0; i < pixels; ++i) {
    if (!valid(i)) continue;
    ++inside;
    for (size_t c = 0; c < channels; ++c) {
      const double value = StoredValue(image.pixels.data(), image.dtype, i * channels + c);
      lowest[c] = std::min(lowest[c], value);
    }
  }
  for (size_t i = 0; i < pixels; ++i) {
    if (!valid(i)) continue;
    bool differs = false;
    for (size_t c = 0; c < channels; ++c) {
      differs |= StoredValue(image.pixels.data(), image.dtype, i * channels + c) != lowest[c];
    }
    different += differs ? 1 : 0;
  }
  if (static_cast<double>(different) < skip_empty_ * static_cast<double>(inside) || inside == 0) {
    ++left_out_;
    return absl::OkStatus();
  }
  if (pending_.has_value()) LANGEVIN_RETURN_IF_ERROR(sink_(*pending_));
  pending_ = std::move(image);
  return absl::OkStatus();
}

absl::Status SliceFilter::Finish() {
  if (!pending_.has_value()) {
    if (left_out_ == 0) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrFormat("has only empty slices (%d, medical.skip_empty)", left_out_));
  }
  if (left_out_ > 0) {
    pending_->notes.push_back(
        absl::StrFormat("%d of %d slices are empty and left out", left_out_, seen_));
  }
  const absl::Status status = sink_(*pending_);
  pending_.reset();
  return status;
}

}  // namespace langevin::data
