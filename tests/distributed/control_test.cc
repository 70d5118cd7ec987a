#include "distributed/control.h"

#include <functional>
#include <thread>

#include "distributed/agreement.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace langevin::distributed {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

void RunControls(int size, double timeout_seconds,
                 const std::function<void(ControlChannel&)>& body) {
  const std::vector<std::unique_ptr<ControlChannel>> controls =
      MakeLocalControls(size, timeout_seconds);
  std::vector<std::thread> threads;
  for (const auto& control : controls) threads.emplace_back([&] { body(*control); });
  for (std::thread& thread : threads) thread.join();
}

TEST(ControlChannelTest, EveryRankGetsTheTextsOfAllInOrder) {
  RunControls(3, 60, [](ControlChannel& control) {
    const std::string own(control.rank() * 2, 'a' + control.rank());
    const auto texts = control.AllGather(own);
    ASSERT_TRUE(texts.ok()) << texts.status();
    EXPECT_THAT(*texts, ElementsAre("", "bb", "cccc"));
  });
}

TEST(ControlChannelTest, AFlagOfOneRankReachesAll) {
  RunControls(4, 60, [](ControlChannel& control) {
    for (int step = 0; step < 100; ++step) {
      const bool own = step % 4 == control.rank();
      const auto flags = control.CombineFlags(own ? uint64_t{1} << (60 + control.rank()) : 0);
      ASSERT_TRUE(flags.ok()) << flags.status();
      EXPECT_EQ(*flags, uint64_t{1} << (60 + step % 4));
    }
  });
}

TEST(ControlChannelTest, ARankThatDoesNotComeIsNamed) {
  RunControls(2, 0.1, [](ControlChannel& control) {
    if (control.rank() == 0) return;
    const absl::Status status = control.CombineFlags(0).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_THAT(std::string(status.message()), HasSubstr("rank 0 did not come"));
  });
}

TEST(AgreeOnLeastTest, AllRanksGetTheSmallestNumber) {
  RunControls(3, 60, [](ControlChannel& control) {
    const absl::StatusOr<int64_t> least = AgreeOnLeast(control, control.rank() == 1 ? -2 : 5);
    ASSERT_TRUE(least.ok()) << least.status();
    EXPECT_EQ(*least, -2);
  });
}

TEST(AgreeOnTextTest, NamesTheRankAndTheLineThatDiffer) {
  RunControls(3, 60, [](ControlChannel& control) {
    EXPECT_TRUE(AgreeOnText(control, "a\nb").ok());
    const absl::Status status =
        AgreeOnText(control, control.rank() < 2 ? "a\n  b: 1\nc" : "a\n  b: 2\nd");
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("rank 2 is about to run something else than rank 0: it has \"b: 2\" "
                          "where rank 0 has \"b: 1\""));
    EXPECT_EQ(IsReported(status), control.rank() != 0);  // One message.
    EXPECT_THAT(std::string(AgreeOnText(control, control.rank() == 1 ? "a" : "a\nb").message()),
                HasSubstr("it has nothing where rank 0 has \"b\""));
  });
}

TEST(ControlChannelTest, AWorldOfOneAgreesWithItself) {
  const std::unique_ptr<ControlChannel> control = MakeSingleProcessControl();
  EXPECT_THAT(*control->AllGather("x"), ElementsAre("x"));
  EXPECT_EQ(*control->CombineFlags(5), 5u);
}

}  // namespace
}  // namespace langevin::distributed
