#include "data/ingest/readers/dicom_codec.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <new>

#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "core/base/status_macros.h"
#include "gdcmFragment.h"
#include "gdcmImage.h"
#include "gdcmSequenceOfFragments.h"
#include "gdcmTrace.h"

namespace langevin::data {
namespace {

absl::Status Damaged(std::string_view problem) {
  return absl::DataLossError("has damaged pixel data: " + std::string(problem));
}

uint32_t BigEndian(std::span<const uint8_t> bytes) {
  uint32_t number = 0;
  for (const uint8_t byte : bytes) number = number << 8 | byte;
  return number;
}

// JPEG (ITU-T T.81 B.2) and JPEG-LS (T.87 C.2): marker segments up to the frame header.
absl::StatusOr<CodestreamInfo> ReadJpegInfo(std::span<const uint8_t> stream) {
  CodestreamInfo info;
  size_t at = 2;
  while (at + 4 <= stream.size() && stream[at] == 0xff) {
    const uint8_t marker = stream[at + 1];
    if (marker == 0xff) {  // Fill byte.
      ++at;
      continue;
    }
    const size_t length = BigEndian(stream.subspan(at + 2, 2));
    if (length < 2 || length > stream.size() - at - 2) break;
    const std::span<const uint8_t> segment = stream.subspan(at + 4, length - 2);
    const bool frame =
        (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc) ||
        marker == 0xf7;
    if (frame) {
      if (segment.size() < 6) break;
      info.precision = segment[0];
      info.rows = BigEndian(segment.subspan(1, 2));
      info.columns = BigEndian(segment.subspan(3, 2));
      info.components = segment[5];
      if (segment.size() < 6 + 3 * static_cast<size_t>(info.components)) break;
      if (info.components == 3) {
        const std::string ids = {static_cast<char>(segment[6]), static_cast<char>(segment[9]),
                                 static_cast<char>(segment[12])};
        info.rgb_components = ids == "RGB" || ids == "rgb";
      }
      return info;
    }
    if (marker >= 0xe0 && marker <= 0xef && segment.size() >= 4) {
      info.jfif |= std::equal(segment.begin(), segment.begin() + 4, "JFIF");
    }
    at += 2 + length;
  }
  return Damaged("no JPEG frame header");
}

// JPEG 2000 (ITU-T T.800 A.5.1): the SIZ segment follows SOC, at the beginning or inside JP2 boxes.
absl::StatusOr<CodestreamInfo> ReadJpeg2000Info(std::span<const uint8_t> stream) {
  static constexpr uint8_t kStart[] = {0xff, 0x4f, 0xff, 0x51};
  const auto head = stream.first(std::min<size_t>(stream.size(), 64 << 10));
  const auto found = std::search(head.begin(), head.end(), std::begin(kStart), std::end(kStart));
  const auto at = static_cast<size_t>(found - head.begin());
  if (at + 43 > stream.size()) return Damaged("no JPEG 2000 header");
  const auto number = [&](size_t offset, size_t count) -> int64_t {
    return BigEndian(stream.subspan(at + offset, count));
  };
  CodestreamInfo info;
  info.columns = number(8, 4) - number(16, 4);
  info.rows = number(12, 4) - number(20, 4);
  info.components = static_cast<int32_t>(number(40, 2));
  info.precision = static_cast<int32_t>(number(42, 1) & 0x7f) + 1;
  return info;
}

gdcm::TransferSyntax::TSType GdcmSyntaxOf(const std::string& uid) {
  return gdcm::TransferSyntax::GetTSType(uid.c_str());
}

// What the numbers of a colour frame are, in pydicom's reading of files that contradict themselves.
std::string ColorOf(const DicomImage& image, const CodestreamInfo& info) {
  const bool says_ybr = image.photometric.rfind("YBR", 0) == 0;
  if (info.rgb_components) return "RGB";
  if (info.jfif && !says_ybr) return "YBR_FULL";
  // GDCM has undone these two.
  if (image.photometric == "YBR_RCT" || image.photometric == "YBR_ICT") return "RGB";
  return image.photometric;
}

// GDCM's JPEG codecs write to stderr, whatever its own switches say. The process that decodes has
// one thread, so nobody else's words are lost.
class QuietStderr {
 public:
  QuietStderr() : saved_(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)) {
    gdcm::Trace::WarningOff();
    gdcm::Trace::ErrorOff();
    const int null = saved_ >= 0 ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;
    if (null < 0) return;
    dup2(null, STDERR_FILENO);
    close(null);
  }
  ~QuietStderr() {
    if (saved_ < 0) return;
    dup2(saved_, STDERR_FILENO);
    close(saved_);
  }
  QuietStderr(const QuietStderr&) = delete;
  QuietStderr& operator=(const QuietStderr&) = delete;

 private:
  const int saved_;
};

absl::StatusOr<CodedFrame> DecodeWithGdcm(const DicomImage& image,
                                          std::span<const uint8_t> codestream) {
  LANGEVIN_ASSIGN_OR_RETURN(const CodestreamInfo info,
                            ReadCodestreamInfo(image.encoding, codestream));
  if (info.rows != image.rows || info.columns != image.columns ||
      info.components != image.samples) {
    return Damaged(absl::StrFormat(
        "its frames are %d x %d with %d channels, the file says %d x %d with %d", info.rows,
        info.columns, info.components, image.rows, image.columns, image.samples));
  }
  if (info.precision < 2 || info.precision > 32) return Damaged("impossible precision");
  CodedFrame frame;
  frame.precision = info.precision;
  frame.bits_allocated = info.precision <= 8 ? 8 : info.precision <= 16 ? 16 : 32;
  frame.photometric = image.samples == 3 ? ColorOf(image, info) : image.photometric;

  const QuietStderr quiet;
  gdcm::DataElement element(gdcm::Tag(0x7fe0, 0x0010));
  const gdcm::SmartPointer<gdcm::SequenceOfFragments> fragments = gdcm::SequenceOfFragments::New();
  gdcm::Fragment fragment;
  fragment.SetByteValue(reinterpret_cast<const char*>(codestream.data()),
                        static_cast<uint32_t>(codestream.size()));
  fragments->AddFragment(fragment);
  element.SetValue(*fragments);
  gdcm::Image picture;
  picture.SetNumberOfDimensions(2);
  picture.SetDimension(0, static_cast<unsigned>(image.columns));
  picture.SetDimension(1, static_cast<unsigned>(image.rows));
  picture.SetDataElement(element);
  picture.SetPhotometricInterpretation(gdcm::PhotometricInterpretation(
      gdcm::PhotometricInterpretation::GetPIType(image.photometric.c_str())));
  if (image.samples > 1) picture.SetPlanarConfiguration(0);
  picture.SetTransferSyntax(gdcm::TransferSyntax(GdcmSyntaxOf(image.transfer_syntax)));
  picture.SetPixelFormat(gdcm::PixelFormat(
      static_cast<uint16_t>(image.samples), static_cast<uint16_t>(frame.bits_allocated),
      static_cast<uint16_t>(info.precision), static_cast<uint16_t>(info.precision - 1),
      static_cast<uint16_t>(image.is_signed)));
  const size_t bytes = static_cast<size_t>(image.rows * image.columns * image.samples) *
                       static_cast<size_t>(frame.bits_allocated / 8);
  if (picture.GetBufferLength() != bytes) return Damaged("of another size than the file says");
  frame.bytes.resize(bytes);
  if (!picture.GetBuffer(reinterpret_cast<char*>(frame.bytes.data()))) {
    return Damaged("the codestream cannot be decoded");
  }
  return frame;
}

// One segment of run lengths into every `stride`th byte of `out`.
bool UnpackRuns(std::span<const uint8_t> packed, std::span<uint8_t> out, size_t stride) {
  size_t at = 0;
  for (size_t done = 0; done < out.size();) {
    if (at + 1 >= packed.size()) return false;
    const uint8_t control = packed[at++];
    if (control == 128) continue;
    const size_t count = control < 128 ? size_t{control} + 1 : 257 - size_t{control};
    if (control < 128 && count > packed.size() - at) return false;
    for (size_t i = 0; i < count && done < out.size(); ++i, done += stride) {
      out[done] = packed[control < 128 ? at + i : at];
    }
    at += control < 128 ? count : 1;
  }
  return true;
}

absl::StatusOr<CodedFrame> DecodeRuns(const DicomImage& image, std::span<const uint8_t> packed) {
  if (packed.size() < 64) return Damaged("a frame without header of run lengths");
  const auto word = [&](size_t index) {
    const auto bytes = packed.subspan(4 * index, 4);
    return uint32_t{bytes[3]} << 24 | bytes[2] << 16 | bytes[1] << 8 | bytes[0];
  };
  const size_t number_bytes = static_cast<size_t>(image.bits_allocated) / 8;
  const size_t segments = number_bytes * static_cast<size_t>(image.samples);
  if (number_bytes == 0 || word(0) != segments || segments > 15) {
    return Damaged("another number of segments than its numbers have bytes");
  }
  CodedFrame frame = {.bits_allocated = image.bits_allocated,
                      .precision = image.bits_stored,
                      .photometric = image.photometric};
  frame.bytes.resize(static_cast<size_t>(image.rows * image.columns) * segments);
  for (size_t i = 0; i < segments; ++i) {
    const size_t begin = word(1 + i);
    const size_t end = i + 1 < segments ? word(2 + i) : packed.size();
    if (begin < 64 || begin > end || end > packed.size()) return Damaged("segments out of bounds");
    // The most significant byte of each channel comes first.
    const size_t place = i / number_bytes * number_bytes + number_bytes - 1 - i % number_bytes;
    if (!UnpackRuns(packed.subspan(begin, end - begin), std::span(frame.bytes).subspan(place),
                    segments)) {
      return Damaged("truncated runs");
    }
  }
  return frame;
}

}  // namespace

absl::StatusOr<CodestreamInfo> ReadCodestreamInfo(PixelEncoding encoding,
                                                  std::span<const uint8_t> codestream) {
  return encoding == PixelEncoding::kJpeg2000 ? ReadJpeg2000Info(codestream)
                                              : ReadJpegInfo(codestream);
}

absl::StatusOr<CodedFrame> DecodeFrame(const DicomImage& image,
                                       std::span<const uint8_t> codestream) {
  if (image.encoding == PixelEncoding::kRle) return DecodeRuns(image, codestream);
  try {
    return DecodeWithGdcm(image, codestream);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("needs more memory than a file may take");
  } catch (const std::exception&) {
    return Damaged("the codestream cannot be decoded");
  }
}

}  // namespace langevin::data
