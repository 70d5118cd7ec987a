// An average of any width, made after the run from those that were stored on the way (Karras et al.
// 2024, section 3.2 and appendix C).
//
// The average with profile p is sought as a sum of stored ones, whose profiles are p_i: the
// coefficients minimise the distance between the profiles, |p - sum x_i p_i|^2, with sum x_i = 1,
// so that weights which never changed come out as they are. Time is in images since the run began.
#ifndef LANGEVIN_CORE_OPTIM_POST_HOC_EMA_H_
#define LANGEVIN_CORE_OPTIM_POST_HOC_EMA_H_

#include <utility>
#include <vector>

namespace langevin::optim {

// A power-function average (power_ema.h) as it stood after `images` images.
struct PowerProfile {
  double images = 0;  // Above 0.
  double std = 0;     // In (0, 1 / sqrt(12)).
};

struct PostHocSum {
  std::vector<double> coefficients;  // One for each stored average; they add up to 1.
  // |p - sum x_i p_i| / |p|, 0 being exact. For scale: the profiles of std 0.10 and 0.11 are 0.09
  // apart.
  double error = 0;
};

// What is further off than that is another average.
inline constexpr double kMostPostHocError = 0.1;

// Immutable; any thread.
class PostHocEma {
 public:
  // Averages as they stood at `images`, from `stored` ones, of which there is at least one and none
  // is newer. Equal ones share their coefficient.
  PostHocEma(std::vector<PowerProfile> stored, double images);

  // The best sum for this std, in (0, 1 / sqrt(12)).
  PostHocSum Solve(double std) const;

  // All stds between these two, in thousandths, can be had with an error of at most
  // kMostPostHocError. The range is the one around `std`, which can.
  std::pair<double, double> RangeAround(double std) const;

 private:
  using Real = long double;  // The profiles of neighbouring averages are nearly parallel.

  std::vector<Real> Backsolve(std::vector<Real> right) const;

  std::vector<PowerProfile> stored_;
  double images_;
  std::vector<double> gammas_;
  std::vector<Real> products_;  // p_i . p_j, times images, n by n.
  std::vector<Real> factor_;    // Cholesky's, of the products with something on the diagonal.
  std::vector<Real> ones_;      // The solution for the right side (1, ..., 1).
};

}  // namespace langevin::optim

#endif  // LANGEVIN_CORE_OPTIM_POST_HOC_EMA_H_
