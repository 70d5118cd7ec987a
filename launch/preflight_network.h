// How fast and how far apart in time the ranks are: measured for preflight.
#ifndef LANGEVIN_LAUNCH_PREFLIGHT_NETWORK_H_
#define LANGEVIN_LAUNCH_PREFLIGHT_NETWORK_H_

#include <mpi.h>

#include <vector>

#include "absl/status/statusor.h"

namespace langevin::launch {

struct Link {
  double latency_s = 0;       // Of an 8-byte message, one way; the best of many.
  double bytes_per_s = 0;     // Of a 4 MiB message, one way.
  double clock_offset_s = 0;  // This rank's clock minus rank 0's.
};

struct NetworkFacts {
  std::vector<Link> links;  // From rank 0 to each rank; links[0] is zero. On rank 0 only.
  double all_reduce_s = 0;  // Of 25 MiB float32 over all ranks, in pieces of 2 MiB.
};

// All ranks together. Takes a few hundred milliseconds on a working network.
absl::StatusOr<NetworkFacts> MeasureNetwork(MPI_Comm parent);

}  // namespace langevin::launch

#endif  // LANGEVIN_LAUNCH_PREFLIGHT_NETWORK_H_
