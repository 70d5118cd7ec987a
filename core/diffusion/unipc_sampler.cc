#include <algorithm>
#include <cmath>
#include <utility>

#include "ATen/ATen.h"
#include "core/diffusion/samplers.h"

namespace langevin::diffusion {
namespace {

// Solves matrix x = values by elimination with pivoting; at most 3 by 3.
std::vector<double> SolveLinear(std::vector<std::vector<double>> matrix,
                                std::vector<double> values) {
  const size_t n = values.size();
  for (size_t column = 0; column < n; ++column) {
    size_t pivot = column;
    for (size_t row = column; row < n; ++row) {
      if (std::abs(matrix[row][column]) > std::abs(matrix[pivot][column])) pivot = row;
    }
    std::swap(matrix[column], matrix[pivot]);
    std::swap(values[column], values[pivot]);
    for (size_t row = 0; row < n; ++row) {
      if (row == column) continue;
      const double factor = matrix[row][column] / matrix[column][column];
      for (size_t i = column; i < n; ++i) matrix[row][i] -= factor * matrix[column][i];
      values[row] -= factor * values[column];
    }
  }
  for (size_t i = 0; i < n; ++i) values[i] /= matrix[i][i];
  return values;
}

class UniPcSampler : public Sampler {
 public:
  UniPcSampler(TimeGrid grid, UniPcOptions options)
      : grid_(std::move(grid)), options_(std::move(options)) {}

  int64_t network_evaluations() const override { return static_cast<int64_t>(grid_.steps()); }

  at::Tensor Run(const at::Tensor& noise, const Denoiser& denoiser,
                 const NoiseSource& /*noise_source*/) const override {
    at::Tensor sample = grid_.initial_scale * noise;
    at::Tensor last_sample;
    std::vector<at::Tensor> originals;  // Of the steps so far, newest first; three are kept.
    int order = 0;                      // Of the last step.
    for (size_t step = 0; step < grid_.steps(); ++step) {
      const at::Tensor original = denoiser(sample, grid_.levels[step]).original;
      // The corrector uses what the network says at the predicted sample to go there again.
      if (step > 0 && Corrects(step - 1)) {
        sample = Go(step - 1, order, last_sample, originals, &original);
      }
      originals.insert(originals.begin(), original);
      if (originals.size() > 3) originals.pop_back();
      order = OrderAt(step);
      last_sample = sample;
      sample = Go(step, order, sample, originals, nullptr);
    }
    return sample;
  }

 private:
  int OrderAt(size_t step) const {
    int order = std::min(options_.order, static_cast<int>(step) + 1);
    const auto left = static_cast<int>(grid_.steps() - step);
    if (options_.lower_order_final) order = std::min(order, left);
    if (grid_.levels[step + 1].sigma == 0) return 1;
    // Differences by lambda need finite ones.
    while (order > 1 && grid_.levels[step + 1 - order].alpha <= 0) --order;
    return order;
  }

  bool Corrects(size_t step) const {
    const auto& disabled = options_.disable_corrector;
    return std::find(disabled.begin(), disabled.end(), static_cast<int64_t>(step)) ==
               disabled.end() &&
           !(options_.is_bh1 && grid_.levels[step].alpha <= 0);
  }

  // From the level of `step` to the next, at which the network said `end_original` if that is given
  // (UniC), by the formulas of Zhao et al. 2023, equations 3, 9 and 10 for data prediction: with
  // h < 0 there, phi_k(h) and the weights rho that solve R_p(h) rho B(h) = phi_p(h).
  at::Tensor Go(size_t step, int order, const at::Tensor& sample,
                const std::vector<at::Tensor>& originals, const at::Tensor* end_original) const {
    const NoiseLevel& from = grid_.levels[step];
    const NoiseLevel& to = grid_.levels[step + 1];
    const double decay = to.sigma * from.alpha / (to.alpha * from.sigma);
    const double h = std::log(decay);
    if (h >= 0) return sample;
    const at::Tensor& newest = originals.front();
    const double growth = decay - 1;  // e^h - 1.
    const at::Tensor first = to.sigma / from.sigma * sample - to.alpha * growth * newest;
    if (order == 1 && end_original == nullptr) return first;

    const double b = options_.is_bh1 ? h : growth;
    // Where other values of x_0 are known, in units of the step: those before, and the end.
    std::vector<double> places;
    std::vector<at::Tensor> differences;
    for (int i = 1; i < order; ++i) {
      places.push_back((internal::Lambda(grid_.levels[step - i]) - internal::Lambda(from)) / -h);
      differences.push_back((originals[i] - newest) / places.back());
    }
    if (end_original != nullptr) {
      places.push_back(1);
      differences.push_back(*end_original - newest);
    }
    const std::vector<double> weights = Weights(places, h, growth, b);
    at::Tensor change = weights[0] * differences[0];
    for (size_t i = 1; i < weights.size(); ++i) change += weights[i] * differences[i];
    return first - to.alpha * b * change;
  }

  static std::vector<double> Weights(const std::vector<double>& places, double h, double growth,
                                     double b) {
    // With one unknown the paper takes 1/2, which does not depend on h (section 3.2).
    if (places.size() == 1) return {0.5};
    std::vector<std::vector<double>> matrix;
    std::vector<double> values;
    double phi = growth / h - 1;  // h phi_2(h), then h^k phi_{k + 1} of growing k over h^{k - 1}.
    double factorial = 1;
    for (size_t row = 0; row < places.size(); ++row) {
      std::vector<double> powers;
      for (const double place : places) powers.push_back(std::pow(place, row));
      matrix.push_back(std::move(powers));
      values.push_back(phi * factorial / b);
      factorial *= static_cast<double>(row + 2);
      phi = phi / h - 1 / factorial;
    }
    return SolveLinear(std::move(matrix), std::move(values));
  }

  const TimeGrid grid_;
  const UniPcOptions options_;
};

}  // namespace

std::unique_ptr<Sampler> MakeUniPcSampler(TimeGrid grid, UniPcOptions options) {
  return std::make_unique<UniPcSampler>(std::move(grid), std::move(options));
}

}  // namespace langevin::diffusion
