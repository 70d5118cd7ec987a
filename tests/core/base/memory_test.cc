#include "core/base/memory.h"

#include <vector>

#include "gtest/gtest.h"

namespace langevin {
namespace {

TEST(MemoryTest, ThePeakGrowsWithWhatIsTouchedAndStays) {
  constexpr int64_t kSize = int64_t{512} << 20;  // More than tests before it have touched.
  const int64_t before = PeakMemoryBytes();
  EXPECT_GT(before, 0);
  {
    const std::vector<char> memory(kSize, 1);
    EXPECT_GE(PeakMemoryBytes(), before + kSize / 2);
  }
  EXPECT_GE(PeakMemoryBytes(), before + kSize / 2);
}

TEST(MemoryTest, BytesForPeople) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1000), "1000 B");
  EXPECT_EQ(FormatBytes(1536), "1.5 KiB");
  EXPECT_EQ(FormatBytes(312 << 20), "312 MiB");
  EXPECT_EQ(FormatBytes(int64_t{4500} << 20), "4.4 GiB");
}

}  // namespace
}  // namespace langevin
