#include "distributed/mpi_heartbeat.h"

#include <algorithm>
#include <string>

namespace langevin::distributed {
namespace {

constexpr int kTag = 1;

}  // namespace

MpiHeartbeatTransport::MpiHeartbeatTransport(MPI_Comm comm) : comm_(comm) {
  MPI_Comm_rank(comm_, &rank_);
  MPI_Comm_size(comm_, &size_);
  outgoing_.resize(size_);
}

bool MpiHeartbeatTransport::Send(int peer, const Heartbeat& heartbeat) {
  Outgoing& slot = outgoing_[peer];
  if (slot.request != MPI_REQUEST_NULL) {
    int taken = 0;
    if (MPI_Test(&slot.request, &taken, MPI_STATUS_IGNORE) != MPI_SUCCESS || taken == 0) {
      return false;
    }
  }
  slot.packet = {};
  slot.packet.images_seen = heartbeat.state.images_seen;
  slot.packet.waits = heartbeat.state.waits;
  slot.packet.waiting = heartbeat.state.waiting;
  slot.packet.goodbye = heartbeat.goodbye;
  heartbeat.state.phase.copy(slot.packet.phase, sizeof(slot.packet.phase) - 1);
  return MPI_Isend(&slot.packet, sizeof(Packet), MPI_BYTE, peer, kTag, comm_, &slot.request) ==
         MPI_SUCCESS;
}

std::vector<Heartbeat> MpiHeartbeatTransport::Receive() {
  std::vector<Heartbeat> heartbeats;
  while (true) {
    int present = 0;
    MPI_Status status;
    if (MPI_Iprobe(MPI_ANY_SOURCE, kTag, comm_, &present, &status) != MPI_SUCCESS) break;
    if (present == 0) break;
    Packet packet = {};
    if (MPI_Recv(&packet, sizeof(Packet), MPI_BYTE, status.MPI_SOURCE, kTag, comm_,
                 MPI_STATUS_IGNORE) != MPI_SUCCESS) {
      break;
    }
    packet.phase[sizeof(packet.phase) - 1] = '\0';
    heartbeats.push_back({status.MPI_SOURCE,
                          {packet.phase, packet.images_seen, packet.waiting != 0, packet.waits},
                          packet.goodbye != 0});
  }
  return heartbeats;
}

bool MpiHeartbeatTransport::AllSent() {
  return std::all_of(outgoing_.begin(), outgoing_.end(), [](Outgoing& slot) {
    int taken = 0;
    return MPI_Test(&slot.request, &taken, MPI_STATUS_IGNORE) == MPI_SUCCESS && taken != 0;
  });
}

}  // namespace langevin::distributed
