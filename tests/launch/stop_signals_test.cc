#include "launch/stop_signals.h"

#include <signal.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace langevin::launch {
namespace {

// In a process of its own each, since the flag is never taken back.
void ExpectSetsTheFlag(int signal) {
  EXPECT_EXIT(
      {
        InstallStopSignalHandlers();
        const bool before = StopRequested();
        raise(signal);
        _exit(!before && StopRequested() ? 75 : 1);
      },
      testing::ExitedWithCode(75), "");
}

TEST(StopSignalsTest, TermAndUsr1SetTheFlagAndNothingElse) {
  ExpectSetsTheFlag(SIGTERM);
  ExpectSetsTheFlag(SIGUSR1);
}

}  // namespace
}  // namespace langevin::launch
