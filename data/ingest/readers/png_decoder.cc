// PNG of every kind. libdeflate inflates and the filters are our own: about three times as fast as
// libspng with Debian's zlib on colour images of 256 and 1024 pixels.
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
#include "data/ingest/readers/png_file.h"
#include "data/ingest/readers/png_filter.h"

namespace langevin::data {
namespace {

// One of the pictures that scanlines make up: the whole, or a pass of Adam7.
struct Pass {
  int64_t width = 0, height = 0;
  int64_t x = 0, y = 0, x_step = 1, y_step = 1;  // Of its pixels in the whole.
};

std::vector<Pass> PassesOf(const PngFile& file) {
  if (!file.interlaced) return {{.width = file.width, .height = file.height}};
  static constexpr int64_t kStarts[7][4] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                                            {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
  std::vector<Pass> passes;
  for (const auto& [x, y, x_step, y_step] : kStarts) {
    const Pass pass = {.width = (file.width - x + x_step - 1) / x_step,
                       .height = (file.height - y + y_step - 1) / y_step,
                       .x = x,
                       .y = y,
                       .x_step = x_step,
                       .y_step = y_step};
    if (pass.width > 0 && pass.height > 0) passes.push_back(pass);
  }
  return passes;
}

// Turns a scanline into pixels of the image: whole bytes or words, palettes looked up, alpha behind
// the colours where the file has any.
class PixelWriter {
 public:
  explicit PixelWriter(const PngFile& file) : file_(file) {
    for (size_t i = 0; i < colors_.size(); ++i) {
      if (i < file.palette.size()) {
        std::copy(file.palette[i].begin(), file.palette[i].end(), colors_[i].begin());
      }
      colors_[i][3] = i < file.palette_alpha.size() ? file.palette_alpha[i] : 255;
    }
  }

  bool has_alpha() const {
    return (file_.color_type & PngFile::kAlpha) != 0 || file_.has_transparency;
  }
  int channels() const {
    if (file_.color_type == 3) return file_.has_transparency ? 4 : 3;
    return file_.channels() + (file_.has_transparency ? 1 : 0);
  }
  bool is_wide() const { return file_.bit_depth == 16; }
  // Whether scanlines are pixels as they are.
  bool IsPlain() const {
    return file_.bit_depth == 8 && file_.color_type != 3 && !file_.has_transparency;
  }

  // False: a pixel has a colour that is not in the palette.
  bool Write(const uint8_t* row, int64_t width, int64_t step, std::byte* to) const {
    if (file_.color_type == 3) return WriteColors(row, width, step, to);
    const int channels_in = file_.channels();
    const int channels_out = channels();
    const size_t number = is_wide() ? 2 : 1;
    const size_t pixel = static_cast<size_t>(channels_out) * number;
    const int scale = file_.bit_depth < 8 ? 255 / ((1 << file_.bit_depth) - 1) : 1;
    for (int64_t x = 0; x < width; ++x, to += static_cast<size_t>(step) * pixel) {
      bool transparent = file_.has_transparency;
      for (int c = 0; c < channels_in; ++c) {
        const uint16_t value = ValueAt(row, x * channels_in + c);
        transparent = transparent && value == file_.transparent[static_cast<size_t>(c)];
        Put(to, c, static_cast<uint16_t>(value * scale));
      }
      if (file_.has_transparency) {
        Put(to, channels_in, transparent ? 0 : (is_wide() ? 65535 : 255));
      }
    }
    return true;
  }

 private:
  uint16_t ValueAt(const uint8_t* row, int64_t index) const {
    switch (file_.bit_depth) {
      case 8:
        return row[index];
      case 16:
        return static_cast<uint16_t>(row[2 * index] << 8 | row[2 * index + 1]);
      default: {
        const int64_t bit = index * file_.bit_depth;
        const int shift = 8 - file_.bit_depth - static_cast<int>(bit % 8);
        return static_cast<uint16_t>(row[bit / 8] >> shift & ((1 << file_.bit_depth) - 1));
      }
    }
  }

  void Put(std::byte* pixel, int channel, uint16_t value) const {
    if (is_wide()) {
      std::memcpy(pixel + 2 * channel, &value, 2);
    } else {
      pixel[channel] = static_cast<std::byte>(value);
    }
  }

  bool WriteColors(const uint8_t* row, int64_t width, int64_t step, std::byte* to) const {
    const size_t pixel = static_cast<size_t>(channels());
    for (int64_t x = 0; x < width; ++x, to += static_cast<size_t>(step) * pixel) {
      const uint16_t index = ValueAt(row, x);
      if (index >= file_.palette.size()) return false;
      std::memcpy(to, colors_[index].data(), pixel);
    }
    return true;
  }

  const PngFile& file_;
  std::array<std::array<uint8_t, 4>, 256> colors_ = {};
};

absl::Status DecodePass(const PngFile& file, const Pass& pass, const PixelWriter& writer,
                        std::span<uint8_t>& scanlines, DecodedImage& image) {
  const size_t row_bytes = file.RowBytes(pass.width);
  const size_t step =
      std::max<size_t>(1, static_cast<size_t>(file.channels() * file.bit_depth) / 8);
  const size_t pixel = static_cast<size_t>(writer.channels()) * SizeOf(image.dtype);
  const bool direct = writer.IsPlain() && !file.interlaced;
  const std::vector<uint8_t> zeros(row_bytes, 0);
  std::span<const uint8_t> above = zeros;
  for (int64_t y = 0; y < pass.height; ++y) {
    const uint8_t filter = scanlines[0];
    const std::span<uint8_t> filtered = scanlines.subspan(1, row_bytes);
    scanlines = scanlines.subspan(row_bytes + 1);
    std::byte* const to =
        image.pixels.data() +
        static_cast<size_t>((pass.y + y * pass.y_step) * file.width + pass.x) * pixel;
    const std::span<uint8_t> row =
        direct ? std::span(reinterpret_cast<uint8_t*>(to), row_bytes) : filtered;
    if (!UndoPngFilter(filter, step, filtered, above, row)) {
      return absl::DataLossError(absl::StrFormat("has a row with the unknown filter %d", filter));
    }
    if (!direct && !writer.Write(row.data(), pass.width, pass.x_step, to)) {
      return absl::DataLossError("has a pixel whose colour is not in its palette");
    }
    above = row;
  }
  return absl::OkStatus();
}

absl::StatusOr<DecodedImage> DecodePixels(const PngFile& file) {
  const PixelWriter writer(file);
  DecodedImage image;
  image.dtype = writer.is_wide() ? DType::kUint16 : DType::kUint8;
  image.bits = writer.is_wide() ? 16 : 8;
  image.shape = {.height = file.height, .width = file.width, .channels = writer.channels()};
  const int64_t pixel_bytes = image.shape.channels * static_cast<int64_t>(SizeOf(image.dtype));
  // Each number is below 2^31, so that the product of two fits.
  if (file.width * file.height > kMaxDecodedBytes / pixel_bytes) {
    return absl::DataLossError(
        absl::StrFormat("has %d x %d pixels, which need more than the %d bytes allowed", file.width,
                        file.height, kMaxDecodedBytes));
  }
  const std::vector<Pass> passes = PassesOf(file);
  size_t bytes = 0;
  for (const Pass& pass : passes) {
    bytes += static_cast<size_t>(pass.height) * (file.RowBytes(pass.width) + 1);
  }
  // Deflate cannot do better than 1032 to 1: what claims more is not there.
  if (bytes / 1032 > file.packed.size()) {
    return absl::DataLossError("has fewer pixels than its size says");
  }
  const auto buffer = std::make_unique_for_overwrite<uint8_t[]>(bytes);
  std::span<uint8_t> scanlines(buffer.get(), bytes);
  LANGEVIN_RETURN_IF_ERROR(InflatePng(file, scanlines));
  image.pixels.resize(static_cast<size_t>(image.shape.values()) * SizeOf(image.dtype));
  for (const Pass& pass : passes) {
    LANGEVIN_RETURN_IF_ERROR(DecodePass(file, pass, writer, scanlines, image));
  }
  if (file.animated) image.notes.push_back("is animated: only its first picture was read");
  return image;
}

}  // namespace

absl::Status DecodePng(const std::string& path, const configs::ReadConfig& config,
                       const ImageSink& sink) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::string contents, ReadPictureFile(path));
  const auto unreadable = [](const absl::Status& status) {
    if (absl::IsResourceExhausted(status)) return status;
    return absl::DataLossError(absl::StrCat("is no PNG that can be read: it ", status.message()));
  };
  const absl::StatusOr<std::unique_ptr<PngFile>> file = ParsePng(contents);
  if (!file.ok()) return unreadable(file.status());
  absl::StatusOr<DecodedImage> image = DecodePixels(**file);
  if (!image.ok()) return unreadable(image.status());
  const bool has_alpha = PixelWriter(**file).has_alpha();
  return FinishImage(*std::move(image), {.has_alpha = has_alpha}, config, sink);
}

}  // namespace langevin::data
