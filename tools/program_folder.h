// Where the running program lies on disk: presets are found relative to it.
#ifndef LANGEVIN_TOOLS_PROGRAM_FOLDER_H_
#define LANGEVIN_TOOLS_PROGRAM_FOLDER_H_

#include <string>

namespace langevin::tools {

// The folder of the program's file, or "." where the system does not say.
std::string ProgramFolder();

}  // namespace langevin::tools

#endif  // LANGEVIN_TOOLS_PROGRAM_FOLDER_H_
