// Any communicator, with every collective noted: in the flight recorder, and on the phase board
// while this rank waits for it.
//
// So collectives over NCCL, MPI and threads are told of, and given their deadline, in one way.
#ifndef LANGEVIN_DISTRIBUTED_RECORDING_COMMUNICATOR_H_
#define LANGEVIN_DISTRIBUTED_RECORDING_COMMUNICATOR_H_

#include <memory>

#include "distributed/communicator.h"
#include "distributed/flight_recorder.h"
#include "distributed/phase_board.h"

namespace langevin::distributed {

// Owns `inner`, which is of the same use as before through this. Neither pointer may be null.
std::unique_ptr<Communicator> MakeRecordingCommunicator(std::unique_ptr<Communicator> inner,
                                                        std::shared_ptr<FlightRecorder> recorder,
                                                        std::shared_ptr<PhaseBoard> board);

}  // namespace langevin::distributed

#endif  // LANGEVIN_DISTRIBUTED_RECORDING_COMMUNICATOR_H_
