// The headers of NIfTI-1 and NIfTI-2 (nifti.nimh.nih.gov: nifti1.h, nifti2.h) and of ANALYZE 7.5.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "absl/strings/str_format.h"
#include "data/ingest/readers/nifti_decoder.h"

namespace langevin::data {
namespace {

using Affine = std::array<std::array<double, 4>, 3>;

absl::Status Unreadable(std::string_view problem) {
  return absl::DataLossError("is no NIfTI file that can be read: " + std::string(problem));
}

// Numbers at places of the header, whose size has been checked.
class Fields {
 public:
  Fields(std::span<const std::byte> bytes, bool swapped) : bytes_(bytes), swapped_(swapped) {}

  template <typename T>
  T Get(size_t offset) const {
    std::array<std::byte, sizeof(T)> raw;
    std::copy_n(bytes_.begin() + static_cast<ptrdiff_t>(offset), sizeof(T), raw.begin());
    if (swapped_) std::reverse(raw.begin(), raw.end());
    return std::bit_cast<T>(raw);
  }
  // Of NIfTI-1 and NIfTI-2.
  double Real(bool second, size_t first_offset, size_t second_offset, size_t index = 0) const {
    return second ? Get<double>(second_offset + 8 * index)
                  : static_cast<double>(Get<float>(first_offset + 4 * index));
  }

 private:
  const std::span<const std::byte> bytes_;
  const bool swapped_;
};

int64_t SizeOfVoxel(int datatype) {
  switch (datatype) {
    case 2:    // uint8
    case 256:  // int8
      return 1;
    case 4:    // int16
    case 512:  // uint16
      return 2;
    case 128:  // RGB
      return 3;
    case 8:     // int32
    case 16:    // float32
    case 768:   // uint32
    case 2304:  // RGBA
      return 4;
    case 64:    // float64
    case 1024:  // int64
    case 1280:  // uint64
      return 8;
    default:
      return 0;
  }
}

bool IsUsable(const Affine& affine) {
  double product = 1;
  for (size_t column = 0; column < 3; ++column) {
    double square = 0;
    for (const auto& row : affine) square += row[column] * row[column];
    product *= std::sqrt(square);
  }
  for (const auto& row : affine) {
    for (const double value : row) {
      if (!std::isfinite(value) || std::abs(value) > 1e9) return false;
    }
  }
  const auto& [x, y, z] = affine;
  const double determinant = x[0] * (y[1] * z[2] - y[2] * z[1]) -
                             x[1] * (y[0] * z[2] - y[2] * z[0]) +
                             x[2] * (y[0] * z[1] - y[1] * z[0]);
  // The axes may lean, but not lie in one plane.
  return product > 1e-18 && std::abs(determinant) > 1e-4 * product;
}

// The quaternion of nifti1.h, method 2.
Affine QuaternionAffine(double b, double c, double d, const std::array<double, 3>& offset,
                        const std::array<double, 3>& spacing, double handedness) {
  const double square = b * b + c * c + d * d;
  double a = 0;
  if (square < 1) {
    a = std::sqrt(1 - square);
  } else {
    const double length = std::sqrt(square);  // A half turn, and rounding.
    b /= length;
    c /= length;
    d /= length;
  }
  const double x = spacing[0], y = spacing[1], z = spacing[2] * handedness;
  return {{{(a * a + b * b - c * c - d * d) * x, 2 * (b * c - a * d) * y, 2 * (b * d + a * c) * z,
            offset[0]},
           {2 * (b * c + a * d) * x, (a * a + c * c - b * b - d * d) * y, 2 * (c * d - a * b) * z,
            offset[1]},
           {2 * (b * d - a * c) * x, 2 * (c * d + a * b) * y, (a * a + d * d - b * b - c * c) * z,
            offset[2]}}};
}

// Centred, x to the left: what programs assume where a header says nothing.
Affine PlainAffine(const std::array<int64_t, 7>& dim, const std::array<double, 3>& spacing) {
  Affine affine = {};
  for (size_t i = 0; i < 3; ++i) {
    const double step = i == 0 ? -spacing[i] : spacing[i];
    affine[i][i] = step;
    affine[i][3] = -step * (static_cast<double>(dim[i]) - 1) / 2;
  }
  return affine;
}

Affine ReadAffine(const Fields& fields, bool second, bool analyze, const NiftiHeader& header) {
  std::array<double, 3> spacing;
  for (size_t i = 0; i < 3; ++i) {
    const double value = std::abs(fields.Real(second, 76, 80, i + 1));
    spacing[i] = value > 0 && value < 1e6 ? value : 1;
  }
  const int units = second ? fields.Get<int32_t>(500) : fields.Get<uint8_t>(123);
  const double millimetres = (units & 7) == 1 ? 1000 : (units & 7) == 3 ? 0.001 : 1;
  const int qform = second ? fields.Get<int32_t>(344) : fields.Get<int16_t>(252);
  const int sform = second ? fields.Get<int32_t>(348) : fields.Get<int16_t>(254);
  const auto scaled = [&](Affine affine) {
    for (auto& row : affine) {
      for (double& value : row) value *= analyze ? 1 : millimetres;
    }
    return affine;
  };
  if (!analyze && sform > 0) {
    Affine affine;
    for (size_t i = 0; i < 12; ++i) affine[i / 4][i % 4] = fields.Real(second, 280, 400, i);
    if (IsUsable(scaled(affine))) return scaled(affine);
  }
  if (!analyze && qform > 0) {
    const auto real = [&](size_t index) { return fields.Real(second, 256, 352, index); };
    const double handedness = fields.Real(second, 76, 80) < 0 ? -1 : 1;
    const Affine affine = QuaternionAffine(real(0), real(1), real(2), {real(3), real(4), real(5)},
                                           spacing, handedness);
    if (IsUsable(scaled(affine))) return scaled(affine);
  }
  return scaled(PlainAffine(header.dim, spacing));
}

// 348 or 540 in either byte order at the beginning; 0 otherwise.
int32_t HeaderSize(std::span<const std::byte> bytes, bool& swapped) {
  for (const bool swap : {false, true}) {
    const auto size = Fields(bytes, swap).Get<int32_t>(0);
    if (size == 348 || size == 540) {
      swapped = swap;
      return size;
    }
  }
  return 0;
}

}  // namespace

bool LooksLikeNifti(std::span<const std::byte> head) {
  return head.size() >= 348 && ParseNiftiHeader(head).ok();
}

absl::StatusOr<NiftiHeader> ParseNiftiHeader(std::span<const std::byte> bytes) {
  NiftiHeader header;
  if (bytes.size() < 348) return Unreadable("it is shorter than a header");
  const int32_t size = HeaderSize(bytes, header.swapped);
  if (size == 0) return Unreadable("it does not begin with 348 or 540");
  const bool second = size == 540;
  if (second && bytes.size() < 540) return Unreadable("it is shorter than a header");
  header.version = second ? 2 : 1;
  const auto* const magic = reinterpret_cast<const char*>(bytes.data()) + (second ? 4 : 344);
  const char* const single = second ? "n+2" : "n+1";
  const char* const pair = second ? "ni2" : "ni1";
  if (std::memcmp(magic, single, 4) == 0) {
    header.kind = NiftiHeader::Kind::kSingle;
  } else if (std::memcmp(magic, pair, 4) == 0) {
    header.kind = NiftiHeader::Kind::kPair;
  } else if (!second) {
    header.kind = NiftiHeader::Kind::kAnalyze;
  } else {
    return Unreadable("its magic is wrong");
  }
  const bool analyze = header.kind == NiftiHeader::Kind::kAnalyze;
  const Fields fields(bytes, header.swapped);
  const auto dim = [&](size_t i) -> int64_t {
    return second ? fields.Get<int64_t>(16 + 8 * i) : fields.Get<int16_t>(40 + 2 * i);
  };
  if (dim(0) < 1 || dim(0) > 7) {
    return Unreadable(absl::StrFormat("it has %d dimensions", dim(0)));
  }
  header.datatype = fields.Get<int16_t>(second ? 12 : 70);
  const int64_t voxel = SizeOfVoxel(header.datatype);
  if (voxel == 0) {
    return Unreadable(
        absl::StrFormat("its voxels are of datatype %d, which is not read", header.datatype));
  }
  int64_t total = voxel;
  for (size_t i = 0; i < 7; ++i) {
    header.dim[i] = static_cast<int64_t>(i) < dim(0) ? dim(i + 1) : 1;
    if (header.dim[i] < 1 || __builtin_mul_overflow(total, header.dim[i], &total)) {
      return Unreadable(absl::StrFormat("its dimension %d is %d", i + 1, header.dim[i]));
    }
  }
  const double offset = second ? static_cast<double>(fields.Get<int64_t>(168))
                               : static_cast<double>(fields.Get<float>(108));
  if (!(offset >= 0 && offset < 1e15)) {
    if (!analyze) return Unreadable("its voxels begin nowhere");
  } else {
    header.data_offset = static_cast<int64_t>(offset);
  }
  if (header.kind == NiftiHeader::Kind::kSingle) {
    header.data_offset = std::max<int64_t>(header.data_offset, second ? 544 : 352);
  }
  const double slope = fields.Real(second, 112, 176), intercept = fields.Real(second, 116, 184);
  // ANALYZE itself has no scale, but SPM's files keep one in the same place, without intercept.
  if (std::isfinite(slope) && slope != 0 && (analyze || std::isfinite(intercept))) {
    header.slope = slope;
    header.intercept = analyze ? 0 : intercept;
  }
  header.affine = ReadAffine(fields, second, analyze, header);
  return header;
}

}  // namespace langevin::data
