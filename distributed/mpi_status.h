// MPI's return codes as absl::Status. Every communicator that Langevin makes returns its errors
// (MPI_ERRORS_RETURN) instead of ending the process.
#ifndef LANGEVIN_DISTRIBUTED_MPI_STATUS_H_
#define LANGEVIN_DISTRIBUTED_MPI_STATUS_H_

#include <mpi.h>

#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace langevin::distributed {

// OK for MPI_SUCCESS; ResourceExhausted if MPI has no memory; else Unavailable with MPI's own words
// behind `what`.
absl::Status MpiStatus(int code, std::string_view what);

// A copy of `parent` with a message space of its own that returns errors; all ranks together. Freed
// by its owner.
absl::StatusOr<MPI_Comm> DuplicateMpiComm(MPI_Comm parent);

}  // namespace langevin::distributed

#endif  // LANGEVIN_DISTRIBUTED_MPI_STATUS_H_
