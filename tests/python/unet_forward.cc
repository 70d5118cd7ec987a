// For tests/python/unet_parity_test.py and dit_parity_test.py: runs a diffusers folder's network on
// given inputs.
//
//     langevin_unet_forward FOLDER INPUTS.safetensors OUTPUT.safetensors [GRADIENTS.safetensors]
//
// INPUTS holds sample, timestep (float32) and, for conditional models, class_labels. GRADIENTS gets
// those of the mean of the output's squares in the weights, by their names.
#include <memory>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "core/base/log.h"
#include "core/base/safetensors.h"
#include "core/base/status_macros.h"
#include "core/export/model_folder.h"
#include "core/model/make_network.h"
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
                 const std::string& output_path, const std::string& gradients_path) {
  FileSystem& files = PosixFileSystem();
  LANGEVIN_ASSIGN_OR_RETURN(const exporting::ModelFolder folder,
                            exporting::ReadModelFolder(files, folder_path));
  const std::unique_ptr<model::Network> network =
      model::MakeNetwork(folder.model, configs::Precision::kFp32, at::kCPU);
  LANGEVIN_RETURN_IF_ERROR(exporting::LoadWeights(files, folder, *network).status());
  LANGEVIN_ASSIGN_OR_RETURN(const SafetensorsFile inputs,
                            SafetensorsFile::Open(files, inputs_path));
  LANGEVIN_ASSIGN_OR_RETURN(const at::Tensor sample, ReadTensor(inputs, "sample"));
  LANGEVIN_ASSIGN_OR_RETURN(const at::Tensor timestep, ReadTensor(inputs, "timestep"));
  LANGEVIN_ASSIGN_OR_RETURN(const at::Tensor labels, ReadTensor(inputs, "class_labels"));
  const at::AutoGradMode differentiates(!gradients_path.empty());
  const at::Tensor output = network->Forward(sample, timestep, labels, {}).contiguous();
  LANGEVIN_RETURN_IF_ERROR(
      WriteSafetensors(files, output_path, model::ViewsOf({{"output", output.detach()}}), {}));
  if (gradients_path.empty()) return absl::OkStatus();
  output.square().mean().backward();
  const model::ParameterStore& store = network->parameters();
  return WriteSafetensors(files, gradients_path,
                          model::ViewsOf(model::StateDict(store, store.gradient(), "")), {});
}

}  // namespace
}  // namespace langevin

int main(int argc, char** argv) {
  if (argc != 4 && argc != 5) return 2;
  const absl::Status status =
      langevin::Run(argv[1], argv[2], argv[3], argc == 5 ? argv[4] : std::string());
  if (!status.ok()) langevin::LogError("%s", status.ToString());
  return status.ok() ? 0 : 1;
}
