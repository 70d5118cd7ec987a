#include "data/ingest/confinement.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace langevin::data {
namespace {

#if defined(__x86_64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
constexpr uint32_t kArchitecture = 0;
#endif

constexpr uint32_t kRefuse = SECCOMP_RET_ERRNO | EPERM;

// Allowed whatever their arguments. Names that a processor does not have are left out.
constexpr long kAllowed[] = {
    // NOLINT(google-runtime-int): as syscall(2) has it.
    SYS_read,
    SYS_pread64,
    SYS_readv,
    SYS_preadv,
    SYS_lseek,
    SYS_close,
    SYS_fstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_faccessat,
    SYS_readlinkat,
    SYS_getdents64,
    SYS_getcwd,
    SYS_fadvise64,
    SYS_munmap,
    SYS_mremap,
    SYS_brk,
    SYS_madvise,
    SYS_futex,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_clock_gettime,
    SYS_clock_nanosleep,
    SYS_nanosleep,
    SYS_gettimeofday,
    SYS_getrandom,
    SYS_getpid,
    SYS_gettid,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_getrusage,
    SYS_uname,
    SYS_sysinfo,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
    SYS_ppoll,
    SYS_restart_syscall,
    SYS_exit,
    SYS_exit_group,
#if defined(__x86_64__)
    SYS_stat,
    SYS_lstat,
    SYS_access,
    SYS_readlink,
    SYS_poll,
    SYS_pause,
    SYS_time,
    SYS_getrlimit,
#endif
};

constexpr uint32_t OffsetOf(int argument) {
  // The lower half, which comes first on both processors.
  return static_cast<uint32_t>(offsetof(seccomp_data, args) + 8 * static_cast<size_t>(argument));
}

class Filter {
 public:
  Filter() {
    Load(offsetof(seccomp_data, arch));
    // Another architecture's numbers mean other calls.
    Add(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0);
    Return(kRefuse);
    Load(offsetof(seccomp_data, nr));
  }

  void Allow(long call) {
    Add(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(call), 0, 1);
    Return(SECCOMP_RET_ALLOW);
  }
  // Allowed where the argument's lower half equals `value`.
  void AllowIfEqual(long call, int argument, uint32_t value) {
    Add(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(call), 0, 4);
    Load(OffsetOf(argument));
    Add(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
    Return(SECCOMP_RET_ALLOW);
    Return(kRefuse);
  }
  // Allowed where none of the bits of `mask` is set in the argument.
  void AllowWithout(long call, int argument, uint32_t mask) {
    Add(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(call), 0, 4);
    Load(OffsetOf(argument));
    Add(BPF_JMP | BPF_JSET | BPF_K, mask, 1, 0);
    Return(SECCOMP_RET_ALLOW);
    Return(kRefuse);
  }

  int Install() {
    Return(kRefuse);
    const struct sock_fprog program = {.len = static_cast<unsigned short>(code_.size()),
                                       .filter = code_.data()};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 ? 0 : errno;
  }

 private:
  void Add(uint16_t code, uint32_t k, uint8_t if_true, uint8_t if_false) {
    code_.push_back({.code = code, .jt = if_true, .jf = if_false, .k = k});
  }
  void Load(uint32_t offset) { Add(BPF_LD | BPF_W | BPF_ABS, offset, 0, 0); }
  void Return(uint32_t what) { Add(BPF_RET | BPF_K, what, 0, 0); }

  std::vector<struct sock_filter> code_;
};

}  // namespace

int ConfineProcess(int socket) {
  if (kArchitecture == 0) return ENOSYS;
  Filter filter;
  filter.AllowIfEqual(SYS_sendto, 0, static_cast<uint32_t>(socket));
  filter.AllowIfEqual(SYS_recvfrom, 0, static_cast<uint32_t>(socket));
  filter.AllowIfEqual(SYS_write, 0, static_cast<uint32_t>(socket));
  for (const long call : kAllowed) filter.Allow(call);
  constexpr uint32_t kWriting = O_ACCMODE | O_CREAT | O_TRUNC;
  filter.AllowWithout(SYS_openat, 2, kWriting);
#if defined(__x86_64__)
  filter.AllowWithout(SYS_open, 1, kWriting);
#endif
  filter.AllowWithout(SYS_mmap, 2, PROT_EXEC);
  filter.AllowWithout(SYS_mprotect, 2, PROT_EXEC);
  filter.AllowIfEqual(SYS_fcntl, 1, F_GETFL);
  // Each file gets CPU time of its own. (What a child takes for itself so is bounded by the
  // parent's patience.)
  filter.AllowIfEqual(SYS_prlimit64, 1, RLIMIT_CPU);
  // abort() and raise() signal the process itself.
  filter.AllowIfEqual(SYS_tgkill, 0, static_cast<uint32_t>(getpid()));
  return filter.Install();
}

}  // namespace langevin::data
