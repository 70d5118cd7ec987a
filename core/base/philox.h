// Philox4x32-10, the counter-based random number generator every draw of Langevin comes from
// (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011).
//
// A counter-based generator has no state: draw number i of stream s of example c is a function of
// (seed, c, s, i). Ranks, threads and restarts therefore cannot change a draw, and there is nothing
// to save in a checkpoint.
#ifndef LANGEVIN_CORE_BASE_PHILOX_H_
#define LANGEVIN_CORE_BASE_PHILOX_H_

#include <array>
#include <cstdint>
#include <span>

namespace langevin {

// One block of four words. Counter and key are least significant word first.
std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// What a draw is for. Two purposes never share a counter, so neither noise and time steps nor two
// dropout layers can be correlated by accident. The numbers are frozen: checkpoints of running
// trainings rely on them.
enum class RandomPurpose : uint32_t {
  kTrainingNoise = 1,
  kTimestep = 2,
  kDropout = 3,       // Substream: the layer.
  kAugmentation = 4,  // Substream: the augmentation.
  kLabelDrop = 5,
  kInitialSample = 6,   // Position: the sample's index.
  kSamplerNoise = 7,    // Position: the sample's index; substream: the step.
  kInitialWeights = 8,  // Position: the parameter's name, hashed.
  kBootstrap = 9,       // Position: the replicate.
  // Position: the image's index.
  kLikelihoodProbe = 10,  // Substream: the probe.
  kLikelihoodNoise = 11,  // Substream: the step.
  kLikelihoodTime = 12,
  kDequantisation = 13,
  kSelfConditioning = 14,
};

// The draws for one (seed, position, purpose, substream). A value type of a few words: make one
// where it is needed. Position is the example's place in the run's sample stream (core/base's
// images_seen clock), or as noted at the purpose. Requires substream < 2^24.
class RandomStream {
 public:
  RandomStream(uint64_t seed, uint64_t position, RandomPurpose purpose, uint32_t substream = 0);

  // Word `index` of the stream, uniform over all 32-bit values.
  uint32_t Word(uint32_t index) const;

  // Draw `index`, uniform in [0, 1), a multiple of 2^-24.
  float Uniform(uint32_t index) const;

  // Draw `index`, uniform over [0, bound). Requires 1 <= bound <= 2^31. The multiply-shift method:
  // no value is likelier than another by more than bound / 2^32.
  uint32_t UniformInt(uint32_t index, uint32_t bound) const;

  // Fills `values` with draws 0, 1, ... of N(0, 1) (Box-Muller in double precision, rounded).
  // Value i is the same however long `values` is.
  void FillNormal(std::span<float> values) const;

  // Fills `values` with draws 0, 1, ... of U[0, 1), as Uniform(i) gives them.
  void FillUniform(std::span<float> values) const;

 private:
  std::array<uint32_t, 4> Block(uint32_t index) const;

  std::array<uint32_t, 2> key_;
  std::array<uint32_t, 4> counter_;  // Word 3, zero here, counts the blocks.
};

}  // namespace langevin

#endif  // LANGEVIN_CORE_BASE_PHILOX_H_
