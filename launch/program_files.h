// The two files of the program `langevin`, which lie in one folder.
//
// LibTorch takes some tenths of a second to load, and much longer from a busy network file system.
// So the file that users start, `langevin`, is linked without it and runs what needs no tensors;
// for everything else it becomes `langevin-tensors` (execv: the same process, with its environment
// and open files, so launchers notice nothing).
#ifndef LANGEVIN_LAUNCH_PROGRAM_FILES_H_
#define LANGEVIN_LAUNCH_PROGRAM_FILES_H_

#include <string>

#include "absl/status/status.h"

namespace langevin::launch {

inline constexpr char kProgramFile[] = "langevin";
inline constexpr char kTensorProgramFile[] = "langevin-tensors";

// The folder of the running program's file, links followed, or "." where the system does not say.
// Presets are found relative to it.
std::string ProgramFolder();

// Makes this process the other file's, with the same arguments; before MPI has started, and before
// anything was printed. Returns only if that fails. NotFound: the file is not there;
// FailedPrecondition: it cannot be started.
absl::Status BecomeTensorProgram(char* const* argv);

}  // namespace langevin::launch

#endif  // LANGEVIN_LAUNCH_PROGRAM_FILES_H_
