// Heartbeats over MPI, on a communicator of their own.
#ifndef LANGEVIN_DISTRIBUTED_MPI_HEARTBEAT_H_
#define LANGEVIN_DISTRIBUTED_MPI_HEARTBEAT_H_

#include <mpi.h>

#include <cstdint>
#include <vector>

#include "distributed/heartbeat.h"

namespace langevin::distributed {

// Needs MPI_THREAD_MULTIPLE, since its thread is not the one that computes. At most one message to
// each peer is under way, so a stopped peer does not fill this rank's memory.
class MpiHeartbeatTransport : public HeartbeatTransport {
 public:
  // On a communicator of its own, made with DuplicateMpiComm, which must live until this is gone
  // and is freed by its owner.
  explicit MpiHeartbeatTransport(MPI_Comm comm);

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  bool Send(int peer, const Heartbeat& heartbeat) override;
  std::vector<Heartbeat> Receive() override;
  bool AllSent() override;

 private:
  // What travels, as bytes: all nodes of a cluster have the same representation of numbers.
  struct Packet {
    int64_t images_seen;
    uint64_t scheduled;
    uint64_t under_way;
    int64_t bytes;
    uint64_t failed;
    int32_t starting_up;
    int32_t goodbye;
    // Texts are cut off there, and zero-terminated.
    char phase[48];
    char kind[24];
    char alarm[256];
  };
  struct Outgoing {
    MPI_Request request = MPI_REQUEST_NULL;
    Packet packet = {};
  };

  MPI_Comm comm_;
  int rank_ = 0;
  int size_ = 1;
  std::vector<Outgoing> outgoing_;  // By peer.
};

}  // namespace langevin::distributed

#endif  // LANGEVIN_DISTRIBUTED_MPI_HEARTBEAT_H_
