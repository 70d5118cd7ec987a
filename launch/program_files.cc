#include "launch/program_files.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "core/base/file_system.h"

namespace langevin::launch {

std::string ProgramFolder() {
  std::array<char, PATH_MAX> path;
  const ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
  if (length <= 0) return ".";
  return ParentFolder({path.data(), static_cast<size_t>(length)});
}

absl::Status BecomeTensorProgram(char* const* argv) {
  const std::string path = JoinPath(ProgramFolder(), kTensorProgramFile);
  execv(path.c_str(), argv);
  const int error = errno;
  const std::string message =
      absl::StrCat(path, ": cannot be started (", std::strerror(error),
                   "); it belongs to langevin: keep both files in one folder");
  return error == ENOENT ? absl::NotFoundError(message) : absl::FailedPreconditionError(message);
}

}  // namespace langevin::launch
