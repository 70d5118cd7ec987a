// PS3.5 section 7 (data elements and sequences), PS3.10 section 7 (meta information), PS3.5 A.4
// (encapsulated pixels).
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "core/base/status_macros.h"
#include "data/ingest/decoded_image.h"
#include "data/ingest/readers/dicom_dataset.h"

namespace langevin::data {
namespace {

constexpr uint32_t kUndefined = 0xffffffff;
constexpr uint32_t kItem = 0xfffee000, kItemEnd = 0xfffee00d, kSequenceEnd = 0xfffee0dd;
constexpr uint64_t kMaxValueBytes = 1 << 20;  // Of a kept element that is no sequence or pixels.
constexpr int64_t kMaxKeptElements = 1 << 22;
constexpr int kMaxDepth = 16;

constexpr std::string_view kExplicitBigEndian = "1.2.840.10008.1.2.2";
constexpr std::string_view kImplicitLittleEndian = "1.2.840.10008.1.2";
constexpr std::string_view kDeflated = "1.2.840.10008.1.2.1.99";

absl::Status Damaged(std::string_view problem) {
  return absl::DataLossError("is a damaged DICOM file: " + std::string(problem));
}

bool IsKeptSequence(uint32_t tag) {
  switch (tag) {
    case kModalityLutSequence:
    case kVoiLutSequence:
    case kPixelMeasuresSequence:
    case kFrameVoiLutSequence:
    case kPixelValueTransformationSequence:
    case kPlanePositionSequence:
    case kPlaneOrientationSequence:
    case kSharedFunctionalGroupsSequence:
    case kPerFrameFunctionalGroupsSequence:
      return true;
    default:
      return false;
  }
}

bool IsPixels(uint32_t tag) {
  return tag == kPixelData || tag == kFloatPixelData || tag == kDoubleFloatPixelData;
}

bool IsKeptValue(uint32_t tag) {
  static constexpr uint32_t kKept[] = {kMediaStorageSopClassUid,
                                       kTransferSyntaxUid,
                                       kImageType,
                                       kSopClassUid,
                                       kModality,
                                       kConversionType,
                                       kPatientId,
                                       kSliceThickness,
                                       kSpacingBetweenSlices,
                                       kImagerPixelSpacing,
                                       kStudyInstanceUid,
                                       kSeriesInstanceUid,
                                       kInstanceNumber,
                                       kImagePositionPatient,
                                       kImageOrientationPatient,
                                       kSamplesPerPixel,
                                       kPhotometricInterpretation,
                                       kPlanarConfiguration,
                                       kNumberOfFrames,
                                       kRows,
                                       kColumns,
                                       kPixelSpacing,
                                       kBitsAllocated,
                                       kBitsStored,
                                       kHighBit,
                                       kPixelRepresentation,
                                       kPixelPaddingValue,
                                       kPixelPaddingRangeLimit,
                                       kBurnedInAnnotation,
                                       kWindowCenter,
                                       kWindowWidth,
                                       kRescaleIntercept,
                                       kRescaleSlope,
                                       kRescaleType,
                                       kWindowCenterWidthExplanation,
                                       kVoiLutFunction,
                                       kRedPaletteDescriptor,
                                       kRedPaletteDescriptor + 1,
                                       kRedPaletteDescriptor + 2,
                                       kRedPaletteData,
                                       kRedPaletteData + 1,
                                       kRedPaletteData + 2,
                                       kSegmentedRedPaletteData,
                                       kSegmentedRedPaletteData + 1,
                                       kSegmentedRedPaletteData + 2,
                                       kLutDescriptor,
                                       kLutExplanation,
                                       kModalityLutType,
                                       kLutData,
                                       kUnits,
                                       kGridFrameOffsetVector,
                                       kExtendedOffsetTable,
                                       kExtendedOffsetTableLengths};
  return std::find(std::begin(kKept), std::end(kKept), tag) != std::end(kKept);
}

bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }

// VRs whose length has 32 bits.
bool HasLongLength(const char* vr) {
  for (const char* const known :
       {"OB", "OW", "OF", "OD", "OL", "OV", "SQ", "UN", "UC", "UR", "UT", "UV", "SV"}) {
    if (vr[0] == known[0] && vr[1] == known[1]) return true;
  }
  return false;
}

// An inflated data set.
class BytesInMemory : public RandomAccessFile {
 public:
  explicit BytesInMemory(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}
  uint64_t size() const override { return bytes_.size(); }
  absl::Status ReadAt(uint64_t offset, std::span<std::byte> out) const override {
    if (offset > size() || out.size() > size() - offset) return Damaged("it ends too early");
    std::copy_n(bytes_.begin() + static_cast<ptrdiff_t>(offset), out.size(), out.begin());
    return absl::OkStatus();
  }

 private:
  const std::vector<std::byte> bytes_;
};

struct Syntax {
  bool explicit_vr = true;
  bool big_endian = false;
};

struct ElementHeader {
  uint32_t tag = 0;
  std::array<char, 2> vr = {};
  uint32_t length = 0;
  uint64_t value = 0;  // Offset.
};

class Parser {
 public:
  Parser(const RandomAccessFile& file, bool with_fragments)
      : file_(file), with_fragments_(with_fragments) {}

  bool truncated() const { return truncated_; }
  bool saw_directory() const { return saw_directory_; }

  // Elements from `position` to `end`, or to the end of an item of undefined length, or behind the
  // pixels. `into` may be null: nothing is kept. Gives the position behind.
  absl::StatusOr<uint64_t> ParseElements(uint64_t position, uint64_t end, Syntax syntax, int depth,
                                         DicomDataset* into);
  // The elements of group 0002, which are always explicit little endian.
  absl::StatusOr<uint64_t> ParseMeta(uint64_t position, DicomDataset* into);
  // What the data set's first element looks like, where the file does not say it, or says it wrong.
  absl::StatusOr<Syntax> Guess(uint64_t position, std::string_view declared);

 private:
  bool Peek(uint64_t position, std::span<uint8_t> out);
  // Nothing where the file or `end` comes first.
  std::optional<ElementHeader> ReadHeader(uint64_t position, uint64_t end, Syntax syntax);
  absl::StatusOr<uint64_t> ParseSequence(uint64_t position, uint64_t end, Syntax syntax, int depth,
                                         std::vector<DicomDataset>* items);
  absl::Status ReadValue(const ElementHeader& header, Syntax syntax, uint64_t length,
                         DicomDataset* into);
  absl::Status ReadPixels(const ElementHeader& header, Syntax syntax, uint64_t end,
                          DicomDataset* into);

  const RandomAccessFile& file_;
  const bool with_fragments_;
  bool truncated_ = false;
  bool saw_directory_ = false;
  int64_t kept_ = 0;
  std::vector<uint8_t> window_;  // A piece of the file that was read last.
  uint64_t window_offset_ = 0;
};

bool Parser::Peek(uint64_t position, std::span<uint8_t> out) {
  constexpr uint64_t kWindow = 16 << 10;
  if (position > file_.size() || out.size() > file_.size() - position) return false;
  if (position < window_offset_ || position + out.size() > window_offset_ + window_.size()) {
    window_.resize(std::min(std::max<uint64_t>(kWindow, out.size()), file_.size() - position));
    window_offset_ = position;
    if (!file_.ReadAt(position, std::as_writable_bytes(std::span(window_))).ok()) {
      window_.clear();
      return false;
    }
  }
  std::copy_n(window_.begin() + static_cast<ptrdiff_t>(position - window_offset_), out.size(),
              out.begin());
  return true;
}

uint32_t Number(const uint8_t* bytes, int count, bool big_endian) {
  uint32_t number = 0;
  for (int i = 0; i < count; ++i) number = number << 8 | bytes[big_endian ? i : count - 1 - i];
  return number;
}

std::optional<ElementHeader> Parser::ReadHeader(uint64_t position, uint64_t end, Syntax syntax) {
  std::array<uint8_t, 12> bytes;
  if (position + 8 > end || !Peek(position, std::span(bytes).first(8))) return std::nullopt;
  ElementHeader header;
  const bool big = syntax.big_endian;
  header.tag = Number(&bytes[0], 2, big) << 16 | Number(&bytes[2], 2, big);
  header.value = position + 8;
  const char vr[2] = {static_cast<char>(bytes[4]), static_cast<char>(bytes[5])};
  const bool delimiter = header.tag >> 16 == 0xfffe;
  // Elements without VR occur in explicit files too.
  if (!syntax.explicit_vr || delimiter || !IsUpper(vr[0]) || !IsUpper(vr[1])) {
    header.length = Number(&bytes[4], 4, big);
    return header;
  }
  header.vr = {vr[0], vr[1]};
  if (!HasLongLength(vr)) {
    header.length = Number(&bytes[6], 2, big);
    return header;
  }
  if (position + 12 > end || !Peek(position, bytes)) return std::nullopt;
  header.length = Number(&bytes[8], 4, big);
  header.value = position + 12;
  return header;
}

absl::Status Parser::ReadValue(const ElementHeader& header, Syntax syntax, uint64_t length,
                               DicomDataset* into) {
  if (length > kMaxValueBytes) return absl::OkStatus();  // None of those kept is that long.
  if (++kept_ > kMaxKeptElements) return Damaged("it has too many elements");
  DicomElement element = {.tag = header.tag, .vr = header.vr, .big_endian = syntax.big_endian};
  element.value.resize(length);
  const std::span<uint8_t> bytes(reinterpret_cast<uint8_t*>(element.value.data()), length);
  if (!Peek(header.value, bytes)) return Damaged("it cannot be read");
  into->Add(std::move(element));
  return absl::OkStatus();
}

absl::Status Parser::ReadPixels(const ElementHeader& header, Syntax syntax, uint64_t end,
                                DicomDataset* into) {
  DicomElement element = {.tag = header.tag, .vr = header.vr, .big_endian = syntax.big_endian};
  if (header.length != kUndefined) {
    element.pixels = {header.value, std::min<uint64_t>(header.length, end - header.value)};
    truncated_ |= element.pixels.length < header.length;
    into->Add(std::move(element));
    return absl::OkStatus();
  }
  element.encapsulated = true;
  uint64_t position = header.value;
  for (int64_t index = 0; with_fragments_; ++index) {
    const std::optional<ElementHeader> item = ReadHeader(position, end, syntax);
    if (!item.has_value() || item->tag == kSequenceEnd) break;
    if (item->tag != kItem || item->length == kUndefined) {
      return Damaged("its pixel data are not fragments");
    }
    if (++kept_ > kMaxKeptElements) return Damaged("it has too many fragments");
    ByteRange range = {item->value, std::min<uint64_t>(item->length, end - item->value)};
    truncated_ |= range.length < item->length;
    if (index == 0) {
      element.offset_table = range;
    } else {
      element.fragments.push_back(range);
    }
    position = range.offset + range.length;
  }
  into->Add(std::move(element));
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> Parser::ParseSequence(uint64_t position, uint64_t end, Syntax syntax,
                                               int depth, std::vector<DicomDataset>* items) {
  if (depth > kMaxDepth) return Damaged("its sequences are nested too deep");
  while (true) {
    const std::optional<ElementHeader> item = ReadHeader(position, end, syntax);
    if (!item.has_value()) return end;
    if (item->tag == kSequenceEnd) return item->value;
    if (item->tag != kItem) return Damaged("a sequence holds something that is no item");
    DicomDataset* into = nullptr;
    if (items != nullptr) {
      if (++kept_ > kMaxKeptElements) return Damaged("it has too many items");
      into = &items->emplace_back();
    }
    const bool defined = item->length != kUndefined;
    if (defined && items == nullptr) {
      position = std::min(end, item->value + item->length);
      continue;
    }
    const uint64_t item_end = defined ? std::min(end, item->value + item->length) : end;
    LANGEVIN_ASSIGN_OR_RETURN(position,
                              ParseElements(item->value, item_end, syntax, depth + 1, into));
    if (defined) position = item_end;
    if (into != nullptr) into->Sort();
  }
}

absl::StatusOr<uint64_t> Parser::ParseElements(uint64_t position, uint64_t end, Syntax syntax,
                                               int depth, DicomDataset* into) {
  while (true) {
    const std::optional<ElementHeader> header = ReadHeader(position, end, syntax);
    if (!header.has_value()) {
      // Up to seven odd bytes are padding.
      truncated_ |= depth == 0 && position + 8 <= end;
      return end;
    }
    if (header->tag == kItemEnd) return header->value;
    if (header->tag == kSequenceEnd) return position;
    if (header->tag == kDirectoryRecordSequence) saw_directory_ = true;
    if (depth == 0 && IsPixels(header->tag)) {
      LANGEVIN_RETURN_IF_ERROR(ReadPixels(*header, syntax, end, into));
      return end;  // Nothing that is kept comes behind the pixels.
    }
    // PS3.5 6.2.2: what is in a sequence of VR UN is implicit little endian.
    const Syntax inner = header->vr[0] == 'U' && header->vr[1] == 'N'
                             ? Syntax{.explicit_vr = false, .big_endian = false}
                             : syntax;
    const bool keep = into != nullptr;
    if (header->length == kUndefined || (keep && IsKeptSequence(header->tag))) {
      const bool defined = header->length != kUndefined;
      const uint64_t sequence_end =
          defined ? std::min<uint64_t>(end, header->value + header->length) : end;
      DicomElement element = {.tag = header->tag, .vr = header->vr};
      LANGEVIN_ASSIGN_OR_RETURN(
          position, ParseSequence(header->value, sequence_end, inner, depth + 1,
                                  keep && IsKeptSequence(header->tag) ? &element.items : nullptr));
      if (defined) position = sequence_end;
      if (!element.items.empty()) into->Add(std::move(element));
      continue;
    }
    if (header->length > end - header->value) {
      // Its value is cut off, and all behind it is missing.
      truncated_ = true;
      return end;
    }
    if (keep && IsKeptValue(header->tag)) {
      LANGEVIN_RETURN_IF_ERROR(ReadValue(*header, syntax, header->length, into));
    }
    position = header->value + header->length;
  }
}

absl::StatusOr<uint64_t> Parser::ParseMeta(uint64_t position, DicomDataset* into) {
  while (true) {
    const std::optional<ElementHeader> header = ReadHeader(position, file_.size(), Syntax());
    if (!header.has_value() || header->tag >> 16 != 0x0002) return position;
    if (header->length > file_.size() - header->value) return Damaged("it ends in its header");
    if (IsKeptValue(header->tag)) {
      LANGEVIN_RETURN_IF_ERROR(ReadValue(*header, Syntax(), header->length, into));
    }
    position = header->value + header->length;
  }
}

absl::StatusOr<Syntax> Parser::Guess(uint64_t position, std::string_view declared) {
  std::array<uint8_t, 6> bytes;
  if (!Peek(position, bytes)) return Syntax();  // Meta information alone.
  const bool has_vr = IsUpper(static_cast<char>(bytes[4])) && IsUpper(static_cast<char>(bytes[5]));
  const bool little = Number(&bytes[0], 2, false) < Number(&bytes[0], 2, true);
  if (declared.empty()) return Syntax{.explicit_vr = has_vr, .big_endian = has_vr && !little};
  return Syntax{.explicit_vr = has_vr, .big_endian = has_vr && declared == kExplicitBigEndian};
}

absl::StatusOr<std::vector<std::byte>> InflateRest(const RandomAccessFile& file, uint64_t offset) {
  if (file.size() - offset > static_cast<uint64_t>(kMaxDecodedBytes)) {
    return absl::ResourceExhaustedError("is too large a deflated file");
  }
  std::vector<std::byte> packed(file.size() - offset), bytes;
  LANGEVIN_RETURN_IF_ERROR(file.ReadAt(offset, packed));
  z_stream stream = {};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) {
    return absl::ResourceExhaustedError("needs more memory than there is");
  }
  const std::unique_ptr<z_stream, int (*)(z_stream*)> closer(&stream, inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_in = static_cast<uInt>(packed.size());
  int result = Z_OK;
  while (result == Z_OK) {
    const size_t done = bytes.size();
    if (done >= static_cast<size_t>(kMaxDecodedBytes)) {
      return absl::ResourceExhaustedError("inflates to more than a file may hold");
    }
    bytes.resize(done + std::max<size_t>(1 << 20, done / 2));
    stream.next_out = reinterpret_cast<Bytef*>(bytes.data() + done);
    stream.avail_out = static_cast<uInt>(bytes.size() - done);
    result = inflate(&stream, Z_NO_FLUSH);
    bytes.resize(bytes.size() - stream.avail_out);
    if (result == Z_OK && stream.avail_in == 0 && stream.avail_out > 0) break;
  }
  if (result != Z_STREAM_END && result != Z_OK) return Damaged("it cannot be inflated");
  return bytes;
}

}  // namespace

absl::StatusOr<DicomFile> OpenDicom(const std::string& path, bool with_fragments) {
  DicomFile file;
  absl::StatusOr<std::unique_ptr<RandomAccessFile>> opened = PosixFileSystem().OpenForReading(path);
  if (!opened.ok()) return absl::DataLossError("cannot be opened");
  file.bytes = *std::move(opened);
  std::array<std::byte, 132> head = {};
  if (file.bytes->size() >= head.size()) {
    LANGEVIN_RETURN_IF_ERROR(file.bytes->ReadAt(0, head));
    file.has_preamble = std::memcmp(&head[128], "DICM", 4) == 0;
  }
  DicomDataset meta;
  uint64_t position = 0;
  {
    Parser parser(*file.bytes, with_fragments);
    LANGEVIN_ASSIGN_OR_RETURN(position, parser.ParseMeta(file.has_preamble ? 132 : 0, &meta));
  }
  meta.Sort();
  file.transfer_syntax = meta.Text(kTransferSyntaxUid);
  if (file.transfer_syntax == kDeflated) {
    LANGEVIN_ASSIGN_OR_RETURN(std::vector<std::byte> bytes, InflateRest(*file.bytes, position));
    file.bytes = std::make_unique<BytesInMemory>(std::move(bytes));
    position = 0;
  }
  Parser parser(*file.bytes, with_fragments);
  LANGEVIN_ASSIGN_OR_RETURN(const Syntax syntax, parser.Guess(position, file.transfer_syntax));
  file.big_endian = syntax.big_endian;
  file.dataset = std::move(meta);
  LANGEVIN_RETURN_IF_ERROR(
      parser.ParseElements(position, file.bytes->size(), syntax, 0, &file.dataset).status());
  if (parser.saw_directory()) file.dataset.Add({.tag = kDirectoryRecordSequence});
  file.dataset.Sort();
  file.truncated = parser.truncated();
  return file;
}

}  // namespace langevin::data
