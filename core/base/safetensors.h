// Reading and writing of safetensors files: 8 bytes of header length, a JSON header, the data.
//
// The format is https://github.com/huggingface/safetensors. Files from outside are hostile until
// proven otherwise: the header's length, JSON, names, types, shapes and offsets are checked against
// each other and the file's size before any tensor is believed.
#ifndef LANGEVIN_CORE_BASE_SAFETENSORS_H_
#define LANGEVIN_CORE_BASE_SAFETENSORS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/file_system.h"
#include "core/base/tensor_view.h"

namespace langevin {

// An open file. Immutable; any thread may read.
class SafetensorsFile {
 public:
  struct Entry {
    DType dtype = DType::kFloat32;
    std::vector<int64_t> shape;
    uint64_t offset = 0;  // From the beginning of the file.
    uint64_t size = 0;
  };

  // Reads and checks the header. DataLoss, naming the file and what is wrong: header longer than
  // 16 MiB or than the file, no JSON object, more than 65,536 tensors or 8 dimensions, duplicate
  // names, unknown types, negative or overflowing shapes, data that do not fill the file exactly
  // without overlap or gap, metadata that are no strings.
  static absl::StatusOr<SafetensorsFile> Open(FileSystem& file_system, const std::string& path);

  const std::string& path() const { return path_; }
  const std::map<std::string, Entry>& entries() const { return entries_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  // Fills out.bytes with the tensor of out's name. DataLoss if it is missing or has another type or
  // shape, naming both.
  absl::Status Read(const MutableTensorView& out) const;

 private:
  std::string path_;
  std::shared_ptr<const RandomAccessFile> file_;
  std::map<std::string, Entry> entries_;
  std::map<std::string, std::string> metadata_;
};

// Bytes of a tensor; nullopt if the shape has a negative size or the product does not fit in 63
// bits.
std::optional<uint64_t> ByteSizeOf(DType dtype, const std::vector<int64_t>& shape);

// Whether one file can hold tensors of these names, types and shapes so that Open accepts it.
// Internal, naming the tensor, if a name is empty, reserved or taken twice, or a limit of Open is
// exceeded.
absl::Status CheckTensorSchema(const std::vector<TensorView>& tensors);
// The same, and that their bytes fit.
absl::Status CheckTensorList(const std::vector<TensorView>& tensors);

// The bytes that come before the data: length and header, padded to 8 bytes with spaces. Tensors
// are laid out in the order given; with the wider types first, each begins at a multiple of its own
// size. Bytes of names and metadata that are not UTF-8 become U+FFFD.
std::string SafetensorsHeader(const std::vector<TensorView>& tensors,
                              const std::map<std::string, std::string>& metadata);

// Writes a complete file so that either all of it or nothing is there: temporary file, sync,
// rename.
absl::Status WriteSafetensors(FileSystem& file_system, const std::string& path,
                              const std::vector<TensorView>& tensors,
                              const std::map<std::string, std::string>& metadata);

}  // namespace langevin

#endif  // LANGEVIN_CORE_BASE_SAFETENSORS_H_
