#include "data/shard_writer.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "core/base/crc32c.h"
#include "core/base/status_macros.h"
#include "data/hdf5.h"

namespace langevin::data {
namespace {

// A page, so that images can be mapped or read past the page cache.
constexpr hsize_t kAlignment = 4096;

hid_t StoredType(DType dtype) {
  switch (dtype) {
    case DType::kUint16:
      return H5T_STD_U16LE;
    case DType::kFloat32:
      return H5T_IEEE_F32LE;
    default:
      return H5T_STD_U8LE;
  }
}

bool SetAttribute(hid_t file, const char* name, hid_t stored, hid_t memory, const void* value) {
  const Hdf5Id space(H5Screate(H5S_SCALAR));
  const Hdf5Id attribute(H5Acreate2(file, name, stored, space.get(), H5P_DEFAULT, H5P_DEFAULT));
  return attribute.ok() && H5Awrite(attribute.get(), memory, value) >= 0;
}

bool SetAttribute(hid_t file, const char* name, int64_t value) {
  return SetAttribute(file, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value);
}

bool SetAttribute(hid_t file, const char* name, double value) {
  return SetAttribute(file, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value);
}

// A contiguous dataset whose place in the file is fixed at once and that is not filled.
Hdf5Id CreateDataset(hid_t file, const char* name, hid_t type, std::span<const hsize_t> extent) {
  const Hdf5Id space(H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr));
  const Hdf5Id properties(H5Pcreate(H5P_DATASET_CREATE));
  H5Pset_layout(properties.get(), H5D_CONTIGUOUS);
  H5Pset_alloc_time(properties.get(), H5D_ALLOC_TIME_EARLY);
  H5Pset_fill_time(properties.get(), H5D_FILL_TIME_NEVER);
  H5Pset_obj_track_times(properties.get(), false);  // The same images give the same bytes.
  return Hdf5Id(
      H5Dcreate2(file, name, type, space.get(), H5P_DEFAULT, properties.get(), H5P_DEFAULT));
}

// A whole file in the making. Every call is of no effect after one that failed.
class Layout {
 public:
  explicit Layout(const std::string& path) {
    const Hdf5Id access(H5Pcreate(H5P_FILE_ACCESS));
    H5Pset_fapl_core(access.get(), /*increment=*/1 << 20, /*backing_store=*/false);
    H5Pset_libver_bounds(access.get(), H5F_LIBVER_EARLIEST, H5F_LIBVER_V18);
    H5Pset_alignment(access.get(), /*threshold=*/1, kAlignment);
    file_.emplace(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get()));
    ok_ = file_->ok();
  }

  void Attribute(const char* name, int64_t value) {
    ok_ = ok_ && SetAttribute(file_->get(), name, value);
  }
  void Attribute(const char* name, double value) {
    ok_ = ok_ && SetAttribute(file_->get(), name, value);
  }
  void Attribute(const char* name, const std::string& value) {
    const Hdf5Id text(H5Tcopy(H5T_C_S1));
    H5Tset_size(text.get(), value.size() + 1);  // HDF5 has no empty strings.
    ok_ = ok_ && SetAttribute(file_->get(), name, text.get(), text.get(), value.c_str());
  }

  // A small array, copied into HDF5's buffer.
  void Array(const char* name, hid_t stored, hid_t memory, std::span<const hsize_t> extent,
             const void* values) {
    if (!ok_) return;
    const Hdf5Id dataset = CreateDataset(file_->get(), name, stored, extent);
    ok_ =
        dataset.ok() && H5Dwrite(dataset.get(), memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0;
  }

  // A large array, which is not copied: it takes its place on the way to the disk.
  void LargeArray(const char* name, hid_t stored, std::span<const hsize_t> extent,
                  std::span<const std::byte> bytes) {
    if (!ok_) return;
    const Hdf5Id dataset = CreateDataset(file_->get(), name, stored, extent);
    const haddr_t offset = dataset.ok() ? H5Dget_offset(dataset.get()) : HADDR_UNDEF;
    ok_ = offset != HADDR_UNDEF;
    if (ok_) large_.push_back({offset, bytes});
  }

  // The pieces of the finished file, or none. They live as long as this object and the arrays.
  std::vector<std::span<const std::byte>> Pieces() {
    void* handle = nullptr;  // Of the in-memory driver: where its buffer's address stands.
    if (!ok_ || H5Fflush(file_->get(), H5F_SCOPE_LOCAL) < 0 ||
        H5Fget_vfd_handle(file_->get(), H5P_DEFAULT, &handle) < 0) {
      return {};
    }
    // Without a buffer to copy to, the length of the file; the driver's own is rounded up.
    const ssize_t size = H5Fget_file_image(file_->get(), nullptr, 0);
    if (size < 0) return {};
    std::span<const std::byte> rest(*static_cast<const std::byte* const*>(handle),
                                    static_cast<size_t>(size));
    std::sort(large_.begin(), large_.end(),
              [](const Large& a, const Large& b) { return a.offset < b.offset; });
    std::vector<std::span<const std::byte>> pieces;
    size_t done = 0;
    for (const Large& large : large_) {
      const size_t before = large.offset - done;
      if (large.offset < done || before + large.bytes.size() > rest.size()) return {};
      pieces.push_back(rest.first(before));
      pieces.push_back(large.bytes);
      rest = rest.subspan(before + large.bytes.size());
      done += before + large.bytes.size();
    }
    pieces.push_back(rest);
    return pieces;
  }

 private:
  struct Large {
    haddr_t offset;
    std::span<const std::byte> bytes;
  };

  std::optional<Hdf5Id> file_;
  std::vector<Large> large_;
  bool ok_ = false;
};

bool IsAllOnes(std::span<const uint8_t> mask) {
  return std::all_of(mask.begin(), mask.end(), [](uint8_t value) { return value == 1; });
}

}  // namespace

uint32_t ExtrasCrc(std::span<const uint8_t> mask, std::span<const float> condition, bool has_group,
                   uint64_t group) {
  static_assert(std::endian::native == std::endian::little);
  uint32_t crc = IsAllOnes(mask) ? 0 : Crc32c(std::as_bytes(mask));
  crc = Crc32c(std::as_bytes(condition), crc);
  return has_group ? Crc32c(&group, sizeof(group), crc) : crc;
}

ShardWriter::IndexRow ShardWriter::AppendBlob(std::vector<std::byte>& blob, ImageCodec codec,
                                              std::span<const std::byte> bytes) {
  const IndexRow row = {blob.size(), bytes.size(), static_cast<uint64_t>(codec), Crc32c(bytes)};
  blob.insert(blob.end(), bytes.begin(), bytes.end());
  return row;
}

void ShardWriter::Expect(int64_t images) {
  if (!spec_.compressed) pixels_.reserve(static_cast<size_t>(images * spec_.image_bytes()));
}

void ShardWriter::Add(const ShardSample& sample) {
  assert(static_cast<int64_t>(sample.pixels.size()) == spec_.image_bytes());
  assert(!spec_.has_labels || sample.label >= 0);
  assert(static_cast<int64_t>(sample.condition.size()) == spec_.condition_size);
  if (!spec_.compressed) {
    pixels_.insert(pixels_.end(), sample.pixels.begin(), sample.pixels.end());
  } else if (!sample.encoded.empty()) {
    index_.push_back(AppendBlob(pixels_, sample.codec, sample.encoded));
  } else {
    const EncodedImage encoded = EncodeImage(sample.pixels, spec_.pixel_bytes());
    index_.push_back(AppendBlob(pixels_, encoded.codec, encoded.bytes));
  }
  AddMask(sample.mask);
  if (spec_.has_labels) labels_.push_back(sample.label);
  if (spec_.has_groups) groups_.push_back(sample.group);
  conditions_.insert(conditions_.end(), sample.condition.begin(), sample.condition.end());
  crcs_.push_back(Crc32c(sample.pixels));
  extras_crcs_.push_back(ExtrasCrc(sample.mask, sample.condition, spec_.has_groups, sample.group));
}

// Called before the image is counted.
void ShardWriter::AddMask(std::span<const uint8_t> mask) {
  assert(mask.empty() || static_cast<int64_t>(mask.size()) == spec_.mask_bytes());
  const bool all_ones = IsAllOnes(mask);
  if (all_ones && masks_.empty()) return;
  if (spec_.compressed) {
    mask_index_.resize(crcs_.size());  // No bytes: all ones.
    if (all_ones) return;
    const EncodedImage encoded = EncodeImage(std::as_bytes(mask), 1);
    mask_index_.push_back(AppendBlob(masks_, encoded.codec, encoded.bytes));
    return;
  }
  const auto size = static_cast<size_t>(spec_.mask_bytes());
  masks_.resize(crcs_.size() * size, std::byte{1});
  if (all_ones) {
    masks_.resize(masks_.size() + size, std::byte{1});
  } else {
    const std::span<const std::byte> bytes = std::as_bytes(mask);
    masks_.insert(masks_.end(), bytes.begin(), bytes.end());
  }
}

absl::StatusOr<ShardEntry> ShardWriter::Write(FileSystem& file_system, const std::string& path) {
  assert(count() >= 1);
  ShardEntry entry{.file = BaseName(path), .count = count(), .digest = ""};
  ContentDigest digest;
  for (size_t i = 0; i < crcs_.size(); ++i) {
    digest.Add(crcs_[i], spec_.has_labels ? labels_[i] : -1, extras_crcs_[i]);
  }
  entry.digest = digest.Hex();

  const auto rows = static_cast<hsize_t>(count());
  const ImageShape& shape = spec_.shape;
  const hsize_t extent[] = {rows, static_cast<hsize_t>(shape.height),
                            static_cast<hsize_t>(shape.width),
                            static_cast<hsize_t>(shape.channels)};
  const hsize_t index_extent[] = {rows, 4};
  const hsize_t condition_extent[] = {rows, static_cast<hsize_t>(spec_.condition_size)};
  const hsize_t blob_extent[] = {pixels_.size()}, mask_blob_extent[] = {masks_.size()};
  const std::span<const hsize_t> column = {extent, 1};
  {
    const Hdf5Session session;
    Layout layout(path);
    if (spec_.compressed) {
      layout.LargeArray("blob", H5T_STD_U8LE, blob_extent, pixels_);
      layout.Array("index", H5T_STD_U64LE, H5T_NATIVE_UINT64, index_extent, index_.data());
    } else {
      layout.LargeArray("images", StoredType(spec_.dtype), extent, pixels_);
    }
    if (spec_.has_labels) {
      layout.Array("labels", H5T_STD_I64LE, H5T_NATIVE_INT64, column, labels_.data());
    }
    layout.Array("crc32c", H5T_STD_U32LE, H5T_NATIVE_UINT32, column, crcs_.data());
    if (!masks_.empty() && spec_.compressed) {
      mask_index_.resize(crcs_.size());
      layout.LargeArray("mask_blob", H5T_STD_U8LE, mask_blob_extent, masks_);
      layout.Array("mask_index", H5T_STD_U64LE, H5T_NATIVE_UINT64, index_extent,
                   mask_index_.data());
    } else if (!masks_.empty()) {
      layout.LargeArray("masks", H5T_STD_U8LE, {extent, 3}, masks_);
    }
    if (spec_.condition_size > 0) {
      layout.LargeArray("conditions", H5T_IEEE_F32LE, condition_extent,
                        std::as_bytes(std::span(conditions_)));
    }
    if (spec_.has_groups) {
      layout.Array("group", H5T_STD_U64LE, H5T_NATIVE_UINT64, column, groups_.data());
    }
    if (!masks_.empty() || spec_.condition_size > 0 || spec_.has_groups) {
      layout.Array("extras_crc32c", H5T_STD_U32LE, H5T_NATIVE_UINT32, column, extras_crcs_.data());
    }
    layout.Attribute("format_version", int64_t{kFormatVersion});
    layout.Attribute("height", shape.height);
    layout.Attribute("width", shape.width);
    layout.Attribute("channels", shape.channels);
    layout.Attribute("bytes_per_number", static_cast<int64_t>(SizeOf(spec_.dtype)));
    layout.Attribute("intensity_scale", spec_.intensity_map.scale);
    layout.Attribute("intensity_offset", spec_.intensity_map.offset);
    const IntensityMap& map = spec_.intensity_map;
    if (std::isfinite(map.clip_low)) layout.Attribute("intensity_clip_low", map.clip_low);
    if (std::isfinite(map.clip_high)) layout.Attribute("intensity_clip_high", map.clip_high);
    if (spec_.physical != PhysicalUnits{}) {
      layout.Attribute("physical_scale", spec_.physical.scale);
      layout.Attribute("physical_offset", spec_.physical.offset);
      layout.Attribute("physical_unit", spec_.physical.unit);
    }
    layout.Attribute("count", count());
    layout.Attribute("complete", int64_t{1});
    const std::vector<std::span<const std::byte>> pieces = layout.Pieces();
    if (pieces.empty()) {
      return absl::InternalError(
          absl::StrCat(path, ": HDF5 could not lay out a shard of ", bytes(), " bytes"));
    }
    LANGEVIN_RETURN_IF_ERROR(file_system.WriteFileDurably(path, pieces));
  }
  Clear();
  return entry;
}

void ShardWriter::Clear() {
  pixels_.clear();
  index_.clear();
  masks_.clear();
  mask_index_.clear();
  labels_.clear();
  groups_.clear();
  conditions_.clear();
  crcs_.clear();
  extras_crcs_.clear();
}

}  // namespace langevin::data
