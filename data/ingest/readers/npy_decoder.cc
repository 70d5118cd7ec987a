// NumPy's NPY files, and the NPZ archives of them.
#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "data/ingest/decoders.h"
#include "data/ingest/readers/npy_header.h"
#include "data/ingest/readers/zip_directory.h"

namespace langevin::data {
namespace {

constexpr uint64_t kMaxLabelBytes = 256 << 20;

struct Member {
  ZipMember zip;
  NpyHeader header;
};

// What labels of the array `name` are called: "train_images" has "train_labels", "x" has "y".
std::vector<std::string> NamesOfLabels(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& [images, labels] :
       {std::pair{"images", "labels"}, std::pair{"image", "label"}, std::pair{"data", "labels"},
        std::pair{"data", "target"}, std::pair{"x", "y"}, std::pair{"X", "y"},
        std::pair{"X", "Y"}}) {
    const std::string_view word = images;
    // "x" stands at the beginning or end alone: not the one in "max_pixels".
    if (absl::StartsWith(name, images)) {
      names.push_back(labels + name.substr(word.size()));
    } else if (absl::EndsWith(name, images)) {
      names.push_back(name.substr(0, name.size() - word.size()) + labels);
    }
  }
  return names;
}

// Whether the array can hold a label for each of `count` images.
bool MayBeLabels(const ArraySource& array, int64_t count) {
  const std::vector<int64_t>& extents = array.extents;
  return (extents.size() == 1 || (extents.size() == 2 && extents[1] == 1)) && extents[0] == count &&
         array.format.kind != NumberFormat::Kind::kFloat;
}

absl::StatusOr<std::vector<int64_t>> ReadLabels(const RandomAccessFile& file,
                                                const Member& member) {
  const NumberFormat& format = member.header.array.format;
  const uint64_t count = static_cast<uint64_t>(member.header.array.extents[0]);
  if (count > kMaxLabelBytes / 8) return absl::DataLossError("has too many labels");
  LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<ByteStream> stream,
                            OpenZipMember(file, member.zip));
  std::vector<std::byte> bytes(member.header.bytes);
  LANGEVIN_RETURN_IF_ERROR(stream->Read(bytes));
  bytes.resize(count * static_cast<uint64_t>(format.bytes));
  LANGEVIN_RETURN_IF_ERROR(stream->Read(bytes));
  return IntegersOf(format, bytes);
}

bool HoldsImages(const Member& member, bool has_cubes) {
  const std::vector<int64_t>& extents = member.header.array.extents;
  return has_cubes ? extents.size() >= 3 : extents.size() == 2 && extents[1] > 1;
}

}  // namespace

absl::Status DecodeNpy(const std::string& path, const configs::ReadConfig& config,
                       const ImageSink& sink) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<ByteStream> stream, OpenPlainOrGzip(path));
  LANGEVIN_ASSIGN_OR_RETURN(const NpyHeader header, ReadNpyHeader(*stream));
  return ReadArrayImages(*stream, header.bytes, header.array, config, sink);
}

absl::Status DecodeNpz(const std::string& path, const configs::ReadConfig& config,
                       const ImageSink& sink) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<RandomAccessFile> file,
                            PosixFileSystem().OpenForReading(path));
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<ZipMember> zips, ReadZipDirectory(*file));
  std::map<std::string, Member> members;  // By name without ".npy", in alphabetical order.
  for (const ZipMember& zip : zips) {
    if (!absl::EndsWith(zip.name, ".npy")) continue;
    LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<ByteStream> stream, OpenZipMember(*file, zip));
    const absl::StatusOr<NpyHeader> header = ReadNpyHeader(*stream);
    if (!header.ok()) {
      return absl::DataLossError(
          absl::StrFormat("its member %s %s", zip.name, std::string(header.status().message())));
    }
    const std::string name = zip.name.substr(0, zip.name.size() - 4);
    members.insert({name, {.zip = zip, .header = *header}});
  }
  if (members.empty()) return absl::DataLossError("is a ZIP archive without NPY arrays");

  // Arrays of three and more dimensions hold images; where there are none, those of two.
  const bool has_cubes = std::any_of(members.begin(), members.end(), [](const auto& member) {
    return member.second.header.array.extents.size() >= 3;
  });
  int64_t total = 0;
  std::vector<const Member*> arrays;
  for (auto& [name, member] : members) {
    if (!HoldsImages(member, has_cubes)) continue;
    ArraySource& array = member.header.array;
    LANGEVIN_ASSIGN_OR_RETURN(
        const ArrayLayout layout,
        LayoutOfArray(array.extents, array.fortran_order, array.format.bytes));
    if (__builtin_add_overflow(total, layout.count, &total)) {
      return absl::DataLossError("claims too many images");
    }
    for (const std::string& labels : NamesOfLabels(name)) {
      const auto found = members.find(labels);
      if (found == members.end() || !MayBeLabels(found->second.header.array, layout.count)) {
        continue;
      }
      LANGEVIN_ASSIGN_OR_RETURN(array.labels, ReadLabels(*file, found->second));
      break;
    }
    arrays.push_back(&member);
  }
  if (arrays.empty()) {
    return absl::DataLossError(absl::StrFormat(
        "holds %d arrays but none of images: two to four dimensions are read", members.size()));
  }
  for (const Member* const member : arrays) {
    LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<ByteStream> stream,
                              OpenZipMember(*file, member->zip));
    std::vector<std::byte> header(member->header.bytes);
    LANGEVIN_RETURN_IF_ERROR(stream->Read(header));
    LANGEVIN_RETURN_IF_ERROR(ReadArrayImages(*stream, member->header.bytes, member->header.array,
                                             config, [&](const DecodedImage& image) {
                                               if (arrays.size() == 1) return sink(image);
                                               DecodedImage counted = image;
                                               counted.images_in_file = total;
                                               return sink(counted);
                                             }));
  }
  return absl::OkStatus();
}

}  // namespace langevin::data
