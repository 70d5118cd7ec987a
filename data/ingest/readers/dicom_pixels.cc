#include "data/ingest/readers/dicom_pixels.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <span>

#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "data/ingest/readers/dicom_codec.h"

namespace langevin::data {
namespace {

absl::Status Truncated(uint64_t has, uint64_t needs) {
  return absl::DataLossError(
      absl::StrFormat("is truncated: it has %d bytes of pixels and needs %d", has, needs));
}

// Bits of one native frame; YBR_FULL_422 stores two pixels as Y Y Cb Cr.
uint64_t NativeFrameBits(const DicomImage& image) {
  const auto pixels = static_cast<uint64_t>(image.rows * image.columns);
  const auto bits = static_cast<uint64_t>(image.bits_allocated);
  if (image.photometric == "YBR_FULL_422" && image.samples == 3) return pixels * 2 * bits;
  return pixels * bits * static_cast<uint64_t>(image.samples);
}

uint64_t LittleEndian(std::span<const uint8_t> bytes) {
  uint64_t number = 0;
  for (size_t i = bytes.size(); i > 0; --i) number = number << 8 | bytes[i - 1];
  return number;
}

// The bytes of a frame, which begin `first_bit` bits behind those of `bytes`, as one a pixel.
std::vector<uint8_t> UnpackBits(const std::vector<uint8_t>& bytes, uint64_t first_bit,
                                size_t count) {
  std::vector<uint8_t> pixels(count);
  for (size_t i = 0; i < count; ++i) {
    const uint64_t bit = first_bit + i;
    pixels[i] = bytes[bit / 8] >> (bit % 8) & 1;
  }
  return pixels;
}

// Numbers of so many bits of which the lower `used` count, moved down by `shift`.
template <typename Word>
int64_t Used(Word word, int shift, int used, bool is_signed) {
  const uint64_t value = uint64_t{word} >> shift;
  const int unused = 64 - used;
  if (is_signed) return static_cast<int64_t>(value << unused) >> unused;
  return static_cast<int64_t>(value << unused >> unused);
}

template <typename Word>
void Convert(const std::vector<uint8_t>& bytes, int shift, int used, bool is_signed,
             StoredPixels& stored) {
  const size_t count = bytes.size() / sizeof(Word);
  stored.bits = used;
  stored.is_signed = is_signed;
  const bool small = used <= 16;
  (small ? stored.integers.resize(count) : stored.reals.resize(count));
  for (size_t i = 0; i < count; ++i) {
    Word word;
    std::memcpy(&word, &bytes[i * sizeof(Word)], sizeof(Word));
    const int64_t value = Used(word, shift, used, is_signed);
    if (small) {
      stored.integers[i] = static_cast<int32_t>(value);
    } else {
      // Unsigned numbers of 64 bits come as their bits.
      stored.reals[i] = !is_signed && used == 64 ? static_cast<double>(static_cast<uint64_t>(value))
                                                 : static_cast<double>(value);
    }
  }
}

template <typename Real>
void ConvertReals(const std::vector<uint8_t>& bytes, StoredPixels& stored) {
  stored.reals.resize(bytes.size() / sizeof(Real));
  for (size_t i = 0; i < stored.reals.size(); ++i) {
    Real value;
    std::memcpy(&value, &bytes[i * sizeof(Real)], sizeof(Real));
    stored.reals[i] = value;
  }
}

template <typename T>
void Interleave(int64_t pixels, std::vector<T>& values) {
  if (values.empty()) return;
  const std::vector<T> planes = values;
  const auto count = static_cast<size_t>(pixels);
  for (size_t i = 0; i < count; ++i) {
    for (size_t c = 0; c < 3; ++c) values[3 * i + c] = planes[c * count + i];
  }
}

// PS3.3 C.7.6.3.1.2, solved for RGB as in ITU-T T.871, rounded and clipped, in single precision.
void YbrToRgb(std::vector<int32_t>& values) {
  const auto byte = [](float value) {
    return static_cast<int32_t>(std::clamp(std::floor(value + 0.5F), 0.0F, 255.0F));
  };
  for (size_t i = 0; i + 2 < values.size(); i += 3) {
    const auto y = static_cast<float>(values[i]);
    const auto cb = static_cast<float>(values[i + 1] - 128);
    const auto cr = static_cast<float>(values[i + 2] - 128);
    values[i] = byte(y + 1.402F * cr);
    values[i + 1] = byte(y - static_cast<float>(0.114 * 1.772 / 0.587) * cb -
                         static_cast<float>(0.299 * 1.402 / 0.587) * cr);
    values[i + 2] = byte(y + 1.772F * cb);
  }
}

// Y Y Cb Cr to Y Cb Cr, Y Cb Cr.
std::vector<uint8_t> Expand422(const std::vector<uint8_t>& packed) {
  std::vector<uint8_t> pixels;
  pixels.reserve(packed.size() / 4 * 6);
  for (size_t i = 0; i + 3 < packed.size(); i += 4) {
    for (const size_t y : {i, i + 1}) {
      pixels.insert(pixels.end(), {packed[y], packed[i + 2], packed[i + 3]});
    }
  }
  return pixels;
}

void ApplyPalette(const Palette& palette, StoredPixels& stored) {
  const std::vector<int32_t> indices = std::move(stored.integers);
  const auto last = static_cast<int64_t>(palette.entries[0].size()) - 1;
  stored = {.bits = palette.bits};
  stored.integers.reserve(indices.size() * 3);
  for (const int32_t index : indices) {
    const auto entry = static_cast<size_t>(std::clamp<int64_t>(index - palette.first, 0, last));
    for (const std::vector<uint16_t>& channel : palette.entries) {
      stored.integers.push_back(channel[entry]);
    }
  }
}

}  // namespace

absl::StatusOr<DicomPixels> DicomPixels::Open(const DicomFile& file, const DicomImage& image) {
  DicomPixels pixels(file, image);
  LANGEVIN_RETURN_IF_ERROR(pixels.FindFrames());
  return pixels;
}

absl::Status DicomPixels::FindFrames() {
  const DicomElement& element = *image_.pixels;
  if (!element.encapsulated) {
    const uint64_t needs = (NativeFrameBits(image_) * static_cast<uint64_t>(image_.frames) + 7) / 8;
    return element.pixels.length < needs ? Truncated(element.pixels.length, needs)
                                         : absl::OkStatus();
  }
  const std::vector<ByteRange>& fragments = element.fragments;
  const auto frames = static_cast<size_t>(image_.frames);
  if (file_.truncated || fragments.empty() || fragments.size() < frames) {
    return absl::DataLossError(absl::StrFormat("is truncated: it has %d fragments for %d frames",
                                               fragments.size(), frames));
  }
  if (frames == 1) {
    coded_frames_.push_back(fragments);
    return absl::OkStatus();
  }
  if (fragments.size() == frames) {
    for (const ByteRange& fragment : fragments) coded_frames_.push_back({fragment});
    return absl::OkStatus();
  }
  // A frame in several fragments: each new one begins at an offset of the table, else behind the
  // marker that ends a JPEG of any kind.
  std::vector<uint64_t> starts;
  if (element.offset_table.length >= 4 * frames) {
    LANGEVIN_ASSIGN_OR_RETURN(const std::vector<uint8_t> table, ReadRanges({element.offset_table}));
    for (size_t i = 0; i < frames; ++i) {
      starts.push_back(LittleEndian(std::span(table).subspan(4 * i, 4)));
    }
  }
  bool begins = true;
  for (const ByteRange& fragment : fragments) {
    // Offsets count from the first fragment's item tag, 8 bytes before its value.
    const uint64_t offset = fragment.offset - fragments.front().offset;
    if (!starts.empty()) begins = std::find(starts.begin(), starts.end(), offset) != starts.end();
    if (begins) coded_frames_.emplace_back();
    if (coded_frames_.empty()) break;
    coded_frames_.back().push_back(fragment);
    if (!starts.empty()) continue;
    const uint64_t tail = std::min<uint64_t>(fragment.length, 10);
    LANGEVIN_ASSIGN_OR_RETURN(const std::vector<uint8_t> end,
                              ReadRanges({{fragment.offset + fragment.length - tail, tail}}));
    static constexpr uint8_t kEnd[] = {0xff, 0xd9};
    begins = std::search(end.begin(), end.end(), std::begin(kEnd), std::end(kEnd)) != end.end();
  }
  if (coded_frames_.size() != frames) {
    return absl::DataLossError(absl::StrFormat("has fragments of %d frames and says it has %d",
                                               coded_frames_.size(), frames));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<uint8_t>> DicomPixels::ReadRanges(
    const std::vector<ByteRange>& ranges) const {
  uint64_t total = 0;
  for (const ByteRange& range : ranges) total += range.length;
  if (total > static_cast<uint64_t>(kMaxDecodedBytes)) {
    return absl::ResourceExhaustedError("has a frame of too many bytes");
  }
  std::vector<uint8_t> bytes(total);
  size_t done = 0;
  for (const ByteRange& range : ranges) {
    LANGEVIN_RETURN_IF_ERROR(file_.bytes->ReadAt(
        range.offset, std::as_writable_bytes(std::span(bytes).subspan(done, range.length))));
    done += range.length;
  }
  return bytes;
}

absl::StatusOr<std::vector<uint8_t>> DicomPixels::ReadNative(int64_t frame) const {
  const DicomElement& element = *image_.pixels;
  const uint64_t bits = NativeFrameBits(image_);
  const uint64_t first_bit = bits * static_cast<uint64_t>(frame);
  uint64_t begin = first_bit / 8;
  uint64_t end = (first_bit + bits + 7) / 8;
  const uint64_t wanted = end - begin;
  // Bytes of big-endian files lie swapped in words of 16 bits, unless their VR is OB.
  const bool words = file_.big_endian && image_.bits_allocated == 8 && element.vr[0] == 'O' &&
                     element.vr[1] == 'W';
  const uint64_t odd = words ? begin % 2 : 0;
  begin -= odd;
  if (words) end = std::min(end + end % 2, element.pixels.length);
  LANGEVIN_ASSIGN_OR_RETURN(std::vector<uint8_t> bytes,
                            ReadRanges({{element.pixels.offset + begin, end - begin}}));
  if (words) {
    for (size_t i = 0; i + 1 < bytes.size(); i += 2) std::swap(bytes[i], bytes[i + 1]);
    bytes.erase(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(odd));
    bytes.resize(wanted);
  }
  if (image_.bits_allocated == 1) {
    return UnpackBits(bytes, first_bit % 8,
                      static_cast<size_t>(image_.rows * image_.columns * image_.samples));
  }
  if (file_.big_endian && image_.bits_allocated > 8) {
    const size_t size = static_cast<size_t>(image_.bits_allocated) / 8;
    for (size_t i = 0; i + size <= bytes.size(); i += size) {
      std::reverse(bytes.begin() + static_cast<ptrdiff_t>(i),
                   bytes.begin() + static_cast<ptrdiff_t>(i + size));
    }
  }
  return bytes;
}

absl::StatusOr<DicomFrame> DicomPixels::ReadFrame(int64_t frame) const {
  static_assert(std::endian::native == std::endian::little);
  CodedFrame coded;
  DicomFrame result;
  StoredPixels& stored = result.stored;
  bool planar = image_.planar;
  int shift = 0;
  if (image_.encoding == PixelEncoding::kNative) {
    LANGEVIN_ASSIGN_OR_RETURN(coded.bytes, ReadNative(frame));
    coded.bits_allocated = std::max(image_.bits_allocated, 8);
    coded.precision = image_.bits_stored;
    coded.photometric = image_.photometric;
    // Retired: numbers that do not begin at the lowest bit.
    if (image_.high_bit >= image_.bits_stored && image_.high_bit < image_.bits_allocated) {
      shift = image_.high_bit + 1 - image_.bits_stored;
    }
    if (image_.samples == 3 && image_.photometric == "YBR_FULL_422") {
      coded.bytes = Expand422(coded.bytes);
      planar = false;
    }
  } else {
    LANGEVIN_ASSIGN_OR_RETURN(const std::vector<uint8_t> codestream,
                              ReadRanges(coded_frames_[static_cast<size_t>(frame)]));
    LANGEVIN_ASSIGN_OR_RETURN(coded, DecodeFrame(image_, codestream));
    planar = false;
  }
  if (image_.number == PixelNumber::kFloat) {
    ConvertReals<float>(coded.bytes, stored);
  } else if (image_.number == PixelNumber::kDouble) {
    ConvertReals<double>(coded.bytes, stored);
  } else if (coded.bits_allocated == 8) {
    Convert<uint8_t>(coded.bytes, shift, coded.precision, image_.is_signed, stored);
  } else if (coded.bits_allocated == 16) {
    Convert<uint16_t>(coded.bytes, shift, coded.precision, image_.is_signed, stored);
  } else if (coded.bits_allocated == 32) {
    Convert<uint32_t>(coded.bytes, shift, coded.precision, image_.is_signed, stored);
  } else {
    Convert<uint64_t>(coded.bytes, shift, coded.precision, image_.is_signed, stored);
  }
  // The file's own depth also where a codestream has less: slices of a series stay comparable.
  if (!stored.integers.empty())
    stored.bits = std::max(stored.bits, std::min(image_.bits_stored, 16));
  const int64_t pixels = image_.rows * image_.columns;
  if (image_.padding.has_value()) {
    const auto [first, last] = *image_.padding;
    result.mask.resize(static_cast<size_t>(pixels));
    bool any = false;
    for (size_t i = 0; i < result.mask.size(); ++i) {
      const double value = stored.reals.empty() ? stored.integers[i] : stored.reals[i];
      const bool padding =
          value >= static_cast<double>(first) && value <= static_cast<double>(last);
      result.mask[i] = padding ? 0 : 1;
      any |= padding;
    }
    if (!any) result.mask.clear();
  }
  if (image_.samples == 3) {
    result.is_color = true;
    if (planar) {
      Interleave(pixels, stored.integers);
      Interleave(pixels, stored.reals);
    }
    if (coded.photometric == "YBR_FULL" || coded.photometric == "YBR_FULL_422") {
      if (stored.bits != 8 || stored.is_signed) {
        return absl::UnimplementedError("has YBR colours of other than 8 bits");
      }
      YbrToRgb(stored.integers);
    } else if (coded.photometric != "RGB") {
      return absl::UnimplementedError("has colours of a kind that is not read");
    }
  } else if (image_.palette.has_value()) {
    if (stored.integers.empty()) return absl::DataLossError("has a palette for numbers of 32 bits");
    ApplyPalette(*image_.palette, stored);
    result.is_color = true;
  }
  return result;
}

}  // namespace langevin::data
