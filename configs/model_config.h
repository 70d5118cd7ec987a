// What network a run trains: its architecture, of one of the families there are, and how it is told
// of classes and augmentation.
//
// The one place that knows the families: everything else asks a ModelConfig what it wants to know,
// and model::MakeNetwork for the network.
#ifndef LANGEVIN_CONFIGS_MODEL_CONFIG_H_
#define LANGEVIN_CONFIGS_MODEL_CONFIG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "configs/config_problem.h"
#include "configs/dit_config.h"
#include "configs/edm2_unet_config.h"
#include "configs/unet_config.h"

namespace langevin::configs {

// Height and width in pixels.
struct SampleSize {
  int64_t height = 0;
  int64_t width = 0;
};

struct ModelConfig {
  std::variant<UNetConfig, DiTConfig, Edm2UNetConfig> architecture;
  // With which probability training replaces a class label by the null label, so that the network
  // can be sampled with classifier-free guidance (Ho and Salimans 2021). Above 0 the null label is
  // one row more in the network's table.
  double label_dropout = 0;
  // How many numbers training tells the network of what augmentation did to an image (Karras et al.
  // 2022, appendix F.2). 0: none.
  int64_t augment_dim = 0;
  // The network sees its estimate of the image beside the noisy one: half of in_channels (Chen et
  // al. 2023).
  bool self_conditioning = false;

  friend bool operator==(const ModelConfig&, const ModelConfig&) = default;

  // The architecture's field in the model's message, and its class in files.
  std::string family() const;      // "unet", "dit", "edm2_unet".
  std::string class_name() const;  // "UNet2DModel", ...
  // Whether diffusers has that class.
  bool in_diffusers() const { return !std::holds_alternative<Edm2UNetConfig>(architecture); }

  // Of a UNet2DModel. Requires that it is one.
  UNetConfig& unet() { return std::get<UNetConfig>(architecture); }
  const UNetConfig& unet() const { return std::get<UNetConfig>(architecture); }

  int64_t in_channels() const;
  int64_t out_channels() const;
  // Of the images it is for.
  int64_t image_channels() const { return self_conditioning ? in_channels() / 2 : in_channels(); }
  // Not set: any size, or not known yet.
  std::optional<SampleSize> sample_size() const;
  // Requires a square for a DiT, which has one number.
  void set_sample_size(std::optional<SampleSize> size);
  // A size that the network can take: its sample_size, or a small one.
  SampleSize some_sample_size() const;

  // Whether forward needs class labels.
  bool is_conditional() const;
  // How many classes there are, without the null label. Not set: it is unconditional, or takes any
  // number, or vectors.
  std::optional<int64_t> num_classes() const;
  // Whether classes are rows of a learned table: 0 to num_classes() - 1.
  bool has_class_table() const;
  // The label that means no class. Set where the network was trained with it.
  std::optional<int64_t> null_class() const;
  // Conditioned on vectors of that length in place of labels.
  std::optional<int64_t> condition_size() const;
};

// The first thing that is impossible, by its path under "model": "unet.norm_num_groups".
std::optional<ConfigProblem> FindProblem(const ModelConfig& config);

// Reads the text of a config.json of any of the classes, by its "_class_name"; without one, a
// UNet2DModel. `label_dropout` is what the model was trained with, where that is known: config.json
// does not say, and counts the null label of a UNet2DModel as one of its classes. Nor does it say
// whether a network with more channels at its input is self-conditioned. InvalidArgument as
// UNetConfigFromJson.
absl::StatusOr<ModelConfig> ModelConfigFromJson(std::string_view json, std::string_view file,
                                                std::optional<double> label_dropout,
                                                bool self_conditioning = false);

// The text of its config.json.
std::string ModelConfigToJson(const ModelConfig& config);

}  // namespace langevin::configs

#endif  // LANGEVIN_CONFIGS_MODEL_CONFIG_H_
