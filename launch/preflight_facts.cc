#include "launch/preflight_facts.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <span>
#include <type_traits>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/digest.h"
#include "nlohmann/json.hpp"

namespace langevin::launch {
namespace {

std::string FileDigest(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> buffer(1 << 20);
  Digest digest;
  while (file.read(buffer.data(), static_cast<std::streamsize>(buffer.size())), file.gcount() > 0) {
    digest.Update(std::as_bytes(std::span(buffer.data(), static_cast<size_t>(file.gcount()))));
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

void LookAtOutput(FileSystem& file_system, const std::string& output, RankFacts& facts) {
  std::string folder = output;
  while (!file_system.Exists(folder) && ParentFolder(folder) != folder) {
    folder = ParentFolder(folder);
  }
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

}  // namespace

std::string ToText(const RankFacts& facts) {
  const nlohmann::json json = {
      facts.host,           facts.program, facts.cores,        facts.threads,
      facts.local_ranks,    facts.gpus,    facts.memory_bytes, facts.shared_memory_bytes,
      facts.clock_offset_s, facts.data,    facts.data_error,   facts.output_free_bytes,
      facts.output_error};
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
    if (std::is_same_v<Field, std::string> ? !value.is_string() : !value.is_number()) return false;
    field = value.get<Field>();
    return true;
  };
  if (!(take(facts.host) && take(facts.program) && take(facts.cores) && take(facts.threads) &&
        take(facts.local_ranks) && take(facts.gpus) && take(facts.memory_bytes) &&
        take(facts.shared_memory_bytes) && take(facts.clock_offset_s) && take(facts.data) &&
        take(facts.data_error) && take(facts.output_free_bytes) && take(facts.output_error))) {
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
  facts.program = FileDigest("/proc/self/exe");
  cpu_set_t mask;
  CPU_ZERO(&mask);
  facts.cores = sched_getaffinity(0, sizeof(mask), &mask) == 0 ? CPU_COUNT(&mask) : 1;
  facts.gpus = CountGpus(file_system);
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
