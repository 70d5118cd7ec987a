#include "data/pixel_kernels.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "gtest/gtest.h"

namespace langevin::data::kernels {
namespace {

template <typename Type>
std::vector<Type> Numbers(size_t count) {
  std::vector<Type> numbers(count);
  uint32_t state = 1;
  for (Type& number : numbers) {
    state = state * 1664525u + 1013904223u;
    if constexpr (std::is_same_v<Type, float>) {
      number = static_cast<float>(static_cast<int32_t>(state)) * 0x1p-27f;
    } else {
      number = static_cast<Type>(state >> 16);
    }
  }
  if constexpr (std::is_same_v<Type, float>) {
    numbers[3] = -0.0f;
    numbers[5] = std::numeric_limits<float>::infinity();
    numbers[6] = std::numeric_limits<float>::quiet_NaN();
  }
  return numbers;
}

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

constexpr int32_t kLargest[] = {0, 255, 65535};

// Whatever this machine has gives the portable loops' bits, for every width, direction and store,
// at any address, with maps that the fast formula fits and ones that it does not.
template <typename Type>
void ExpectSameBits(int32_t largest) {
  const Kernels<Type> best = BestKernels<Type>(), portable = PortableKernels<Type>();
  const std::vector<Type> numbers = Numbers<Type>(4000);
  const std::pair<double, double> maps[] = {{1, 0},           {1 / 127.5, -1}, {2 / 65535.0, -1},
                                            {2 / 4095.0, -1}, {0.0007, 0.3},   {-0.01, 0.5}};
  for (const auto& [scale, offset] : maps) {
    const LinearMap map = MakeLinearMap(scale, offset, largest);
    for (int64_t width = 1; width <= 70; ++width) {
      const int64_t rows = 1 + width % 3;
      for (const Direction direction : {Direction::kForward, Direction::kMirrored}) {
        for (const Store store : {Store::kCached, Store::kStreamed}) {
          const size_t shift = static_cast<size_t>(width % 9);
          std::vector<float> expected(300), actual(300);
          portable.map_rows(numbers.data() + shift, rows, width, map, direction, store,
                            expected.data() + shift);
          best.map_rows(numbers.data() + shift, rows, width, map, direction, store,
                        actual.data() + shift);
          FinishStreaming();
          ASSERT_TRUE(SameBits(actual, expected)) << "width " << width << ", map " << scale;
        }
      }
    }
  }
  for (const int64_t channels : {2, 3, 4, 7}) {
    for (int64_t count = 1; count <= 100; ++count) {
      std::vector<Type> expected(static_cast<size_t>(count * channels)), actual(expected.size());
      portable.split_channels(numbers.data() + 1, count, channels, expected.data());
      best.split_channels(numbers.data() + 1, count, channels, actual.data());
      ASSERT_EQ(std::memcmp(actual.data(), expected.data(), expected.size() * sizeof(Type)), 0);
    }
  }
}

TEST(PixelKernelsTest, InstructionSetsGiveTheSameBits) {
  ExpectSameBits<uint8_t>(kLargest[1]);
  ExpectSameBits<uint16_t>(kLargest[2]);
  ExpectSameBits<float>(kLargest[0]);
}

// Every stored integer, by the definition, in double precision and rounded once.
TEST(PixelKernelsTest, EveryIntegerIsMappedAsDefined) {
  for (const int32_t largest : {255, 65535}) {
    const double scale = 2.0 / largest;
    std::vector<uint16_t> numbers(static_cast<size_t>(largest) + 1);
    for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<uint16_t>(i);
    std::vector<float> mapped(numbers.size());
    const LinearMap map = MakeLinearMap(scale, -1, largest);
    BestKernels<uint16_t>().map_rows(numbers.data(), 1, static_cast<int64_t>(numbers.size()), map,
                                     Direction::kForward, Store::kCached, mapped.data());
    for (size_t i = 0; i < numbers.size(); ++i) {
      const volatile double product = static_cast<double>(i) * scale;
      ASSERT_EQ(mapped[i], static_cast<float>(product + -1)) << i;
    }
  }
}

// The maps that prepare makes of 8 and 16 bits take the fast way; if they stop to, it is silent.
TEST(PixelKernelsTest, UsualMapsAreFast) {
  EXPECT_TRUE(MakeLinearMap(1 / 127.5, -1, 255).exact);
  EXPECT_TRUE(MakeLinearMap(2 / 65535.0, -1, 65535).exact);
  EXPECT_FALSE(MakeLinearMap(0.0007, 0.31, 65535).exact);
}

}  // namespace
}  // namespace langevin::data::kernels
