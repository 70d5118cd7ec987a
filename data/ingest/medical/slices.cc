// Giving out a volume in slices: which axis runs where, and resampling.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numeric>
#include <span>

#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "data/ingest/medical/resample.h"
#include "data/ingest/medical/volume.h"

namespace langevin::data {
namespace {

using configs::SliceAxis;

constexpr int kLeft = 0, kPosterior = 1, kSuperior = 2;  // Positive directions of LPS.

// Where one axis of what is handed over runs in the volume: 0 columns, 1 rows, 2 slices.
struct Walk {
  int axis = 0;
  bool backward = false;
};

// Of what is handed over: along a row, along a column, between slices.
using View = std::array<Walk, 3>;

class Slicer {
 public:
  Slicer(const Volume& volume, const configs::MedicalConfig& config)
      : volume_(volume), config_(config) {
    extent_ = {volume.format.shape.width, volume.format.shape.height, volume.slices};
    steps_ = {volume.column_step, volume.row_step, volume.slice_direction};
  }

  absl::Status Run(SliceFilter& filter);

 private:
  View ChooseView() const;
  // Positions along an axis of the view, ascending from 0.
  std::vector<double> CentersOf(const Walk& walk) const;
  // Of a voxel, by index along the view's axes.
  size_t Offset(const std::array<int64_t, 3>& at) const;
  Plane PlaneAt(int64_t slice) const;
  void AddPlane(int64_t slice, float weight, Plane& sum) const;
  DecodedImage Copy(int64_t slice) const;
  DecodedImage FromPlane(const Plane& plane) const;
  void Place(double along_row, double along_column, double between, const Vector3& spacing,
             DecodedImage& image) const;
  Vector3 DirectionOf(const Walk& walk) const;

  const Volume& volume_;
  const configs::MedicalConfig& config_;
  std::array<int64_t, 3> extent_ = {};
  std::array<Vector3, 3> steps_ = {};
  View view_ = {};
  std::array<std::vector<double>, 3> centers_;
};

View Slicer::ChooseView() const {
  const View stored = {Walk{0, false}, Walk{1, false}, Walk{2, false}};
  if (config_.axis == SliceAxis::kAcquired && !volume_.acquired_is_view) return stored;
  // Which axis of the volume is nearest to each direction of the patient, each used once.
  std::array<int, 3> axes = {0, 1, 2}, best = axes;
  double most = -1;
  const auto cosine = [this](int axis, int direction) {
    const Vector3& step = steps_[static_cast<size_t>(axis)];
    return step[static_cast<size_t>(direction)] / Length(step);
  };
  do {
    const double sum = std::abs(cosine(axes[0], kLeft)) + std::abs(cosine(axes[1], kPosterior)) +
                       std::abs(cosine(axes[2], kSuperior));
    if (sum > most + 1e-9) {
      most = sum;
      best = axes;
    }
  } while (std::next_permutation(axes.begin(), axes.end()));
  const auto toward = [&](int direction, bool positive) {
    const int axis = best[static_cast<size_t>(direction)];
    return Walk{axis, (cosine(axis, direction) > 0) != positive};
  };
  SliceAxis axis = config_.axis;
  if (axis == SliceAxis::kAcquired) {
    axis = best[kLeft] == 2        ? SliceAxis::kSagittal
           : best[kPosterior] == 2 ? SliceAxis::kCoronal
                                   : SliceAxis::kAxial;
  }
  if (axis == SliceAxis::kAxial) {
    return {toward(kLeft, true), toward(kPosterior, true), toward(kSuperior, true)};
  }
  if (axis == SliceAxis::kCoronal) {
    return {toward(kLeft, true), toward(kSuperior, false), toward(kPosterior, true)};
  }
  return {toward(kPosterior, true), toward(kSuperior, false), toward(kLeft, true)};
}

std::vector<double> Slicer::CentersOf(const Walk& walk) const {
  if (walk.axis != 2) {
    return EvenCenters(extent_[static_cast<size_t>(walk.axis)],
                       Length(steps_[static_cast<size_t>(walk.axis)]));
  }
  std::vector<double> centers = volume_.slice_position;
  if (!walk.backward) return centers;
  const double last = centers.back();
  for (double& center : centers) center = last - center;
  std::reverse(centers.begin(), centers.end());
  return centers;
}

Vector3 Slicer::DirectionOf(const Walk& walk) const {
  const Vector3& step = steps_[static_cast<size_t>(walk.axis)];
  return Scaled(step, (walk.backward ? -1 : 1) / Length(step));
}

size_t Slicer::Offset(const std::array<int64_t, 3>& at) const {
  std::array<int64_t, 3> index = {};
  for (size_t i = 0; i < 3; ++i) {
    const auto axis = static_cast<size_t>(view_[i].axis);
    index[axis] = view_[i].backward ? extent_[axis] - 1 - at[i] : at[i];
  }
  return static_cast<size_t>((index[2] * extent_[1] + index[1]) * extent_[0] + index[0]);
}

// Where the centre of an image's first pixel lies, by millimetres along the view's axes.
void Slicer::Place(double along_row, double along_column, double between, const Vector3& spacing,
                   DecodedImage& image) const {
  const std::array<int64_t, 3> zero = {};
  Vector3 position = volume_.origin;
  const size_t first = Offset(zero);
  const auto column = static_cast<double>(first % static_cast<size_t>(extent_[0]));
  const auto row = static_cast<double>(first / static_cast<size_t>(extent_[0]) %
                                       static_cast<size_t>(extent_[1]));
  const size_t slice = first / static_cast<size_t>(extent_[0] * extent_[1]);
  position = Sum(position, Scaled(steps_[0], column));
  position = Sum(position, Scaled(steps_[1], row));
  position = Sum(position, Scaled(steps_[2], volume_.slice_position[slice]));
  position = Sum(position, Scaled(DirectionOf(view_[0]), along_row));
  position = Sum(position, Scaled(DirectionOf(view_[1]), along_column));
  position = Sum(position, Scaled(DirectionOf(view_[2]), between));
  image.medical.position_mm = position;
  image.medical.normal = Cross(DirectionOf(view_[0]), DirectionOf(view_[1]));
  image.medical.spacing_mm = {spacing[1], spacing[0]};
  if (spacing[2] > 0) image.medical.spacing_mm.push_back(spacing[2]);
}

DecodedImage Slicer::Copy(int64_t slice) const {
  DecodedImage image = volume_.format;
  const int64_t width = extent_[static_cast<size_t>(view_[0].axis)];
  const int64_t height = extent_[static_cast<size_t>(view_[1].axis)];
  image.shape = {.height = height, .width = width, .channels = volume_.format.shape.channels};
  const size_t bytes = SizeOf(image.dtype) * static_cast<size_t>(image.shape.channels);
  image.pixels.resize(static_cast<size_t>(width * height) * bytes);
  if (!volume_.mask.empty()) image.mask.resize(static_cast<size_t>(width * height));
  size_t out = 0;
  for (int64_t r = 0; r < height; ++r) {
    for (int64_t c = 0; c < width; ++c, ++out) {
      const size_t from = Offset({c, r, slice});
      std::memcpy(&image.pixels[out * bytes], &volume_.voxels[from * bytes], bytes);
      if (!image.mask.empty()) image.mask[out] = volume_.mask[from];
    }
  }
  return image;
}

void Slicer::AddPlane(int64_t slice, float weight, Plane& sum) const {
  const DecodedImage image = Copy(slice);
  const auto channels = static_cast<size_t>(sum.channels);
  const auto pixels = static_cast<size_t>(sum.rows * sum.columns);
  for (size_t i = 0; i < pixels; ++i) {
    const bool valid = image.mask.empty() || image.mask[i] != 0;
    if (!valid) continue;
    if (!sum.mask.empty()) sum.mask[i] += weight;
    for (size_t k = i * channels; k < (i + 1) * channels; ++k) {
      float value = 0;
      if (image.dtype == DType::kUint8) {
        value = std::to_integer<uint8_t>(image.pixels[k]);
      } else if (image.dtype == DType::kUint16) {
        value = reinterpret_cast<const uint16_t*>(image.pixels.data())[k];
      } else {
        value = reinterpret_cast<const float*>(image.pixels.data())[k];
      }
      sum.values[k] += weight * value;
    }
  }
}

DecodedImage Slicer::FromPlane(const Plane& plane) const {
  DecodedImage image = volume_.format;
  image.shape = {
      .height = plane.rows, .width = plane.columns, .channels = volume_.format.shape.channels};
  image.pixels.resize(plane.values.size() * SizeOf(image.dtype));
  const float largest = image.dtype == DType::kUint8 ? 255 : 65535;
  for (size_t i = 0; i < plane.values.size(); ++i) {
    const float value = plane.values[i];
    if (image.dtype == DType::kFloat32) {
      reinterpret_cast<float*>(image.pixels.data())[i] = value;
      continue;
    }
    const auto rounded = static_cast<uint16_t>(std::clamp(std::round(value), 0.0F, largest));
    if (image.dtype == DType::kUint8) {
      image.pixels[i] = static_cast<std::byte>(rounded);
    } else {
      reinterpret_cast<uint16_t*>(image.pixels.data())[i] = rounded;
    }
  }
  if (!plane.mask.empty()) {
    image.mask.resize(plane.mask.size());
    for (size_t i = 0; i < plane.mask.size(); ++i) image.mask[i] = plane.mask[i] >= 0.5F ? 1 : 0;
  }
  return image;
}

// The usual distance of neighbours; 0 for a single one.
double SpacingOf(const std::vector<double>& centers) {
  if (centers.size() < 2) return 0;
  return (centers.back() - centers.front()) / static_cast<double>(centers.size() - 1);
}

double MedianGap(const std::vector<double>& centers) {
  std::vector<double> gaps;
  for (size_t i = 1; i < centers.size(); ++i) gaps.push_back(centers[i] - centers[i - 1]);
  std::sort(gaps.begin(), gaps.end());
  return gaps.empty() ? 0 : gaps[gaps.size() / 2];
}

bool IsEven(const std::vector<double>& centers) {
  const double usual = MedianGap(centers);
  for (size_t i = 1; i < centers.size(); ++i) {
    if (std::abs(centers[i] - centers[i - 1] - usual) > std::max(0.01 * usual, 0.01)) return false;
  }
  return true;
}

absl::Status Slicer::Run(SliceFilter& filter) {
  view_ = ChooseView();
  for (size_t i = 0; i < 3; ++i) centers_[i] = CentersOf(view_[i]);
  // Wanted spacing along a row, along a column, between slices; 0: as it is.
  Vector3 wanted = {};
  const std::vector<double>& asked = config_.spacing_mm;
  if (asked.size() >= 2) wanted = {asked[1], asked[0], asked.size() >= 3 ? asked[2] : 0};
  // Slices cut across uneven ones would be distorted.
  bool evened = false;
  for (size_t i = 0; i < 3; ++i) {
    const bool across = i != 2 && view_[i].axis == 2;
    if (across && wanted[i] == 0 && !IsEven(centers_[i])) {
      wanted[i] = MedianGap(centers_[i]);
      evened = true;
    }
  }
  std::array<std::vector<Taps>, 3> taps;
  Vector3 spacing, first = {};
  for (size_t i = 0; i < 3; ++i) {
    spacing[i] = SpacingOf(centers_[i]);
    const bool single = centers_[i].size() == 1;
    if (single && i != 2) spacing[i] = Length(steps_[static_cast<size_t>(view_[i].axis)]);
    if (wanted[i] <= 0 || single) continue;
    taps[i] = MakeTaps(centers_[i], wanted[i]);
    if (taps[i].empty()) {
      return absl::InvalidArgumentError(
          absl::StrFormat("would have too many samples of %g mm (medical.spacing_mm)", wanted[i]));
    }
    spacing[i] = wanted[i];
    first[i] = NewCenters(centers_[i], wanted[i], taps[i].size()).front();
  }
  const size_t count = taps[2].empty() ? centers_[2].size() : taps[2].size();
  const int64_t width = extent_[static_cast<size_t>(view_[0].axis)];
  const int64_t height = extent_[static_cast<size_t>(view_[1].axis)];
  const auto identity = [](int64_t size) {
    std::vector<Taps> taps(static_cast<size_t>(size));
    for (int64_t i = 0; i < size; ++i) taps[static_cast<size_t>(i)] = {.first = i, .weights = {1}};
    return taps;
  };
  const bool in_plane = !taps[0].empty() || !taps[1].empty();
  if (in_plane && taps[0].empty()) taps[0] = identity(width);
  if (in_plane && taps[1].empty()) taps[1] = identity(height);
  const int64_t channels = volume_.format.shape.channels;
  if (in_plane &&
      static_cast<int64_t>(taps[0].size() * taps[1].size()) > kMaxDecodedBytes / 8 / channels) {
    return absl::InvalidArgumentError("would have too many pixels (medical.spacing_mm)");
  }
  for (size_t i = 0; i < count; ++i) {
    DecodedImage image;
    if (!in_plane && taps[2].empty()) {
      image = Copy(static_cast<int64_t>(i));
    } else {
      Plane plane = {.rows = height, .columns = width, .channels = channels};
      plane.values.resize(static_cast<size_t>(width * height * channels));
      if (!volume_.mask.empty()) plane.mask.resize(static_cast<size_t>(width * height));
      const Taps between =
          taps[2].empty() ? Taps{.first = static_cast<int64_t>(i), .weights = {1}} : taps[2][i];
      for (size_t t = 0; t < between.weights.size(); ++t) {
        AddPlane(between.first + static_cast<int64_t>(t), between.weights[t], plane);
      }
      for (size_t p = 0; p < plane.mask.size(); ++p) {
        for (int64_t k = 0; k < channels && plane.mask[p] > 0; ++k) {
          plane.values[p * static_cast<size_t>(channels) + static_cast<size_t>(k)] /= plane.mask[p];
        }
      }
      image = FromPlane(in_plane ? ResamplePlane(plane, taps[1], taps[0]) : plane);
    }
    image.images_in_file = static_cast<int64_t>(count) * volume_.volumes_in_source;
    if (i > 0) image.notes.clear();  // They are about the whole volume.
    if (i == 0 && evened) image.notes.push_back("uneven distances of slices were evened out");
    const double between =
        taps[2].empty() ? centers_[2][i] : first[2] + static_cast<double>(i) * spacing[2];
    Place(first[0], first[1], between, spacing, image);
    if (std::all_of(image.mask.begin(), image.mask.end(), [](uint8_t m) { return m != 0; })) {
      image.mask.clear();
    }
    LANGEVIN_RETURN_IF_ERROR(filter.Add(std::move(image)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status EmitSlices(const Volume& volume, const configs::MedicalConfig& config,
                        SliceFilter& filter) {
  return Slicer(volume, config).Run(filter);
}

}  // namespace langevin::data
