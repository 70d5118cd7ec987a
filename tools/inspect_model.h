// What `langevin inspect` says of a model folder.
#ifndef LANGEVIN_TOOLS_INSPECT_MODEL_H_
#define LANGEVIN_TOOLS_INSPECT_MODEL_H_

#include <string>

#include "absl/status/status.h"
#include "core/base/file_system.h"

namespace langevin::tools {

// Prints it, or the digest of the weights alone. Errors are those of exporting::ReadModelFolder and
// LoadWeights.
absl::Status InspectModelFolder(FileSystem& file_system, const std::string& path, bool digest_only);

}  // namespace langevin::tools

#endif  // LANGEVIN_TOOLS_INSPECT_MODEL_H_
