// How long collectives take on networks, also on those that are not at hand: the alpha-beta model
// (Hockney 1994), in which a message of n bytes takes alpha + n / beta.
//
// Networks are either described (nodes of several ranks, links inside a node and between nodes) or
// measured by `langevin bench collectives`. Neither knows of contention with other jobs, of slow
// nodes, or of a network that gets narrower towards its top. Pure functions; any thread.
#ifndef LANGEVIN_DISTRIBUTED_NETWORK_MODEL_H_
#define LANGEVIN_DISTRIBUTED_NETWORK_MODEL_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "distributed/work.h"

namespace langevin::distributed {

// A line through measured times of collectives.
struct AlphaBeta {
  double alpha_s = 0;
  double bytes_per_s = 0;
  int ranks = 0;  // With which it was measured.
};

struct Network {
  std::string name;
  std::string description;

  // Described: each rank of a node has a link to the others there; to other nodes all ranks of a
  // node share its adapters. Bandwidths are one way, both ways at the same time.
  int ranks_per_node = 1;
  double local_latency_s = 0;
  double local_bytes_per_s = 0;  // Of one rank.
  double latency_s = 0;
  double node_bytes_per_s = 0;  // Of all adapters of a node together.
  double message_s = 0;         // From one message that a rank sends to the next.

  // Measured, by kind; described links are not looked at then.
  std::map<CollectiveKind, AlphaBeta> measured;

  // Collectives are carried out by the cores that compute (MPI on the host): they take their time
  // from computation even where they run beside it.
  bool uses_compute_cores = false;
};

// The described networks that come with the program.
const std::vector<Network>& KnownNetworks();

// InvalidArgument lists the names there are.
absl::StatusOr<Network> FindNetwork(std::string_view name);

// Reads what `langevin bench collectives` has printed. `file` is what messages call it.
// InvalidArgument: a line is no JSON, or there is no fit in it.
absl::StatusOr<Network> NetworkFromJsonLines(std::string_view text, std::string_view file);

// The share of a collective's tensor that has to leave each of `parts` ranks (or nodes).
double LeavingShare(CollectiveKind kind, int parts);

// Seconds from the moment all `ranks` have called until all are done. `bytes`: the whole tensor,
// as in RecordedCollective. Described: latency along a tree (all_to_all: a message to each), plus
// bytes through the narrower of the links inside and between nodes. Measured: alpha grows like the
// number of messages one after the other, the rest like the share of the bytes that leaves a rank.
double CollectiveSeconds(const Network& network, CollectiveKind kind, int64_t bytes, int ranks);

// The line through (bytes, seconds) with the least sum of squared relative errors; alpha is at
// least 0 and the bandwidth positive. Requires two different sizes and times above 0.
AlphaBeta FitAlphaBeta(const std::vector<std::pair<int64_t, double>>& times, int ranks);

}  // namespace langevin::distributed

#endif  // LANGEVIN_DISTRIBUTED_NETWORK_MODEL_H_
