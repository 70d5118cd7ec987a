#include "launch/fault_injection.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/log.h"
#include "core/base/status_macros.h"

namespace langevin::launch {
namespace {

constexpr char kVariable[] = "LANGEVIN_FAULT";

// So that a heartbeat tells the others where this rank was.
constexpr std::chrono::milliseconds kTwoHeartbeats{1200};

constexpr std::array<std::pair<std::string_view, FaultKind>, 7> kKinds = {{
    {"kill", FaultKind::kKill},
    {"stop", FaultKind::kStop},
    {"hang", FaultKind::kHang},
    {"throw", FaultKind::kThrow},
    {"out_of_memory", FaultKind::kOutOfMemory},
    {"full_disk", FaultKind::kFullDisk},
    {"slow", FaultKind::kSlow},
}};

bool ParseKind(std::string_view name, FaultKind& kind) {
  for (const auto& [one, value] : kKinds) {
    if (one != name) continue;
    kind = value;
    return true;
  }
  return false;
}

std::string_view NameOf(FaultKind kind) {
  for (const auto& [name, value] : kKinds) {
    if (value == kind) return name;
  }
  return "";
}

// Lets no write of this process to a file succeed while it lives: the kernel refuses, so the whole
// way from there is the real one.
class FullDisk {
 public:
  FullDisk() {
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit nothing = {0, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &nothing);
  }
  ~FullDisk() { setrlimit(RLIMIT_FSIZE, &before_); }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_ = {};
};

class FaultHook {
 public:
  explicit FaultHook(const Fault& fault) : fault_(fault) {}

  void OnPhase(std::string_view phase, int64_t images_seen) {
    full_disk_.reset();  // The phase it was meant for is over.
    if (phase != fault_.phase || images_seen < fault_.images_seen) return;
    if (fault_.kind == FaultKind::kSlow) {
      std::this_thread::sleep_for(std::chrono::duration<double>(fault_.seconds));
      return;
    }
    if (std::exchange(done_, true)) return;
    LogWarning("%s: %s, at images_seen %d, phase %s", kVariable, std::string(NameOf(fault_.kind)),
               images_seen, std::string(phase));
    Strike();
  }

 private:
  void Strike() {
    switch (fault_.kind) {
      case FaultKind::kKill:
        std::this_thread::sleep_for(kTwoHeartbeats);
        raise(SIGKILL);
        break;
      case FaultKind::kStop:
        std::this_thread::sleep_for(kTwoHeartbeats);
        raise(SIGSTOP);
        break;
      case FaultKind::kHang:
        while (true) pause();
      case FaultKind::kThrow:
        throw std::runtime_error(absl::StrCat(kVariable, " has thrown this"));
      case FaultKind::kOutOfMemory:
        throw std::bad_alloc();
      case FaultKind::kFullDisk:
        full_disk_ = std::make_unique<FullDisk>();
        break;
      case FaultKind::kSlow:
        break;
    }
  }

  const Fault fault_;
  bool done_ = false;
  std::unique_ptr<FullDisk> full_disk_;
};

}  // namespace

absl::StatusOr<Fault> ParseFault(const std::string& text) {
  Fault fault;
  bool has_kind = false;
  for (const std::string& field : std::vector<std::string>(absl::StrSplit(text, ','))) {
    const std::vector<std::string> parts = absl::StrSplit(field, absl::MaxSplits('=', 1));
    const std::string& name = parts[0];
    const std::string value = parts.size() == 2 ? parts[1] : "";
    bool is_good = false;
    if (name == "rank") {
      is_good = absl::SimpleAtoi(value, &fault.rank) && fault.rank >= 0;
    } else if (name == "phase") {
      fault.phase = value;
      is_good = !value.empty();
    } else if (name == "images_seen") {
      is_good = absl::SimpleAtoi(value, &fault.images_seen);
    } else if (name == "kind") {
      is_good = has_kind = ParseKind(value, fault.kind);
    } else if (name == "seconds") {
      is_good = absl::SimpleAtod(value, &fault.seconds) && fault.seconds >= 0;
    }
    if (!is_good) {
      return absl::InvalidArgumentError(
          absl::StrCat(kVariable, ": \"", field,
                       "\" is none of rank=N, phase=NAME, images_seen=N, kind=kill|stop|hang|throw|"
                       "out_of_memory|full_disk|slow, seconds=X; it is for tests: unset it"));
    }
  }
  if (!has_kind || fault.phase.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(kVariable, ": needs a phase and a kind; it is for tests: unset it"));
  }
  return fault;
}

absl::StatusOr<std::optional<Fault>> ReadFault() {
  const char* text = std::getenv(kVariable);
  if (text == nullptr) return std::nullopt;
  LANGEVIN_ASSIGN_OR_RETURN(const Fault fault, ParseFault(text));
  return fault;
}

distributed::PhaseBoard::Hook MakeFaultHook(const Fault& fault) {
  auto hook = std::make_shared<FaultHook>(fault);
  return [hook](std::string_view phase, int64_t images_seen) { hook->OnPhase(phase, images_seen); };
}

}  // namespace langevin::launch
