#include "data/ingest/readers/array_images.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "core/base/status_macros.h"
#include "data/ingest/readers/finish_image.h"

namespace langevin::data {
namespace {

constexpr size_t kBlockBytes = 1 << 20;
constexpr int64_t kSmallestPicture = 5;  // Fewer rows or columns than this are channels.

bool IsChannelCount(int64_t extent) { return extent == 1 || extent == 3 || extent == 4; }

// a * b, or nothing where that is no sane size.
std::optional<int64_t> Product(int64_t a, int64_t b) {
  int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

// Calls `use` with the numbers of the stream, a block at a time.
absl::Status ForEachBlock(ByteStream& stream, uint64_t bytes,
                          const std::function<void(std::span<const std::byte>)>& use) {
  std::vector<std::byte> block(std::min<uint64_t>(bytes, kBlockBytes));
  while (bytes > 0) {
    const std::span<std::byte> part =
        std::span(block).first(std::min<uint64_t>(bytes, block.size()));
    LANGEVIN_RETURN_IF_ERROR(stream.Read(part));
    use(part);
    bytes -= part.size();
  }
  return absl::OkStatus();
}

// Copies the numbers of image `index` out of a whole array, row-major and interleaved.
void Gather(const ArrayLayout& layout, int64_t index, int bytes, std::span<const std::byte> array,
            std::span<std::byte> out) {
  std::byte* to = out.data();
  for (int64_t y = 0; y < layout.shape.height; ++y) {
    for (int64_t x = 0; x < layout.shape.width; ++x) {
      for (int64_t c = 0; c < layout.shape.channels; ++c) {
        const int64_t at = index * layout.image_stride + y * layout.row_stride +
                           x * layout.column_stride + c * layout.channel_stride;
        std::memcpy(to, array.data() + at * bytes, static_cast<size_t>(bytes));
        to += bytes;
      }
    }
  }
}

}  // namespace

bool ArrayLayout::IsPlain() const {
  return channel_stride == 1 && column_stride == shape.channels &&
         row_stride == shape.channels * shape.width && image_stride == shape.values();
}

absl::StatusOr<ArrayLayout> LayoutOfArray(std::span<const int64_t> extents, bool fortran_order,
                                          int bytes_a_number) {
  const std::string text = absl::StrCat("(", absl::StrJoin(extents, ", "), ")");
  const size_t rank = extents.size();
  if (rank < 2 || rank > 4) {
    return absl::DataLossError(absl::StrFormat(
        "its array has the shape %s; (H, W), (N, H, W) and (N, H, W, C) are read", text));
  }
  // Which dimension is what; -1: none.
  int n = -1, h = 0, w = 1, c = -1;
  if (rank == 3 && IsChannelCount(extents[2]) && extents[0] >= kSmallestPicture &&
      extents[1] >= kSmallestPicture) {
    c = 2;
  } else if (rank == 3) {
    n = 0, h = 1, w = 2;
  } else if (rank == 4 && IsChannelCount(extents[1]) && !IsChannelCount(extents[3]) &&
             extents[2] >= kSmallestPicture && extents[3] >= kSmallestPicture) {
    n = 0, c = 1, h = 2, w = 3;
  } else if (rank == 4) {
    n = 0, h = 1, w = 2, c = 3;
  }
  std::vector<int64_t> strides(rank);
  int64_t total = 1;
  for (size_t i = 0; i < rank; ++i) {
    const size_t dimension = fortran_order ? i : rank - 1 - i;
    strides[dimension] = total;
    const std::optional<int64_t> product = Product(total, extents[dimension]);
    if (extents[dimension] < 1 || !product.has_value() ||
        *product > (int64_t{1} << 62) / bytes_a_number) {
      return absl::DataLossError(
          absl::StrFormat("its array has the shape %s, which no images have", text));
    }
    total = *product;
  }
  ArrayLayout layout;
  const auto extent = [&](int dimension) {
    return dimension < 0 ? 1 : extents[static_cast<size_t>(dimension)];
  };
  const auto stride = [&](int dimension) {
    return dimension < 0 ? 0 : strides[static_cast<size_t>(dimension)];
  };
  layout.count = extent(n);
  layout.shape = {.height = extent(h), .width = extent(w), .channels = extent(c)};
  layout.image_stride = n < 0 ? total : stride(n);
  layout.row_stride = stride(h);
  layout.column_stride = stride(w);
  layout.channel_stride = c < 0 ? 1 : stride(c);
  const int64_t widest = std::max<int64_t>(bytes_a_number, 4);  // Wide integers may become float32.
  if (layout.shape.values() > kMaxDecodedBytes / widest) {
    return absl::DataLossError(absl::StrFormat(
        "its images of %d x %d pixels and %d channels are larger than the %d bytes allowed",
        layout.shape.height, layout.shape.width, layout.shape.channels, kMaxDecodedBytes));
  }
  return layout;
}

absl::Status ReadArrayImages(ByteStream& stream, uint64_t header_bytes, const ArraySource& array,
                             const configs::ReadConfig& config, const ImageSink& sink) {
  const int bytes = array.format.bytes;
  LANGEVIN_ASSIGN_OR_RETURN(NumberMap map, NumberMap::For(array.format));
  LANGEVIN_ASSIGN_OR_RETURN(const ArrayLayout layout,
                            LayoutOfArray(array.extents, array.fortran_order, bytes));
  const size_t image_values = static_cast<size_t>(layout.shape.values());
  const uint64_t all_bytes =
      static_cast<uint64_t>(layout.count) * image_values * static_cast<uint64_t>(bytes);
  const bool plain = layout.IsPlain();
  // Without Fortran order an image's numbers lie together, if in another order (channels first).
  const bool by_image = layout.image_stride == layout.shape.values();
  if (!by_image && all_bytes > static_cast<uint64_t>(kMaxDecodedBytes)) {
    return absl::DataLossError(absl::StrFormat(
        "its array is in Fortran order and of %d bytes; up to %d are read so: save it in C order",
        all_bytes, kMaxDecodedBytes));
  }
  if (map.needs_range()) {
    LANGEVIN_RETURN_IF_ERROR(ForEachBlock(
        stream, all_bytes, [&map](std::span<const std::byte> block) { map.Observe(block); }));
    LANGEVIN_RETURN_IF_ERROR(stream.Rewind());
    LANGEVIN_RETURN_IF_ERROR(ForEachBlock(stream, header_bytes, [](auto) {}));
    map.Decide();
  }

  DecodedImage image;
  image.images_in_file = layout.count;
  map.Describe(image);
  std::vector<std::byte> whole, ordered;
  if (!by_image) {
    whole.resize(all_bytes);
    LANGEVIN_RETURN_IF_ERROR(stream.Read(whole));
  } else {
    whole.resize(image_values * static_cast<size_t>(bytes));
  }
  if (!plain) ordered.resize(image_values * static_cast<size_t>(bytes));
  const bool as_is = config.color == configs::ColorMode::kAsIs;
  for (int64_t i = 0; i < layout.count; ++i) {
    if (by_image) LANGEVIN_RETURN_IF_ERROR(stream.Read(whole));
    if (!plain) Gather(layout, by_image ? 0 : i, bytes, whole, ordered);
    image.shape = layout.shape;
    image.pixels.resize(image_values * SizeOf(map.dtype()));
    map.Convert(plain ? whole : ordered, image.pixels);
    image.label.reset();
    if (!array.labels.empty() && array.labels[static_cast<size_t>(i)] >= 0) {
      image.label = array.labels[static_cast<size_t>(i)];
    }
    LANGEVIN_RETURN_IF_ERROR(as_is ? sink(image) : FinishImage(image, {}, config, sink));
    if (i == 0) image.notes.clear();  // Said once a file.
  }
  return stream.ExpectEnd();
}

}  // namespace langevin::data
