#include "data/ingest/sandbox.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "tests/data/testing.h"

namespace langevin::data {
namespace {

DecodedImage ImageOf(int value) {
  DecodedImage image;
  image.shape = {.height = 1, .width = 2, .channels = 1};
  image.pixels = {std::byte(value), std::byte(value + 1)};
  return image;
}

// A decoder whose behaviour the file's name decides.
absl::Status Decode(const std::string& path, const ImageSink& sink) {
  const std::string name = BaseName(path);
  if (name == "three") {
    for (const int value : {1, 3, 5}) {
      if (const absl::Status status = sink(ImageOf(value)); !status.ok()) return status;
    }
  }
  if (name == "refused") return absl::DataLossError("is odd");
  if (name == "abort") std::abort();
  if (name == "segv") std::raise(SIGSEGV);
  if (name == "one then abort") {
    if (!sink(ImageOf(7)).ok()) std::abort();
    std::abort();
  }
  if (name == "greedy") {
    std::vector<std::vector<char>> all;
    while (true) all.emplace_back(64 << 20, 'x');
  }
  if (name == "endless") {
    for (volatile bool go_on = true; go_on;) {
    }
  }
  if (name == "silent") pause();
  if (name == "writer") {
    const int fd = open((path + ".out").c_str(), O_WRONLY | O_CREAT, 0600);
    std::signal(SIGXFSZ, SIG_IGN);
    return write(fd, "x", 1) == 1 ? absl::OkStatus() : absl::DataLossError("cannot write");
  }
  if (name == "liar") {
    DecodedImage image = ImageOf(1);
    image.shape.width = 1 << 20;  // Not what its pixels say.
    return sink(image);
  }
  return absl::OkStatus();
}

class SandboxTest : public testing::Test {
 protected:
  // The reason why the file is unreadable; what was handed over is in values_.
  std::string Reason(const std::string& name) {
    values_.clear();
    const auto reason = decoder_.Decode("/tmp/" + name, [this](const DecodedImage& image) {
      for (const std::byte byte : image.pixels) values_.push_back(std::to_integer<int>(byte));
      return absl::OkStatus();
    });
    EXPECT_TRUE(reason.ok()) << reason.status();
    return reason.value_or("error");
  }

  void ExpectThatTheNextFileIsRead() {
    EXPECT_EQ(Reason("three"), "");
    EXPECT_EQ(values_, (std::vector<int>{1, 2, 3, 4, 5, 6}));
  }

  // Time enough to fill the memory on a busy machine.
  SandboxedDecoder decoder_{Decode, {.memory_bytes = uint64_t{512} << 20, .seconds_per_file = 60}};
  std::vector<int> values_;
};

TEST_F(SandboxTest, ImagesComeInOrder) {
  for (int i = 0; i < 3; ++i) ExpectThatTheNextFileIsRead();
  EXPECT_EQ(Reason("refused"), "is odd");
  ExpectThatTheNextFileIsRead();
}

TEST_F(SandboxTest, ACrashCostsOneFile) {
  for (const std::string name : {"abort", "segv", "one then abort"}) {
    EXPECT_TRUE(absl::StrContains(Reason(name), "crashed")) << Reason(name);
    ExpectThatTheNextFileIsRead();
  }
}

TEST_F(SandboxTest, MemoryIsLimited) {
  EXPECT_TRUE(absl::StrContains(Reason("greedy"), "512 MiB"));
  ExpectThatTheNextFileIsRead();
}

TEST_F(SandboxTest, ComputingTimeIsLimited) {
  SandboxedDecoder decoder(Decode, {.seconds_per_file = 1});
  for (int i = 0; i < 2; ++i) {  // Each file has its own second.
    const auto reason =
        decoder.Decode("/tmp/endless", [](const DecodedImage&) { return absl::OkStatus(); });
    EXPECT_TRUE(absl::StrContains(*reason, "too much time")) << *reason;
  }
}

TEST_F(SandboxTest, SilenceIsLimited) {
  SandboxedDecoder decoder(Decode, {.silent_seconds = 1});
  const auto reason =
      decoder.Decode("/tmp/silent", [](const DecodedImage&) { return absl::OkStatus(); });
  EXPECT_TRUE(absl::StrContains(*reason, "silent for too long")) << *reason;
}

TEST_F(SandboxTest, NothingCanBeWritten) { EXPECT_EQ(Reason("writer"), "cannot write"); }

TEST_F(SandboxTest, NonsenseIsNotBelieved) {
  EXPECT_TRUE(absl::StrContains(Reason("liar"), "nonsense"));
  ExpectThatTheNextFileIsRead();
}

TEST_F(SandboxTest, TheSinksErrorEndsIt) {
  const auto reason = decoder_.Decode(
      "/tmp/three", [](const DecodedImage&) { return absl::ResourceExhaustedError("disk full"); });
  EXPECT_EQ(reason.status(), absl::ResourceExhaustedError("disk full"));
  ExpectThatTheNextFileIsRead();
}

}  // namespace
}  // namespace langevin::data
