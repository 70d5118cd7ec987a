#include <optional>
#include <span>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

#include "ATen/ATen.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/base/digest.h"
#include "core/base/status_macros.h"
#include "core/base/tensor_view.h"
#include "core/metrics/features.h"
#include "distributed/torch_errors.h"
#include "torch/csrc/jit/api/module.h"
#include "torch/csrc/jit/python/update_graph_executor_opt.h"
#include "torch/csrc/jit/serialization/import.h"

namespace langevin::metrics {
namespace {

constexpr uint64_t kLargestModule = uint64_t{16} << 30;

// The line of a LibTorch message that says what is wrong. Errors inside a module come with the
// module's call stack before them, all others with ours behind them.
std::string Reason(std::string_view message) {
  const std::vector<std::string> lines = absl::StrSplit(
      absl::string_view(message.data(), message.size()), '\n', absl::SkipWhitespace());
  if (lines.empty()) return "no reason given";
  const bool inside = message.find("TorchScript interpreter") != std::string_view::npos;
  return std::string(absl::StripAsciiWhitespace(inside ? lines.back() : lines.front()));
}

// Runs `function`; what LibTorch throws, memory that is not there apart, is the module's fault.
template <typename Function>
absl::Status BlameModule(const std::string& what, const std::string& remedy,
                         const Function& function) {
  const absl::Status status = distributed::CatchTorchErrors("", [&]() -> absl::Status {
    function();
    return absl::OkStatus();
  });
  if (status.code() == absl::StatusCode::kResourceExhausted) {
    return absl::ResourceExhaustedError(absl::StrCat(what, status.message()));
  }
  if (status.ok()) return status;
  std::string_view reason(status.message().data(), status.message().size());
  if (reason.starts_with(": ")) reason.remove_prefix(2);
  return absl::DataLossError(absl::StrCat(what, " (", Reason(reason), "); ", remedy));
}

class FeatureModule : public FeatureExtractor {
 public:
  FeatureModule(torch::jit::Module module, const std::string& path, const std::string& checksum,
                const at::Device& device)
      : module_(std::move(module)), device_(device) {
    info_.description = "TorchScript module";
    info_.file = path;
    info_.checksum = checksum;
  }

  // Finds out what the module gives for a batch of gray images.
  absl::Status Try(const ImageSize& size) {
    LANGEVIN_ASSIGN_OR_RETURN(
        const Features features,
        Run(at::zeros({kFeatureBatch, size.channels, size.height, size.width})));
    info_.dimension = features.values.size(1);
    info_.classes = features.logits.defined() ? features.logits.size(1) : 0;
    return absl::OkStatus();
  }

  absl::StatusOr<Features> Extract(const at::Tensor& images) const override {
    LANGEVIN_ASSIGN_OR_RETURN(Features features, Run(images));
    if (features.values.size(1) != info_.dimension ||
        (features.logits.defined() ? features.logits.size(1) : 0) != info_.classes) {
      return Wrong("gives more or fewer features for some images than for others");
    }
    return features;
  }

 private:
  absl::Status Wrong(const std::string& what) const {
    return absl::DataLossError(absl::StrCat(
        info_.file, ": ", what,
        "; a module for --features returns (N, D) features, or a tuple (features, logits)"));
  }

  // A float tensor with a row for each image.
  absl::StatusOr<at::Tensor> Table(const torch::jit::IValue& value, const char* name) const {
    if (!value.isTensor()) {
      return Wrong(absl::StrCat("its ", name, " are a ", value.tagKind(), ", no tensor"));
    }
    const at::Tensor table = value.toTensor();
    if (table.dim() != 2 || table.size(0) != kFeatureBatch || table.size(1) < 1 ||
        !table.is_floating_point()) {
      return Wrong(absl::StrCat("its ", name, " for ", kFeatureBatch, " images have the shape ",
                                ShapeString(table.sizes().vec()), " and type ",
                                c10::toString(table.scalar_type())));
    }
    const at::Tensor on_cpu = table.to(at::kCPU, at::kFloat).contiguous();
    if (!at::isfinite(on_cpu).all().item<bool>()) {
      return Wrong(absl::StrCat("its ", name, " are not finite"));
    }
    return on_cpu;
  }

  absl::StatusOr<Features> Run(const at::Tensor& images) const {
    const at::NoGradGuard no_grad;
    // Without: the executor would look at two runs and compile others differently, and bits would
    // depend on how many batches a rank has had.
    torch::jit::setGraphExecutorOptimize(false);
    torch::jit::IValue output;
    LANGEVIN_RETURN_IF_ERROR(
        BlameModule(absl::StrCat(info_.file, ": the module fails on images of shape ",
                                 ShapeString(images.sizes().vec())),
                    "it must take images of the data set's channels and size",
                    [&] { output = torch::jit::Module(module_).forward({images.to(device_)}); }));
    Features features;
    if (!output.isTuple()) {
      LANGEVIN_ASSIGN_OR_RETURN(features.values, Table(output, "features"));
      return features;
    }
    const auto& elements = output.toTupleRef().elements();
    if (elements.size() != 2) {
      return Wrong(absl::StrCat("returns a tuple of ", elements.size()));
    }
    LANGEVIN_ASSIGN_OR_RETURN(features.values, Table(elements[0], "features"));
    LANGEVIN_ASSIGN_OR_RETURN(features.logits, Table(elements[1], "logits"));
    return features;
  }

  const torch::jit::Module module_;
  const at::Device device_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<FeatureExtractor>> LoadFeatureModule(FileSystem& file_system,
                                                                    const std::string& path,
                                                                    const ImageSize& size,
                                                                    const at::Device& device) {
  LANGEVIN_ASSIGN_OR_RETURN(std::string bytes, file_system.ReadFile(path, kLargestModule));
  Digest digest;
  digest.Update(std::as_bytes(std::span(bytes)));
  std::optional<torch::jit::Module> module;
  LANGEVIN_RETURN_IF_ERROR(
      BlameModule(absl::StrCat(path, ": cannot be loaded as a TorchScript module"),
                  "write one with torch.jit.script(network.eval()).save(FILE)", [&] {
                    std::istringstream stream(std::move(bytes));
                    module = torch::jit::load(stream, device);
                    module->eval();
                  }));
  auto extractor = std::make_unique<FeatureModule>(*std::move(module), path,
                                                   absl::StrCat("xxh3-128:", digest.Hex()), device);
  LANGEVIN_RETURN_IF_ERROR(extractor->Try(size));
  return extractor;
}

}  // namespace langevin::metrics
