#include "core/base/crc32c.h"

#include <cstdint>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace langevin {
namespace {

// RFC 3720, section B.4.
TEST(Crc32cTest, GivesThePublishedValues) {
  EXPECT_EQ(Crc32c("123456789", 9), 0xe3069283);
  EXPECT_EQ(Crc32c(std::vector<uint8_t>(32, 0x00).data(), 32), 0x8a9136aa);
  EXPECT_EQ(Crc32c(std::vector<uint8_t>(32, 0xff).data(), 32), 0x62a8ab43);
}

TEST(Crc32cTest, DoesNotDependOnHowTheDataAreCut) {
  const std::string text(1000, 'x');
  for (size_t cut = 0; cut <= text.size(); cut += 37) {
    const uint32_t head = Crc32c(text.data(), cut);
    EXPECT_EQ(Crc32c(text.data() + cut, text.size() - cut, head), Crc32c(text.data(), text.size()));
  }
}

TEST(Crc32cTest, InstructionAndTableAgreeAtEveryLength) {
  std::vector<uint8_t> data(200);
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<uint8_t>(i * 131 + 7);
  for (size_t size = 0; size <= data.size(); ++size) {
    const std::span bytes = std::as_bytes(std::span(data.data(), size));
    EXPECT_EQ(Crc32c(bytes), internal::Crc32cPortable(bytes, 0)) << size;
  }
}

TEST(Crc32cTest, SeesEverySingleBitFlip) {
  std::vector<uint8_t> data(64, 0x5a);
  const uint32_t good = Crc32c(data.data(), data.size());
  for (size_t bit = 0; bit < data.size() * 8; ++bit) {
    data[bit / 8] ^= 1 << bit % 8;
    EXPECT_NE(Crc32c(data.data(), data.size()), good);
    data[bit / 8] ^= 1 << bit % 8;
  }
}

}  // namespace
}  // namespace langevin
