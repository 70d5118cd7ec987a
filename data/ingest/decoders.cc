#include "data/ingest/decoders.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <span>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/status_macros.h"
#include "data/ingest/readers/dicom_decoder.h"
#include "data/ingest/readers/nifti_decoder.h"

namespace langevin::data {
namespace {

using namespace std::string_view_literals;

using Reader = absl::Status (*)(const std::string& path, const configs::ReadConfig& config,
                                const ImageSink& sink);

struct Format {
  std::string_view name;
  bool (*begins)(const FileHead& head);
  absl::Status (*decode)(const std::string& path, const DecodeOptions& options,
                         const ImageSink& sink);
  std::array<std::string_view, 3> endings;  // Of file names, in lower case.
};

template <Reader kReader>
absl::Status Read(const std::string& path, const DecodeOptions& options, const ImageSink& sink) {
  return kReader(path, options.read, sink);
}

using MedicalReader = absl::Status (*)(const std::string& path,
                                       const configs::MedicalConfig& config, const Privacy& privacy,
                                       const ImageSink& sink);

template <MedicalReader kReader>
absl::Status Read(const std::string& path, const DecodeOptions& options, const ImageSink& sink) {
  if (options.privacy == nullptr) {
    return absl::FailedPreconditionError("is a medical file, and there is no salt to hash names");
  }
  return kReader(path, options.medical, *options.privacy, sink);
}

// An NPZ is a ZIP archive whose first member is an array; others are not opened.
bool IsNpz(const FileHead& head) {
  if (!head.bytes.starts_with("PK\x03\x04") || head.bytes.size() < 30) return false;
  const size_t name = static_cast<uint8_t>(head.bytes[26]) |
                      static_cast<size_t>(static_cast<uint8_t>(head.bytes[27])) << 8;
  return std::string_view(head.bytes).substr(30, name).ends_with(".npy");
}

// Two zeros, a type of element and a number of dimensions.
bool IsIdx(const FileHead& head) {
  const std::string& bytes = head.inflated;
  return bytes.size() >= 8 && bytes[0] == 0 && bytes[1] == 0 && bytes[2] >= 8 && bytes[2] <= 14 &&
         bytes[2] != 10 && bytes[3] >= 1 && bytes[3] <= 4;
}

std::span<const std::byte> BytesOf(const std::string& text) {
  return std::as_bytes(std::span(text));
}

// In the order in which they are asked: those with the longest marks first.
constexpr Format kFormats[] = {
    // Before TIFF: a DICOM file may begin like one, for programs that look no further.
    {"DICOM",
     [](const FileHead& head) { return LooksLikeDicom(BytesOf(head.bytes)); },
     Read<DecodeDicom>,
     {".dcm", ".dicom", ".ima"}},
    {"PNG",
     [](const FileHead& head) { return head.bytes.starts_with("\x89PNG\r\n\x1a\n"); },
     Read<DecodePng>,
     {".png", ".apng"}},
    {"JPEG",
     [](const FileHead& head) { return head.bytes.starts_with("\xff\xd8\xff"); },
     Read<DecodeJpeg>,
     {".jpg", ".jpeg", ".jpe"}},
    {"TIFF",
     [](const FileHead& head) {
       return head.bytes.starts_with("II*\0"sv) || head.bytes.starts_with("MM\0*"sv) ||
              head.bytes.starts_with("II+\0"sv) || head.bytes.starts_with("MM\0+"sv);
     },
     Read<DecodeTiff>,
     {".tif", ".tiff"}},
    {"HDF5",
     [](const FileHead& head) { return head.bytes.starts_with("\x89HDF\r\n\x1a\n"); },
     Read<DecodeHdf5>,
     {".h5", ".hdf5", ".hdf"}},
    {"NPY",
     [](const FileHead& head) { return head.inflated.starts_with("\x93NUMPY"); },
     Read<DecodeNpy>,
     {".npy", ".npy.gz"}},
    {"NPZ", IsNpz, Read<DecodeNpz>, {".npz"}},
    {"NIfTI",
     [](const FileHead& head) { return LooksLikeNifti(BytesOf(head.inflated)); },
     Read<DecodeNifti>,
     {".nii", ".nii.gz", ".hdr"}},
    {"IDX", IsIdx, Read<DecodeIdx>, {"-ubyte", "-ubyte.gz", ".idx"}},
};

const Format* FindFormat(const FileHead& head) {
  const auto* const format =
      std::find_if(std::begin(kFormats), std::end(kFormats),
                   [&head](const Format& candidate) { return candidate.begins(head); });
  return format == std::end(kFormats) ? nullptr : format;
}

}  // namespace

absl::Status DecodeFile(const std::string& path, const DecodeOptions& options,
                        const ImageSink& sink) {
  LANGEVIN_ASSIGN_OR_RETURN(const FileHead head, ReadFileHead(PosixFileSystem(), path));
  const Format* const format = FindFormat(head);
  if (format == nullptr) return absl::DataLossError(WhyUnreadable(head));
  return format->decode(path, options, sink);
}

std::string_view FormatOfHead(const FileHead& head) {
  const Format* const format = FindFormat(head);
  return format == nullptr ? std::string_view() : format->name;
}

std::string_view FormatOfName(std::string_view path) {
  for (const Format& format : kFormats) {
    for (const std::string_view ending : format.endings) {
      if (!ending.empty() &&
          absl::EndsWithIgnoreCase(absl::string_view(path.data(), path.size()),
                                   absl::string_view(ending.data(), ending.size()))) {
        return format.name;
      }
    }
  }
  return "";
}

std::string KnownFormats() {
  return absl::StrJoin(kFormats, ", ",
                       [](std::string* out, const Format& format) { out->append(format.name); });
}

}  // namespace langevin::data
