#include "data/ingest/sandbox.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
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

// Fails where `result` is not a refusal by the kernel.
absl::Status Refused(int64_t result) {
  const int error = errno;
  if (result >= 0) return absl::InternalError("was allowed");
  return absl::DataLossError(error == EPERM ? "is not allowed" : std::strerror(error));
}

// What a decoder that somebody has taken over might try.
absl::Status Attack(const std::string& name, const std::string& path) {
  if (name == "socket") return Refused(socket(AF_INET, SOCK_STREAM, 0));
  if (name == "fork") return Refused(fork());
  if (name == "exec") return Refused(execl("/bin/true", "true", nullptr));
  if (name == "ptrace") return Refused(ptrace(PTRACE_ATTACH, getppid(), nullptr, nullptr));
  if (name == "kill") return Refused(kill(getppid(), SIGTERM));
  if (name == "creator") return Refused(open((path + ".out").c_str(), O_WRONLY | O_CREAT, 0600));
  if (name == "eraser") return Refused(unlink(path.c_str()));
  if (name == "renamer") return Refused(rename(path.c_str(), (path + "x").c_str()));
  if (name == "talker") return Refused(write(STDERR_FILENO, "evil\n", 5));
  if (name == "other descriptor") return Refused(send(STDIN_FILENO, "x", 1, 0));
  if (name == "memory giver") {
    const struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    return Refused(setrlimit(RLIMIT_AS, &limit));
  }
  if (name == "machine code") {
    void* const memory =
        mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return Refused(memory == MAP_FAILED ? -1 : 0);
  }
  return absl::OkStatus();
}

// Bytes that no frame begins with, and frames that promise what they should not.
void Babble(const std::string& name) {
  constexpr int kSocket = 3;
  if (name == "noise") {
    const std::string noise(1 << 16, '\x7e');
    SendAll(kSocket, std::as_bytes(std::span(noise)));
  }
  ImageFrame frame = {.kind = ImageFrame::kImage,
                      .bits = 8,
                      .shape = {.height = 1, .width = 2, .channels = 1},
                      .images_in_file = 1,
                      .pixel_bytes = 2};
  if (name == "huge") frame.pixel_bytes = uint64_t{1} << 62, frame.shape.width = int64_t{1} << 62;
  if (name == "huge mask") frame.mask_bytes = uint64_t{1} << 40;
  if (name == "huge extra") frame.extra_bytes = kMaxExtraBytes + 1;
  if (name == "huge texts") frame.text_bytes = kMaxTextBytes + 1;
  if (name == "not finite") frame.scale = 0.0 / 0.0;
  if (name == "odd label") frame.flags = ImageFrame::kHasLabel, frame.label = kMaxLabel + 1;
  if (name == "odd depth") frame.bits = 17;
  if (name == "odd kind") frame.kind = 77;
  if (name == "name in clear") frame.text_bytes = 5 * 4 + 8;
  if (name == "odd mask") frame.mask_bytes = 2;
  SendAll(kSocket, std::as_bytes(std::span(&frame, 1)));
  if (name == "name in clear") {
    const std::string texts("\0\0\0\0\0\0\0\0\10\0\0\0Jane Doe\0\0\0\0\0\0\0\0", 28);
    SendAll(kSocket, std::as_bytes(std::span(texts)));
  }
  if (name == "odd mask") {
    const std::string pixels_and_mask("ab\x02\x01", 4);
    SendAll(kSocket, std::as_bytes(std::span(pixels_and_mask)));
  }
  pause();
}

// An image with all that can be said of one.
DecodedImage RichImage() {
  DecodedImage image = ImageOf(1);
  image.physical = {.scale = 2, .offset = -1024, .unit = "HU"};
  image.label = 7;
  image.images_in_file = 0;
  image.alpha_left_out = true;
  image.medical = {.modality = "CT",
                   .group = "0123456789abcdef",
                   .series = "fedcba9876543210",
                   .position_mm = {{1, 2, 3}},
                   .normal = {{0, 0, 1}},
                   .spacing_mm = {0.5, 0.5, 2},
                   .burned_in_annotation = true,
                   .secondary_capture = true};
  image.notes = {"first", "red\x1b[31m"};
  image.mask = {1, 0};
  image.extra = {std::byte{9}, std::byte{8}, std::byte{7}};
  return image;
}

// A decoder whose behaviour the file's name decides.
absl::Status Decode(const std::string& path, const ImageSink& sink) {
  const std::string name = BaseName(path);
  if (path.starts_with("/attack/")) return Attack(name, path);
  if (path.starts_with("/babble/")) Babble(name);
  if (name == "rich") return sink(RichImage());
  if (name == "flood") {
    DecodedImage image;
    image.shape = {.height = 1024, .width = 1024, .channels = 1};
    image.pixels.resize(1 << 20);
    while (sink(image).ok()) {
    }
  }
  if (name == "terminal") return absl::DataLossError("is \x1b[31mred\n\xff");
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
    const std::string path = name.starts_with("/") ? name : "/tmp/" + name;
    const auto reason = decoder_.Decode(path, [this](const DecodedImage& image) {
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

TEST_F(SandboxTest, NonsenseIsNotBelieved) {
  EXPECT_TRUE(absl::StrContains(Reason("liar"), "nonsense"));
  ExpectThatTheNextFileIsRead();
}

TEST_F(SandboxTest, SystemCallsThatDecodingDoesNotNeedAreRefused) {
  for (const std::string name :
       {"socket", "fork", "exec", "ptrace", "kill", "creator", "eraser", "renamer", "talker",
        "other descriptor", "memory giver", "machine code"}) {
    EXPECT_EQ(Reason("/attack/" + name), "is not allowed") << name;
  }
  ExpectThatTheNextFileIsRead();
}

TEST_F(SandboxTest, ChildrenThatBabbleCostOneFile) {
  for (const std::string name :
       {"noise", "huge", "huge mask", "huge extra", "huge texts", "not finite", "odd label",
        "odd depth", "odd kind", "name in clear", "odd mask"}) {
    EXPECT_TRUE(absl::StrContains(Reason("/babble/" + name), "nonsense")) << name;
    ExpectThatTheNextFileIsRead();
  }
}

TEST_F(SandboxTest, AFileBecomesOnlySoMuch) {
  SandboxedDecoder decoder(Decode, {.decoded_bytes = 100 << 20});
  int images = 0;
  const auto reason = decoder.Decode("/tmp/flood", [&images](const DecodedImage&) {
    ++images;
    return absl::OkStatus();
  });
  ASSERT_TRUE(reason.ok());
  EXPECT_TRUE(absl::StrContains(*reason, "too much for its size")) << *reason;
  EXPECT_EQ(images, 99);  // The hundredth would be over the limit by its frame.
}

TEST_F(SandboxTest, ReasonsArePrintable) { EXPECT_EQ(Reason("terminal"), "is ?[31mred??"); }

TEST_F(SandboxTest, AllThatIsKnownOfAnImageComesAcross) {
  const DecodedImage sent = RichImage();
  DecodedImage got;
  for (const std::string path : {"/tmp/rich", "/tmp/three", "/tmp/rich"}) {
    const auto reason = decoder_.Decode(path, [&got](const DecodedImage& image) {
      got = image;
      return absl::OkStatus();
    });
    ASSERT_EQ(reason.value_or("error"), "");
    if (path == "/tmp/three") {  // Nothing is left of the image before.
      EXPECT_FALSE(got.label.has_value());
      EXPECT_TRUE(got.mask.empty() && got.extra.empty() && got.notes.empty());
      EXPECT_EQ(got.medical.group, "");
      continue;
    }
    EXPECT_EQ(got.pixels, sent.pixels);
    EXPECT_EQ(got.mask, sent.mask);
    EXPECT_EQ(got.extra, sent.extra);
    EXPECT_EQ(got.physical.scale, 2);
    EXPECT_EQ(got.physical.offset, -1024);
    EXPECT_EQ(got.physical.unit, "HU");
    EXPECT_EQ(got.label, 7);
    EXPECT_EQ(got.images_in_file, 0);
    EXPECT_TRUE(got.alpha_left_out);
    EXPECT_EQ(got.medical.modality, "CT");
    EXPECT_EQ(got.medical.group, sent.medical.group);
    EXPECT_EQ(got.medical.series, sent.medical.series);
    EXPECT_EQ(got.medical.position_mm, sent.medical.position_mm);
    EXPECT_EQ(got.medical.normal, sent.medical.normal);
    EXPECT_EQ(got.medical.spacing_mm, sent.medical.spacing_mm);
    EXPECT_TRUE(got.medical.burned_in_annotation && got.medical.secondary_capture);
    EXPECT_EQ(got.notes, (std::vector<std::string>{"first", "red?[31m"}));
  }
}

// What was announced comes as if it had not been, also behind files that end the child, and where
// another file is wanted after all.
TEST_F(SandboxTest, AnnouncedFilesComeInOrder) {
  ASSERT_TRUE(decoder_.Start().ok());
  const std::vector<std::string> names = {"three", "refused",        "three", "abort",
                                          "three", "one then abort", "three", "three"};
  for (int round = 0; round < 10; ++round) {
    for (const std::string& name : names) decoder_.Announce("/tmp/" + name);
  }
  for (int round = 0; round < 10; ++round) {
    for (const std::string& name : names) {
      const std::string reason = Reason(name);
      if (name == "three") {
        EXPECT_EQ(reason, "");
        EXPECT_EQ(values_.size(), 6);
      } else if (name == "refused") {
        EXPECT_EQ(reason, "is odd");
      } else {
        EXPECT_TRUE(absl::StrContains(reason, "crashed")) << name << ": " << reason;
      }
      decoder_.Announce("/tmp/three");  // Not always what comes next.
    }
  }
  ExpectThatTheNextFileIsRead();
}

TEST_F(SandboxTest, SeveralAtATime) {
  std::vector<std::thread> threads;
  std::vector<int> images(4, 0);
  for (size_t t = 0; t < images.size(); ++t) {
    threads.emplace_back([&images, t] {
      SandboxedDecoder decoder(Decode);
      for (int i = 0; i < 50; ++i) {
        const std::string path = i % 10 == 9 ? "/tmp/abort" : "/tmp/three";
        EXPECT_TRUE(decoder
                        .Decode(path,
                                [&images, t](const DecodedImage&) {
                                  ++images[t];
                                  return absl::OkStatus();
                                })
                        .ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(images, std::vector<int>(4, 45 * 3));
}

TEST_F(SandboxTest, TheSinksErrorEndsIt) {
  const auto reason = decoder_.Decode(
      "/tmp/three", [](const DecodedImage&) { return absl::ResourceExhaustedError("disk full"); });
  EXPECT_EQ(reason.status(), absl::ResourceExhaustedError("disk full"));
  ExpectThatTheNextFileIsRead();
}

}  // namespace
}  // namespace langevin::data
