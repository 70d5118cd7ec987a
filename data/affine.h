// Affine maps of the plane, for augmentation.
#ifndef LANGEVIN_DATA_AFFINE_H_
#define LANGEVIN_DATA_AFFINE_H_

namespace langevin::data {

// (x, y) goes to (xx x + xy y + x, yx x + yy y + y). Coordinates are in pixels from the image's
// centre, x to the right, y down.
struct Affine {
  double xx = 1, xy = 0, x = 0;
  double yx = 0, yy = 1, y = 0;

  static Affine Scale(double x, double y);
  static Affine Rotate(double radians);  // From the x axis towards the y axis.
  static Affine Translate(double x, double y);

  // Whether it takes pixels to pixels: mirrored, turned by quarters, moved by whole pixels.
  bool KeepsPixels() const;
  // Whether it mirrors at most, and neither turns nor moves.
  bool OnlyMirrors() const;
  // How far apart the images of two points one pixel apart can be.
  double LargestStretch() const;

  friend bool operator==(const Affine&, const Affine&) = default;
};

// `second` first: the matrix product. Written for inverses: where image operations f, g, h come one
// after the other, the source of an output point is (f^-1 * g^-1 * h^-1)(point).
Affine operator*(const Affine& first, const Affine& second);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_AFFINE_H_
