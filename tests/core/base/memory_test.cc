#include "core/base/memory.h"

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
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

TEST(MemoryTest, BuffersAreAlignedAndWritable) {
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{100}, (size_t{4} << 20) - 1,
                             size_t{4} << 20, (size_t{7} << 20) + 3}) {
    const std::unique_ptr<void, void (*)(void*)> buffer(AllocateBuffer(bytes), std::free);
    const auto address = reinterpret_cast<uintptr_t>(buffer.get());
    EXPECT_EQ(address % (bytes >= size_t{4} << 20 ? 2 << 20 : 64), 0) << bytes;
    std::memset(buffer.get(), 1, bytes);
  }
  EXPECT_THROW(AllocateBuffer(size_t{1} << 62), std::bad_alloc);
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
