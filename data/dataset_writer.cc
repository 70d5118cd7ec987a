#include "data/dataset_writer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"

namespace langevin::data {

DatasetWriter::DatasetWriter(FileSystem& file_system, std::string folder, const ShardSpec& spec,
                             std::vector<std::string> class_names, int64_t shard_bytes)
    : file_system_(file_system),
      folder_(std::move(folder)),
      spec_(spec),
      shard_bytes_(shard_bytes),
      splits_{SplitState(spec), SplitState(spec)} {
  splits_[0].entry.split = Split::kTrain;
  splits_[1].entry.split = Split::kValidation;
  manifest_.shape = spec.shape;
  manifest_.dtype = spec.dtype;
  manifest_.intensity_map = spec.intensity_map;
  manifest_.has_labels = spec.has_labels;
  manifest_.num_classes = static_cast<int64_t>(class_names.size());
  manifest_.class_names = std::move(class_names);
  manifest_.has_groups = spec.has_groups;
  manifest_.condition_size = spec.condition_size;
}

absl::Status DatasetWriter::Add(Split split, const ShardSample& sample) {
  SplitState& state = splits_[split == Split::kTrain ? 0 : 1];
  if (state.writer.count() > 0 && state.writer.bytes() + spec_.image_bytes() > shard_bytes_) {
    LANGEVIN_RETURN_IF_ERROR(WriteShard(state));
  }
  state.writer.Add(sample);
  state.digest.Add(state.writer.last_crc(), spec_.has_labels ? sample.label : -1,
                   state.writer.last_extras_crc());
  ++state.entry.count;
  if (spec_.has_labels) manifest_.num_classes = std::max(manifest_.num_classes, sample.label + 1);
  manifest_.has_masks =
      manifest_.has_masks ||
      std::any_of(sample.mask.begin(), sample.mask.end(), [](uint8_t value) { return value != 1; });
  return absl::OkStatus();
}

absl::Status DatasetWriter::WriteShard(SplitState& state) {
  const std::string name =
      absl::StrFormat("%s-%05d.h5", NameOfSplit(state.entry.split), state.entry.shards.size());
  LANGEVIN_ASSIGN_OR_RETURN(ShardEntry entry,
                            state.writer.Write(file_system_, JoinPath(folder_, name)));
  state.entry.shards.push_back(std::move(entry));
  return absl::OkStatus();
}

absl::Status DatasetWriter::NumberShards(SplitState& state) {
  std::vector<ShardEntry>& shards = state.entry.shards;
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string name = ShardFileName(state.entry.split, static_cast<int64_t>(i),
                                           static_cast<int64_t>(shards.size()));
    LANGEVIN_RETURN_IF_ERROR(
        file_system_.Rename(JoinPath(folder_, shards[i].file), JoinPath(folder_, name)));
    shards[i].file = name;
  }
  return absl::OkStatus();
}

absl::StatusOr<Manifest> DatasetWriter::Finish(int64_t rejected, const std::string& inputs_digest) {
  for (SplitState& state : splits_) {
    if (state.writer.count() > 0) LANGEVIN_RETURN_IF_ERROR(WriteShard(state));
    LANGEVIN_RETURN_IF_ERROR(NumberShards(state));
    if (state.entry.count == 0) continue;
    state.entry.digest = state.digest.Hex();
    manifest_.splits.push_back(state.entry);
  }
  manifest_.rejected = rejected;
  manifest_.inputs_digest = inputs_digest;
  manifest_.fingerprint = Fingerprint(manifest_);
  LANGEVIN_RETURN_IF_ERROR(
      file_system_.WriteFileDurably(JoinPath(folder_, kManifestName), ManifestToText(manifest_)));
  return manifest_;  // WriteFileDurably has synced the folder, and so the shards' names.
}

}  // namespace langevin::data
