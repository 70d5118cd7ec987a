#include "launch/preflight_network.h"

#include <algorithm>
#include <limits>

#include "core/base/clock.h"
#include "core/base/status_macros.h"
#include "distributed/mpi_status.h"

namespace langevin::launch {
namespace {

using distributed::MpiStatus;

constexpr int kTag = 1;
constexpr int kSmallRounds = 200;
constexpr int kLargeRounds = 5;
constexpr int kLargeBytes = 4 << 20;

absl::Status Send(const std::vector<char>& bytes, int peer, MPI_Comm comm) {
  return MpiStatus(
      MPI_Send(bytes.data(), static_cast<int>(bytes.size()), MPI_BYTE, peer, kTag, comm),
      "measuring the network");
}

absl::Status Receive(std::vector<char>& bytes, int peer, MPI_Comm comm) {
  return MpiStatus(MPI_Recv(bytes.data(), static_cast<int>(bytes.size()), MPI_BYTE, peer, kTag,
                            comm, MPI_STATUS_IGNORE),
                   "measuring the network");
}

// Rank 0's side: the time of the fastest of `rounds` round trips.
absl::StatusOr<double> FastestRoundTrip(size_t size, int rounds, int peer, MPI_Comm comm) {
  std::vector<char> bytes(size);
  double fastest = std::numeric_limits<double>::infinity();
  for (int round = 0; round < rounds; ++round) {
    const double start = MonotonicSeconds();
    LANGEVIN_RETURN_IF_ERROR(Send(bytes, peer, comm));
    LANGEVIN_RETURN_IF_ERROR(Receive(bytes, peer, comm));
    fastest = std::min(fastest, MonotonicSeconds() - start);
  }
  return fastest;
}

absl::Status Echo(size_t size, int rounds, MPI_Comm comm) {
  std::vector<char> bytes(size);
  for (int round = 0; round < rounds; ++round) {
    LANGEVIN_RETURN_IF_ERROR(Receive(bytes, 0, comm));
    LANGEVIN_RETURN_IF_ERROR(Send(bytes, 0, comm));
  }
  return absl::OkStatus();
}

// Cristian's method: the peer's clock is read half a round trip before its answer arrives.
absl::StatusOr<double> ClockOffset(int peer, MPI_Comm comm) {
  double offset = 0;
  double fastest = std::numeric_limits<double>::infinity();
  for (int round = 0; round < kSmallRounds; ++round) {
    double theirs = 0;
    const double start = UnixSeconds();
    LANGEVIN_RETURN_IF_ERROR(
        MpiStatus(MPI_Sendrecv(&start, 1, MPI_DOUBLE, peer, kTag, &theirs, 1, MPI_DOUBLE, peer,
                               kTag, comm, MPI_STATUS_IGNORE),
                  "comparing clocks"));
    const double end = UnixSeconds();
    if (end - start < fastest) {
      fastest = end - start;
      offset = theirs - (start + end) / 2;
    }
  }
  return offset;
}

absl::Status AnswerClock(MPI_Comm comm) {
  for (int round = 0; round < kSmallRounds; ++round) {
    double ignored = 0;
    LANGEVIN_RETURN_IF_ERROR(MpiStatus(
        MPI_Recv(&ignored, 1, MPI_DOUBLE, 0, kTag, comm, MPI_STATUS_IGNORE), "comparing clocks"));
    const double now = UnixSeconds();
    LANGEVIN_RETURN_IF_ERROR(
        MpiStatus(MPI_Send(&now, 1, MPI_DOUBLE, 0, kTag, comm), "comparing clocks"));
  }
  return absl::OkStatus();
}

absl::StatusOr<double> AllReduceSeconds(MPI_Comm comm) {
  constexpr int kPiece = 2 << 18;  // 2 MiB of float32.
  std::vector<float> values(kPiece);
  double fastest = std::numeric_limits<double>::infinity();
  for (int round = 0; round < kLargeRounds; ++round) {
    LANGEVIN_RETURN_IF_ERROR(MpiStatus(MPI_Barrier(comm), "measuring all_reduce"));
    const double start = MonotonicSeconds();
    for (int piece = 0; piece < 25; piece += 2) {
      LANGEVIN_RETURN_IF_ERROR(
          MpiStatus(MPI_Allreduce(MPI_IN_PLACE, values.data(),
                                  std::min(25 - piece, 2) * (kPiece / 2), MPI_FLOAT, MPI_SUM, comm),
                    "measuring all_reduce"));
    }
    fastest = std::min(fastest, MonotonicSeconds() - start);
  }
  return fastest;
}

absl::Status Measure(MPI_Comm comm, NetworkFacts& facts) {
  int rank = 0, size = 1;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &size);
  facts.links.resize(size);
  for (int peer = 1; peer < size; ++peer) {
    if (rank == peer) {
      LANGEVIN_RETURN_IF_ERROR(Echo(8, kSmallRounds, comm));
      LANGEVIN_RETURN_IF_ERROR(Echo(kLargeBytes, kLargeRounds, comm));
      LANGEVIN_RETURN_IF_ERROR(AnswerClock(comm));
    } else if (rank == 0) {
      LANGEVIN_ASSIGN_OR_RETURN(const double small, FastestRoundTrip(8, kSmallRounds, peer, comm));
      LANGEVIN_ASSIGN_OR_RETURN(const double large,
                                FastestRoundTrip(kLargeBytes, kLargeRounds, peer, comm));
      LANGEVIN_ASSIGN_OR_RETURN(facts.links[peer].clock_offset_s, ClockOffset(peer, comm));
      facts.links[peer].latency_s = small / 2;
      facts.links[peer].bytes_per_s = 2.0 * kLargeBytes / large;
    }
  }
  LANGEVIN_ASSIGN_OR_RETURN(facts.all_reduce_s, AllReduceSeconds(comm));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<NetworkFacts> MeasureNetwork(MPI_Comm parent) {
  LANGEVIN_ASSIGN_OR_RETURN(MPI_Comm comm, distributed::DuplicateMpiComm(parent));
  NetworkFacts facts;
  const absl::Status status = Measure(comm, facts);
  MPI_Comm_free(&comm);
  if (!status.ok()) return status;
  return facts;
}

}  // namespace langevin::launch
