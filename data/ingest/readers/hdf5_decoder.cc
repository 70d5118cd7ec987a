// HDF5 files of others: one named dataset of images, and one of labels where asked for.
//
// Chunks and HDF5's own filters are read; what would open further files (external storage and
// links, virtual datasets) or run code from elsewhere (filter plugins) is refused. HDF5's library
// trusts its metadata more than it should: the sandbox is there for what it does not survive.
#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/base/status_macros.h"
#include "data/hdf5.h"
#include "data/ingest/decoders.h"
#include "data/ingest/readers/array_images.h"

namespace langevin::data {
namespace {

constexpr uint64_t kSlabBytes = 32 << 20;  // Read at a time, or one image where it is larger.
constexpr uint64_t kMaxChunkRowBytes = 256 << 20;  // Up to here slabs are whole rows of chunks.
constexpr uint64_t kBestRatio = 1100;              // Deflate reaches 1032 to 1.
constexpr int64_t kMaxLabels = 32 << 20;
constexpr size_t kMaxNames = 10;

struct OpenDataset {
  Hdf5Id dataset;
  Hdf5Id memory_type;
  NumberFormat format;
  std::vector<hsize_t> extents;
  std::vector<hsize_t> chunk;  // Empty: contiguous or compact.

  // Bytes of what is at one index of the first dimension.
  uint64_t RowBytes() const {
    uint64_t bytes = static_cast<uint64_t>(format.bytes);
    for (size_t i = 1; i < extents.size(); ++i) bytes *= extents[i];
    return bytes;
  }
};

absl::Status Refused(const std::string& name, std::string_view problem) {
  return absl::DataLossError(
      absl::StrCat("its dataset ", name, " ", absl::string_view(problem.data(), problem.size())));
}

// What a file without the dataset has instead, for people.
std::string NamesIn(hid_t file) {
  std::vector<std::string> names;
  const auto add = [](hid_t, const char* name, const H5L_info_t*, void* data) -> herr_t {
    auto* const found = static_cast<std::vector<std::string>*>(data);
    found->push_back(name);
    return found->size() < kMaxNames ? 0 : 1;
  };
  hsize_t index = 0;
  H5Literate(file, H5_INDEX_NAME, H5_ITER_INC, &index, add, &names);
  return names.empty() ? "nothing" : absl::StrJoin(names, ", ");
}

absl::Status CheckFilters(hid_t creation, const std::string& name) {
  const int count = H5Pget_nfilters(creation);
  if (count < 0) return Refused(name, "cannot be examined");
  for (int i = 0; i < count; ++i) {
    unsigned flags = 0, config = 0;
    size_t values = 0;
    char text[64] = "";
    const H5Z_filter_t filter = H5Pget_filter2(creation, static_cast<unsigned>(i), &flags, &values,
                                               nullptr, sizeof(text), text, &config);
    const bool built_in = filter >= H5Z_FILTER_DEFLATE && filter <= H5Z_FILTER_SCALEOFFSET;
    if (!built_in) {
      return Refused(name, absl::StrFormat("needs the filter plugin %d; repack it with gzip or "
                                           "without filters (h5repack -f GZIP=1)",
                                           filter));
    }
    if (H5Zfilter_avail(filter) <= 0) {
      return Refused(name, absl::StrFormat("needs filter %d, which this HDF5 is without", filter));
    }
  }
  return absl::OkStatus();
}

// All links on the way must be hard ones: others may lead into other files.
absl::Status CheckLinks(hid_t file, const std::string& name) {
  std::string path;
  for (const absl::string_view part : absl::StrSplit(name, '/', absl::SkipEmpty())) {
    path = path.empty() ? std::string(part) : absl::StrCat(path, "/", part);
    H5L_info_t link;
    if (H5Lexists(file, path.c_str(), H5P_DEFAULT) <= 0 ||
        H5Lget_info(file, path.c_str(), &link, H5P_DEFAULT) < 0) {
      return absl::DataLossError(
          absl::StrFormat("has no dataset %s; it has %s: set "
                          "read.hdf5_images or read.hdf5_labels",
                          name, NamesIn(file)));
    }
    if (link.type != H5L_TYPE_HARD) return Refused(name, "is a link, which is not followed");
  }
  if (path.empty()) return absl::DataLossError("read.hdf5_images names no dataset");
  return absl::OkStatus();
}

absl::StatusOr<NumberFormat> FormatOf(hid_t type, const std::string& name) {
  using Kind = NumberFormat::Kind;
  const H5T_class_t kind = H5Tget_class(type);
  const int bytes = static_cast<int>(H5Tget_size(type));
  if (kind == H5T_FLOAT) return NumberFormat{Kind::kFloat, bytes};
  if (kind == H5T_INTEGER) {
    return NumberFormat{H5Tget_sign(type) == H5T_SGN_2 ? Kind::kSigned : Kind::kUnsigned, bytes};
  }
  return Refused(name, "does not hold numbers");
}

absl::StatusOr<OpenDataset> OpenNamed(hid_t file, const std::string& name) {
  LANGEVIN_RETURN_IF_ERROR(CheckLinks(file, name));
  Hdf5Id dataset(H5Dopen2(file, name.c_str(), H5P_DEFAULT));
  if (!dataset.ok()) return Refused(name, "cannot be opened as one");
  const Hdf5Id creation(H5Dget_create_plist(dataset.get()));
  if (!creation.ok()) return Refused(name, "cannot be examined");
  const H5D_layout_t layout = H5Pget_layout(creation.get());
  if (layout == H5D_VIRTUAL) return Refused(name, "is virtual: its data are in other files");
  if (H5Pget_external_count(creation.get()) != 0) {
    return Refused(name, "has external storage: its data are in other files");
  }
  LANGEVIN_RETURN_IF_ERROR(CheckFilters(creation.get(), name));

  const Hdf5Id stored(H5Dget_type(dataset.get()));
  const bool is_enum = H5Tget_class(stored.get()) == H5T_ENUM;  // As h5py stores bool.
  const Hdf5Id base(is_enum ? H5Tget_super(stored.get()) : H5Tcopy(stored.get()));
  const H5T_class_t kind = H5Tget_class(base.get());
  if (kind != H5T_INTEGER && kind != H5T_FLOAT) return Refused(name, "does not hold numbers");
  Hdf5Id memory(H5Tget_native_type(base.get(), H5T_DIR_ASCEND));
  if (!memory.ok()) return Refused(name, "holds numbers of an unknown kind");
  LANGEVIN_ASSIGN_OR_RETURN(NumberFormat format, FormatOf(memory.get(), name));
  if (is_enum && format.bytes == 1) format.kind = NumberFormat::Kind::kBool;

  const Hdf5Id space(H5Dget_space(dataset.get()));
  const int rank = H5Sget_simple_extent_ndims(space.get());
  if (rank < 1 || rank > 4) return Refused(name, "does not have 1 to 4 dimensions");
  OpenDataset open{std::move(dataset), std::move(memory), format, {}, {}};
  open.extents.resize(static_cast<size_t>(rank));
  H5Sget_simple_extent_dims(space.get(), open.extents.data(), nullptr);
  uint64_t bytes = static_cast<uint64_t>(format.bytes);
  for (const hsize_t extent : open.extents) {
    if (extent == 0 || __builtin_mul_overflow(bytes, extent, &bytes)) {
      return Refused(name, "is empty or of an impossible shape");
    }
  }
  if (layout == H5D_CHUNKED) {
    open.chunk.resize(static_cast<size_t>(rank));
    if (H5Pget_chunk(creation.get(), rank, open.chunk.data()) != rank) {
      return Refused(name, "has chunks of another rank");
    }
    uint64_t chunk_bytes = static_cast<uint64_t>(format.bytes);
    for (const hsize_t extent : open.chunk) {
      if (extent == 0 || __builtin_mul_overflow(chunk_bytes, extent, &chunk_bytes) ||
          chunk_bytes > static_cast<uint64_t>(kMaxDecodedBytes)) {
        return Refused(name, "has chunks of an impossible size");
      }
    }
  }
  const uint64_t stored_bytes = H5Dget_storage_size(open.dataset.get());
  if (bytes / kBestRatio > stored_bytes + kSlabBytes / kBestRatio) {
    return Refused(
        name, absl::StrFormat("claims %d bytes, of which %d are in the file", bytes, stored_bytes));
  }
  return open;
}

// A dataset's numbers in row-major order.
class DatasetStream : public ByteStream {
 public:
  DatasetStream(const std::string& name, const OpenDataset& open)
      : name_(name), open_(open), row_bytes_(open.RowBytes()) {
    rows_a_slab_ = std::max<uint64_t>(1, kSlabBytes / row_bytes_);
    // Whole rows of chunks, so that no chunk is inflated twice.
    if (!open.chunk.empty()) {
      const uint64_t chunk_rows = std::min<uint64_t>(open.chunk[0], open.extents[0]);
      if (chunk_rows <= kMaxChunkRowBytes / row_bytes_) {
        rows_a_slab_ = std::max<uint64_t>(chunk_rows, rows_a_slab_ / chunk_rows * chunk_rows);
      }
    }
    rows_a_slab_ = std::min<uint64_t>(rows_a_slab_, open.extents[0]);
  }

  absl::Status Read(std::span<std::byte> out) override {
    while (!out.empty()) {
      if (at_ == slab_.size()) LANGEVIN_RETURN_IF_ERROR(ReadSlab());
      const size_t count = std::min(out.size(), slab_.size() - at_);
      std::memcpy(out.data(), slab_.data() + at_, count);
      at_ += count;
      out = out.subspan(count);
    }
    return absl::OkStatus();
  }
  absl::Status ExpectEnd() override { return absl::OkStatus(); }
  absl::Status Rewind() override {
    next_row_ = 0;
    slab_.clear();
    at_ = 0;
    return absl::OkStatus();
  }

 private:
  absl::Status ReadSlab() {
    const uint64_t rows = std::min<uint64_t>(rows_a_slab_, open_.extents[0] - next_row_);
    if (rows == 0) return Refused(name_, "is truncated");
    slab_.resize(rows * row_bytes_);
    at_ = 0;
    std::vector<hsize_t> start(open_.extents.size(), 0);
    std::vector<hsize_t> count = open_.extents;
    start[0] = next_row_;
    count[0] = rows;
    const Hdf5Id file_space(H5Dget_space(open_.dataset.get()));
    const Hdf5Id memory_space(
        H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr));
    if (H5Sselect_hyperslab(file_space.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(),
                            nullptr) < 0 ||
        H5Dread(open_.dataset.get(), open_.memory_type.get(), memory_space.get(), file_space.get(),
                H5P_DEFAULT, slab_.data()) < 0) {
      return Refused(name_, "is truncated or damaged");
    }
    next_row_ += rows;
    return absl::OkStatus();
  }

  const std::string name_;
  const OpenDataset& open_;
  const uint64_t row_bytes_;
  uint64_t rows_a_slab_ = 1;
  uint64_t next_row_ = 0;
  std::vector<std::byte> slab_;
  size_t at_ = 0;
};

absl::StatusOr<std::vector<int64_t>> ReadLabels(hid_t file, const std::string& name,
                                                int64_t count) {
  LANGEVIN_ASSIGN_OR_RETURN(const OpenDataset open, OpenNamed(file, name));
  const bool is_row =
      open.extents.size() == 1 || (open.extents.size() == 2 && open.extents[1] == 1);
  if (!is_row || open.format.kind == NumberFormat::Kind::kFloat) {
    return Refused(name, "is no row of whole numbers, as labels are");
  }
  if (open.extents[0] != static_cast<hsize_t>(count) || count > kMaxLabels) {
    return Refused(name, absl::StrFormat("has %d labels for %d images", open.extents[0], count));
  }
  std::vector<std::byte> bytes(static_cast<size_t>(count * open.format.bytes));
  DatasetStream stream(name, open);
  LANGEVIN_RETURN_IF_ERROR(stream.Read(bytes));
  return IntegersOf(open.format, bytes);
}

}  // namespace

absl::Status DecodeHdf5(const std::string& path, const configs::ReadConfig& config,
                        const ImageSink& sink) {
  const Hdf5Session session;
  const Hdf5Id access(H5Pcreate(H5P_FILE_ACCESS));
  // File locks fail on many network file systems and guard against nothing here.
  H5Pset_file_locking(access.get(), /*use_file_locking=*/false, /*ignore_when_disabled=*/true);
  const Hdf5Id file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()));
  if (!file.ok()) return absl::DataLossError("is a damaged or truncated HDF5 file");
  LANGEVIN_ASSIGN_OR_RETURN(const OpenDataset open, OpenNamed(file.get(), config.hdf5_images));
  ArraySource array;
  array.format = open.format;
  for (const hsize_t extent : open.extents) array.extents.push_back(static_cast<int64_t>(extent));
  LANGEVIN_ASSIGN_OR_RETURN(
      const ArrayLayout layout,
      LayoutOfArray(array.extents, /*fortran_order=*/false, array.format.bytes));
  if (!config.hdf5_labels.empty()) {
    LANGEVIN_ASSIGN_OR_RETURN(array.labels,
                              ReadLabels(file.get(), config.hdf5_labels, layout.count));
  }
  DatasetStream stream(config.hdf5_images, open);
  return ReadArrayImages(stream, 0, array, config, sink);
}

}  // namespace langevin::data
