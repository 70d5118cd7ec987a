// For tests/python/schedulers_test.py: samples a diffusers folder's network with many schedulers.
//
//     langevin_sample_cases FOLDER NOISE.safetensors SEED CASES.json OUTPUT
//
// CASES is an array of { "scheduler": the text of a scheduler_config.json, "steps": n, "options":
// { "sampler": ..., "eta": ... } }. OUTPUT/samples.safetensors gets a tensor for each case, named
// by its index, OUTPUT/schedulers.json how langevin writes each scheduler.
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "absl/strings/numbers.h"
#include "core/base/log.h"
#include "core/base/safetensors.h"
#include "core/base/status_macros.h"
#include "core/diffusion/sampling.h"
#include "core/export/model_folder.h"
#include "core/model/make_network.h"
#include "core/model/state_dict.h"
#include "nlohmann/json.hpp"

namespace langevin {
namespace {

using Json = nlohmann::json;

absl::StatusOr<at::Tensor> ReadNoise(FileSystem& files, const std::string& path) {
  LANGEVIN_ASSIGN_OR_RETURN(const SafetensorsFile file, SafetensorsFile::Open(files, path));
  const model::NamedTensor noise{"noise",
                                 at::empty(file.entries().find("noise")->second.shape, at::kFloat)};
  LANGEVIN_RETURN_IF_ERROR(file.Read(model::MutableViewsOf({noise}).front()));
  return noise.tensor;
}

diffusion::SamplerOptions OptionsFrom(const Json& test_case) {
  const Json options = test_case.value("options", Json::object());
  diffusion::SamplerOptions sampler{.name = options.value("sampler", "")};
  sampler.steps = test_case["steps"].get<int64_t>();
  if (options.contains("eta")) sampler.eta = options["eta"].get<double>();
  return sampler;
}

absl::Status Run(const std::vector<std::string>& arguments) {
  const at::NoGradGuard no_grad;
  FileSystem& files = PosixFileSystem();
  LANGEVIN_ASSIGN_OR_RETURN(const exporting::ModelFolder folder,
                            exporting::ReadModelFolder(files, arguments[0]));
  const std::unique_ptr<model::Network> network =
      model::MakeNetwork(folder.model, configs::Precision::kFp32, at::kCPU);
  LANGEVIN_RETURN_IF_ERROR(exporting::LoadWeights(files, folder, *network).status());
  diffusion::SamplingRequest request;
  LANGEVIN_ASSIGN_OR_RETURN(request.initial_noise, ReadNoise(files, arguments[1]));
  request.channels = request.initial_noise.size(1);
  request.height = request.initial_noise.size(2);
  request.width = request.initial_noise.size(3);
  request.count = request.initial_noise.size(0);
  if (!absl::SimpleAtoi(arguments[2], &request.seed)) return absl::InvalidArgumentError("SEED");

  LANGEVIN_ASSIGN_OR_RETURN(const std::string text, files.ReadFile(arguments[3]));
  const Json cases = Json::parse(text);
  std::vector<model::NamedTensor> samples;
  Json written = Json::array();
  for (const Json& test_case : cases) {
    LANGEVIN_ASSIGN_OR_RETURN(
        const diffusion::SchedulerConfig scheduler,
        diffusion::SchedulerConfigFromJson(test_case["scheduler"].get<std::string>(), "scheduler"));
    LANGEVIN_ASSIGN_OR_RETURN(request.formulation, diffusion::FormulationFrom(scheduler));
    LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<diffusion::Sampler> sampler,
                              diffusion::MakeSampler(OptionsFrom(test_case), scheduler));
    const at::Tensor batch =
        diffusion::SampleBatch(*network, at::Device(at::kCPU), *sampler, request, 0);
    samples.push_back(
        {std::to_string(samples.size()), batch.narrow(0, 0, request.count).contiguous()});
    written.push_back(diffusion::SchedulerConfigToJson(scheduler));
  }
  LANGEVIN_RETURN_IF_ERROR(WriteSafetensors(files, JoinPath(arguments[4], "samples.safetensors"),
                                            model::ViewsOf(samples), {}));
  return files.WriteFile(JoinPath(arguments[4], "schedulers.json"), written.dump());
}

}  // namespace
}  // namespace langevin

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  const absl::Status status = langevin::Run({argv + 1, argv + argc});
  if (!status.ok()) langevin::LogError("%s", status.ToString());
  return status.ok() ? 0 : 1;
}
