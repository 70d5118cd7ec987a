// TIFF through libtiff: every page that is no thumbnail or mask is an image.
//
// Grids of numbers (gray, RGB, palette, any number of bands) are unpacked here in their own depth;
// what has to be converted (YCbCr, CMYK, Lab) comes from libtiff as 8-bit RGBA.
#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "data/ingest/decoders.h"
#include "data/ingest/readers/byte_stream.h"
#include "data/ingest/readers/finish_image.h"
#include "data/ingest/readers/numbers.h"
#include "data/ingest/readers/tiff_file.h"

namespace langevin::data {
namespace {

constexpr int kMaxPages = 1 << 20;

// What the tags of a page say.
struct Page {
  uint32_t width = 0, height = 0;
  uint16_t bits = 1, samples = 1, format = SAMPLEFORMAT_UINT, photometric = PHOTOMETRIC_MINISBLACK;
  uint16_t planes = PLANARCONFIG_CONTIG, orientation = ORIENTATION_TOPLEFT;
  uint16_t compression = COMPRESSION_NONE;
  bool has_alpha = false, premultiplied = false;
  bool is_thumbnail = false;

  bool IsGrid() const {
    return photometric == PHOTOMETRIC_MINISBLACK || photometric == PHOTOMETRIC_MINISWHITE ||
           photometric == PHOTOMETRIC_RGB || photometric == PHOTOMETRIC_PALETTE;
  }
  bool IsSeparate() const { return planes == PLANARCONFIG_SEPARATE && samples > 1; }
  // Packed samples of a row of `columns` pixels, of one plane or of all.
  size_t RowBytes(int64_t columns) const {
    const size_t numbers = static_cast<size_t>(columns) * (IsSeparate() ? 1 : samples);
    return (numbers * bits + 7) / 8;
  }
};

Page ReadTags(TIFF* tiff) {
  Page page;
  TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &page.width);
  TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &page.height);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &page.bits);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &page.samples);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &page.format);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &page.planes);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_ORIENTATION, &page.orientation);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &page.compression);
  if (TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &page.photometric) == 0) {
    page.photometric = page.samples >= 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK;
  }
  uint16_t extra_count = 0;
  const uint16_t* extras = nullptr;
  if (TIFFGetField(tiff, TIFFTAG_EXTRASAMPLES, &extra_count, &extras) != 0 && extra_count > 0) {
    const uint16_t last = extras[extra_count - 1];
    page.has_alpha = last == EXTRASAMPLE_ASSOCALPHA || last == EXTRASAMPLE_UNASSALPHA;
    page.premultiplied = last == EXTRASAMPLE_ASSOCALPHA;
  }
  uint32_t subfile = 0;
  TIFFGetField(tiff, TIFFTAG_SUBFILETYPE, &subfile);
  page.is_thumbnail = (subfile & (FILETYPE_REDUCEDIMAGE | FILETYPE_MASK)) != 0;
  return page;
}

// The packed samples of all rows; of separate planes one after the other.
absl::StatusOr<std::vector<std::byte>> ReadPacked(TIFF* tiff, const Page& page) {
  const size_t row_bytes = page.RowBytes(page.width);
  const size_t plane_bytes = row_bytes * page.height;
  const uint16_t planes = page.IsSeparate() ? page.samples : uint16_t{1};
  std::vector<std::byte> packed(plane_bytes * planes);
  const auto damaged = [] { return absl::DataLossError("its pixels are truncated or damaged"); };
  if (TIFFIsTiled(tiff) != 0) {
    uint32_t tile_width = 0, tile_height = 0;
    TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &tile_width);
    TIFFGetField(tiff, TIFFTAG_TILELENGTH, &tile_height);
    const uint64_t tile_bytes = TIFFTileSize64(tiff);
    const size_t tile_row = page.RowBytes(tile_width);
    if (tile_width == 0 || tile_height == 0 || tile_bytes == 0 ||
        tile_bytes > static_cast<uint64_t>(kMaxDecodedBytes) ||
        tile_bytes < tile_row * tile_height || (page.RowBytes(8) * tile_width) % 8 != 0) {
      return absl::DataLossError("its tiles have an impossible size");
    }
    std::vector<std::byte> tile(tile_bytes);
    for (uint16_t plane = 0; plane < planes; ++plane) {
      for (uint32_t y = 0; y < page.height; y += std::min(tile_height, page.height - y)) {
        for (uint32_t x = 0; x < page.width; x += std::min(tile_width, page.width - x)) {
          if (TIFFReadTile(tiff, tile.data(), x, y, 0, plane) < 0) return damaged();
          const size_t begin = page.RowBytes(x);
          const size_t count = std::min(tile_row, row_bytes - begin);
          for (uint32_t row = 0; row < std::min(tile_height, page.height - y); ++row) {
            std::memcpy(&packed[plane * plane_bytes + (y + row) * row_bytes + begin],
                        &tile[row * tile_row], count);
          }
        }
      }
    }
    return packed;
  }
  uint32_t rows_a_strip = page.height;
  TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &rows_a_strip);
  rows_a_strip = std::clamp<uint32_t>(rows_a_strip, 1, page.height);
  if (TIFFScanlineSize64(tiff) != row_bytes) {
    return absl::DataLossError("its rows have an impossible size");
  }
  for (uint16_t plane = 0; plane < planes; ++plane) {
    for (uint32_t y = 0; y < page.height; y += std::min(rows_a_strip, page.height - y)) {
      const size_t bytes = row_bytes * std::min(rows_a_strip, page.height - y);
      std::byte* const to = &packed[plane * plane_bytes + y * row_bytes];
      const uint32_t strip = TIFFComputeStrip(tiff, y, plane);
      if (TIFFReadEncodedStrip(tiff, strip, to, static_cast<tmsize_t>(bytes)) !=
          static_cast<tmsize_t>(bytes)) {
        return damaged();
      }
    }
  }
  return packed;
}

// Samples of 1 to 16 bits, packed from the uppermost bit of each byte on, as whole bytes or words.
void Unpack(const std::byte* row, int64_t count, int bits, uint32_t scale, std::byte* to,
            size_t number_bytes) {
  uint32_t pending = 0;
  int have = 0;
  for (int64_t i = 0; i < count; ++i) {
    while (have < bits) {
      pending = pending << 8 | std::to_integer<uint32_t>(*row++);
      have += 8;
    }
    have -= bits;
    const uint32_t value = (pending >> have & ((1U << bits) - 1)) * scale;
    const uint16_t word = static_cast<uint16_t>(value);
    if (number_bytes == 1) {
      to[i] = static_cast<std::byte>(word);
    } else {
      std::memcpy(to + 2 * i, &word, 2);
    }
  }
}

// Brings separate planes together, pixel by pixel.
std::vector<std::byte> Interleave(const std::vector<std::byte>& planes, size_t count,
                                  size_t channels, size_t bytes) {
  std::vector<std::byte> pixels(planes.size());
  for (size_t c = 0; c < channels; ++c) {
    for (size_t i = 0; i < count; ++i) {
      std::memcpy(&pixels[(i * channels + c) * bytes], &planes[(c * count + i) * bytes], bytes);
    }
  }
  return pixels;
}

// Low light for high numbers becomes high light for high numbers.
void Invert(DecodedImage& image) {
  const uint16_t largest = static_cast<uint16_t>((1U << image.bits) - 1);
  if (image.dtype == DType::kUint8) {
    for (std::byte& value : image.pixels) value = std::byte(largest) ^ value;
  } else {
    uint16_t* const values = reinterpret_cast<uint16_t*>(image.pixels.data());
    for (int64_t i = 0; i < image.shape.values(); ++i) values[i] = largest - values[i];
  }
}

absl::Status LookUpColors(TIFF* tiff, const Page& page, DecodedImage& image) {
  uint16_t *red = nullptr, *green = nullptr, *blue = nullptr;
  if (page.samples != 1 || page.bits > 8 ||
      TIFFGetField(tiff, TIFFTAG_COLORMAP, &red, &green, &blue) == 0) {
    return absl::DataLossError("its palette is missing or of an unknown kind");
  }
  const size_t count = image.pixels.size();
  const std::vector<std::byte> indices = std::exchange(image.pixels, {});
  image.pixels.resize(3 * count);
  // Some writers give colours of 8 bits where 16 are due.
  const size_t colors = size_t{1} << page.bits;
  bool narrow = true;
  for (size_t i = 0; i < colors; ++i)
    narrow = narrow && std::max({red[i], green[i], blue[i]}) < 256;
  const int shift = narrow ? 0 : 8;
  for (size_t i = 0; i < count; ++i) {
    const size_t index = std::to_integer<size_t>(indices[i]);
    image.pixels[3 * i] = static_cast<std::byte>(red[index] >> shift);
    image.pixels[3 * i + 1] = static_cast<std::byte>(green[index] >> shift);
    image.pixels[3 * i + 2] = static_cast<std::byte>(blue[index] >> shift);
  }
  image.shape.channels = 3;
  return absl::OkStatus();
}

absl::StatusOr<NumberFormat> FormatOf(const Page& page) {
  using Kind = NumberFormat::Kind;
  const int bytes = page.bits / 8;
  if (page.format == SAMPLEFORMAT_IEEEFP && page.bits % 8 == 0)
    return NumberFormat{Kind::kFloat, bytes};
  if (page.format == SAMPLEFORMAT_INT && page.bits % 8 == 0)
    return NumberFormat{Kind::kSigned, bytes};
  const bool is_void = page.format == SAMPLEFORMAT_VOID;
  if (page.format == SAMPLEFORMAT_UINT || is_void) {
    if (page.bits >= 1 && page.bits <= 16)
      return NumberFormat{Kind::kUnsigned, page.bits <= 8 ? 1 : 2};
    if (page.bits % 8 == 0) return NumberFormat{Kind::kUnsigned, bytes};
  }
  return absl::DataLossError(
      absl::StrFormat("its numbers (sample format %d of %d bits) are of a kind that is not read",
                      page.format, page.bits));
}

absl::StatusOr<DecodedImage> ReadGrid(TIFF* tiff, const Page& page) {
  LANGEVIN_ASSIGN_OR_RETURN(const NumberFormat format, FormatOf(page));
  LANGEVIN_ASSIGN_OR_RETURN(NumberMap map, NumberMap::For(format));
  LANGEVIN_ASSIGN_OR_RETURN(std::vector<std::byte> packed, ReadPacked(tiff, page));
  const size_t values = size_t{page.width} * page.height * page.samples;
  const size_t number_bytes = static_cast<size_t>(format.bytes);
  const bool whole_bytes = page.bits % 8 == 0;
  if (!whole_bytes) {
    const int64_t row_values =
        static_cast<int64_t>(page.width) * (page.IsSeparate() ? 1 : page.samples);
    const size_t rows = size_t{page.height} * (page.IsSeparate() ? page.samples : 1);
    // Depths below 8 fill the range of a byte; indices of a palette stay what they are.
    const uint32_t scale = page.bits < 8 && page.photometric != PHOTOMETRIC_PALETTE
                               ? 255 / ((1U << page.bits) - 1)
                               : 1;
    std::vector<std::byte> numbers(values * number_bytes);
    for (size_t y = 0; y < rows; ++y) {
      Unpack(&packed[y * page.RowBytes(page.width)], row_values, page.bits, scale,
             &numbers[y * static_cast<size_t>(row_values) * number_bytes], number_bytes);
    }
    packed = std::move(numbers);
  }
  if (page.IsSeparate()) {
    packed = Interleave(packed, size_t{page.width} * page.height, page.samples, number_bytes);
  }
  if (map.needs_range()) {
    map.Observe(packed);
    map.Decide();
  }
  DecodedImage image;
  map.Describe(image);
  if (!whole_bytes && page.bits > 8) image.bits = page.bits;
  image.shape = {.height = page.height, .width = page.width, .channels = page.samples};
  image.pixels.resize(values * SizeOf(image.dtype));
  map.Convert(packed, image.pixels);
  if (page.photometric == PHOTOMETRIC_PALETTE) {
    LANGEVIN_RETURN_IF_ERROR(LookUpColors(tiff, page, image));
  } else if (page.photometric == PHOTOMETRIC_MINISWHITE) {
    const bool plain =
        format.kind == NumberFormat::Kind::kUnsigned && page.bits <= 16 && page.samples == 1;
    if (plain) {
      Invert(image);
    } else {
      image.notes.push_back(
          "says that its smallest number is white; its numbers were left as they are");
    }
  }
  return image;
}

absl::StatusOr<DecodedImage> ReadConverted(TIFF* tiff, const Page& page) {
  char why[1024] = "";
  if (page.bits != 8 || TIFFRGBAImageOK(tiff, why) == 0) {
    return absl::DataLossError(
        absl::StrFormat("its colours (photometric %d of %d bits) are of a kind that is not read",
                        page.photometric, page.bits));
  }
  std::vector<uint32_t> pixels(size_t{page.width} * page.height);
  // Rows as they lie in the file; its orientation is followed later.
  TIFFSetField(tiff, TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
  if (TIFFReadRGBAImageOriented(tiff, page.width, page.height, pixels.data(), ORIENTATION_TOPLEFT,
                                /*stop=*/1) == 0) {
    return absl::DataLossError("its pixels are truncated or damaged");
  }
  DecodedImage image;
  image.shape = {.height = page.height, .width = page.width, .channels = 3};
  image.pixels.resize(3 * pixels.size());
  for (size_t i = 0; i < pixels.size(); ++i) {
    image.pixels[3 * i] = static_cast<std::byte>(TIFFGetR(pixels[i]));
    image.pixels[3 * i + 1] = static_cast<std::byte>(TIFFGetG(pixels[i]));
    image.pixels[3 * i + 2] = static_cast<std::byte>(TIFFGetB(pixels[i]));
  }
  return image;
}

absl::StatusOr<DecodedImage> ReadPage(TIFF* tiff, Page& page) {
  if (page.width == 0 || page.height == 0 || page.samples == 0 || page.bits == 0) {
    return absl::DataLossError("it has a page without pixels");
  }
  // Four bytes a number at most are kept (and never fewer than four channels are converted to).
  const int64_t number_bytes = std::max<int64_t>(4, page.bits / 8);
  const int64_t pixel_bytes = number_bytes * (page.bits > 16 ? page.samples : 1) +
                              (page.bits > 16 ? 0 : int64_t{page.samples} * 2);
  if (int64_t{page.width} > INT32_MAX || int64_t{page.height} > INT32_MAX ||
      int64_t{page.width} * page.height > kMaxDecodedBytes / pixel_bytes) {
    return absl::DataLossError(
        absl::StrFormat("its %d x %d pixels with %d channels need more than the %d bytes allowed",
                        page.width, page.height, page.samples, kMaxDecodedBytes));
  }
  if (page.photometric == PHOTOMETRIC_YCBCR && page.compression == COMPRESSION_JPEG) {
    // libjpeg inside libtiff converts.
    TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    page.photometric = PHOTOMETRIC_RGB;
  }
  return page.IsGrid() ? ReadGrid(tiff, page) : ReadConverted(tiff, page);
}

}  // namespace

absl::Status DecodeTiff(const std::string& path, const configs::ReadConfig& config,
                        const ImageSink& sink) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::string contents, ReadPictureFile(path));
  TiffMemory memory{.contents = contents};
  const auto unreadable = [&memory](std::string_view problem) {
    return absl::DataLossError(absl::StrCat(
        "is no TIFF that can be read: ", absl::string_view(problem.data(), problem.size()),
        memory.error.empty() ? "" : absl::StrCat(" (", memory.error, ")")));
  };
  const TiffHandle tiff = OpenTiff(memory);
  if (tiff == nullptr) return unreadable("its header is damaged");
  int64_t images = 0, pages = 0;
  do {
    images += ReadTags(tiff.get()).is_thumbnail ? 0 : 1;
    if (++pages > kMaxPages) return unreadable("it has too many pages");
  } while (TIFFReadDirectory(tiff.get()) != 0);
  if (!memory.error.empty()) return unreadable("one of its pages is damaged");
  if (images == 0) return unreadable("it holds thumbnails only");
  if (TIFFSetDirectory(tiff.get(), 0) == 0) return unreadable("its first page is damaged");
  do {
    Page page = ReadTags(tiff.get());
    if (page.is_thumbnail) continue;
    absl::StatusOr<DecodedImage> image = ReadPage(tiff.get(), page);
    if (!image.ok()) return unreadable(std::string(image.status().message()));
    image->images_in_file = images;
    const bool has_alpha =
        page.IsGrid() && page.photometric != PHOTOMETRIC_PALETTE && page.has_alpha;
    LANGEVIN_RETURN_IF_ERROR(FinishImage(*std::move(image),
                                         {.has_alpha = has_alpha,
                                          .premultiplied = page.premultiplied,
                                          .orientation = page.orientation},
                                         config, sink));
  } while (TIFFReadDirectory(tiff.get()) != 0);
  return absl::OkStatus();
}

}  // namespace langevin::data
