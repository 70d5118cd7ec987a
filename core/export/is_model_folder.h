// Tells a model folder from others, without LibTorch.
#ifndef LANGEVIN_CORE_EXPORT_IS_MODEL_FOLDER_H_
#define LANGEVIN_CORE_EXPORT_IS_MODEL_FOLDER_H_

#include <string>

#include "core/base/file_system.h"

namespace langevin::exporting {

// Whether `path` looks like a model folder at all: it has model_index.json or config.json.
inline bool IsModelFolder(FileSystem& file_system, const std::string& path) {
  return file_system.Exists(JoinPath(path, "model_index.json")) ||
         file_system.Exists(JoinPath(path, "config.json"));
}

}  // namespace langevin::exporting

#endif  // LANGEVIN_CORE_EXPORT_IS_MODEL_FOLDER_H_
