#include "tests/core/checkpoint/test_state.h"

#include "absl/strings/str_cat.h"
#include "core/base/philox.h"
#include "core/base/safetensors.h"
#include "core/base/status_macros.h"
#include "tests/testing/lockstep_group.h"

namespace langevin::checkpoint {

TestState::TestState(int64_t images_seen) {
  metadata_.images_seen = images_seen;
  metadata_.config = absl::StrCat("seed: ", images_seen, "\n");
  metadata_.data_fingerprint = "0123456789abcdef";
  metadata_.software = "langevin test";
  metadata_.world_size = 2;
  metadata_.facts = {{"classes", "10"}, {"intensity", "[0, 255]"}};
  tensors_ = {
      {"weights.conv_in.weight", DType::kFloat32, {5, 3, 3, 3}, {}},
      {"weights.conv_in.bias", DType::kFloat32, {5}, {}},
      {"optimizer.step", DType::kInt64, {}, {}},
      {"weights.odd", DType::kUint8, {7}, {}},
      {"weights.half", DType::kBFloat16, {3, 1}, {}},
      {"weights.none", DType::kFloat32, {0, 4}, {}},
      {"ema.0.conv_in.weight", DType::kFloat64, {5, 3, 3, 3}, {}},
  };
  for (size_t i = 0; i < tensors_.size(); ++i) {
    const RandomStream random(i, static_cast<uint64_t>(images_seen), RandomPurpose::kTrainingNoise);
    std::string bytes(*ByteSizeOf(tensors_[i].dtype, tensors_[i].shape), '\0');
    for (size_t j = 0; j < bytes.size(); ++j) {
      bytes[j] = static_cast<char>(random.Word(static_cast<uint32_t>(j)));
    }
    bytes_.push_back(std::move(bytes));
  }
  for (size_t i = 0; i < tensors_.size(); ++i) {
    tensors_[i].bytes = std::as_bytes(std::span(bytes_[i]));
  }
}

std::vector<absl::Status> SaveWithRanks(FileSystem& file_system, int ranks,
                                        const std::string& run_folder, int64_t images_seen,
                                        int keep) {
  const TestState state(images_seen);
  return RunInLockstep(ranks, [&](Group& group) {
    std::vector<TensorView> tensors = state.tensors();
    const std::vector<int> owners = DivideTensors(tensors, ranks);
    for (size_t i = 0; i < tensors.size(); ++i) {
      if (owners[i] != group.rank()) tensors[i].bytes = {};
    }
    return Save(file_system, group, run_folder, state.metadata(), tensors, keep);
  });
}

absl::Status SaveState(FileSystem& file_system, int ranks, const std::string& run_folder,
                       int64_t images_seen, int keep) {
  const std::vector<absl::Status> results =
      SaveWithRanks(file_system, ranks, run_folder, images_seen, keep);
  for (size_t rank = 1; rank < results.size(); ++rank) {
    if (results[rank] != results[0]) {
      return absl::InternalError(absl::StrCat("rank 0 returned ", results[0].ToString(), ", rank ",
                                              rank, " ", results[rank].ToString()));
    }
  }
  return results[0];
}

absl::StatusOr<int64_t> NewestState(FileSystem& file_system, int ranks,
                                    const std::string& run_folder) {
  std::vector<int64_t> images_seen(ranks, -1);
  const std::vector<absl::Status> results = RunInLockstep(ranks, [&](Group& group) -> absl::Status {
    LANGEVIN_ASSIGN_OR_RETURN(const std::optional<Found> found,
                              FindNewest(file_system, group, run_folder));
    if (!found.has_value()) return absl::OkStatus();
    images_seen[group.rank()] = found->metadata.images_seen;
    return CheckState(file_system, *found);
  });
  for (int rank = 0; rank < ranks; ++rank) {
    if (results[rank].code() != results[0].code() || images_seen[rank] != images_seen[0]) {
      return absl::InternalError(absl::StrCat("rank ", rank, " does not agree with rank 0"));
    }
  }
  LANGEVIN_RETURN_IF_ERROR(results[0]);
  return images_seen[0];
}

absl::Status CheckState(FileSystem& file_system, const Found& found) {
  const TestState expected(found.metadata.images_seen);
  if (found.metadata.config != expected.metadata().config ||
      found.metadata.data_fingerprint != expected.metadata().data_fingerprint ||
      found.metadata.software != expected.metadata().software ||
      found.metadata.world_size != expected.metadata().world_size ||
      found.metadata.facts != expected.metadata().facts ||
      found.tensors.size() != expected.tensors().size()) {
    return absl::InternalError("the metadata differ");
  }
  std::vector<std::string> buffers;
  std::vector<MutableTensorView> views;
  for (const TensorView& tensor : expected.tensors()) {
    buffers.emplace_back(tensor.bytes.size(), '\0');
  }
  for (size_t i = 0; i < buffers.size(); ++i) {
    const TensorView& tensor = expected.tensors()[i];
    views.push_back(
        {tensor.name, tensor.dtype, tensor.shape, std::as_writable_bytes(std::span(buffers[i]))});
  }
  LANGEVIN_RETURN_IF_ERROR(LoadTensors(file_system, found, views));
  for (size_t i = 0; i < buffers.size(); ++i) {
    const std::span<const std::byte> bytes = expected.tensors()[i].bytes;
    if (!std::equal(bytes.begin(), bytes.end(), std::as_bytes(std::span(buffers[i])).begin())) {
      return absl::InternalError(absl::StrCat(views[i].name, " differs"));
    }
  }
  return absl::OkStatus();
}

}  // namespace langevin::checkpoint
