#include "data/ingest/sandbox.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <vector>

#include "data/ingest/sandboxed_worker.h"
#include "gtest/gtest.h"

namespace langevin::data {
namespace {

// Fails where `result` is not a refusal by the kernel.
absl::Status Refused(int64_t result) {
  const int error = errno;
  if (result >= 0) return absl::InternalError("was allowed");
  return absl::DataLossError(error == EPERM ? "is not allowed" : std::strerror(error));
}

// What a decoder that somebody has taken over might try.
absl::Status Attack(const std::string& name) {
  const std::string path = "/tmp/langevin_sandbox_test";
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

// Why each of the attacks has failed.
class Reasons : public WorkReceiver {
 public:
  absl::StatusOr<bool> Record(int64_t /*piece*/, std::string_view /*text*/,
                              std::span<const std::byte> /*payload*/) override {
    return true;
  }
  absl::Status Done(int64_t /*piece*/, const std::string& reason, const std::string& /*last_words*/,
                    bool /*lost*/) override {
    all.push_back(reason);
    return absl::OkStatus();
  }
  void Again(int64_t /*piece*/) override {}

  std::vector<std::string> all;
};

TEST(SandboxTest, SystemCallsThatDecodingDoesNotNeedAreRefused) {
  const std::vector<std::string> attacks = {
      "socket", "fork",    "exec",   "ptrace",           "kill",         "creator",
      "eraser", "renamer", "talker", "other descriptor", "memory giver", "machine code"};
  SandboxedWorker worker({.run = [&attacks](int64_t piece, const EmitRecord&, std::string&) {
    return Attack(attacks[static_cast<size_t>(piece)]);
  }});
  Reasons reasons;
  ASSERT_TRUE(worker.Run(0, static_cast<int64_t>(attacks.size()), reasons).ok());
  ASSERT_EQ(reasons.all.size(), attacks.size());
  for (size_t i = 0; i < attacks.size(); ++i) {
    EXPECT_EQ(reasons.all[i], "is not allowed") << attacks[i];
  }
}

}  // namespace
}  // namespace langevin::data
