// Where pixels wait between decoding and writing: one file for each chunk of source items.
//
// A file holds pixels and masks as they come, behind them the records of its images and items, and
// at its end their length and checksum. It gets its name when it is complete. Nothing is synced: a
// file that lost something to a power cut does not have its checksums, and its chunk is done again.
#ifndef LANGEVIN_DATA_INGEST_SPOOL_H_
#define LANGEVIN_DATA_INGEST_SPOOL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/file_system.h"
#include "data/ingest/spool.pb.h"

namespace langevin::data {

// Memory: the records of one chunk and a buffer of a few MiB. One thread at a time.
class SpoolWriter {
 public:
  // `key` names the inputs and options; a reader with another one refuses the file.
  static absl::StatusOr<SpoolWriter> Create(FileSystem& file_system, std::string path,
                                            const std::string& key);

  // `payload` is pixels and mask, image.pixel_bytes + image.mask_bytes long.
  absl::Status AddImage(proto::SpoolImage image, std::span<const std::byte> payload);
  // The item's images are complete. Those of an item that is not ended this way do not count.
  void EndItem(proto::SpoolItem item);
  // Forgets the images that have come since the last EndItem.
  void DropItem();
  // Nothing may be called after it.
  absl::Status Finish();

 private:
  SpoolWriter(FileSystem& file_system, std::string path)
      : file_system_(&file_system), path_(std::move(path)) {}
  absl::Status Flush();
  std::string TemporaryPath() const { return path_ + ".part"; }

  FileSystem* file_system_;
  std::string path_;
  std::unique_ptr<WritableFile> file_;
  std::vector<std::byte> buffer_;
  uint64_t size_ = 0;  // Of what was appended, the buffer included.
  int ended_images_ = 0;
  proto::SpoolChunk chunk_;
};

// A complete spool file. Immutable; any number of threads may read.
class SpoolReader {
 public:
  // NotFound: not there. DataLoss: incomplete, damaged or of another key.
  static absl::StatusOr<std::unique_ptr<SpoolReader>> Open(FileSystem& file_system,
                                                           const std::string& path,
                                                           const std::string& key);

  const proto::SpoolChunk& chunk() const { return chunk_; }

  // Reads pixels and mask of one of chunk()'s images. DataLoss if the checksum differs.
  absl::Status ReadImage(const proto::SpoolImage& image, std::vector<std::byte>& payload) const;
  absl::Status ReadAt(uint64_t offset, uint32_t crc32c, std::span<std::byte> payload) const;

  // Reads all pixels and compares their checksums.
  absl::Status Verify() const;

 private:
  std::string path_;
  std::unique_ptr<RandomAccessFile> file_;
  proto::SpoolChunk chunk_;
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_SPOOL_H_
