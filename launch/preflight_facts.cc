#include "launch/preflight_facts.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <span>
#include <type_traits>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/digest.h"
#include "launch/program_files.h"
#include "nlohmann/json.hpp"

namespace langevin::launch {
namespace {

// Of both of its files.
std::string ProgramDigest() {
  std::vector<char> buffer(1 << 20);
  Digest digest;
  for (const std::string& path :
       {std::string("/proc/self/exe"), JoinPath(ProgramFolder(), kProgramFile)}) {
    std::ifstream file(path, std::ios::binary);
    while (file.read(buffer.data(), static_cast<std::streamsize>(buffer.size())),
           file.gcount() > 0) {
      digest.Update(std::as_bytes(std::span(buffer.data(), static_cast<size_t>(file.gcount()))));
    }
  }
  return digest.Hex();
}

// MemAvailable of /proc/meminfo, which counts what the system would give back.
uint64_t AvailableMemory() {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    uint64_t kibibytes = 0;
    if (words.size() >= 2 && words[0] == "MemAvailable:" &&
        absl::SimpleAtoi(words[1], &kibibytes)) {
      return kibibytes * 1024;
    }
  }
  return 0;
}

// The driver makes /dev/nvidia0, /dev/nvidia1, ...; asking it would cost a second and memory.
int CountGpus(FileSystem& file_system) {
  const auto names = file_system.List("/dev");
  if (!names.ok()) return 0;
  return static_cast<int>(std::count_if(names->begin(), names->end(), [](const std::string& name) {
    return absl::StartsWith(name, "nvidia") && name.size() > 6 &&
           std::all_of(name.begin() + 6, name.end(),
                       [](unsigned char c) { return std::isdigit(c); });
  }));
}

// As CUDA reads CUDA_VISIBLE_DEVICES: without it all, else those before the first that is none.
std::vector<std::string> VisibleGpus(int gpus) {
  std::vector<std::string> visible;
  const char* chosen = std::getenv("CUDA_VISIBLE_DEVICES");
  if (chosen == nullptr) {
    for (int gpu = 0; gpu < gpus; ++gpu) visible.push_back(absl::StrCat(gpu));
    return visible;
  }
  for (const auto piece : absl::StrSplit(chosen, ',', absl::SkipWhitespace())) {
    const std::string name(absl::StripAsciiWhitespace(piece));
    int number = 0;
    if (absl::SimpleAtoi(name, &number) && (number < 0 || number >= gpus)) break;
    visible.push_back(name);
  }
  return visible;
}

uint64_t LockableBytes() {
  rlimit limit;
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return 0;
  return limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}

std::vector<std::string> Interfaces() {
  std::vector<std::string> interfaces;
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) return interfaces;
  for (const ifaddrs* one = first; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET) continue;
    if ((one->ifa_flags & IFF_UP) == 0 || (one->ifa_flags & IFF_LOOPBACK) != 0) continue;
    const auto* address = reinterpret_cast<const sockaddr_in*>(one->ifa_addr);
    const auto* mask = reinterpret_cast<const sockaddr_in*>(one->ifa_netmask);
    char text[INET_ADDRSTRLEN] = {};
    inet_ntop(AF_INET, &address->sin_addr, text, sizeof(text));
    const int bits = mask == nullptr ? 32 : std::popcount(mask->sin_addr.s_addr);
    interfaces.push_back(absl::StrCat(one->ifa_name, " ", text, "/", bits));
  }
  freeifaddrs(first);
  return interfaces;
}

void LookAtOutput(FileSystem& file_system, const std::string& output, RankFacts& facts) {
  const std::string folder = NearestFolder(file_system, output);
  if (access(folder.c_str(), W_OK | X_OK) != 0) {
    facts.output_error = absl::StrCat(folder, " cannot be written to");
    return;
  }
  const absl::StatusOr<uint64_t> free = file_system.FreeBytes(folder);
  if (free.ok()) {
    facts.output_free_bytes = *free;
  } else {
    facts.output_error = std::string(free.status().message());
  }
}

// Calls visit(field) for every field of `facts`, in one order, until it says false.
template <typename Facts, typename Visit>
bool VisitFields(Facts& facts, Visit&& visit) {
  return visit(facts.host) && visit(facts.program) && visit(facts.cores) && visit(facts.threads) &&
         visit(facts.local_ranks) && visit(facts.local_rank) && visit(facts.gpus) &&
         visit(facts.visible_gpus) && visit(facts.with_cuda) && visit(facts.memlock_bytes) &&
         visit(facts.rdma_devices) && visit(facts.interfaces) && visit(facts.memory_bytes) &&
         visit(facts.shared_memory_bytes) && visit(facts.clock_offset_s) && visit(facts.data) &&
         visit(facts.data_error) && visit(facts.config) && visit(facts.config_error) &&
         visit(facts.weights) && visit(facts.output_free_bytes) && visit(facts.output_error) &&
         visit(facts.output_is_shared);
}

bool IsOfType(const nlohmann::json& value, const std::string&) { return value.is_string(); }
bool IsOfType(const nlohmann::json& value, bool) { return value.is_boolean(); }
bool IsOfType(const nlohmann::json& value, const std::vector<std::string>&) {
  return value.is_array() &&
         std::all_of(value.begin(), value.end(), [](const auto& one) { return one.is_string(); });
}
template <typename Number>
bool IsOfType(const nlohmann::json& value, const Number&) {
  return value.is_number();
}

}  // namespace

std::string NearestFolder(FileSystem& file_system, const std::string& output) {
  std::string folder = output;
  while (!file_system.Exists(folder) && ParentFolder(folder) != folder) {
    folder = ParentFolder(folder);
  }
  return folder;
}

std::string ToText(const RankFacts& facts) {
  nlohmann::json json = nlohmann::json::array();
  VisitFields(facts, [&](const auto& field) {
    json.push_back(field);
    return true;
  });
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

absl::StatusOr<RankFacts> RankFactsFromText(const std::string& text) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  RankFacts facts;
  size_t next = 0;
  const auto take = [&](auto& field) {
    if (!json.is_array() || next >= json.size()) return false;
    const nlohmann::json& value = json[next++];
    using Field = std::decay_t<decltype(field)>;
    if (!IsOfType(value, field)) return false;
    field = value.get<Field>();
    return true;
  };
  if (!VisitFields(facts, take)) {
    return absl::DataLossError(
        "a rank's preflight facts cannot be read: do all ranks run the same "
        "langevin?");
  }
  return facts;
}

RankFacts LookAround(FileSystem& file_system, const std::string& data, const std::string& output) {
  RankFacts facts;
  char host[256] = {};
  gethostname(host, sizeof(host) - 1);
  facts.host = host;
  facts.program = ProgramDigest();
  cpu_set_t mask;
  CPU_ZERO(&mask);
  facts.cores = sched_getaffinity(0, sizeof(mask), &mask) == 0 ? CPU_COUNT(&mask) : 1;
  facts.gpus = CountGpus(file_system);
  facts.visible_gpus = VisibleGpus(facts.gpus);
#ifdef LANGEVIN_CUDA
  facts.with_cuda = true;
#endif
  facts.memlock_bytes = LockableBytes();
  if (const auto devices = file_system.List("/sys/class/infiniband"); devices.ok()) {
    facts.rdma_devices = static_cast<int>(devices->size());
  }
  facts.interfaces = Interfaces();
  facts.memory_bytes = AvailableMemory();
  facts.shared_memory_bytes = file_system.FreeBytes("/dev/shm").value_or(0);
  if (!data.empty()) {
    const std::string manifest = JoinPath(data, "manifest.textproto");
    if (const absl::StatusOr<std::string> bytes = file_system.ReadFile(manifest); bytes.ok()) {
      Digest digest;
      digest.UpdateString(*bytes);
      facts.data = digest.Hex();
    } else {
      facts.data_error = std::string(bytes.status().message());
    }
  }
  if (!output.empty()) LookAtOutput(file_system, output, facts);
  return facts;
}

}  // namespace langevin::launch
