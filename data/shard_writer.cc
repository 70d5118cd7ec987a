#include "data/shard_writer.h"

#include <cassert>
#include <memory>

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

bool WriteColumn(hid_t file, const char* name, hid_t stored, hid_t memory, hsize_t count,
                 const void* values) {
  const Hdf5Id dataset = CreateDataset(file, name, stored, {&count, 1});
  return dataset.ok() &&
         H5Dwrite(dataset.get(), memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0;
}

}  // namespace

void ShardWriter::Add(std::span<const std::byte> pixels, int64_t label) {
  assert(static_cast<int64_t>(pixels.size()) == spec_.image_bytes());
  assert(!spec_.has_labels || label >= 0);
  pixels_.insert(pixels_.end(), pixels.begin(), pixels.end());
  crcs_.push_back(Crc32c(pixels));
  if (spec_.has_labels) labels_.push_back(label);
}

absl::StatusOr<ShardEntry> ShardWriter::Write(FileSystem& file_system, const std::string& path) {
  assert(count() >= 1);
  ShardEntry entry{.file = BaseName(path), .count = count(), .digest = ""};
  ContentDigest digest;
  for (size_t i = 0; i < crcs_.size(); ++i) {
    digest.Add(crcs_[i], spec_.has_labels ? labels_[i] : -1);
  }
  entry.digest = digest.Hex();

  const absl::Status hdf5_failed = absl::InternalError(
      absl::StrCat(path, ": HDF5 could not lay out a shard of ", pixels_.size(), " bytes"));
  {
    const Hdf5Session session;
    const Hdf5Id access(H5Pcreate(H5P_FILE_ACCESS));
    H5Pset_fapl_core(access.get(), /*increment=*/1 << 20, /*backing_store=*/false);
    H5Pset_libver_bounds(access.get(), H5F_LIBVER_EARLIEST, H5F_LIBVER_V18);
    H5Pset_alignment(access.get(), /*threshold=*/1, kAlignment);
    const Hdf5Id file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get()));
    if (!file.ok()) return hdf5_failed;

    const hsize_t rows = static_cast<hsize_t>(count());
    const ImageShape& shape = spec_.shape;
    const hsize_t extent[] = {rows, static_cast<hsize_t>(shape.height),
                              static_cast<hsize_t>(shape.width),
                              static_cast<hsize_t>(shape.channels)};
    const Hdf5Id images = CreateDataset(file.get(), "images", StoredType(spec_.dtype), extent);
    const bool laid_out =
        images.ok() &&
        (!spec_.has_labels || WriteColumn(file.get(), "labels", H5T_STD_I64LE, H5T_NATIVE_INT64,
                                          rows, labels_.data())) &&
        WriteColumn(file.get(), "crc32c", H5T_STD_U32LE, H5T_NATIVE_UINT32, rows, crcs_.data()) &&
        SetAttribute(file.get(), "format_version", int64_t{kFormatVersion}) &&
        SetAttribute(file.get(), "intensity_scale", spec_.intensity_map.scale) &&
        SetAttribute(file.get(), "intensity_offset", spec_.intensity_map.offset) &&
        SetAttribute(file.get(), "count", count()) &&
        SetAttribute(file.get(), "complete", int64_t{1}) &&
        H5Fflush(file.get(), H5F_SCOPE_LOCAL) >= 0;
    const haddr_t offset = laid_out ? H5Dget_offset(images.get()) : HADDR_UNDEF;
    void* handle = nullptr;  // Of the in-memory driver: where its buffer's address stands.
    // Without a buffer to copy to, the length of the file; the driver's own is rounded up.
    const ssize_t size = H5Fget_file_image(file.get(), nullptr, 0);
    if (offset == HADDR_UNDEF || size < 0 ||
        H5Fget_vfd_handle(file.get(), H5P_DEFAULT, &handle) < 0 ||
        offset + pixels_.size() > static_cast<size_t>(size)) {
      return hdf5_failed;
    }
    // The images are not copied into HDF5's buffer: they take their place on the way to the disk.
    const std::span layout(*static_cast<const std::byte* const*>(handle),
                           static_cast<size_t>(size));
    const std::span<const std::byte> pieces[] = {layout.first(offset), pixels_,
                                                 layout.subspan(offset + pixels_.size())};
    LANGEVIN_RETURN_IF_ERROR(file_system.WriteFileDurably(path, pieces));
  }
  pixels_.clear();
  labels_.clear();
  crcs_.clear();
  return entry;
}

}  // namespace langevin::data
