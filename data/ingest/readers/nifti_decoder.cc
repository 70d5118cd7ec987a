#include "data/ingest/readers/nifti_decoder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "data/ingest/medical/geometry.h"
#include "data/ingest/medical/volume.h"

namespace langevin::data {
namespace {

absl::Status Unreadable(std::string_view problem) {
  return absl::DataLossError("is no NIfTI file that can be read: " + std::string(problem));
}

// A plain or a gzip-compressed file, from its beginning on.
class Stream {
 public:
  absl::Status Open(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return absl::DataLossError(absl::StrFormat("cannot open: %s", strerror(errno)));
    file_.reset(gzdopen(fd, "rb"));
    if (file_ == nullptr) {
      close(fd);
      return absl::ResourceExhaustedError("needs more memory than there is");
    }
    gzbuffer(file_.get(), 1 << 18);
    return absl::OkStatus();
  }

  // As many bytes as there are, up to the size of `out`.
  absl::StatusOr<size_t> ReadSome(std::span<std::byte> out) {
    size_t done = 0;
    while (done < out.size()) {
      const size_t wanted = std::min<size_t>(out.size() - done, 1 << 30);
      const int count = gzread(file_.get(), &out[done], static_cast<unsigned>(wanted));
      if (count < 0) return Unreadable("its compression is damaged");
      if (count == 0) break;
      done += static_cast<size_t>(count);
    }
    return done;
  }

  absl::Status Read(std::span<std::byte> out) {
    LANGEVIN_ASSIGN_OR_RETURN(const size_t done, ReadSome(out));
    return done == out.size() ? absl::OkStatus() : Unreadable("it is truncated");
  }

  absl::Status Skip(int64_t count) {
    std::vector<std::byte> buffer(static_cast<size_t>(std::min<int64_t>(count, 1 << 16)));
    while (count > 0) {
      const auto piece = static_cast<size_t>(std::min<int64_t>(count, 1 << 16));
      LANGEVIN_RETURN_IF_ERROR(Read(std::span(buffer).first(piece)));
      count -= static_cast<int64_t>(piece);
    }
    return absl::OkStatus();
  }

 private:
  std::unique_ptr<gzFile_s, int (*)(gzFile)> file_{nullptr, gzclose};
};

// Names of a pair's two files, where `path` is one of them.
struct PairNames {
  std::string header, voxels;
};

std::optional<PairNames> PairOf(const std::string& path) {
  std::string stem = path, packed;
  if (absl::EndsWithIgnoreCase(stem, ".gz")) {
    packed = stem.substr(stem.size() - 3);
    stem.resize(stem.size() - 3);
  }
  for (const auto& [header, voxels] : {std::pair(".hdr", ".img"), std::pair(".HDR", ".IMG")}) {
    for (const char* const own : {header, voxels}) {
      if (!absl::EndsWith(stem, own)) continue;
      stem.resize(stem.size() - 4);
      PairNames names = {.header = stem + header + packed, .voxels = stem + voxels + packed};
      // Often only the voxels are compressed.
      if (access(names.header.c_str(), F_OK) != 0) names.header = stem + header;
      if (access(names.voxels.c_str(), F_OK) != 0) {
        names.voxels = stem + voxels + (packed.empty() ? ".gz" : "");
      }
      return names;
    }
  }
  return std::nullopt;
}

template <typename T>
T Load(const std::byte* bytes, bool swapped) {
  std::array<std::byte, sizeof(T)> raw;
  std::copy_n(bytes, sizeof(T), raw.begin());
  if (swapped) std::reverse(raw.begin(), raw.end());
  return std::bit_cast<T>(raw);
}

bool IsWhole(double number) { return std::abs(number) < 1e9 && number == std::floor(number); }

// How the voxels of a file become those of a volume.
class VoxelConverter {
 public:
  explicit VoxelConverter(const NiftiHeader& header) : header_(header) {
    const int type = header.datatype;
    format_.shape.channels = 1;
    if (type == 128 || type == 2304) {  // RGB, RGBA.
      format_.shape.channels = 3;
      format_.alpha_left_out = type == 2304;
      size_ = type == 128 ? 3 : 4;
      return;
    }
    size_ = type == 2 || type == 256                 ? 1
            : type == 4 || type == 512               ? 2
            : type == 8 || type == 16 || type == 768 ? 4
                                                     : 8;
    if (size_ <= 2 && IsWhole(header.slope) && IsWhole(header.intercept)) {
      // Whole-numbered results keep the stored numbers, shifted to begin at 0.
      format_.dtype = size_ == 1 ? DType::kUint8 : DType::kUint16;
      format_.bits = static_cast<int32_t>(8 * size_);
      lowest_ = type == 256 ? -128 : type == 4 ? -32768 : 0;
      format_.physical = {.scale = header.slope,
                          .offset = header.intercept + header.slope * lowest_};
      return;
    }
    format_.dtype = DType::kFloat32;
    format_.bits = 32;
  }

  const DecodedImage& format() const { return format_; }
  size_t bytes_in() const { return size_; }
  size_t bytes_out() const {
    return SizeOf(format_.dtype) * static_cast<size_t>(format_.shape.channels);
  }

  // Both hold as many voxels.
  void Convert(std::span<const std::byte> in, std::span<std::byte> out) const {
    const size_t count = in.size() / size_;
    for (size_t i = 0; i < count; ++i) {
      const std::byte* const from = &in[i * size_];
      std::byte* const to = &out[i * bytes_out()];
      if (format_.shape.channels == 3) {
        std::copy_n(from, 3, to);
      } else if (format_.dtype == DType::kFloat32) {
        const auto value = static_cast<float>(Value(from) * header_.slope + header_.intercept);
        std::memcpy(to, &value, sizeof(value));
      } else if (format_.dtype == DType::kUint8) {
        *to = static_cast<std::byte>(static_cast<int>(Value(from)) - lowest_);
      } else {
        const auto value = static_cast<uint16_t>(static_cast<int>(Value(from)) - lowest_);
        std::memcpy(to, &value, sizeof(value));
      }
    }
  }

 private:
  double Value(const std::byte* from) const {
    const bool swapped = header_.swapped;
    switch (header_.datatype) {
      case 2:
        return Load<uint8_t>(from, swapped);
      case 256:
        return Load<int8_t>(from, swapped);
      case 4:
        return Load<int16_t>(from, swapped);
      case 512:
        return Load<uint16_t>(from, swapped);
      case 8:
        return Load<int32_t>(from, swapped);
      case 768:
        return Load<uint32_t>(from, swapped);
      case 16:
        return Load<float>(from, swapped);
      case 64:
        return Load<double>(from, swapped);
      case 1024:
        return static_cast<double>(Load<int64_t>(from, swapped));
      default:
        return static_cast<double>(Load<uint64_t>(from, swapped));
    }
  }

  const NiftiHeader& header_;
  DecodedImage format_;
  size_t size_ = 1;
  int lowest_ = 0;
};

// Column `i` of the affine, from RAS to LPS.
Vector3 ColumnOf(const NiftiHeader& header, size_t i) {
  return {-header.affine[0][i], -header.affine[1][i], header.affine[2][i]};
}

}  // namespace

absl::Status DecodeNifti(const std::string& path, const configs::MedicalConfig& config,
                         const Privacy& privacy, const ImageSink& sink) {
  const std::optional<PairNames> pair = PairOf(path);
  Stream stream;
  LANGEVIN_RETURN_IF_ERROR(stream.Open(pair.has_value() ? pair->header : path));
  std::array<std::byte, 544> head;
  LANGEVIN_ASSIGN_OR_RETURN(const size_t head_size, stream.ReadSome(std::span(head).first(348)));
  size_t read = head_size;
  if (read == 348) {
    LANGEVIN_ASSIGN_OR_RETURN(const size_t more, stream.ReadSome(std::span(head).subspan(348, 4)));
    read += more;
  }
  // Of NIfTI-2 there is more; a NIfTI-1 header may be all of a file.
  absl::StatusOr<NiftiHeader> header = ParseNiftiHeader(std::span(head).first(read));
  if (!header.ok() && read == 352) {
    LANGEVIN_ASSIGN_OR_RETURN(const size_t more, stream.ReadSome(std::span(head).subspan(352)));
    read += more;
    header = ParseNiftiHeader(std::span(head).first(read));
  }
  if (!header.ok()) return header.status();
  if (header->kind == NiftiHeader::Kind::kSingle) {
    LANGEVIN_RETURN_IF_ERROR(stream.Skip(header->data_offset - static_cast<int64_t>(read)));
  } else {
    if (!pair.has_value()) return Unreadable("its voxels are in another file");
    stream = Stream();
    LANGEVIN_RETURN_IF_ERROR(stream.Open(pair->voxels));
    LANGEVIN_RETURN_IF_ERROR(stream.Skip(header->data_offset));
  }

  const VoxelConverter converter(*header);
  const auto& dim = header->dim;
  const auto bytes_out = static_cast<int64_t>(converter.bytes_out());
  const int64_t most = kMaxDecodedBytes / std::max<int64_t>(bytes_out, 8);
  if (dim[0] > most || dim[1] > most / dim[0] || dim[2] > most / (dim[0] * dim[1])) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("is a volume of too many voxels (%d x %d x "
                        "%d)",
                        dim[0], dim[1], dim[2]));
  }
  Volume volume;
  volume.format = converter.format();
  volume.format.shape.height = dim[1];
  volume.format.shape.width = dim[0];
  volume.format.medical.series = privacy.Pseudonym(kSeriesPurpose, path);
  volume.slices = dim[2];
  volume.acquired_is_view = true;
  volume.origin = ColumnOf(*header, 3);
  volume.column_step = ColumnOf(*header, 0);
  volume.row_step = ColumnOf(*header, 1);
  const Vector3 slice_step = ColumnOf(*header, 2);
  const double between = Length(slice_step);
  volume.slice_direction = Scaled(slice_step, 1 / between);
  for (int64_t k = 0; k < dim[2]; ++k) {
    volume.slice_position.push_back(static_cast<double>(k) * between);
  }
  volume.volumes_in_source = dim[3] * dim[4] * dim[5] * dim[6];
  SliceFilter filter(config.skip_empty, sink);
  std::vector<std::byte> slice(static_cast<size_t>(dim[0] * dim[1]) * converter.bytes_in());
  const size_t slice_out = static_cast<size_t>(dim[0] * dim[1]) * converter.bytes_out();
  for (int64_t index = 0; index < volume.volumes_in_source; ++index) {
    volume.voxels.clear();
    // Memory grows with what the file really has.
    for (int64_t k = 0; k < dim[2]; ++k) {
      LANGEVIN_RETURN_IF_ERROR(stream.Read(slice));
      volume.voxels.resize(volume.voxels.size() + slice_out);
      converter.Convert(slice, std::span(volume.voxels).last(slice_out));
    }
    LANGEVIN_RETURN_IF_ERROR(EmitSlices(volume, config, filter));
  }
  return filter.Finish();
}

}  // namespace langevin::data
