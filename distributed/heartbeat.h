// What ranks tell each other about themselves twice a second, and the way it travels.
#ifndef LANGEVIN_DISTRIBUTED_HEARTBEAT_H_
#define LANGEVIN_DISTRIBUTED_HEARTBEAT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "distributed/flight_recorder.h"
#include "distributed/phase_board.h"

namespace langevin::distributed {

struct Heartbeat {
  int rank = 0;
  PhaseBoard::Snapshot state;
  FlightRecorder::Summary collectives;
  bool goodbye = false;  // The rank's last one: it ends cleanly and is not to be missed.
  std::string alarm;     // Not empty: the rank ends the run, for this reason.
};

// Carries heartbeats between ranks without ever blocking. Used by one thread.
class HeartbeatTransport {
 public:
  virtual ~HeartbeatTransport() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  // Starts to send; false, and nothing sent, while `peer` has not taken the last one.
  virtual bool Send(int peer, const Heartbeat& heartbeat) = 0;
  // What has come since the last call, oldest first for each sender.
  virtual std::vector<Heartbeat> Receive() = 0;
  // Whether all that was sent has been taken.
  virtual bool AllSent() = 0;
};

}  // namespace langevin::distributed

#endif  // LANGEVIN_DISTRIBUTED_HEARTBEAT_H_
