#include "configs/unet_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "configs/config_message.h"

namespace langevin::configs {
namespace {

using Problem = std::optional<UNetConfigProblem>;

// Bounds that no real model comes near. They keep the sizes computed from a hostile config within
// 64 bits and refuse it before anything is allocated.
constexpr int64_t kMostChannels = 65536;
constexpr int64_t kLongestSide = 65536;
constexpr int64_t kMostBlocks = 16;
constexpr int64_t kMostLayers = 64;
constexpr int64_t kMostClasses = 10'000'000;
constexpr int64_t kMostTimesteps = 1'000'000;

constexpr std::array<const char*, 5> kDownBlocks = {"DownBlock2D", "AttnDownBlock2D",
                                                    "ResnetDownsampleBlock2D", "SkipDownBlock2D",
                                                    "AttnSkipDownBlock2D"};
constexpr std::array<const char*, 5> kUpBlocks = {
    "UpBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D", "SkipUpBlock2D", "AttnSkipUpBlock2D"};
constexpr std::array<const char*, 1> kMidBlocks = {"UNetMidBlock2D"};
constexpr std::array<const char*, 3> kTimeEmbeddings = {"positional", "fourier", "learned"};
constexpr std::array<const char*, 2> kSamplings = {"conv", "resnet"};
constexpr std::array<const char*, 5> kActivations = {"silu", "swish", "mish", "gelu", "relu"};
constexpr std::array<const char*, 2> kScaleShifts = {"default", "scale_shift"};
constexpr std::array<const char*, 2> kClassEmbeddings = {"timestep", "identity"};

std::string Quoted(std::string_view text) { return absl::StrCat("\"", Shown(text), "\""); }

std::string List(const std::vector<int64_t>& values) {
  return absl::StrCat("[", absl::StrJoin(values, ", "), "]");
}

Problem InRange(std::string field, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return std::nullopt;
  return UNetConfigProblem{std::move(field),
                           absl::StrFormat("value %d: must be from %d to %d", value, least, most)};
}

Problem InRange(std::string field, const std::optional<int64_t>& value, int64_t most) {
  return value.has_value() ? InRange(std::move(field), *value, 1, most) : std::nullopt;
}

Problem OneOf(std::string field, std::string_view value, std::span<const char* const> allowed,
              std::string_view or_null = "") {
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return std::nullopt;
  return UNetConfigProblem{
      std::move(field),
      absl::StrFormat("value %s: must be %s%s%s", Quoted(value),
                      allowed.size() > 1 ? "one of " : "", absl::StrJoin(allowed, ", "), or_null)};
}

Problem Positive(std::string field, double value) {
  if (std::isfinite(value) && value > 0) return std::nullopt;
  return UNetConfigProblem{std::move(field),
                           absl::StrFormat("value %g: must be a finite number above 0", value)};
}

Problem FindProblemInRanges(const UNetConfig& config) {
  if (config.sample_size.size() > 2) {
    return UNetConfigProblem{"sample_size",
                             absl::StrFormat("has %d numbers: must be one, or height and width",
                                             config.sample_size.size())};
  }
  for (const int64_t side : config.sample_size) {
    if (Problem problem = InRange("sample_size", side, 1, kLongestSide)) return problem;
  }
  for (const int64_t channels : config.block_out_channels) {
    if (Problem problem = InRange("block_out_channels", channels, 1, kMostChannels)) return problem;
  }
  for (Problem problem :
       {InRange("in_channels", config.in_channels, 1, kMostChannels),
        InRange("out_channels", config.out_channels, 1, kMostChannels),
        InRange("time_embedding_dim", config.time_embedding_dim, 4 * kMostChannels),
        InRange("freq_shift", config.freq_shift, -kMostChannels, kMostChannels),
        InRange("layers_per_block", config.layers_per_block, 1, kMostLayers),
        Positive("mid_block_scale_factor", config.mid_block_scale_factor),
        // More padding makes the way down longer than the way up can undo.
        InRange("downsample_padding", config.downsample_padding, 0, 1),
        InRange("attention_head_dim", config.attention_head_dim, kMostChannels),
        InRange("norm_num_groups", config.norm_num_groups, kMostChannels),
        InRange("attn_norm_num_groups", config.attn_norm_num_groups, kMostChannels),
        Positive("norm_eps", config.norm_eps),
        InRange("num_class_embeds", config.num_class_embeds, kMostClasses),
        InRange("num_train_timesteps", config.num_train_timesteps, kMostTimesteps)}) {
    if (problem.has_value()) return problem;
  }
  if (!(config.dropout >= 0 && config.dropout < 1)) {
    return UNetConfigProblem{
        "dropout", absl::StrFormat("value %g: must be at least 0 and below 1", config.dropout)};
  }
  return std::nullopt;
}

Problem FindProblemInNames(const UNetConfig& config) {
  for (const std::string& type : config.down_block_types) {
    if (Problem problem = OneOf("down_block_types", type, kDownBlocks)) return problem;
  }
  for (const std::string& type : config.up_block_types) {
    if (Problem problem = OneOf("up_block_types", type, kUpBlocks)) return problem;
  }
  if (config.mid_block_type.has_value()) {
    if (Problem problem = OneOf("mid_block_type", *config.mid_block_type, kMidBlocks, " or null")) {
      return problem;
    }
  }
  if (config.class_embed_type.has_value()) {
    if (Problem problem =
            OneOf("class_embed_type", *config.class_embed_type, kClassEmbeddings, " or null")) {
      return problem;
    }
  }
  for (Problem problem :
       {OneOf("time_embedding_type", config.time_embedding_type, kTimeEmbeddings),
        OneOf("downsample_type", config.downsample_type, kSamplings),
        OneOf("upsample_type", config.upsample_type, kSamplings),
        OneOf("act_fn", config.act_fn, kActivations),
        OneOf("resnet_time_scale_shift", config.resnet_time_scale_shift, kScaleShifts)}) {
    if (problem.has_value()) return problem;
  }
  return std::nullopt;
}

Problem FindProblemInBlocks(const UNetConfig& config) {
  const auto blocks = static_cast<int64_t>(config.block_out_channels.size());
  if (blocks < 1 || blocks > kMostBlocks) {
    return UNetConfigProblem{
        "block_out_channels",
        absl::StrFormat("has %d numbers: must have one for each block, from 1 to %d", blocks,
                        kMostBlocks)};
  }
  for (const auto& [field, types] : {std::pair("down_block_types", &config.down_block_types),
                                     std::pair("up_block_types", &config.up_block_types)}) {
    if (static_cast<int64_t>(types->size()) != blocks) {
      return UNetConfigProblem{
          field,
          absl::StrFormat("has %d names: must have %d, one for each of block_out_channels %s",
                          types->size(), blocks, List(config.block_out_channels))};
    }
  }
  const int64_t step = int64_t{1} << (blocks - 1);
  for (const int64_t side : config.sample_size) {
    if (side % step != 0) {
      return UNetConfigProblem{
          "sample_size",
          absl::StrFormat("value %d: must be a multiple of %d, because %d blocks halve it %d times",
                          side, step, blocks, blocks - 1)};
    }
  }
  return std::nullopt;
}

// Where norms have norm_num_groups groups: at the end, in the middle, and in all blocks but
// NCSN++'s. They see channels of a block and, where skip connections come in, sums with those of
// the blocks beside it: if the groups divide each, they divide the sums.
std::vector<int64_t> ChannelsInCommonNorms(const UNetConfig& config) {
  const std::vector<int64_t>& channels = config.block_out_channels;
  const size_t last = channels.size() - 1;
  std::vector<int64_t> found = {channels.front()};
  for (size_t i = 0; i <= last; ++i) {
    if (!IsSkipBlock(config.down_block_types[i])) {
      found.insert(found.end(), {channels[i == 0 ? 0 : i - 1], channels[i]});
    }
    if (!IsSkipBlock(config.up_block_types[last - i])) {
      found.insert(found.end(),
                   {channels[i == 0 ? 0 : i - 1], channels[i], channels[std::min(i + 1, last)]});
    }
  }
  if (config.mid_block_type.has_value()) found.push_back(channels.back());
  return found;
}

Problem FindProblemInNorms(const UNetConfig& config) {
  for (const int64_t channels : ChannelsInCommonNorms(config)) {
    const int64_t groups = config.norm_num_groups.value_or(SkipBlockGroups(channels));
    if (groups > 0 && channels % groups == 0) continue;
    return UNetConfigProblem{
        "norm_num_groups",
        config.norm_num_groups.has_value()
            ? absl::StrFormat(
                  "value %d: must divide each of block_out_channels, and does not divide %d",
                  groups, channels)
            : absl::StrFormat("is null, which means %d groups for %d channels: must divide them",
                              groups, channels)};
  }
  const int64_t middle = config.block_out_channels.back();
  const bool middle_attends = config.mid_block_type.has_value() && config.add_attention;
  if (config.attn_norm_num_groups.has_value() && middle_attends &&
      middle % *config.attn_norm_num_groups != 0) {
    return UNetConfigProblem{
        "attn_norm_num_groups",
        absl::StrFormat("value %d: must divide the last of block_out_channels, which is %d",
                        *config.attn_norm_num_groups, middle)};
  }
  return std::nullopt;
}

// The number of heads is channels / attention_head_dim rounded down, as in diffusers: what does not
// divide gives narrower heads' worth of channels, but there must be a head.
Problem FindProblemInAttention(const UNetConfig& config) {
  if (!config.attention_head_dim.has_value()) return std::nullopt;
  const auto check = [&](int64_t channels) -> Problem {
    if (*config.attention_head_dim <= channels) return std::nullopt;
    return UNetConfigProblem{
        "attention_head_dim",
        absl::StrFormat("value %d: must be at most the channels of each block with attention, and "
                        "one has %d",
                        *config.attention_head_dim, channels)};
  };
  const std::vector<int64_t>& channels = config.block_out_channels;
  for (size_t i = 0; i < channels.size(); ++i) {
    const bool attends = absl::StartsWith(config.down_block_types[i], "Attn") ||
                         absl::StartsWith(config.up_block_types[channels.size() - 1 - i], "Attn");
    if (!attends) continue;
    if (Problem problem = check(channels[i])) return problem;
  }
  if (config.mid_block_type.has_value() && config.add_attention) return check(channels.back());
  return std::nullopt;
}

Problem FindProblemInTimeEmbedding(const UNetConfig& config) {
  if (config.time_embedding_type == "learned" && !config.num_train_timesteps.has_value()) {
    return UNetConfigProblem{
        "num_train_timesteps",
        "is null: time_embedding_type \"learned\" needs it for the size of its table"};
  }
  // The frequencies are exp(-log(10000) i / (half - freq_shift)).
  const int64_t half = config.block_out_channels.front() / 2;
  if (config.time_embedding_type == "positional" && half > 0 && config.freq_shift >= half) {
    return UNetConfigProblem{
        "freq_shift",
        absl::StrFormat("value %d: must be below half of the first of block_out_channels, which "
                        "is %d",
                        config.freq_shift, config.block_out_channels.front())};
  }
  return std::nullopt;
}

// The image travels through NCSN++'s blocks alone: halved by each that halves the features, from
// the input on, and doubled by each that doubles them, up to the output.
Problem FindProblemInSkipOrder(const UNetConfig& config) {
  const size_t blocks = config.block_out_channels.size();
  bool halves = false, doubles = false;
  for (size_t i = 0; i + 1 < blocks; ++i) {
    const std::string& down = config.down_block_types[i];
    if (IsSkipBlock(down) && i > 0 && !IsSkipBlock(config.down_block_types[i - 1])) {
      return UNetConfigProblem{
          "down_block_types",
          absl::StrFormat("value %s after %s: blocks named Skip must come first, because the image "
                          "they look at is halved by such blocks alone",
                          Quoted(down), Quoted(config.down_block_types[i - 1]))};
    }
    const std::string& up = config.up_block_types[i];
    if (IsSkipBlock(up) && !IsSkipBlock(config.up_block_types[i + 1])) {
      return UNetConfigProblem{
          "up_block_types",
          absl::StrFormat("value %s after %s: blocks named Skip must come last, because the image "
                          "they add to is doubled by such blocks alone",
                          Quoted(config.up_block_types[i + 1]), Quoted(up))};
    }
    halves = halves || IsSkipBlock(down);
    doubles = doubles || IsSkipBlock(up);
  }
  for (const auto& [there, field, value] :
       {std::tuple(halves, "in_channels", config.in_channels),
        std::tuple(doubles, "out_channels", config.out_channels)}) {
    if (there && value != kSkipBlockImageChannels) {
      return UNetConfigProblem{
          field, absl::StrFormat("value %d: must be %d: blocks named Skip know colour images only",
                                 value, kSkipBlockImageChannels)};
    }
  }
  return std::nullopt;
}

Problem GroupsDivide(std::string_view type, int64_t channels, int64_t groups) {
  if (groups > 0 && channels % groups == 0) return std::nullopt;
  return UNetConfigProblem{
      "block_out_channels",
      absl::StrFormat("a norm of %s over %d channels would have %d groups, which must divide them; "
                      "multiples of 32 are always possible",
                      type, channels, groups)};
}

Problem FindProblemInSkipBlocks(const UNetConfig& config) {
  for (const auto* types : {&config.down_block_types, &config.up_block_types}) {
    const auto other = std::find_if_not(types->begin(), types->end(), IsSkipBlock);
    if (!config.norm_num_groups.has_value() && other != types->end()) {
      return UNetConfigProblem{
          "norm_num_groups",
          absl::StrFormat("is null: must be a number, because %s needs it", *other)};
    }
  }
  if (Problem problem = FindProblemInSkipOrder(config)) return problem;
  const std::vector<int64_t>& channels = config.block_out_channels;
  const size_t last = channels.size() - 1;
  for (size_t i = 0; i <= last; ++i) {
    const int64_t outer = channels[i == 0 ? 0 : i - 1];
    const int64_t inner = channels[std::min(i + 1, last)];
    const std::string& down = config.down_block_types[i];
    const std::string& up = config.up_block_types[last - i];
    for (const std::string& type : {down, up}) {
      if (!IsSkipBlock(type)) continue;
      const bool attends = absl::StartsWith(type, "Attn");
      Problem problem = GroupsDivide(type, channels[i], SkipBlockGroups(channels[i]));
      if (!problem && attends) problem = GroupsDivide(type, channels[i], kSkipAttentionGroups);
      if (problem.has_value()) return problem;
    }
    if (IsSkipBlock(down)) {
      if (Problem problem = GroupsDivide(down, outer, SkipBlockGroups(outer))) return problem;
    }
    if (!IsSkipBlock(up)) continue;
    const int64_t layers = config.layers_per_block + 1;
    for (int64_t layer = 0; layer < layers; ++layer) {
      const int64_t hidden = layer == 0 ? inner : channels[i];
      const int64_t skip = layer == layers - 1 ? outer : channels[i];
      const int64_t groups = SkipUpBlockGroups(absl::StartsWith(up, "Attn"), hidden, skip);
      if (Problem problem = GroupsDivide(up, hidden + skip, groups)) return problem;
    }
  }
  return std::nullopt;
}

}  // namespace

bool IsSkipBlock(std::string_view type) { return type.find("Skip") != std::string_view::npos; }

std::optional<UNetConfigProblem> FindProblem(const UNetConfig& config) {
  // In this order: later checks rely on what earlier ones made sure of.
  for (const auto find :
       {FindProblemInRanges, FindProblemInNames, FindProblemInBlocks, FindProblemInSkipBlocks,
        FindProblemInNorms, FindProblemInAttention, FindProblemInTimeEmbedding}) {
    if (Problem problem = find(config)) return problem;
  }
  return std::nullopt;
}

}  // namespace langevin::configs
