#include "data/ingest/sandbox.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "core/base/log.h"
#include "data/ingest/confinement.h"

namespace langevin::data {
namespace {

void Limit(__rlimit_resource resource, rlim_t most) {
  const struct rlimit limit = {.rlim_cur = most, .rlim_max = most};
  setrlimit(resource, &limit);
}

uint64_t MappedBytes() {
  uint64_t pages = 0;
  if (std::FILE* const file = std::fopen("/proc/self/statm", "r"); file != nullptr) {
    if (std::fscanf(file, "%lu", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

void EnterSandbox(int socket, pid_t parent, const SandboxLimits& limits) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);  // It died before the line above.
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl(PR_SET_DUMPABLE, 0);
  for (const int signal : {SIGTERM, SIGUSR1, SIGXCPU}) std::signal(signal, SIG_DFL);
  const uint64_t mapped = MappedBytes();
  dup2(socket, kSandboxSocket);
  syscall(SYS_close_range, kSandboxSocket + 1, ~0U, 0);
  Limit(RLIMIT_CORE, 0);
  Limit(RLIMIT_FSIZE, 0);
  Limit(RLIMIT_NOFILE, 16);
  Limit(RLIMIT_NPROC, 0);
  Limit(RLIMIT_AS, mapped + limits.memory_bytes);
  if (const int error = ConfineProcess(kSandboxSocket); error != 0) {
    LogWarning(
        "foreign files are decoded without a seccomp filter (%s): a hostile file is kept by limits "
        "alone; use a kernel with seccomp, or take files from people whom you trust",
        std::strerror(error));
  }
}

void AllowTimeFor(uint64_t source_bytes, const SandboxLimits& limits) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const double seconds = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + 1 +
                         limits.seconds_per_piece +
                         limits.seconds_per_mib * static_cast<double>(source_bytes) / (1 << 20);
  const struct rlimit limit = {.rlim_cur = static_cast<rlim_t>(std::ceil(seconds)),
                               .rlim_max = RLIM_INFINITY};
  setrlimit(RLIMIT_CPU, &limit);
}

}  // namespace langevin::data
