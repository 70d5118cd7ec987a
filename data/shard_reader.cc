#include "data/shard_reader.h"

#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/crc32c.h"
#include "core/base/status_macros.h"
#include "data/hdf5.h"

namespace langevin::data {
namespace {

constexpr std::string_view kWhatToDo =
    "restore the file from a copy, or remove the data set and make it again";

absl::Status Refused(const std::string& path, std::string_view problem) {
  return absl::DataLossError(absl::StrFormat("%s: %s; %s", path, problem, kWhatToDo));
}

// Where an array stands in the file.
struct Extent {
  DType dtype = DType::kUint8;
  bool is_crc = false;  // uint32, which images may not have.
  std::vector<hsize_t> shape;
  uint64_t offset = 0;
};

// Reads where things are. Every problem is a sentence's end, after the path.
class ShardLayout {
 public:
  ShardLayout(const std::string& path, uint64_t file_size) : path_(path), file_size_(file_size) {}

  absl::Status Open() {
    const Hdf5Id access(H5Pcreate(H5P_FILE_ACCESS));
    // File locks fail on many network file systems and guard against nothing here.
    H5Pset_file_locking(access.get(), /*use_file_locking=*/false, /*ignore_when_disabled=*/true);
    file_.emplace(H5Fopen(path_.c_str(), H5F_ACC_RDONLY, access.get()));
    if (!file_->ok()) return Refused(path_, "is no HDF5 file, or is damaged or truncated");
    const Hdf5Id creation(H5Fget_create_plist(file_->get()));
    hsize_t user_block = 0;
    if (H5Pget_userblock(creation.get(), &user_block) < 0 || user_block != 0) {
      return Refused(path_, "has a user block, which Langevin's shards do not");
    }
    return absl::OkStatus();
  }

  absl::StatusOr<int64_t> IntegerAttribute(const char* name) const {
    int64_t value = 0;
    LANGEVIN_RETURN_IF_ERROR(ReadAttribute(name, H5T_INTEGER, H5T_NATIVE_INT64, &value));
    return value;
  }

  absl::StatusOr<double> RealAttribute(const char* name) const {
    double value = 0;
    LANGEVIN_RETURN_IF_ERROR(ReadAttribute(name, H5T_FLOAT, H5T_NATIVE_DOUBLE, &value));
    return value;
  }

  // Whether a link of any kind stands under `name`.
  bool Has(const char* name) const { return H5Lexists(file_->get(), name, H5P_DEFAULT) > 0; }

  absl::StatusOr<Extent> Dataset(const char* name, int rank) const {
    const auto refused = [this, name](std::string_view problem) {
      return Refused(path_, absl::StrFormat("/%s %s", name, problem));
    };
    H5L_info_t link;
    if (!Has(name) || H5Lget_info(file_->get(), name, &link, H5P_DEFAULT) < 0) {
      return refused("is missing");
    }
    if (link.type != H5L_TYPE_HARD) return refused("is a link to somewhere else");
    const Hdf5Id dataset(H5Dopen2(file_->get(), name, H5P_DEFAULT));
    if (!dataset.ok()) return refused("is no dataset that can be opened");

    const Hdf5Id creation(H5Dget_create_plist(dataset.get()));
    if (!creation.ok()) return refused("cannot be examined");
    const H5D_layout_t layout = H5Pget_layout(creation.get());
    if (layout == H5D_VIRTUAL) return refused("is virtual: its data are in other files");
    if (H5Pget_external_count(creation.get()) != 0) {
      return refused("has external storage: its data are in other files");
    }
    if (H5Pget_nfilters(creation.get()) != 0) return refused("is compressed or filtered");
    if (layout != H5D_CONTIGUOUS) return refused("is not stored contiguously");

    Extent extent;
    const Hdf5Id type(H5Dget_type(dataset.get()));
    const std::optional<DType> dtype = StoredDType(type.get(), extent.is_crc);
    if (!dtype.has_value()) return refused("has a number format that shards do not have");
    extent.dtype = *dtype;

    const Hdf5Id space(H5Dget_space(dataset.get()));
    if (H5Sget_simple_extent_ndims(space.get()) != rank) {
      return refused(absl::StrFormat("does not have %d dimensions", rank));
    }
    extent.shape.resize(static_cast<size_t>(rank));
    H5Sget_simple_extent_dims(space.get(), extent.shape.data(), nullptr);
    uint64_t bytes = SizeOf(extent.dtype);
    for (const hsize_t side : extent.shape) {
      if (side == 0 || side > file_size_ / bytes) {
        return refused("has a shape for which the file is too small");
      }
      bytes *= side;
    }
    extent.offset = H5Dget_offset(dataset.get());
    if (extent.offset == HADDR_UNDEF || extent.offset > file_size_ - bytes) {
      return refused("reaches beyond the end of the file");
    }
    return extent;
  }

 private:
  static std::optional<DType> StoredDType(hid_t type, bool& is_crc) {
    const std::array<std::pair<hid_t, DType>, 4> known = {{{H5T_STD_U8LE, DType::kUint8},
                                                           {H5T_STD_U16LE, DType::kUint16},
                                                           {H5T_IEEE_F32LE, DType::kFloat32},
                                                           {H5T_STD_I64LE, DType::kInt64}}};
    for (const auto& [stored, dtype] : known) {
      if (H5Tequal(type, stored) > 0) return dtype;
    }
    is_crc = H5Tequal(type, H5T_STD_U32LE) > 0;
    if (is_crc) return DType::kInt32;  // For its size.
    return std::nullopt;
  }

  absl::Status ReadAttribute(const char* name, H5T_class_t kind, hid_t memory, void* value) const {
    const auto refused = [this, name](std::string_view problem) {
      return Refused(path_, absl::StrFormat("attribute %s %s", name, problem));
    };
    if (H5Aexists(file_->get(), name) <= 0) {
      return refused("is missing: this is no shard of Langevin, or an unfinished one");
    }
    const Hdf5Id attribute(H5Aopen(file_->get(), name, H5P_DEFAULT));
    const Hdf5Id type(H5Aget_type(attribute.get()));
    const Hdf5Id space(H5Aget_space(attribute.get()));
    if (H5Tget_class(type.get()) != kind || H5Sget_simple_extent_npoints(space.get()) != 1 ||
        H5Aread(attribute.get(), memory, value) < 0) {
      return refused("is not one number");
    }
    return absl::OkStatus();
  }

  const std::string& path_;
  const uint64_t file_size_;
  std::optional<Hdf5Id> file_;
};

bool IsImageDType(const Extent& extent) {
  return extent.dtype == DType::kUint8 || extent.dtype == DType::kUint16 ||
         extent.dtype == DType::kFloat32;
}

template <typename T>
absl::Status ReadColumn(const RandomAccessFile& file, const Extent& extent,
                        std::vector<T>& values) {
  values.resize(extent.shape[0]);
  return file.ReadAt(extent.offset, std::as_writable_bytes(std::span(values)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ShardReader>> ShardReader::Open(FileSystem& file_system,
                                                               const std::string& path) {
  absl::StatusOr<std::unique_ptr<RandomAccessFile>> file = file_system.OpenForReading(path);
  if (absl::IsNotFound(file.status())) return Refused(path, "is missing");
  if (absl::IsInvalidArgument(file.status())) {
    return Refused(path, "is not a regular file (links are not followed)");
  }
  if (!file.ok()) return file.status();
  auto reader = absl::WrapUnique(new ShardReader(path, *std::move(file)));
  if (reader->file_->size() == 0) return Refused(path, "is empty");

  Extent images, labels, crcs;
  {
    const Hdf5Session session;
    ShardLayout layout(path, reader->file_->size());
    LANGEVIN_RETURN_IF_ERROR(layout.Open());
    LANGEVIN_ASSIGN_OR_RETURN(const int64_t complete, layout.IntegerAttribute("complete"));
    if (complete != 1) return Refused(path, "was never finished");
    LANGEVIN_ASSIGN_OR_RETURN(const int64_t version, layout.IntegerAttribute("format_version"));
    if (version != kFormatVersion) {
      return Refused(path, absl::StrFormat("has format version %d, this program reads %d", version,
                                           kFormatVersion));
    }
    LANGEVIN_ASSIGN_OR_RETURN(images, layout.Dataset("images", 4));
    LANGEVIN_ASSIGN_OR_RETURN(crcs, layout.Dataset("crc32c", 1));
    reader->spec_.has_labels = layout.Has("labels");
    if (reader->spec_.has_labels) {
      LANGEVIN_ASSIGN_OR_RETURN(labels, layout.Dataset("labels", 1));
    }
    LANGEVIN_ASSIGN_OR_RETURN(const int64_t count, layout.IntegerAttribute("count"));
    if (count < 0 || static_cast<hsize_t>(count) != images.shape[0]) {
      return Refused(path, absl::StrFormat("attribute count is %d, but /images holds %d", count,
                                           images.shape[0]));
    }
    IntensityMap& map = reader->spec_.intensity_map;
    LANGEVIN_ASSIGN_OR_RETURN(map.scale, layout.RealAttribute("intensity_scale"));
    LANGEVIN_ASSIGN_OR_RETURN(map.offset, layout.RealAttribute("intensity_offset"));
    if (!std::isfinite(map.scale) || !std::isfinite(map.offset) || map.scale == 0) {
      return Refused(path, "has an impossible intensity map");
    }
  }
  if (!IsImageDType(images)) return Refused(path, "/images is not uint8, uint16 or float32");
  if (!crcs.is_crc) return Refused(path, "/crc32c is not uint32");
  if (crcs.shape[0] != images.shape[0]) {
    return Refused(path, "/crc32c does not have one number for each image");
  }
  reader->spec_.dtype = images.dtype;
  reader->spec_.shape = {.height = static_cast<int64_t>(images.shape[1]),
                         .width = static_cast<int64_t>(images.shape[2]),
                         .channels = static_cast<int64_t>(images.shape[3])};
  reader->images_offset_ = images.offset;
  LANGEVIN_RETURN_IF_ERROR(ReadColumn(*reader->file_, crcs, reader->crcs_));
  if (reader->spec_.has_labels) {
    if (labels.dtype != DType::kInt64) return Refused(path, "/labels is not int64");
    if (labels.shape[0] != images.shape[0]) {
      return Refused(path, "/labels does not have one number for each image");
    }
    LANGEVIN_RETURN_IF_ERROR(ReadColumn(*reader->file_, labels, reader->labels_));
  }
  return reader;
}

std::string ShardReader::digest() const {
  ContentDigest digest;
  for (size_t i = 0; i < crcs_.size(); ++i) {
    digest.Add(crcs_[i], spec_.has_labels ? labels_[i] : -1);
  }
  return digest.Hex();
}

absl::Status ShardReader::ReadImage(int64_t index, bool verify, std::span<std::byte> pixels) const {
  const uint64_t offset =
      images_offset_ + static_cast<uint64_t>(index) * static_cast<uint64_t>(spec_.image_bytes());
  LANGEVIN_RETURN_IF_ERROR(file_->ReadAt(offset, pixels));
  if (!verify) return absl::OkStatus();
  const uint32_t stored = crcs_[static_cast<size_t>(index)];
  if (const uint32_t computed = Crc32c(pixels); computed != stored) {
    return Refused(path_, absl::StrFormat("image %d is damaged: its checksum is %08x, it was "
                                          "written with %08x",
                                          index, computed, stored));
  }
  return absl::OkStatus();
}

}  // namespace langevin::data
