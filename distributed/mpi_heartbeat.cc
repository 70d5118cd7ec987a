#include "distributed/mpi_heartbeat.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace langevin::distributed {
namespace {

constexpr int kTag = 1;

// `to` is zero beforehand.
template <size_t kSize>
void CopyText(const std::string& from, char (&to)[kSize]) {
  from.copy(to, kSize - 1);
}

template <size_t kSize>
std::string TextOf(const char (&from)[kSize]) {
  return std::string(from, strnlen(from, kSize));
}

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
  slot.packet.scheduled = heartbeat.collectives.scheduled;
  slot.packet.under_way = heartbeat.collectives.under_way;
  slot.packet.bytes = heartbeat.collectives.bytes;
  slot.packet.failed = heartbeat.collectives.failed;
  slot.packet.starting_up = heartbeat.collectives.starting_up;
  slot.packet.goodbye = heartbeat.goodbye;
  CopyText(heartbeat.state.phase, slot.packet.phase);
  CopyText(heartbeat.collectives.kind, slot.packet.kind);
  CopyText(heartbeat.alarm, slot.packet.alarm);
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
    heartbeats.push_back(
        {.rank = status.MPI_SOURCE,
         .state = {.phase = TextOf(packet.phase), .images_seen = packet.images_seen},
         .collectives = {.scheduled = packet.scheduled,
                         .under_way = packet.under_way,
                         .kind = TextOf(packet.kind),
                         .bytes = packet.bytes,
                         .failed = packet.failed,
                         .starting_up = packet.starting_up != 0},
         .goodbye = packet.goodbye != 0,
         .alarm = TextOf(packet.alarm)});
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
