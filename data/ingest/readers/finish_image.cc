#include "data/ingest/readers/finish_image.h"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"

namespace langevin::data {
namespace {

// EXIF 2.3, tag 0x0112. Orientations from 5 on exchange rows and columns.
void Turn(int orientation, DecodedImage& image) {
  if (orientation < 2 || orientation > 8) return;
  const auto [height, width, channels] = image.shape;
  const bool transposed = orientation >= 5;
  const bool from_right =
      orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const size_t bytes = static_cast<size_t>(channels) * SizeOf(image.dtype);
  const int64_t new_height = transposed ? width : height;
  const int64_t new_width = transposed ? height : width;
  std::vector<std::byte> turned(image.pixels.size());
  std::byte* to = turned.data();
  for (int64_t y = 0; y < new_height; ++y) {
    for (int64_t x = 0; x < new_width; ++x) {
      int64_t row = transposed ? x : y;
      int64_t column = transposed ? y : x;
      if (from_bottom) row = height - 1 - row;
      if (from_right) column = width - 1 - column;
      std::memcpy(to, image.pixels.data() + static_cast<size_t>(row * width + column) * bytes,
                  bytes);
      to += bytes;
    }
  }
  image.pixels = std::move(turned);
  image.shape = {.height = new_height, .width = new_width, .channels = channels};
}

template <typename T>
T LargestOf(int32_t bits) {
  if constexpr (std::is_floating_point_v<T>) {
    return 1;
  } else {
    return static_cast<T>((uint32_t{1} << bits) - 1);
  }
}

// value * alpha + background * (1 - alpha), rounded to nearest.
template <typename T>
T Compose(T value, T alpha, T background, T largest, bool premultiplied) {
  if constexpr (std::is_floating_point_v<T>) {
    return (premultiplied ? value : value * alpha) + background * (1 - alpha);
  } else {
    const uint64_t front = premultiplied ? uint64_t{value} * largest : uint64_t{value} * alpha;
    const uint64_t sum = front + uint64_t{background} * (largest - std::min(alpha, largest));
    return static_cast<T>(std::min<uint64_t>((sum + largest / 2) / largest, largest));
  }
}

template <typename T>
void TakeAlphaOut(configs::AlphaMode mode, bool premultiplied, DecodedImage& image) {
  const int64_t channels = image.shape.channels;
  const int64_t count = image.shape.height * image.shape.width;
  const T largest = LargestOf<T>(image.bits);
  const T background = mode == configs::AlphaMode::kWhite ? largest : T{0};
  const bool composes = mode == configs::AlphaMode::kWhite || mode == configs::AlphaMode::kBlack;
  T* const values = reinterpret_cast<T*>(image.pixels.data());
  bool some_missing = false;
  if (mode == configs::AlphaMode::kMask) image.mask.resize(static_cast<size_t>(count), 1);
  for (int64_t i = 0; i < count; ++i) {
    const T* const from = values + i * channels;
    T* const to = values + i * (channels - 1);
    const T alpha = from[channels - 1];
    for (int64_t c = 0; c + 1 < channels; ++c) {
      to[c] = composes ? Compose(from[c], alpha, background, largest, premultiplied) : from[c];
    }
    if (mode == configs::AlphaMode::kMask && !(alpha > 0)) {
      image.mask[static_cast<size_t>(i)] = 0;
      some_missing = true;
    }
  }
  if (!some_missing) image.mask.clear();
  image.alpha_left_out = mode == configs::AlphaMode::kDrop;
  image.shape.channels = channels - 1;
  image.pixels.resize(static_cast<size_t>(image.shape.values()) * sizeof(T));
}

// ITU-R BT.601 luma, in the fixed point that Pillow uses.
template <typename T>
T Luma(const T* rgb) {
  if constexpr (std::is_floating_point_v<T>) {
    return 0.299F * rgb[0] + 0.587F * rgb[1] + 0.114F * rgb[2];
  } else {
    return static_cast<T>(
        (uint64_t{rgb[0]} * 19595 + uint64_t{rgb[1]} * 38470 + uint64_t{rgb[2]} * 7471 + 0x8000) >>
        16);
  }
}

template <typename T>
void Recolor(configs::ColorMode mode, DecodedImage& image) {
  const int64_t count = image.shape.height * image.shape.width;
  if (mode == configs::ColorMode::kGray) {
    T* const values = reinterpret_cast<T*>(image.pixels.data());
    for (int64_t i = 0; i < count; ++i) values[i] = Luma(values + 3 * i);
    image.shape.channels = 1;
    image.pixels.resize(static_cast<size_t>(count) * sizeof(T));
  } else {
    image.pixels.resize(static_cast<size_t>(count) * 3 * sizeof(T));
    T* const values = reinterpret_cast<T*>(image.pixels.data());
    for (int64_t i = count - 1; i >= 0; --i) {
      values[3 * i] = values[3 * i + 1] = values[3 * i + 2] = values[i];
    }
    image.shape.channels = 3;
  }
}

// Calls `function` with a value of the type that the image's numbers have.
template <typename Function>
void WithNumberType(DType dtype, Function function) {
  if (dtype == DType::kUint8) {
    function(uint8_t{});
  } else if (dtype == DType::kUint16) {
    function(uint16_t{});
  } else {
    function(float{});
  }
}

absl::Status ChangeColors(configs::ColorMode mode, DecodedImage& image) {
  const int64_t wanted = mode == configs::ColorMode::kRgb ? 3 : 1;
  if (mode == configs::ColorMode::kAsIs || image.shape.channels == wanted) {
    return absl::OkStatus();
  }
  if (image.shape.channels != 1 && image.shape.channels != 3) {
    return absl::DataLossError(absl::StrFormat(
        "has %d channels, which cannot become %s; leave read.color as it is in the file",
        image.shape.channels, wanted == 3 ? "RGB" : "gray"));
  }
  if (wanted == 3 && image.pixels.size() > static_cast<size_t>(kMaxDecodedBytes / 3)) {
    return absl::DataLossError(
        absl::StrFormat("its %d x %d pixels need more than the %d bytes allowed in three channels",
                        image.shape.width, image.shape.height, kMaxDecodedBytes));
  }
  WithNumberType(image.dtype, [&](auto type) { Recolor<decltype(type)>(mode, image); });
  return absl::OkStatus();
}

}  // namespace

absl::Status FinishImage(DecodedImage image, const PixelMeaning& meaning,
                         const configs::ReadConfig& config, const ImageSink& sink) {
  if (meaning.has_alpha && image.shape.channels >= 2) {
    WithNumberType(image.dtype, [&](auto type) {
      TakeAlphaOut<decltype(type)>(config.alpha, meaning.premultiplied, image);
    });
  }
  LANGEVIN_RETURN_IF_ERROR(ChangeColors(config.color, image));
  if (config.exif_orientation && meaning.orientation != 1) {
    if (!image.mask.empty()) {
      DecodedImage mask;
      mask.shape = {.height = image.shape.height, .width = image.shape.width, .channels = 1};
      mask.pixels.resize(image.mask.size());
      std::memcpy(mask.pixels.data(), image.mask.data(), image.mask.size());
      Turn(meaning.orientation, mask);
      std::memcpy(image.mask.data(), mask.pixels.data(), image.mask.size());
    }
    Turn(meaning.orientation, image);
  }
  return sink(image);
}

}  // namespace langevin::data
