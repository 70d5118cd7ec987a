// For tests/python/unet_parity_test.py: runs a diffusers folder's network on given inputs.
//
//     langevin_unet_forward FOLDER INPUTS.safetensors OUTPUT.safetensors
//
// INPUTS holds sample, timestep (float32) and, for conditional models, class_labels.
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "core/base/log.h"
#include "core/base/safetensors.h"
#include "core/base/status_macros.h"
#include "core/export/model_folder.h"
#include "core/model/state_dict.h"

namespace langevin {
namespace {

absl::StatusOr<at::Tensor> ReadTensor(const SafetensorsFile& file, const std::string& name) {
  const auto entry = file.entries().find(name);
  if (entry == file.entries().end()) return at::Tensor();
  const model::NamedTensor tensor{
      name, at::empty(entry->second.shape,
                      entry->second.dtype == DType::kInt64 ? at::kLong : at::kFloat)};
  LANGEVIN_RETURN_IF_ERROR(file.Read(model::MutableViewsOf({tensor}).front()));
  return tensor.tensor;
}

absl::Status Run(const std::string& folder_path, const std::string& inputs_path,
                 const std::string& output_path) {
  const at::NoGradGuard no_grad;
  FileSystem& files = PosixFileSystem();
  LANGEVIN_ASSIGN_OR_RETURN(const exporting::ModelFolder folder,
                            exporting::ReadModelFolder(files, folder_path));
  model::UNet2D network(folder.unet, configs::Precision::kFp32, at::kCPU);
  LANGEVIN_RETURN_IF_ERROR(exporting::LoadWeights(files, folder, network).status());
  LANGEVIN_ASSIGN_OR_RETURN(const SafetensorsFile inputs,
                            SafetensorsFile::Open(files, inputs_path));
  LANGEVIN_ASSIGN_OR_RETURN(const at::Tensor sample, ReadTensor(inputs, "sample"));
  LANGEVIN_ASSIGN_OR_RETURN(const at::Tensor timestep, ReadTensor(inputs, "timestep"));
  LANGEVIN_ASSIGN_OR_RETURN(const at::Tensor labels, ReadTensor(inputs, "class_labels"));
  const at::Tensor output = network.Forward(sample, timestep, labels, {}).contiguous();
  return WriteSafetensors(files, output_path, model::ViewsOf({{"output", output}}), {});
}

}  // namespace
}  // namespace langevin

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const absl::Status status = langevin::Run(argv[1], argv[2], argv[3]);
  if (!status.ok()) langevin::LogError("%s", status.ToString());
  return status.ok() ? 0 : 1;
}
