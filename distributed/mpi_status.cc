#include "distributed/mpi_status.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace langevin::distributed {

absl::Status MpiStatus(int code, std::string_view what) {
  if (code == MPI_SUCCESS) return absl::OkStatus();
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  MPI_Error_string(code, text, &length);
  const std::string message = absl::StrCat(std::string(what), ": ", std::string(text, length));
  int error_class = MPI_ERR_OTHER;
  MPI_Error_class(code, &error_class);
  if (error_class == MPI_ERR_NO_MEM) return absl::ResourceExhaustedError(message);
  return absl::UnavailableError(message);
}

absl::StatusOr<MPI_Comm> DuplicateMpiComm(MPI_Comm parent) {
  MPI_Comm copy = MPI_COMM_NULL;
  LANGEVIN_RETURN_IF_ERROR(MpiStatus(MPI_Comm_dup(parent, &copy), "MPI_Comm_dup"));
  LANGEVIN_RETURN_IF_ERROR(
      MpiStatus(MPI_Comm_set_errhandler(copy, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler"));
  return copy;
}

}  // namespace langevin::distributed
