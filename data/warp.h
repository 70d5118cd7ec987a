// Moving the pixels of an image: exactly where pixels go to pixels, else by cubic splines.
//
// An image goes on beyond its edges as its mirror image, without repeating the edge (SciPy's mode
// "mirror"). The spline is the interpolating cubic B-spline (Unser, "Splines: A Perfect Fit for
// Signal and Image Processing", 1999): scipy.ndimage.affine_transform with order 3 gives the same
// numbers. Where the map shrinks the image, each output pixel is the mean over a grid of points
// inside it, so that fine structure is averaged and not picked.
#ifndef LANGEVIN_DATA_WARP_H_
#define LANGEVIN_DATA_WARP_H_

#include <cstdint>
#include <span>

#include "data/affine.h"

namespace langevin::data {

struct PlaneSize {
  int64_t height = 0;
  int64_t width = 0;
};

// `out` = `in` with its pixels moved: out at point p is in at source(p). Requires
// source.KeepsPixels(), and a square image where it turns by a quarter.
template <typename Type>
void MovePixels(std::span<const Type> in, const PlaneSize& size, const Affine& source,
                std::span<Type> out);

// `planes`: several images of one size after the other. They are turned into their spline
// coefficients, in place; `out` gets them warped.
void WarpBySplines(std::span<float> planes, const PlaneSize& size, const Affine& source,
                   std::span<float> out);

// The same with the nearest pixel, for masks.
void WarpNearest(std::span<const uint8_t> in, const PlaneSize& size, const Affine& source,
                 std::span<uint8_t> out);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_WARP_H_
