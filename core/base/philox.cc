#include "core/base/philox.h"

#include <cmath>
#include <cstddef>
#include <numbers>

namespace langevin {

std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53} * counter[0];
    const uint64_t product1 = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0],
               static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1],
               static_cast<uint32_t>(product0)};
    key[0] += 0x9E3779B9;  // Weyl sequences: the golden ratio and sqrt(3) - 1.
    key[1] += 0xBB67AE85;
  }
  return counter;
}

RandomStream::RandomStream(uint64_t seed, uint64_t position, RandomPurpose purpose,
                           uint32_t substream)
    : key_{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)},
      counter_{static_cast<uint32_t>(position), static_cast<uint32_t>(position >> 32),
               substream << 8 | static_cast<uint32_t>(purpose), 0} {}

std::array<uint32_t, 4> RandomStream::Block(uint32_t index) const {
  std::array<uint32_t, 4> counter = counter_;
  counter[3] = index;
  return Philox4x32(counter, key_);
}

uint32_t RandomStream::Word(uint32_t index) const { return Block(index / 4)[index % 4]; }

float RandomStream::Uniform(uint32_t index) const {
  return static_cast<float>(Word(index) >> 8) * 0x1p-24F;
}

uint32_t RandomStream::UniformInt(uint32_t index, uint32_t bound) const {
  return static_cast<uint32_t>(uint64_t{Word(index)} * bound >> 32);
}

void RandomStream::FillUniform(std::span<float> values) const {
  for (size_t i = 0; i < values.size(); i += 4) {
    const std::array<uint32_t, 4> words = Block(static_cast<uint32_t>(i / 4));
    for (size_t j = 0; j < 4 && i + j < values.size(); ++j) {
      values[i + j] = static_cast<float>(words[j] >> 8) * 0x1p-24F;
    }
  }
}

void RandomStream::FillNormal(std::span<float> values) const {
  for (size_t i = 0; i < values.size(); i += 4) {
    const std::array<uint32_t, 4> words = Block(static_cast<uint32_t>(i / 4));
    std::array<float, 4> normals;
    for (size_t pair = 0; pair < 4; pair += 2) {
      // u lies in (0, 1), so its logarithm is finite; the largest value is sqrt(2 * 33 ln 2) = 6.8.
      const double u = (words[pair] + 0.5) * 0x1p-32;
      const double angle = 2 * std::numbers::pi * (words[pair + 1] * 0x1p-32);
      const double radius = std::sqrt(-2 * std::log(u));
      normals[pair] = static_cast<float>(radius * std::cos(angle));
      normals[pair + 1] = static_cast<float>(radius * std::sin(angle));
    }
    for (size_t j = 0; j < 4 && i + j < values.size(); ++j) values[i + j] = normals[j];
  }
}

}  // namespace langevin
