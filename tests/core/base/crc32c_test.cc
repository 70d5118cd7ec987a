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
  std::vector<uint8_t> data(30000);
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<uint8_t>(i * i / 7 + i * 131);
  // Long data go through three streams in blocks of 192, 1536 and 12288 bytes.
  std::vector<size_t> sizes = {1535,  1536,  1537,  3071,  3072,  12287, 12288,
                               12289, 12480, 13824, 14016, 24576, 29999};
  for (size_t size = 0; size <= 600; ++size) sizes.push_back(size);
  for (const size_t size : sizes) {
    for (const uint32_t before : {0u, 0x12345678u}) {
      const std::span bytes = std::as_bytes(std::span(data.data() + 3, size));
      ASSERT_EQ(Crc32c(bytes, before), internal::Crc32cPortable(bytes, before)) << size;
    }
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
