#include "core/checkpoint/shard.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <span>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/crc32c.h"
#include "core/base/safetensors.h"
#include "core/base/status_macros.h"

namespace langevin::checkpoint {
namespace {

// Pieces small enough to stay in the cache between the two checksums and the copy into the kernel.
constexpr size_t kPieceBytes = size_t{1} << 20;

// Appends with a running checksum over all that was appended.
class ChecksummedFile {
 public:
  explicit ChecksummedFile(std::unique_ptr<WritableFile> file) : file_(std::move(file)) {}

  absl::Status Append(std::span<const std::byte> bytes) {
    crc_ = Crc32c(bytes, crc_);
    size_ += bytes.size();
    return file_->Append(bytes);
  }

  absl::Status Finish() {
    LANGEVIN_RETURN_IF_ERROR(file_->Sync());
    return file_->Close();
  }

  uint64_t size() const { return size_; }
  uint32_t crc() const { return crc_; }

 private:
  std::unique_ptr<WritableFile> file_;
  uint64_t size_ = 0;
  uint32_t crc_ = 0;
};

}  // namespace

std::vector<int> DivideTensors(const std::vector<TensorView>& tensors, int ranks) {
  std::vector<uint64_t> sizes;
  sizes.reserve(tensors.size());
  for (const TensorView& tensor : tensors) {
    sizes.push_back(ByteSizeOf(tensor.dtype, tensor.shape).value_or(0));
  }
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&sizes](size_t a, size_t b) { return sizes[a] > sizes[b]; });
  std::vector<uint64_t> load(ranks);
  std::vector<int> owners(tensors.size());
  for (const size_t index : order) {
    const auto least = std::min_element(load.begin(), load.end());
    owners[index] = static_cast<int>(least - load.begin());
    *least += sizes[index];
  }
  return owners;
}

absl::Status WriteShard(FileSystem& file_system, const std::string& folder, int64_t images_seen,
                        const std::vector<TensorView>& tensors, const std::vector<int>& owners,
                        int rank, proto::RankReport& report) {
  std::vector<TensorView> own;
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (owners[i] == rank) own.push_back(tensors[i]);
  }
  if (own.empty()) return absl::OkStatus();
  LANGEVIN_RETURN_IF_ERROR(CheckTensorList(own));
  // Wider types first: each tensor is then aligned to its type, as other readers want it.
  std::stable_sort(own.begin(), own.end(), [](const TensorView& a, const TensorView& b) {
    return SizeOf(a.dtype) > SizeOf(b.dtype);
  });

  const std::string name = absl::StrFormat("shard-%05d.safetensors", rank);
  LANGEVIN_ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> opened,
                            file_system.NewWritableFile(JoinPath(folder, name)));
  ChecksummedFile file(std::move(opened));
  const std::string header = SafetensorsHeader(own, {{"images_seen", absl::StrCat(images_seen)}});
  LANGEVIN_RETURN_IF_ERROR(file.Append(std::as_bytes(std::span(header))));
  for (const TensorView& tensor : own) {
    uint32_t crc = 0;
    for (size_t begin = 0; begin < tensor.bytes.size(); begin += kPieceBytes) {
      const std::span<const std::byte> piece =
          tensor.bytes.subspan(begin, std::min(kPieceBytes, tensor.bytes.size() - begin));
      crc = Crc32c(piece, crc);
      LANGEVIN_RETURN_IF_ERROR(file.Append(piece));
    }
    proto::CheckpointManifest::Tensor* entry = report.add_tensors();
    entry->set_name(tensor.name);
    entry->set_dtype(std::string(NameOf(tensor.dtype)));
    entry->mutable_shape()->Add(tensor.shape.begin(), tensor.shape.end());
    entry->set_crc32c(crc);
  }
  LANGEVIN_RETURN_IF_ERROR(file.Finish());
  report.mutable_file()->set_name(name);
  report.mutable_file()->set_size(file.size());
  report.mutable_file()->set_crc32c(file.crc());
  return absl::OkStatus();
}

}  // namespace langevin::checkpoint
