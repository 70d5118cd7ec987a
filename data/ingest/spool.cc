#include "data/ingest/spool.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/crc32c.h"
#include "core/base/status_macros.h"

namespace langevin::data {
namespace {

constexpr size_t kBufferBytes = 4 << 20;
constexpr uint64_t kMagic = 0x314c4f4f5053474c;  // "LGSPOOL1".

// At the end of the file.
struct Trailer {
  uint64_t records_bytes = 0;
  uint32_t records_crc = 0;
  uint32_t unused = 0;
  uint64_t magic = kMagic;
};

absl::Status Damaged(const std::string& path, std::string_view problem) {
  return absl::DataLossError(absl::StrFormat("%s: %s", path, problem));
}

}  // namespace

absl::StatusOr<SpoolWriter> SpoolWriter::Create(FileSystem& file_system, std::string path,
                                                const std::string& key) {
  SpoolWriter writer(file_system, std::move(path));
  writer.chunk_.set_key(key);
  LANGEVIN_ASSIGN_OR_RETURN(writer.file_, file_system.NewWritableFile(writer.TemporaryPath()));
  writer.buffer_.reserve(kBufferBytes);
  return writer;
}

absl::Status SpoolWriter::AddImage(proto::SpoolImage image, std::span<const std::byte> payload) {
  image.set_offset(size_);
  image.set_crc32c(Crc32c(payload));
  *chunk_.add_image() = std::move(image);
  size_ += payload.size();
  if (buffer_.size() + payload.size() > kBufferBytes) LANGEVIN_RETURN_IF_ERROR(Flush());
  if (payload.size() > kBufferBytes) return file_->Append(payload);
  buffer_.insert(buffer_.end(), payload.begin(), payload.end());
  return absl::OkStatus();
}

void SpoolWriter::EndItem(proto::SpoolItem item) {
  *chunk_.add_item() = std::move(item);
  ended_images_ = chunk_.image_size();
}

void SpoolWriter::DropItem() {
  chunk_.mutable_image()->DeleteSubrange(ended_images_, chunk_.image_size() - ended_images_);
}

absl::Status SpoolWriter::Flush() {
  const absl::Status status = file_->Append(buffer_);
  buffer_.clear();
  return status;
}

absl::Status SpoolWriter::Finish() {
  DropItem();
  const std::string records = chunk_.SerializeAsString();
  const Trailer trailer = {.records_bytes = records.size(),
                           .records_crc = Crc32c(records.data(), records.size())};
  LANGEVIN_RETURN_IF_ERROR(Flush());
  LANGEVIN_RETURN_IF_ERROR(file_->Append(records));
  LANGEVIN_RETURN_IF_ERROR(file_->Append(std::as_bytes(std::span(&trailer, 1))));
  LANGEVIN_RETURN_IF_ERROR(file_->Close());
  return file_system_->Rename(TemporaryPath(), path_);
}

absl::StatusOr<std::unique_ptr<SpoolReader>> SpoolReader::Open(FileSystem& file_system,
                                                               const std::string& path,
                                                               const std::string& key) {
  auto reader = std::make_unique<SpoolReader>();
  reader->path_ = path;
  LANGEVIN_ASSIGN_OR_RETURN(reader->file_, file_system.OpenForReading(path));
  const uint64_t size = reader->file_->size();
  Trailer trailer;
  if (size < sizeof(trailer)) return Damaged(path, "is too short");
  LANGEVIN_RETURN_IF_ERROR(reader->file_->ReadAt(size - sizeof(trailer),
                                                 std::as_writable_bytes(std::span(&trailer, 1))));
  if (trailer.magic != kMagic || trailer.records_bytes > size - sizeof(trailer)) {
    return Damaged(path, "has no end");
  }
  std::string records(trailer.records_bytes, '\0');
  const uint64_t pixel_bytes = size - sizeof(trailer) - records.size();
  LANGEVIN_RETURN_IF_ERROR(
      reader->file_->ReadAt(pixel_bytes, std::as_writable_bytes(std::span(records))));
  if (Crc32c(records.data(), records.size()) != trailer.records_crc ||
      !reader->chunk_.ParseFromString(records)) {
    return Damaged(path, "its records are damaged");
  }
  if (reader->chunk_.key() != key) return Damaged(path, "belongs to other inputs or options");
  for (const proto::SpoolImage& image : reader->chunk_.image()) {
    if (image.offset() > pixel_bytes ||
        image.pixel_bytes() + image.mask_bytes() > pixel_bytes - image.offset()) {
      return Damaged(path, "is shorter than its records say");
    }
  }
  return reader;
}

absl::Status SpoolReader::ReadImage(const proto::SpoolImage& image,
                                    std::vector<std::byte>& payload) const {
  payload.resize(image.pixel_bytes() + image.mask_bytes());
  return ReadAt(image.offset(), image.crc32c(), payload);
}

absl::Status SpoolReader::ReadAt(uint64_t offset, uint32_t crc32c,
                                 std::span<std::byte> payload) const {
  LANGEVIN_RETURN_IF_ERROR(file_->ReadAt(offset, payload));
  if (Crc32c(payload) == crc32c) return absl::OkStatus();
  return Damaged(path_, "an image in it is damaged; remove its folder, and prepare again");
}

absl::Status SpoolReader::Verify() const {
  std::vector<std::byte> payload;
  for (const proto::SpoolImage& image : chunk_.image()) {
    LANGEVIN_RETURN_IF_ERROR(ReadImage(image, payload));
  }
  return absl::OkStatus();
}

}  // namespace langevin::data
