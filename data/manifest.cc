#include "data/manifest.h"

#include <bit>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "data/manifest.pb.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/text_format.h"

namespace langevin::data {
namespace {

// A manifest holds a few lines a shard and one a class.
constexpr uint64_t kMaxManifestBytes = uint64_t{64} << 20;
// Per side, channels included: what keeps products of three far from overflow.
constexpr int64_t kMaxSide = int64_t{1} << 20;
constexpr int64_t kMaxImageBytes = int64_t{1} << 32;
constexpr int64_t kMaxConditionSize = int64_t{1} << 28;

constexpr std::string_view kWhatToDo = "restore the file, or make the data set again";

// Keeps the first error, with its line.
class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int /*column*/, const std::string& message) override {
    if (message_.empty()) message_ = absl::StrCat("line ", line + 1, ": ", message);
  }
  const std::string& message() const { return message_; }

 private:
  std::string message_;
};

std::optional<DType> DTypeFromNumpyName(std::string_view name) {
  for (const DType dtype : {DType::kUint8, DType::kUint16, DType::kFloat32}) {
    if (name == NumpyName(dtype)) return dtype;
  }
  return std::nullopt;
}

std::optional<Split> SplitFromName(std::string_view name) {
  for (const Split split : {Split::kTrain, Split::kValidation}) {
    if (name == NameOfSplit(split)) return split;
  }
  return std::nullopt;
}

bool IsPlainFileName(const std::string& name) {
  return !name.empty() && name.front() != '.' && name.find('/') == std::string::npos;
}

// What is wrong with `manifest`, or nothing.
std::string FindProblem(const Manifest& manifest) {
  const ImageShape& shape = manifest.shape;
  for (const int64_t side : {shape.height, shape.width, shape.channels}) {
    if (side < 1 || side > kMaxSide) {
      return absl::StrFormat("shape is %d x %d x %d; each must be at least 1", shape.height,
                             shape.width, shape.channels);
    }
  }
  if (shape.values() > kMaxImageBytes / static_cast<int64_t>(SizeOf(manifest.dtype))) {
    return "an image would have more than 4 GiB";
  }
  const IntensityMap& map = manifest.intensity_map;
  if (!std::isfinite(map.scale) || !std::isfinite(map.offset) || map.scale == 0) {
    return absl::StrFormat("intensity_map is %g, %g; it must be finite and its scale not zero",
                           map.scale, map.offset);
  }
  if (std::isnan(map.clip_low) || !(map.clip_high > map.clip_low)) {
    return absl::StrFormat("intensity_map clips to %g .. %g, which is no range", map.clip_low,
                           map.clip_high);
  }
  if (!std::isfinite(manifest.physical.scale) || !std::isfinite(manifest.physical.offset) ||
      manifest.physical.scale == 0) {
    return absl::StrFormat("physical is %g, %g; it must be finite and its scale not zero",
                           manifest.physical.scale, manifest.physical.offset);
  }
  if (manifest.version < 1 || (manifest.version > 1) != !manifest.parent.empty()) {
    return absl::StrFormat("version is %d while parent is \"%s\"", manifest.version,
                           manifest.parent);
  }
  if (manifest.has_labels != (manifest.num_classes > 0)) {
    return absl::StrFormat("num_classes is %d while has_labels says otherwise",
                           manifest.num_classes);
  }
  if (manifest.condition_size < 0 || manifest.condition_size > kMaxConditionSize) {
    return absl::StrFormat("condition_size is %d", manifest.condition_size);
  }
  if (manifest.splits.empty()) return "it has no split";
  for (const SplitEntry& split : manifest.splits) {
    int64_t count = 0;
    for (const ShardEntry& shard : split.shards) {
      if (!IsPlainFileName(shard.file)) {
        return absl::StrFormat("\"%s\" is no name of a file in this folder", shard.file);
      }
      if (shard.count < 1 || shard.count > (int64_t{1} << 48)) {
        return absl::StrFormat("%s has the count %d", shard.file, shard.count);
      }
      count += shard.count;
    }
    if (count != split.count || count == 0) {
      return absl::StrFormat("split %s says %d images, its shards %d", NameOfSplit(split.split),
                             split.count, count);
    }
    if (manifest.FindSplit(split.split) != &split) {
      return absl::StrFormat("split %s is there twice", NameOfSplit(split.split));
    }
  }
  if (Fingerprint(manifest) != manifest.fingerprint) {
    return absl::StrFormat("its fields do not have the fingerprint %s that it names",
                           manifest.fingerprint);
  }
  return "";
}

}  // namespace

const SplitEntry* Manifest::FindSplit(Split split) const {
  for (const SplitEntry& entry : splits) {
    if (entry.split == split) return &entry;
  }
  return nullptr;
}

std::string_view NameOfSplit(Split split) {
  return split == Split::kTrain ? "train" : "validation";
}

std::string_view NumpyName(DType dtype) {
  switch (dtype) {
    case DType::kUint8:
      return "uint8";
    case DType::kUint16:
      return "uint16";
    case DType::kFloat32:
      return "float32";
    default:
      return "unsupported";
  }
}

std::string Describe(const ImageShape& shape, DType dtype) {
  return absl::StrFormat("%d x %d x %d %s", shape.height, shape.width, shape.channels,
                         NumpyName(dtype));
}

std::string ShardFileName(Split split, int64_t index, int64_t count) {
  return absl::StrFormat("%s-%05d-of-%05d.h5", NameOfSplit(split), index, count);
}

std::string Fingerprint(const Manifest& manifest) {
  Digest digest;
  digest.UpdateString("langevin data set 1");
  digest.UpdateInteger(static_cast<uint64_t>(manifest.shape.height));
  digest.UpdateInteger(static_cast<uint64_t>(manifest.shape.width));
  digest.UpdateInteger(static_cast<uint64_t>(manifest.shape.channels));
  digest.UpdateString(NumpyName(manifest.dtype));
  digest.UpdateInteger(std::bit_cast<uint64_t>(manifest.intensity_map.scale));
  digest.UpdateInteger(std::bit_cast<uint64_t>(manifest.intensity_map.offset));
  // What came later counts where it is used, so that older fingerprints stay.
  const IntensityMap& map = manifest.intensity_map;
  if (std::isfinite(map.clip_low) || std::isfinite(map.clip_high)) {
    digest.UpdateString("clip");
    digest.UpdateInteger(std::bit_cast<uint64_t>(map.clip_low));
    digest.UpdateInteger(std::bit_cast<uint64_t>(map.clip_high));
  }
  if (manifest.physical != PhysicalUnits{}) {
    digest.UpdateString("physical");
    digest.UpdateInteger(std::bit_cast<uint64_t>(manifest.physical.scale));
    digest.UpdateInteger(std::bit_cast<uint64_t>(manifest.physical.offset));
    digest.UpdateString(manifest.physical.unit);
  }
  digest.UpdateInteger(manifest.has_labels ? 1 : 0);
  digest.UpdateInteger(static_cast<uint64_t>(manifest.num_classes));
  digest.UpdateInteger(manifest.class_names.size());
  for (const std::string& name : manifest.class_names) digest.UpdateString(name);
  // Only what there is counts, so that data sets of version 1 keep their names.
  if (manifest.has_masks) digest.UpdateString("masks");
  if (manifest.has_groups) digest.UpdateString("groups");
  if (manifest.condition_size > 0) {
    digest.UpdateString("conditions");
    digest.UpdateInteger(static_cast<uint64_t>(manifest.condition_size));
  }
  for (const SplitEntry& split : manifest.splits) {
    digest.UpdateString(NameOfSplit(split.split));
    digest.UpdateInteger(static_cast<uint64_t>(split.count));
    digest.UpdateString(split.digest);
  }
  return digest.Hex();
}

std::string ManifestToText(const Manifest& manifest) {
  proto::DataManifest message;
  message.set_format_version(kFormatVersion);
  message.set_fingerprint(manifest.fingerprint);
  message.mutable_shape()->set_height(manifest.shape.height);
  message.mutable_shape()->set_width(manifest.shape.width);
  message.mutable_shape()->set_channels(manifest.shape.channels);
  message.set_dtype(std::string(NumpyName(manifest.dtype)));
  message.mutable_intensity_map()->set_scale(manifest.intensity_map.scale);
  message.mutable_intensity_map()->set_offset(manifest.intensity_map.offset);
  if (std::isfinite(manifest.intensity_map.clip_low)) {
    message.mutable_intensity_map()->set_clip_low(manifest.intensity_map.clip_low);
  }
  if (std::isfinite(manifest.intensity_map.clip_high)) {
    message.mutable_intensity_map()->set_clip_high(manifest.intensity_map.clip_high);
  }
  if (manifest.physical != PhysicalUnits{}) {
    message.mutable_physical()->set_scale(manifest.physical.scale);
    message.mutable_physical()->set_offset(manifest.physical.offset);
    message.mutable_physical()->set_unit(manifest.physical.unit);
  }
  if (manifest.version > 1) {
    message.set_version(manifest.version);
    message.set_parent(manifest.parent);
  }
  message.set_has_labels(manifest.has_labels);
  message.set_num_classes(manifest.num_classes);
  for (const std::string& name : manifest.class_names) message.add_class_name(name);
  for (const SplitEntry& split : manifest.splits) {
    proto::DataManifest::Split& entry = *message.add_split();
    entry.set_name(std::string(NameOfSplit(split.split)));
    entry.set_count(split.count);
    entry.set_digest(split.digest);
    for (const ShardEntry& shard : split.shards) {
      proto::DataManifest::Shard& shard_entry = *entry.add_shard();
      shard_entry.set_file(shard.file);
      shard_entry.set_count(shard.count);
      shard_entry.set_digest(shard.digest);
    }
  }
  if (manifest.has_masks) message.set_has_masks(true);
  if (manifest.has_groups) message.set_has_groups(true);
  if (manifest.condition_size > 0) message.set_condition_size(manifest.condition_size);
  message.set_rejected(manifest.rejected);
  message.set_inputs_digest(manifest.inputs_digest);
  google::protobuf::TextFormat::Printer printer;
  printer.SetUseUtf8StringEscaping(true);
  std::string text;
  printer.PrintToString(message, &text);
  return text;
}

absl::StatusOr<Manifest> ReadManifest(FileSystem& file_system, const std::string& folder) {
  const std::string path = JoinPath(folder, kManifestName);
  const absl::StatusOr<std::string> text = file_system.ReadFile(path, kMaxManifestBytes);
  if (absl::IsNotFound(text.status())) {
    return absl::NotFoundError(absl::StrCat(folder, ": is no data set (it has no ",
                                            std::string(kManifestName),
                                            "); make one with \"langevin prepare\""));
  }
  const auto damaged = [&path](std::string_view problem) {
    return absl::DataLossError(
        absl::StrFormat("%s: is not a usable manifest: %s; %s", path, problem, kWhatToDo));
  };
  if (absl::IsInvalidArgument(text.status())) return damaged(std::string(text.status().message()));
  if (!text.ok()) return text.status();

  proto::DataManifest message;
  FirstError error;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  parser.SetRecursionLimit(8);
  if (!parser.ParseFromString(*text, &message)) return damaged(error.message());
  if (message.format_version() < kOldestFormatVersion ||
      message.format_version() > kFormatVersion) {
    return damaged(absl::StrFormat("format_version is %d, this program reads %d to %d",
                                   message.format_version(), kOldestFormatVersion, kFormatVersion));
  }

  Manifest manifest;
  manifest.fingerprint = message.fingerprint();
  manifest.shape = {.height = message.shape().height(),
                    .width = message.shape().width(),
                    .channels = message.shape().channels()};
  const std::optional<DType> dtype = DTypeFromNumpyName(message.dtype());
  if (!dtype.has_value()) {
    return damaged(absl::StrFormat("dtype is \"%s\"; uint8, uint16 and float32 are possible",
                                   message.dtype()));
  }
  manifest.dtype = *dtype;
  manifest.intensity_map = {.scale = message.intensity_map().scale(),
                            .offset = message.intensity_map().offset()};
  if (message.intensity_map().has_clip_low()) {
    manifest.intensity_map.clip_low = message.intensity_map().clip_low();
  }
  if (message.intensity_map().has_clip_high()) {
    manifest.intensity_map.clip_high = message.intensity_map().clip_high();
  }
  if (message.has_physical()) {
    manifest.physical = {.scale = message.physical().scale(),
                         .offset = message.physical().offset(),
                         .unit = message.physical().unit()};
  }
  manifest.version = message.version();
  manifest.parent = message.parent();
  manifest.has_labels = message.has_labels();
  manifest.num_classes = message.num_classes();
  manifest.class_names.assign(message.class_name().begin(), message.class_name().end());
  manifest.has_masks = message.has_masks();
  manifest.has_groups = message.has_groups();
  manifest.condition_size = message.condition_size();
  manifest.rejected = message.rejected();
  manifest.inputs_digest = message.inputs_digest();
  for (const proto::DataManifest::Split& entry : message.split()) {
    const std::optional<Split> split = SplitFromName(entry.name());
    if (!split.has_value()) {
      return damaged(absl::StrFormat("split \"%s\" is neither train nor validation", entry.name()));
    }
    SplitEntry& added = manifest.splits.emplace_back();
    added.split = *split;
    added.count = entry.count();
    added.digest = entry.digest();
    for (const proto::DataManifest::Shard& shard : entry.shard()) {
      added.shards.push_back(
          {.file = shard.file(), .count = shard.count(), .digest = shard.digest()});
    }
  }
  if (const std::string problem = FindProblem(manifest); !problem.empty()) return damaged(problem);
  return manifest;
}

}  // namespace langevin::data
