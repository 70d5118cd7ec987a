#include "data/shard_header.h"

#include <array>
#include <utility>

#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"

namespace langevin::data {
namespace {

constexpr std::string_view kWhatToDo =
    "restore the file from a copy, or remove the data set and make it again";

std::optional<NumberType> StoredType(hid_t type) {
  const std::array<std::pair<hid_t, NumberType>, 6> known = {
      {{H5T_STD_U8LE, NumberType::kUint8},
       {H5T_STD_U16LE, NumberType::kUint16},
       {H5T_STD_U32LE, NumberType::kUint32},
       {H5T_STD_U64LE, NumberType::kUint64},
       {H5T_STD_I64LE, NumberType::kInt64},
       {H5T_IEEE_F32LE, NumberType::kFloat32}}};
  for (const auto& [stored, number] : known) {
    if (H5Tequal(type, stored) > 0) return number;
  }
  return std::nullopt;
}

}  // namespace

absl::Status RefusedShard(const std::string& path, std::string_view problem) {
  return absl::DataLossError(absl::StrFormat("%s: %s; %s", path, problem, kWhatToDo));
}

uint64_t BytesOf(NumberType type) {
  switch (type) {
    case NumberType::kUint8:
      return 1;
    case NumberType::kUint16:
      return 2;
    case NumberType::kUint32:
    case NumberType::kFloat32:
      return 4;
    default:
      return 8;
  }
}

absl::Status ShardHeader::Open() {
  const Hdf5Id access(H5Pcreate(H5P_FILE_ACCESS));
  // File locks fail on many network file systems and guard against nothing here.
  H5Pset_file_locking(access.get(), /*use_file_locking=*/false, /*ignore_when_disabled=*/true);
  file_.emplace(H5Fopen(path_.c_str(), H5F_ACC_RDONLY, access.get()));
  if (!file_->ok()) return RefusedShard(path_, "is no HDF5 file, or is damaged or truncated");
  const Hdf5Id creation(H5Fget_create_plist(file_->get()));
  hsize_t user_block = 0;
  if (H5Pget_userblock(creation.get(), &user_block) < 0 || user_block != 0) {
    return RefusedShard(path_, "has a user block, which Langevin's shards do not");
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> ShardHeader::IntegerAttribute(const char* name) const {
  int64_t value = 0;
  LANGEVIN_RETURN_IF_ERROR(ReadAttribute(name, H5T_INTEGER, H5T_NATIVE_INT64, &value));
  return value;
}

absl::StatusOr<double> ShardHeader::RealAttribute(const char* name) const {
  double value = 0;
  LANGEVIN_RETURN_IF_ERROR(ReadAttribute(name, H5T_FLOAT, H5T_NATIVE_DOUBLE, &value));
  return value;
}

absl::StatusOr<ArrayExtent> ShardHeader::Array(const char* name, int rank) const {
  const auto refused = [this, name](std::string_view problem) {
    return RefusedShard(path_, absl::StrFormat("/%s %s", name, problem));
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

  ArrayExtent extent;
  const Hdf5Id type(H5Dget_type(dataset.get()));
  const std::optional<NumberType> number = StoredType(type.get());
  if (!number.has_value()) return refused("has a number format that shards do not have");
  extent.type = *number;

  const Hdf5Id space(H5Dget_space(dataset.get()));
  if (H5Sget_simple_extent_ndims(space.get()) != rank) {
    return refused(absl::StrFormat("does not have %d dimensions", rank));
  }
  std::vector<hsize_t> shape(static_cast<size_t>(rank));
  H5Sget_simple_extent_dims(space.get(), shape.data(), nullptr);
  extent.bytes = BytesOf(extent.type);
  for (const hsize_t side : shape) {
    if (side == 0 || side > file_size_ / extent.bytes) {
      return refused("has a shape for which the file is too small");
    }
    extent.bytes *= side;
    extent.shape.push_back(side);
  }
  extent.offset = H5Dget_offset(dataset.get());
  if (extent.offset == HADDR_UNDEF || extent.offset > file_size_ - extent.bytes) {
    return refused("reaches beyond the end of the file");
  }
  return extent;
}

absl::Status ShardHeader::ReadAttribute(const char* name, H5T_class_t kind, hid_t memory,
                                        void* value) const {
  const auto refused = [this, name](std::string_view problem) {
    return RefusedShard(path_, absl::StrFormat("attribute %s %s", name, problem));
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

}  // namespace langevin::data
