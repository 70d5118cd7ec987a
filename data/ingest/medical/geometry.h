// Vectors of three and where a slice lies in the patient (LPS millimetres).
#ifndef LANGEVIN_DATA_INGEST_MEDICAL_GEOMETRY_H_
#define LANGEVIN_DATA_INGEST_MEDICAL_GEOMETRY_H_

#include <array>
#include <cmath>
#include <cstddef>

namespace langevin::data {

using Vector3 = std::array<double, 3>;

inline double Dot(const Vector3& a, const Vector3& b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}
inline Vector3 Cross(const Vector3& a, const Vector3& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}
inline Vector3 Scaled(const Vector3& a, double factor) {
  return {a[0] * factor, a[1] * factor, a[2] * factor};
}
inline Vector3 Sum(const Vector3& a, const Vector3& b) {
  return {a[0] + b[0], a[1] + b[1], a[2] + b[2]};
}
inline double Length(const Vector3& a) { return std::sqrt(Dot(a, a)); }

struct SliceGeometry {
  Vector3 position = {};      // Centre of the first pixel.
  Vector3 along_row = {};     // Unit vectors: to the next column,
  Vector3 along_column = {};  // and to the next row.
  double row_spacing = 1;     // Between rows; millimetres, positive.
  double column_spacing = 1;

  Vector3 normal() const { return Cross(along_row, along_column); }
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_MEDICAL_GEOMETRY_H_
