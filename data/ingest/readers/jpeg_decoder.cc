// JPEG through libjpeg-turbo's libjpeg API, which reports errors by a function that must not
// return: here it jumps back into ReadHeader or ReadRows, whose frames hold nothing to destroy.
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>

// These come last: they need stdio's types and say so nowhere.
#include <jerror.h>
#include <jpeglib.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "data/ingest/decoders.h"
#include "data/ingest/readers/byte_stream.h"
#include "data/ingest/readers/exif.h"
#include "data/ingest/readers/finish_image.h"

namespace langevin::data {
namespace {

constexpr int kMaxScans = 500;  // A progressive file can ask for any number of sweeps.

struct Jpeg {
  jpeg_decompress_struct decoder;  // First: callbacks get a pointer to it.
  jpeg_error_mgr errors;
  jpeg_progress_mgr progress;
  std::jmp_buf return_point;
  char message[JMSG_LENGTH_MAX] = "";
  bool too_many_scans = false;
};

Jpeg* JpegOf(j_common_ptr common) { return reinterpret_cast<Jpeg*>(common); }

[[noreturn]] void OnError(j_common_ptr common) {
  Jpeg* const jpeg = JpegOf(common);
  if (!jpeg->too_many_scans) common->err->format_message(common, jpeg->message);
  std::longjmp(jpeg->return_point, 1);
}

// Below zero: a warning. Those that leave the pixels as they were meant are passed over; all others
// mean lost data, which libjpeg would replace by gray.
void OnMessage(j_common_ptr common, int level) {
  if (level >= 0) return;
  switch (common->err->msg_code) {
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_ADOBE_XFORM:
    case JWRN_JFIF_MAJOR:
      return;
    default:
      OnError(common);
  }
}

void OnProgress(j_common_ptr common) {
  Jpeg* const jpeg = JpegOf(common);
  if (jpeg->decoder.input_scan_number <= kMaxScans) return;
  jpeg->too_many_scans = true;
  std::snprintf(jpeg->message, sizeof(jpeg->message), "more than %d scans", kMaxScans);
  OnError(common);
}

// False: jpeg.message says why.
bool ReadHeader(Jpeg& jpeg, const std::string& contents) {
  if (setjmp(jpeg.return_point) != 0) return false;
  jpeg_create_decompress(&jpeg.decoder);
  jpeg.decoder.progress = &jpeg.progress;
  jpeg_mem_src(&jpeg.decoder, reinterpret_cast<const unsigned char*>(contents.data()),
               static_cast<unsigned long>(contents.size()));  // NOLINT(google-runtime-int)
  jpeg_save_markers(&jpeg.decoder, JPEG_APP0 + 1, 0xffff);
  jpeg_read_header(&jpeg.decoder, TRUE);
  switch (jpeg.decoder.jpeg_color_space) {
    case JCS_GRAYSCALE:
      jpeg.decoder.out_color_space = JCS_GRAYSCALE;
      break;
    case JCS_CMYK:
    case JCS_YCCK:
      jpeg.decoder.out_color_space = JCS_CMYK;
      break;
    case JCS_UNKNOWN:
      break;
    default:
      jpeg.decoder.out_color_space = JCS_RGB;
  }
  jpeg_calc_output_dimensions(&jpeg.decoder);
  return true;
}

bool ReadRows(Jpeg& jpeg, JSAMPLE* pixels, size_t row_bytes) {
  if (setjmp(jpeg.return_point) != 0) return false;
  jpeg_start_decompress(&jpeg.decoder);
  while (jpeg.decoder.output_scanline < jpeg.decoder.output_height) {
    JSAMPROW row = pixels + jpeg.decoder.output_scanline * row_bytes;
    jpeg_read_scanlines(&jpeg.decoder, &row, 1);
  }
  jpeg_finish_decompress(&jpeg.decoder);
  return true;
}

int OrientationOf(const jpeg_decompress_struct& decoder) {
  for (const jpeg_marker_struct* marker = decoder.marker_list; marker != nullptr;
       marker = marker->next) {
    const int orientation = OrientationOfExif({marker->data, marker->data_length});
    if (orientation != 1) return orientation;
  }
  return 1;
}

// a * b / 255, rounded.
int ScaledProduct(int a, int b) {
  const int product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

// Four inks to three lights, without a colour profile. Adobe stores inks upside down.
void RgbFromCmyk(bool inverted, DecodedImage& image) {
  const int64_t count = image.shape.height * image.shape.width;
  uint8_t* const values = reinterpret_cast<uint8_t*>(image.pixels.data());
  for (int64_t i = 0; i < count; ++i) {
    int inks[4];
    for (int c = 0; c < 4; ++c) inks[c] = inverted ? 255 - values[4 * i + c] : values[4 * i + c];
    const int white = 255 - inks[3];
    for (int c = 0; c < 3; ++c) {
      values[3 * i + c] = static_cast<uint8_t>(white - ScaledProduct(inks[c], white));
    }
  }
  image.shape.channels = 3;
  image.pixels.resize(static_cast<size_t>(image.shape.values()));
}

}  // namespace

absl::Status DecodeJpeg(const std::string& path, const configs::ReadConfig& config,
                        const ImageSink& sink) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::string contents, ReadPictureFile(path));
  Jpeg jpeg = {};
  jpeg.decoder.err = jpeg_std_error(&jpeg.errors);
  jpeg.errors.error_exit = OnError;
  jpeg.errors.emit_message = OnMessage;
  jpeg.progress.progress_monitor = OnProgress;
  struct Destroyer {
    Jpeg& jpeg;
    ~Destroyer() { jpeg_destroy_decompress(&jpeg.decoder); }
  } destroyer{jpeg};
  const auto unreadable = [&jpeg] {
    return absl::DataLossError(
        absl::StrCat("is no JPEG that can be read: ", static_cast<const char*>(jpeg.message)));
  };
  if (!ReadHeader(jpeg, contents)) return unreadable();
  const int64_t height = jpeg.decoder.output_height, width = jpeg.decoder.output_width;
  const int64_t channels = jpeg.decoder.out_color_components;
  if (height * width > kMaxDecodedBytes / std::max<int64_t>(channels, 1)) {
    return absl::DataLossError(
        absl::StrFormat("is no JPEG that can be read: its %d x %d pixels need more than the %d "
                        "bytes allowed",
                        width, height, kMaxDecodedBytes));
  }
  const int orientation = OrientationOf(jpeg.decoder);  // Reading the rows lets the markers go.
  DecodedImage image;
  image.shape = {.height = height, .width = width, .channels = channels};
  image.pixels.resize(static_cast<size_t>(image.shape.values()));
  if (!ReadRows(jpeg, reinterpret_cast<JSAMPLE*>(image.pixels.data()),
                static_cast<size_t>(width * channels))) {
    return unreadable();
  }
  if (jpeg.decoder.out_color_space == JCS_CMYK) {
    RgbFromCmyk(jpeg.decoder.saw_Adobe_marker != 0, image);
  }
  return FinishImage(std::move(image), {.orientation = orientation}, config, sink);
}

}  // namespace langevin::data
