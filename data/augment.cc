#include "data/augment.h"

#include <cmath>
#include <numbers>

#include "absl/strings/str_format.h"
#include "core/base/philox.h"

namespace langevin::data {
namespace {

using std::numbers::pi;

// Exponents of the paper's scaling and anisotropy, in powers of two, and its translation as a share
// of the side: the standard deviations of Karras et al. 2022, table 6.
constexpr double kEdmScale = 0.2;
constexpr double kEdmAnisotropy = 0.2;
constexpr double kEdmTranslation = 1.0 / 8;
// How often the direction of an anisotropy is not along the axes (as in the authors' program).
constexpr double kEdmTurnedAnisotropy = 0.5;

class Drawer {
 public:
  Drawer(const configs::AugmentConfig& config, const ImageShape& shape, uint64_t seed,
         int64_t position)
      : config_(config), shape_(shape), seed_(seed), position_(position) {}

  DrawnAugmentation Draw() {
    DrawPixelMoves();
    DrawGeometry();
    if (config_.edm.probability > 0) DrawEdm();
    DrawIntensity();
    return drawn_;
  }

 private:
  RandomStream Stream(Augmentation augmentation) const {
    return {seed_, static_cast<uint64_t>(position_), RandomPurpose::kAugmentation,
            static_cast<uint32_t>(augmentation)};
  }
  // Uniform in [-1, 1).
  static double Signed(const RandomStream& stream, uint32_t index) {
    return 2 * static_cast<double>(stream.Uniform(index)) - 1;
  }
  // The next operation, given by its inverse.
  void Then(const Affine& inverse) { drawn_.source = drawn_.source * inverse; }

  void DrawPixelMoves() {
    if (config_.horizontal_flip && DrawHorizontalFlip(seed_, position_)) Then(Affine::Scale(-1, 1));
    if (config_.vertical_flip && Stream(Augmentation::kVerticalFlip).Uniform(0) < 0.5f) {
      Then(Affine::Scale(1, -1));
    }
    if (config_.quarter_turns) {
      static constexpr int kCosine[] = {1, 0, -1, 0}, kSine[] = {0, 1, 0, -1};
      const uint32_t turns = Stream(Augmentation::kQuarterTurn).UniformInt(0, 4);
      const double cosine = kCosine[turns], sine = kSine[turns];
      Then({.xx = cosine, .xy = -sine, .yx = sine, .yy = cosine});
    }
    if (config_.translate > 0) {
      const RandomStream stream = Stream(Augmentation::kTranslation);
      const auto pixels = [&](uint32_t index, int64_t side) {
        const auto most = static_cast<int64_t>(config_.translate * static_cast<double>(side));
        const auto choices = static_cast<uint32_t>(2 * most + 1);
        return static_cast<double>(static_cast<int64_t>(stream.UniformInt(index, choices)) - most);
      };
      Then(Affine::Translate(pixels(0, shape_.width), pixels(1, shape_.height)));
    }
  }

  void DrawGeometry() {
    if (config_.crop > 0) {
      const RandomStream stream = Stream(Augmentation::kCrop);
      const double kept = 1 - config_.crop * static_cast<double>(stream.Uniform(0));
      // The part may lie anywhere inside the image.
      const double room_x = (1 - kept) / 2 * static_cast<double>(shape_.width);
      const double room_y = (1 - kept) / 2 * static_cast<double>(shape_.height);
      Then(Affine::Translate(room_x * Signed(stream, 1), room_y * Signed(stream, 2)) *
           Affine::Scale(kept, kept));
    }
    if (config_.scale > 0) {
      const double exponent = Signed(Stream(Augmentation::kScale), 0);
      const double inverse = std::pow(1 + config_.scale, -exponent);
      Then(Affine::Scale(inverse, inverse));
    }
    if (config_.rotate_degrees > 0) {
      const double angle = config_.rotate_degrees / 180 * pi;
      Then(Affine::Rotate(angle * Signed(Stream(Augmentation::kRotation), 0)));
    }
  }

  // Karras et al. 2022, appendix F.2: each transformation with its parameter a, and what the
  // network is told of it.
  void DrawEdm() {
    const configs::EdmAugmentConfig& edm = config_.edm;
    const RandomStream flips = Stream(Augmentation::kEdmFlips);
    const RandomStream choices = Stream(Augmentation::kEdmChoices);
    std::array<float, 8> normal = {};
    Stream(Augmentation::kEdmNormals).FillNormal(normal);
    const auto applied = [&](bool exists, uint32_t index) {
      return exists && static_cast<double>(choices.Uniform(index)) < edm.probability;
    };
    std::array<float, kAugmentLabels>& told = drawn_.labels;
    if (edm.x_flip && flips.Uniform(0) < 0.5f) {
      told[0] = 1;
      Then(Affine::Scale(-1, 1));
    }
    if (applied(edm.y_flip, 0) && flips.Uniform(1) < 0.5f) {
      told[1] = 1;
      Then(Affine::Scale(1, -1));
    }
    if (applied(edm.scale, 1)) {
      told[2] = normal[0];
      const double inverse = std::exp2(-kEdmScale * normal[0]);
      Then(Affine::Scale(inverse, inverse));
    }
    if (applied(edm.rotate, 2)) {
      const double angle = pi * Signed(choices, 6);
      told[3] = static_cast<float>(std::cos(angle) - 1);
      told[4] = static_cast<float>(std::sin(angle));
      Then(Affine::Rotate(angle));  // The image is turned by -angle.
    }
    if (applied(edm.anisotropy, 3)) {
      const bool turned = static_cast<double>(choices.Uniform(8)) < kEdmTurnedAnisotropy;
      const double angle = turned ? pi * Signed(choices, 7) : 0;
      told[5] = static_cast<float>(normal[1] * std::cos(angle));
      told[6] = static_cast<float>(normal[1] * std::sin(angle));
      const double stretch = std::exp2(kEdmAnisotropy * normal[1]);
      // Inverses of rotation, scaling and rotation back.
      Then(Affine::Rotate(-angle) * Affine::Scale(1 / stretch, stretch) * Affine::Rotate(angle));
    }
    if (applied(edm.translate, 4)) {
      told[7] = normal[2];
      told[8] = normal[3];
      Then(Affine::Translate(-kEdmTranslation * static_cast<double>(shape_.width) * normal[2],
                             -kEdmTranslation * static_cast<double>(shape_.height) * normal[3]));
    }
  }

  void DrawIntensity() {
    const RandomStream stream = Stream(Augmentation::kIntensity);
    if (config_.intensity_scale > 0) {
      drawn_.gain = static_cast<float>(1 + config_.intensity_scale * Signed(stream, 0));
    }
    if (config_.intensity_shift > 0) {
      drawn_.shift = static_cast<float>(config_.intensity_shift * Signed(stream, 1));
    }
    if (config_.noise > 0) {
      const RandomStream level = Stream(Augmentation::kNoiseLevel);
      drawn_.noise = static_cast<float>(config_.noise * static_cast<double>(level.Uniform(0)));
    }
  }

  const configs::AugmentConfig& config_;
  const ImageShape& shape_;
  const uint64_t seed_;
  const int64_t position_;
  DrawnAugmentation drawn_;
};

}  // namespace

bool DrawHorizontalFlip(uint64_t seed, int64_t position) {
  const RandomStream stream(seed, static_cast<uint64_t>(position), RandomPurpose::kAugmentation,
                            static_cast<uint32_t>(Augmentation::kHorizontalFlip));
  return stream.Uniform(0) < 0.5f;
}

DrawnAugmentation DrawAugmentation(const configs::AugmentConfig& config, const ImageShape& shape,
                                   uint64_t seed, int64_t position) {
  return Drawer(config, shape, seed, position).Draw();
}

absl::Status CheckAugmentFits(const configs::AugmentConfig& config, const ImageShape& shape) {
  if (!config.quarter_turns || shape.height == shape.width) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat(
      "data.augment.quarter_turns needs square images, but those of the data set are %d x %d; "
      "leave it out, or use rotate_degrees",
      shape.height, shape.width));
}

}  // namespace langevin::data
