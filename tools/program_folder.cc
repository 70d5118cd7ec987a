#include "tools/program_folder.h"

#include <unistd.h>

#include <array>
#include <climits>

#include "core/base/file_system.h"

namespace langevin::tools {

std::string ProgramFolder() {
  std::array<char, PATH_MAX> path;
  const ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
  if (length <= 0) return ".";
  return ParentFolder({path.data(), static_cast<size_t>(length)});
}

}  // namespace langevin::tools
