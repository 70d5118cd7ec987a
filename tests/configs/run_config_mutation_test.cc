// Configs with random damage: the loader must refuse or accept them, and never do anything else.
#include <string>
#include <vector>

#include "configs/run_config.h"
#include "core/base/philox.h"
#include "gtest/gtest.h"
#include "tests/configs/test_configs.h"

namespace langevin::configs {
namespace {

// One to four edits: a byte replaced by any other or by one that means something, bytes removed, or
// a stretch of the text doubled.
std::string Damaged(std::string text, uint64_t seed) {
  const RandomStream random(seed, /*position=*/0, RandomPurpose::kAugmentation);
  uint32_t draw = 0;
  const auto below = [&](size_t bound) {
    return random.UniformInt(draw++, static_cast<uint32_t>(bound));
  };
  constexpr std::string_view kMeaningful = "{}[]<>:,;\"'#-.0e\n\\";
  for (uint32_t edits = 1 + below(4); edits > 0 && !text.empty(); --edits) {
    const size_t place = below(text.size());
    switch (below(4)) {
      case 0:
        text[place] = static_cast<char>(below(256));
        break;
      case 1:
        text[place] = kMeaningful[below(kMeaningful.size())];
        break;
      case 2:
        text.erase(place, 1 + below(8));
        break;
      default:
        text.insert(below(text.size()), text.substr(place, 1 + below(40)));
    }
  }
  return text;
}

TEST(RunConfigMutationTest, DamagedTextIsRefusedInOneLineOrAccepted) {
  for (const char* const preset : kPresets) {
    const absl::StatusOr<std::string> text = PosixFileSystem().ReadFile(PresetPath(preset));
    ASSERT_TRUE(text.ok()) << text.status();
    int refused = 0;
    for (uint64_t seed = 0; seed < 2000; ++seed) {
      const std::string damaged = Damaged(*text, seed);
      const absl::StatusOr<RunConfig> config = ParseRunConfig(damaged, "damaged", {});
      if (config.ok()) {
        // What was accepted is valid: it survives its own text.
        ASSERT_TRUE(ParseRunConfig(ToText(*config), "text", {}).ok()) << damaged;
        continue;
      }
      ++refused;
      const std::string message(config.status().message());
      ASSERT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument) << message;
      ASSERT_EQ(message.rfind("damaged:", 0), size_t{0}) << message;
      ASSERT_EQ(message.find('\n'), std::string::npos) << message;
      ASSERT_LT(message.size(), size_t{1200}) << message;
    }
    // Much of a preset is comments, where damage does no harm.
    EXPECT_GT(refused, 600) << preset;
  }
}

TEST(RunConfigMutationTest, DamagedJsonIsRefusedInOneLineOrAccepted) {
  const std::string json = UNetConfigToJson(SmallUNet());
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    const absl::StatusOr<UNetConfig> config = UNetConfigFromJson(Damaged(json, seed), "damaged");
    if (config.ok()) {
      ASSERT_FALSE(FindProblem(*config).has_value());
      continue;
    }
    const std::string message(config.status().message());
    ASSERT_EQ(message.rfind("damaged:", 0), size_t{0}) << message;
    ASSERT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

TEST(RunConfigMutationTest, DamagedOverridesAreRefusedOrAccepted) {
  const std::vector<std::string> overrides = {
      "model.unet.block_out_channels=[64,128]", "train.microbatch=16", "train.precision=BF16",
      "model.unet.down_block_types=[DownBlock2D, 'AttnDownBlock2D']"};
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    const std::string damaged = Damaged(overrides[seed % overrides.size()], seed);
    const absl::StatusOr<RunConfig> config = ParseRunConfig(kMinimalText, "minimal", {damaged});
    if (config.ok()) continue;
    const std::string message(config.status().message());
    ASSERT_EQ(message.find('\n'), std::string::npos) << message;
    ASSERT_TRUE(message.starts_with("--set ") || message.starts_with("minimal:")) << message;
  }
}

}  // namespace
}  // namespace langevin::configs
