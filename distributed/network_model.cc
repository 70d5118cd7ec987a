#include "distributed/network_model.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"

namespace langevin::distributed {
namespace {

// Messages one after the other, in a tree over `ranks`; all_to_all sends one to each.
double MessagesInTurn(CollectiveKind kind, int ranks) {
  if (kind == CollectiveKind::kAllToAll) return ranks - 1;
  const double depth = std::ceil(std::log2(static_cast<double>(ranks)));
  return kind == CollectiveKind::kAllReduce ? 2 * depth : depth;
}

double DescribedSeconds(const Network& network, CollectiveKind kind, int64_t bytes, int ranks) {
  const int local = std::min(network.ranks_per_node, ranks);
  const int nodes = (ranks + local - 1) / local;
  const auto size = static_cast<double>(bytes);

  double latency = 0;
  double local_s = 0;
  double node_s = 0;
  if (local > 1) {
    local_s = size * LeavingShare(kind, local) / network.local_bytes_per_s;
    latency += network.local_latency_s *
               (kind == CollectiveKind::kAllToAll ? 1 : MessagesInTurn(kind, local));
  }
  if (nodes > 1) {
    // All ranks' slices for other nodes are different data; what is summed or gathered leaves a
    // node once.
    const double leaving = kind == CollectiveKind::kAllToAll
                               ? static_cast<double>(local) * (ranks - local) / ranks
                               : LeavingShare(kind, nodes);
    node_s = size * leaving / network.node_bytes_per_s;
    latency += kind == CollectiveKind::kAllToAll ? network.latency_s
                                                 : network.latency_s * MessagesInTurn(kind, nodes);
  }
  if (kind == CollectiveKind::kAllToAll) latency += network.message_s * (ranks - 1);
  return latency + std::max(local_s, node_s);
}

double MeasuredSeconds(const AlphaBeta& line, CollectiveKind kind, int64_t bytes, int ranks) {
  const double alpha =
      line.alpha_s * MessagesInTurn(kind, ranks) / MessagesInTurn(kind, line.ranks);
  return alpha + static_cast<double>(bytes) / line.bytes_per_s * LeavingShare(kind, ranks) /
                     LeavingShare(kind, line.ranks);
}

// The text at `key`, or nothing.
std::string TextAt(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::optional<CollectiveKind> KindFromName(const std::string& name) {
  for (const CollectiveKind kind :
       {CollectiveKind::kAllReduce, CollectiveKind::kAllGather, CollectiveKind::kAllToAll}) {
    if (name == NameOf(kind)) return kind;
  }
  return std::nullopt;
}

// Links reach about this share of their nominal rate.
constexpr double kAttained = 0.85;

double GigabitsToBytes(double gigabits) { return gigabits * 1e9 / 8 * kAttained; }

}  // namespace

double LeavingShare(CollectiveKind kind, int parts) {
  const double share = static_cast<double>(parts - 1) / parts;
  if (kind == CollectiveKind::kBroadcast) return 1;
  return kind == CollectiveKind::kAllReduce ? 2 * share : share;
}

const std::vector<Network>& KnownNetworks() {
  static const auto* const networks = new std::vector<Network>{
      {.name = "10gbe",
       .description = "nodes of 8 ranks, PCIe 4 inside (20 GB/s), one 10 Gb/s Ethernet port, TCP",
       .ranks_per_node = 8,
       .local_latency_s = 10e-6,
       .local_bytes_per_s = 20e9,
       .latency_s = 40e-6,
       .node_bytes_per_s = GigabitsToBytes(10),
       .message_s = 10e-6},
      {.name = "100gbe",
       .description = "nodes of 8 ranks, PCIe 4 inside (20 GB/s), one 100 Gb/s Ethernet port, RoCE",
       .ranks_per_node = 8,
       .local_latency_s = 10e-6,
       .local_bytes_per_s = 20e9,
       .latency_s = 10e-6,
       .node_bytes_per_s = GigabitsToBytes(100),
       .message_s = 2e-6},
      {.name = "ib_hdr",
       .description = "nodes of 8 ranks, NVLink 3 inside (250 GB/s), 4 InfiniBand HDR adapters of "
                      "200 Gb/s",
       .ranks_per_node = 8,
       .local_latency_s = 5e-6,
       .local_bytes_per_s = 250e9,
       .latency_s = 5e-6,
       .node_bytes_per_s = 4 * GigabitsToBytes(200),
       .message_s = 1e-6},
      {.name = "nvlink_ndr",
       .description = "nodes of 8 ranks, NVLink 4 inside (380 GB/s), 8 InfiniBand NDR adapters of "
                      "400 Gb/s",
       .ranks_per_node = 8,
       .local_latency_s = 5e-6,
       .local_bytes_per_s = 380e9,
       .latency_s = 5e-6,
       .node_bytes_per_s = 8 * GigabitsToBytes(400),
       .message_s = 1e-6}};
  return *networks;
}

absl::StatusOr<Network> FindNetwork(std::string_view name) {
  std::string names;
  for (const Network& network : KnownNetworks()) {
    if (network.name == name) return network;
    absl::StrAppend(&names, names.empty() ? "" : ", ", network.name);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("there is no network \"", std::string(name), "\"; there are ", names));
}

absl::StatusOr<Network> NetworkFromJsonLines(std::string_view text, std::string_view file) {
  const std::string where(file);
  Network network{.name = "measured", .description = absl::StrCat("measured in ", where)};
  const std::vector<std::string> lines =
      absl::StrSplit(std::string(text), '\n', absl::SkipWhitespace());
  for (const std::string& line : lines) {
    const auto object = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!object.is_object()) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": is not what `langevin bench collectives` prints: \"",
                       line.substr(0, 40), "\" is no JSON object"));
    }
    if (!object.contains("alpha_us")) continue;
    const auto kind = KindFromName(TextAt(object, "kind"));
    if (!kind.has_value()) continue;
    for (const char* number : {"alpha_us", "bytes_per_s", "ranks"}) {
      if (!object.contains(number) || !object[number].is_number()) {
        return absl::InvalidArgumentError(
            absl::StrCat(where, ": \"", number, "\" of ", NameOf(*kind), " is no number"));
      }
    }
    const AlphaBeta fit{.alpha_s = object["alpha_us"].get<double>() * 1e-6,
                        .bytes_per_s = object["bytes_per_s"].get<double>(),
                        .ranks = object["ranks"].get<int>()};
    if (fit.ranks < 2 || fit.bytes_per_s <= 0 || fit.alpha_s < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": the fit of ", NameOf(*kind),
                       " is of no use: ranks must be at least 2, bytes_per_s above 0"));
    }
    network.measured[*kind] = fit;
    network.uses_compute_cores = TextAt(object, "backend") == "mpi";
  }
  for (const CollectiveKind kind :
       {CollectiveKind::kAllReduce, CollectiveKind::kAllGather, CollectiveKind::kAllToAll}) {
    if (!network.measured.contains(kind)) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": has no fit of ", NameOf(kind),
                       "; make it with: mpirun -n 2 langevin bench collectives > FILE"));
    }
  }
  return network;
}

double CollectiveSeconds(const Network& network, CollectiveKind kind, int64_t bytes, int ranks) {
  if (ranks < 2) return 0;
  if (network.measured.empty()) return DescribedSeconds(network, kind, bytes, ranks);
  auto line = network.measured.find(kind);
  // Half of an all_reduce by another name, and those that hand one rank's data around.
  if (line == network.measured.end()) line = network.measured.find(CollectiveKind::kAllGather);
  return MeasuredSeconds(line->second, kind, bytes, ranks);
}

AlphaBeta FitAlphaBeta(const std::vector<std::pair<int64_t, double>>& times, int ranks) {
  // Weights 1 / t^2: an error of a tenth counts the same in microseconds and in milliseconds.
  double w = 0, wx = 0, wy = 0, wxx = 0, wxy = 0;
  for (const auto& [bytes, seconds] : times) {
    const auto x = static_cast<double>(bytes);
    const double weight = 1 / (seconds * seconds);
    w += weight;
    wx += weight * x;
    wy += weight * seconds;
    wxx += weight * x * x;
    wxy += weight * x * seconds;
  }
  double slope = (w * wxy - wx * wy) / (w * wxx - wx * wx);
  double alpha = (wy - slope * wx) / w;
  if (alpha < 0 || slope <= 0) {  // Times too noisy for both: all is bandwidth.
    alpha = 0;
    slope = wxy / wxx;
  }
  return {.alpha_s = alpha, .bytes_per_s = 1 / slope, .ranks = ranks};
}

}  // namespace langevin::distributed
