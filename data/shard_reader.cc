#include "data/shard_reader.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/crc32c.h"
#include "core/base/status_macros.h"
#include "data/image_codec.h"
#include "data/shard_header.h"

namespace langevin::data {

// What a shard may hold; empty where it does not.
struct ShardReader::Arrays {
  ArrayExtent images;  // Or the blob.
  ArrayExtent crcs;
  std::optional<ArrayExtent> index, labels, groups, conditions, masks, mask_index, extras_crcs;
};

namespace {

// Per side, channels included, as in the manifest: what keeps products of three far from overflow.
constexpr int64_t kMaxSide = int64_t{1} << 20;
constexpr int64_t kMaxImageBytes = int64_t{1} << 32;

std::optional<DType> ImageType(NumberType type) {
  switch (type) {
    case NumberType::kUint8:
      return DType::kUint8;
    case NumberType::kUint16:
      return DType::kUint16;
    case NumberType::kFloat32:
      return DType::kFloat32;
    default:
      return std::nullopt;
  }
}

absl::Status ReadMap(const ShardHeader& header, const std::string& path, IntensityMap& map) {
  LANGEVIN_ASSIGN_OR_RETURN(map.scale, header.RealAttribute("intensity_scale"));
  LANGEVIN_ASSIGN_OR_RETURN(map.offset, header.RealAttribute("intensity_offset"));
  if (!std::isfinite(map.scale) || !std::isfinite(map.offset) || map.scale == 0) {
    return RefusedShard(path, "has an impossible intensity map");
  }
  return absl::OkStatus();
}

// Shape and format of images that have no array of their own to tell.
absl::Status ReadShape(const ShardHeader& header, const std::string& path, ShardSpec& spec) {
  LANGEVIN_ASSIGN_OR_RETURN(spec.shape.height, header.IntegerAttribute("height"));
  LANGEVIN_ASSIGN_OR_RETURN(spec.shape.width, header.IntegerAttribute("width"));
  LANGEVIN_ASSIGN_OR_RETURN(spec.shape.channels, header.IntegerAttribute("channels"));
  for (const int64_t side : {spec.shape.height, spec.shape.width, spec.shape.channels}) {
    if (side < 1 || side > kMaxSide) return RefusedShard(path, "has an impossible shape");
  }
  LANGEVIN_ASSIGN_OR_RETURN(const int64_t bytes, header.IntegerAttribute("bytes_per_number"));
  if (bytes != 1 && bytes != 2 && bytes != 4) {
    return RefusedShard(path, "has images of numbers that are not uint8, uint16 or float32");
  }
  spec.dtype = bytes == 1 ? DType::kUint8 : bytes == 2 ? DType::kUint16 : DType::kFloat32;
  if (spec.image_bytes() > kMaxImageBytes) return RefusedShard(path, "has images above 4 GiB");
  return absl::OkStatus();
}

template <typename T>
absl::Status ReadColumn(const RandomAccessFile& file, const ArrayExtent& extent,
                        std::vector<T>& values) {
  values.resize(extent.bytes / sizeof(T));
  return file.ReadAt(extent.offset, std::as_writable_bytes(std::span(values)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ShardReader>> ShardReader::Open(FileSystem& file_system,
                                                               const std::string& path) {
  absl::StatusOr<std::unique_ptr<RandomAccessFile>> file = file_system.OpenForReading(path);
  if (absl::IsNotFound(file.status())) return RefusedShard(path, "is missing");
  if (absl::IsInvalidArgument(file.status())) {
    return RefusedShard(path, "is not a regular file (links are not followed)");
  }
  if (!file.ok()) return file.status();
  auto reader = absl::WrapUnique(new ShardReader(path, *std::move(file)));
  if (reader->file_->size() == 0) return RefusedShard(path, "is empty");

  ShardSpec& spec = reader->spec_;
  Arrays arrays;
  uint64_t rows = 0;
  {
    const Hdf5Session session;
    ShardHeader header(path, reader->file_->size());
    LANGEVIN_RETURN_IF_ERROR(header.Open());
    LANGEVIN_ASSIGN_OR_RETURN(const int64_t complete, header.IntegerAttribute("complete"));
    if (complete != 1) return RefusedShard(path, "was never finished");
    LANGEVIN_ASSIGN_OR_RETURN(const int64_t version, header.IntegerAttribute("format_version"));
    if (version < kOldestFormatVersion || version > kFormatVersion) {
      return RefusedShard(
          path, absl::StrFormat("has format version %d, this program reads %d to %d", version,
                                kOldestFormatVersion, kFormatVersion));
    }
    const auto optional = [&header](const char* name, int rank,
                                    std::optional<ArrayExtent>& extent) -> absl::Status {
      if (!header.Has(name)) return absl::OkStatus();
      LANGEVIN_ASSIGN_OR_RETURN(extent, header.Array(name, rank));
      return absl::OkStatus();
    };
    spec.compressed = version > 1 && header.Has("blob");
    LANGEVIN_ASSIGN_OR_RETURN(
        arrays.images, spec.compressed ? header.Array("blob", 1) : header.Array("images", 4));
    LANGEVIN_ASSIGN_OR_RETURN(arrays.crcs, header.Array("crc32c", 1));
    LANGEVIN_RETURN_IF_ERROR(optional("labels", 1, arrays.labels));
    if (version > 1) {
      LANGEVIN_RETURN_IF_ERROR(optional("group", 1, arrays.groups));
      LANGEVIN_RETURN_IF_ERROR(optional("conditions", 2, arrays.conditions));
      LANGEVIN_RETURN_IF_ERROR(optional("extras_crc32c", 1, arrays.extras_crcs));
      if (spec.compressed) {
        LANGEVIN_ASSIGN_OR_RETURN(arrays.index, header.Array("index", 2));
        LANGEVIN_RETURN_IF_ERROR(optional("mask_blob", 1, arrays.masks));
        LANGEVIN_RETURN_IF_ERROR(optional("mask_index", 2, arrays.mask_index));
        LANGEVIN_RETURN_IF_ERROR(ReadShape(header, path, spec));
      } else {
        LANGEVIN_RETURN_IF_ERROR(optional("masks", 3, arrays.masks));
      }
    }
    LANGEVIN_ASSIGN_OR_RETURN(const int64_t count, header.IntegerAttribute("count"));
    rows = spec.compressed ? arrays.index->shape[0] : arrays.images.shape[0];
    if (count < 0 || static_cast<uint64_t>(count) != rows) {
      return RefusedShard(path, absl::StrFormat("attribute count is %d, but /%s holds %d", count,
                                                spec.compressed ? "index" : "images", rows));
    }
    LANGEVIN_RETURN_IF_ERROR(ReadMap(header, path, spec.intensity_map));
  }
  if (!spec.compressed) {
    const std::optional<DType> dtype = ImageType(arrays.images.type);
    if (!dtype.has_value()) return RefusedShard(path, "/images is not uint8, uint16 or float32");
    spec.dtype = *dtype;
    spec.shape = {.height = static_cast<int64_t>(arrays.images.shape[1]),
                  .width = static_cast<int64_t>(arrays.images.shape[2]),
                  .channels = static_cast<int64_t>(arrays.images.shape[3])};
  }

  // One row an image, and the numbers that they should be.
  const auto check = [&](const char* name, const std::optional<ArrayExtent>& extent,
                         NumberType type, std::string_view type_name,
                         std::vector<uint64_t> shape) -> absl::Status {
    if (!extent.has_value()) return absl::OkStatus();
    if (extent->type != type) {
      return RefusedShard(path, absl::StrFormat("/%s is not %s", name, type_name));
    }
    if (extent->shape != shape) {
      return RefusedShard(path,
                          shape.size() == 1
                              ? absl::StrFormat("/%s does not have one number for each image", name)
                              : absl::StrFormat("/%s has another shape than it must", name));
    }
    return absl::OkStatus();
  };
  const auto height = static_cast<uint64_t>(spec.shape.height);
  const auto width = static_cast<uint64_t>(spec.shape.width);
  if (arrays.conditions.has_value()) {
    spec.condition_size = static_cast<int64_t>(arrays.conditions->shape[1]);
  }
  const auto condition_size = static_cast<uint64_t>(spec.condition_size);
  LANGEVIN_RETURN_IF_ERROR(check("crc32c", arrays.crcs, NumberType::kUint32, "uint32", {rows}));
  LANGEVIN_RETURN_IF_ERROR(check("labels", arrays.labels, NumberType::kInt64, "int64", {rows}));
  LANGEVIN_RETURN_IF_ERROR(check("group", arrays.groups, NumberType::kUint64, "uint64", {rows}));
  LANGEVIN_RETURN_IF_ERROR(
      check("extras_crc32c", arrays.extras_crcs, NumberType::kUint32, "uint32", {rows}));
  LANGEVIN_RETURN_IF_ERROR(check("conditions", arrays.conditions, NumberType::kFloat32, "float32",
                                 {rows, condition_size}));
  LANGEVIN_RETURN_IF_ERROR(check("index", arrays.index, NumberType::kUint64, "uint64", {rows, 4}));
  LANGEVIN_RETURN_IF_ERROR(
      check("mask_index", arrays.mask_index, NumberType::kUint64, "uint64", {rows, 4}));
  if (spec.compressed) {
    if (arrays.images.type != NumberType::kUint8) return RefusedShard(path, "/blob is not uint8");
    if (arrays.masks.has_value() != arrays.mask_index.has_value()) {
      return RefusedShard(path, "has one of /mask_blob and /mask_index alone");
    }
    if (arrays.masks.has_value() && arrays.masks->type != NumberType::kUint8) {
      return RefusedShard(path, "/mask_blob is not uint8");
    }
  } else {
    LANGEVIN_RETURN_IF_ERROR(
        check("masks", arrays.masks, NumberType::kUint8, "uint8", {rows, height, width}));
  }
  const bool has_extras =
      arrays.masks.has_value() || arrays.groups.has_value() || arrays.conditions.has_value();
  if (has_extras != arrays.extras_crcs.has_value()) {
    return RefusedShard(path, has_extras ? "/extras_crc32c is missing"
                                         : "has /extras_crc32c, but nothing that it is of");
  }
  LANGEVIN_RETURN_IF_ERROR(reader->ReadColumns(arrays));
  return reader;
}

absl::Status ShardReader::ReadColumns(const Arrays& arrays) {
  images_offset_ = arrays.images.offset;
  LANGEVIN_RETURN_IF_ERROR(ReadColumn(*file_, arrays.crcs, crcs_));
  spec_.has_labels = arrays.labels.has_value();
  spec_.has_groups = arrays.groups.has_value();
  has_masks_ = arrays.masks.has_value();
  if (spec_.has_labels) LANGEVIN_RETURN_IF_ERROR(ReadColumn(*file_, *arrays.labels, labels_));
  if (spec_.has_groups) LANGEVIN_RETURN_IF_ERROR(ReadColumn(*file_, *arrays.groups, groups_));
  if (has_masks_) masks_offset_ = arrays.masks->offset;
  if (arrays.conditions.has_value()) conditions_offset_ = arrays.conditions->offset;
  if (arrays.extras_crcs.has_value()) {
    LANGEVIN_RETURN_IF_ERROR(ReadColumn(*file_, *arrays.extras_crcs, extras_crcs_));
  }
  if (!spec_.compressed) return absl::OkStatus();
  LANGEVIN_RETURN_IF_ERROR(ReadColumn(*file_, *arrays.index, index_));
  LANGEVIN_RETURN_IF_ERROR(CheckIndex(index_, arrays.images.bytes, "index", false));
  if (!has_masks_) return absl::OkStatus();
  LANGEVIN_RETURN_IF_ERROR(ReadColumn(*file_, *arrays.mask_index, mask_index_));
  return CheckIndex(mask_index_, arrays.masks->bytes, "mask_index", true);
}

absl::Status ShardReader::CheckIndex(const std::vector<IndexRow>& index, uint64_t blob_bytes,
                                     std::string_view name, bool may_be_empty) const {
  for (size_t i = 0; i < index.size(); ++i) {
    const auto& [offset, length, codec, crc] = index[i];
    if (may_be_empty && length == 0) continue;
    if (length == 0 || length > blob_bytes || offset > blob_bytes - length ||
        codec > static_cast<uint64_t>(ImageCodec::kJpeg) || crc >> 32 != 0) {
      return RefusedShard(path_,
                          absl::StrFormat("/%s names bytes that there are not (row %d)", name, i));
    }
  }
  return absl::OkStatus();
}

std::string ShardReader::digest() const {
  ContentDigest digest;
  for (size_t i = 0; i < crcs_.size(); ++i) {
    digest.Add(crcs_[i], spec_.has_labels ? labels_[i] : -1, extras_crc(static_cast<int64_t>(i)));
  }
  return digest.Hex();
}

absl::Status ShardReader::Decode(const IndexRow& row, std::span<const std::byte> bytes,
                                 const ImageShape& shape, DType dtype, int64_t index,
                                 std::span<std::byte> out) const {
  // Decoders see nothing but what was written.
  if (Crc32c(bytes) != row[3]) {
    return RefusedShard(path_, absl::StrFormat("image %d is damaged: its compressed bytes do not "
                                               "have the checksum they were written with",
                                               index));
  }
  const absl::Status decoded =
      DecodeImage(static_cast<ImageCodec>(row[2]), bytes, shape, dtype, out);
  if (absl::IsDataLoss(decoded)) {
    return RefusedShard(path_, absl::StrCat("image ", index, " ", std::string(decoded.message())));
  }
  return decoded;
}

absl::Status ShardReader::ReadCompressed(int64_t index, int64_t count,
                                         std::span<std::byte> pixels) const {
  thread_local std::vector<std::byte> bytes;  // Used again for every image.
  const auto image_bytes = static_cast<size_t>(spec_.image_bytes());
  for (int64_t done = 0; done < count;) {
    // As many as lie one after the other.
    const IndexRow& first = index_[static_cast<size_t>(index + done)];
    int64_t end = done + 1;
    uint64_t length = first[1];
    while (end < count && index_[static_cast<size_t>(index + end)][0] == first[0] + length) {
      length += index_[static_cast<size_t>(index + end)][1];
      ++end;
    }
    bytes.resize(length);
    LANGEVIN_RETURN_IF_ERROR(file_->ReadAt(images_offset_ + first[0], bytes));
    for (; done < end; ++done) {
      const IndexRow& row = index_[static_cast<size_t>(index + done)];
      LANGEVIN_RETURN_IF_ERROR(Decode(
          row, std::span(bytes).subspan(row[0] - first[0], row[1]), spec_.shape, spec_.dtype,
          index + done, pixels.subspan(static_cast<size_t>(done) * image_bytes, image_bytes)));
    }
  }
  return absl::OkStatus();
}

absl::Status ShardReader::ReadImages(int64_t index, int64_t count, bool verify,
                                     std::span<std::byte> pixels) const {
  const auto image_bytes = static_cast<size_t>(spec_.image_bytes());
  if (spec_.compressed) {
    LANGEVIN_RETURN_IF_ERROR(ReadCompressed(index, count, pixels));
  } else {
    const uint64_t offset = images_offset_ + static_cast<uint64_t>(index) * image_bytes;
    LANGEVIN_RETURN_IF_ERROR(file_->ReadAt(offset, pixels));
  }
  if (!verify) return absl::OkStatus();
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t stored = crcs_[static_cast<size_t>(index + i)];
    const uint32_t computed =
        Crc32c(pixels.subspan(static_cast<size_t>(i) * image_bytes, image_bytes));
    if (computed != stored) {
      return RefusedShard(path_,
                          absl::StrFormat("image %d is damaged: its checksum is %08x, it was "
                                          "written with %08x",
                                          index + i, computed, stored));
    }
  }
  return absl::OkStatus();
}

void ShardReader::WillNeed(int64_t index) const {
  const auto row = static_cast<size_t>(index);
  if (spec_.compressed) {
    file_->WillNeed(images_offset_ + index_[row][0], index_[row][1]);
  } else {
    const auto image_bytes = static_cast<uint64_t>(spec_.image_bytes());
    file_->WillNeed(images_offset_ + row * image_bytes, image_bytes);
  }
}

absl::Status ShardReader::ReadExtras(int64_t index, bool verify, std::span<uint8_t> mask,
                                     std::span<float> condition) const {
  const std::span<std::byte> mask_bytes = std::as_writable_bytes(mask);
  const auto row = static_cast<size_t>(index);
  if (!has_masks_ || (spec_.compressed && mask_index_[row][1] == 0)) {
    std::fill(mask.begin(), mask.end(), uint8_t{1});
  } else if (spec_.compressed) {
    std::vector<std::byte> bytes(mask_index_[row][1]);
    LANGEVIN_RETURN_IF_ERROR(file_->ReadAt(masks_offset_ + mask_index_[row][0], bytes));
    const ImageShape shape = {
        .height = spec_.shape.height, .width = spec_.shape.width, .channels = 1};
    LANGEVIN_RETURN_IF_ERROR(
        Decode(mask_index_[row], bytes, shape, DType::kUint8, index, mask_bytes));
  } else {
    LANGEVIN_RETURN_IF_ERROR(file_->ReadAt(masks_offset_ + row * mask.size(), mask_bytes));
  }
  if (!condition.empty()) {
    LANGEVIN_RETURN_IF_ERROR(file_->ReadAt(conditions_offset_ + row * condition.size_bytes(),
                                           std::as_writable_bytes(condition)));
  }
  if (!verify || extras_crcs_.empty()) return absl::OkStatus();
  const uint64_t group = spec_.has_groups ? groups_[row] : 0;
  if (ExtrasCrc(mask, condition, spec_.has_groups, group) != extras_crcs_[row]) {
    return RefusedShard(path_, absl::StrFormat("mask, condition or group of image %d is damaged: "
                                               "their checksum differs",
                                               index));
  }
  return absl::OkStatus();
}

}  // namespace langevin::data
