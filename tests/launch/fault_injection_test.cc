#include "launch/fault_injection.h"

#include <cerrno>
#include <cstdio>
#include <new>
#include <stdexcept>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace langevin::launch {
namespace {

using ::testing::HasSubstr;

TEST(FaultInjectionTest, ReadsWhatTheVariableSays) {
  const auto fault = ParseFault("rank=2,phase=all_reduce,images_seen=32,kind=stop");
  ASSERT_TRUE(fault.ok()) << fault.status();
  EXPECT_EQ(fault->rank, 2);
  EXPECT_EQ(fault->phase, "all_reduce");
  EXPECT_EQ(fault->images_seen, 32);
  EXPECT_EQ(fault->kind, FaultKind::kStop);
}

TEST(FaultInjectionTest, NamesWhatIsWrongWithIt) {
  for (const char* text : {"", "rank=2", "rank=x,phase=load,kind=kill", "phase=load,kind=explode",
                           "phase=load,kind=kill,colour=red", "kind=kill"}) {
    const auto fault = ParseFault(text);
    EXPECT_EQ(fault.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(fault.status().message()), HasSubstr("LANGEVIN_FAULT")) << text;
  }
}

TEST(FaultInjectionTest, StrikesOnceInThePhaseAndNotBefore) {
  Fault fault{.rank = 0, .phase = "load", .images_seen = 64, .kind = FaultKind::kThrow};
  const auto hook = MakeFaultHook(fault);
  hook("load", 0);
  hook("optimizer", 64);
  EXPECT_THROW(hook("load", 64), std::runtime_error);
  hook("load", 128);
  fault.kind = FaultKind::kOutOfMemory;
  EXPECT_THROW(MakeFaultHook(fault)("load", 64), std::bad_alloc);
}

bool CanWrite(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  if (file == nullptr) return false;
  std::fputs("x", file);
  return std::fclose(file) == 0;
}

TEST(FaultInjectionTest, TheDiskIsFullUntilThePhaseIsOver) {
  const std::string path = testing::TempDir() + "fault_injection_test";
  const auto hook = MakeFaultHook({.phase = "checkpoint", .kind = FaultKind::kFullDisk});
  hook("load", 0);
  EXPECT_TRUE(CanWrite(path));
  hook("checkpoint", 0);
  EXPECT_FALSE(CanWrite(path));
  hook("load", 64);
  EXPECT_TRUE(CanWrite(path));
  std::remove(path.c_str());
}

}  // namespace
}  // namespace langevin::launch
