#include "data/affine.h"

#include <cmath>

namespace langevin::data {

Affine Affine::Scale(double x, double y) { return {.xx = x, .yy = y}; }

Affine Affine::Rotate(double radians) {
  const double cosine = std::cos(radians), sine = std::sin(radians);
  return {.xx = cosine, .xy = -sine, .yx = sine, .yy = cosine};
}

Affine Affine::Translate(double x, double y) { return {.x = x, .y = y}; }

bool Affine::KeepsPixels() const {
  const auto unit = [](double a, double b) {
    return (std::abs(a) == 1 && b == 0) || (a == 0 && std::abs(b) == 1);
  };
  return unit(xx, xy) && unit(yx, yy) && unit(xx, yx) && x == std::round(x) && y == std::round(y);
}

bool Affine::OnlyMirrors() const {
  return std::abs(xx) == 1 && xy == 0 && yx == 0 && std::abs(yy) == 1 && x == 0 && y == 0;
}

double Affine::LargestStretch() const {
  // The larger singular value of the matrix.
  const double squares = xx * xx + xy * xy + yx * yx + yy * yy;
  const double determinant = xx * yy - xy * yx;
  const double root = std::sqrt(std::fmax(0, squares * squares - 4 * determinant * determinant));
  return std::sqrt((squares + root) / 2);
}

Affine operator*(const Affine& first, const Affine& second) {
  return {.xx = first.xx * second.xx + first.xy * second.yx,
          .xy = first.xx * second.xy + first.xy * second.yy,
          .x = first.xx * second.x + first.xy * second.y + first.x,
          .yx = first.yx * second.xx + first.yy * second.yx,
          .yy = first.yx * second.xy + first.yy * second.yy,
          .y = first.yx * second.x + first.yy * second.y + first.y};
}

}  // namespace langevin::data
