// The folder that `langevin sample` writes.
#ifndef LANGEVIN_TOOLS_SAMPLE_FOLDER_H_
#define LANGEVIN_TOOLS_SAMPLE_FOLDER_H_

#include <optional>
#include <string>

#include "ATen/ATen.h"
#include "absl/status/status.h"
#include "core/base/file_system.h"
#include "tools/physical_samples.h"

namespace langevin::tools {

// Folders that hold anything but samples are left alone: AlreadyExists.
absl::Status CheckSampleFolder(FileSystem& file_system, const std::string& folder);

// Writes samples.safetensors, where the data had units physical.safetensors, a PNG for each sample
// and grid.png into a folder that appears whole. `samples`: (N, C, H, W) fp32 on the CPU, in the
// model's range.
absl::Status WriteSamples(FileSystem& file_system, const std::string& folder,
                          const at::Tensor& samples, const std::optional<Intensities>& intensities);

}  // namespace langevin::tools

#endif  // LANGEVIN_TOOLS_SAMPLE_FOLDER_H_
