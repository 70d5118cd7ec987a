// The parts that readers are made of. What whole files become is compared with other software's
// opinion in tests/data/ingest/readers_test.py.
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "data/ingest/decoders.h"
#include "data/ingest/readers/array_images.h"
#include "data/ingest/readers/exif.h"
#include "data/ingest/readers/finish_image.h"
#include "data/ingest/readers/npy_header.h"
#include "data/ingest/readers/numbers.h"
#include "data/ingest/readers/png_filter.h"
#include "tests/data/testing.h"

namespace langevin::data {
namespace {

using std::string_literals::operator""s;
using Kind = NumberFormat::Kind;

template <typename T>
std::vector<std::byte> BytesOf(const std::vector<T>& numbers) {
  std::vector<std::byte> bytes(numbers.size() * sizeof(T));
  std::memcpy(bytes.data(), numbers.data(), bytes.size());
  return bytes;
}

template <typename T>
std::vector<T> NumbersOf(const std::vector<std::byte>& bytes) {
  std::vector<T> numbers(bytes.size() / sizeof(T));
  std::memcpy(numbers.data(), bytes.data(), bytes.size());
  return numbers;
}

// What is stored of numbers, and as what.
struct Stored {
  DecodedImage image;
  std::vector<std::byte> bytes;
};

template <typename T>
Stored Store(NumberFormat format, const std::vector<T>& numbers) {
  absl::StatusOr<NumberMap> map = NumberMap::For(format);
  EXPECT_TRUE(map.ok()) << map.status();
  const std::vector<std::byte> bytes = BytesOf(numbers);
  if (map->needs_range()) {
    map->Observe(bytes);
    map->Decide();
  }
  Stored stored;
  map->Describe(stored.image);
  stored.bytes.resize(numbers.size() * SizeOf(stored.image.dtype));
  map->Convert(bytes, stored.bytes);
  return stored;
}

TEST(NumbersTest, SignedNumbersKeepTheirOrderBehindAnOffset) {
  const Stored words = Store<int16_t>({Kind::kSigned, 2}, {-32768, -1024, 0, 3071, 32767});
  EXPECT_EQ(words.image.dtype, DType::kUint16);
  EXPECT_EQ(words.image.physical.offset, -32768);
  EXPECT_EQ(NumbersOf<uint16_t>(words.bytes),
            (std::vector<uint16_t>{0, 31744, 32768, 35839, 65535}));
  const Stored bytes = Store<int8_t>({Kind::kSigned, 1}, {-128, 127});
  EXPECT_EQ(bytes.image.physical.offset, -128);
  EXPECT_EQ(NumbersOf<uint8_t>(bytes.bytes), (std::vector<uint8_t>{0, 255}));
}

TEST(NumbersTest, WideIntegersBecomeWordsWhereTheyFit) {
  const Stored plain = Store<int32_t>({Kind::kSigned, 4}, {0, 65535});
  EXPECT_EQ(plain.image.dtype, DType::kUint16);
  EXPECT_EQ(plain.image.physical.offset, 0);
  const Stored hounsfield = Store<int32_t>({Kind::kSigned, 4}, {-1000, 3000});
  EXPECT_EQ(hounsfield.image.physical.offset, -32768);  // Not -1000: all such files are alike.
  EXPECT_EQ(NumbersOf<uint16_t>(hounsfield.bytes), (std::vector<uint16_t>{31768, 35768}));
  const Stored far = Store<int64_t>({Kind::kSigned, 8}, {100000, 165535});
  EXPECT_EQ(far.image.physical.offset, 100000);
  EXPECT_EQ(NumbersOf<uint16_t>(far.bytes), (std::vector<uint16_t>{0, 65535}));
  const Stored wide = Store<uint32_t>({Kind::kUnsigned, 4}, {0, 65536, 4294967295U});
  EXPECT_EQ(wide.image.dtype, DType::kFloat32);
  EXPECT_EQ(NumbersOf<float>(wide.bytes), (std::vector<float>{0, 65536, 4294967296.0F}));
  ASSERT_EQ(wide.image.notes.size(), 1);
  EXPECT_NE(wide.image.notes[0].find("rounds"), std::string::npos);
  const Stored small = Store<uint64_t>({Kind::kUnsigned, 8}, {3, 65535});
  EXPECT_EQ(NumbersOf<uint16_t>(small.bytes), (std::vector<uint16_t>{3, 65535}));
  const Stored distant = Store<uint64_t>({Kind::kUnsigned, 8}, {1000000, 1000007});
  EXPECT_EQ(distant.image.physical.offset, 1000000);
  EXPECT_EQ(NumbersOf<uint16_t>(distant.bytes), (std::vector<uint16_t>{0, 7}));
  const uint64_t middle = uint64_t{1} << 63;
  EXPECT_EQ(Store<uint64_t>({Kind::kUnsigned, 8}, {middle, middle + 1}).image.dtype,
            DType::kFloat32);
  const uint64_t most = std::numeric_limits<uint64_t>::max();
  const Stored huge = Store<uint64_t>({Kind::kUnsigned, 8}, {0, most});
  EXPECT_EQ(NumbersOf<float>(huge.bytes), (std::vector<float>{0, 18446744073709551616.0F}));
  const int64_t least = std::numeric_limits<int64_t>::min();
  const Stored both = Store<int64_t>({Kind::kSigned, 8}, {least, -1});
  EXPECT_EQ(NumbersOf<float>(both.bytes), (std::vector<float>{-9223372036854775808.0F, -1}));
}

TEST(NumbersTest, FloatsOfEveryWidth) {
  const Stored half = Store<uint16_t>({Kind::kFloat, 2}, {0x3c00, 0xc000, 0x0001, 0x7c00, 0x7e00});
  const std::vector<float> values = NumbersOf<float>(half.bytes);
  EXPECT_EQ(values[0], 1);
  EXPECT_EQ(values[1], -2);
  EXPECT_EQ(values[2], std::ldexp(1.0F, -24));
  EXPECT_TRUE(std::isinf(values[3]) && std::isnan(values[4]));
  const Stored wide = Store<double>({Kind::kFloat, 8}, {0.5, -1e300, NAN});
  EXPECT_EQ(NumbersOf<float>(wide.bytes)[0], 0.5);
  EXPECT_EQ(NumbersOf<float>(wide.bytes)[1], -INFINITY);
  EXPECT_TRUE(std::isnan(NumbersOf<float>(wide.bytes)[2]));
  EXPECT_FALSE(NumberMap::For({Kind::kFloat, 16}).ok());
  EXPECT_FALSE(NumberMap::For({Kind::kUnsigned, 3}).ok());
}

TEST(ArrayImagesTest, ShapesAreReadAsImages) {
  const auto layout = [](std::vector<int64_t> extents) {
    return *LayoutOfArray(extents, false, 1);
  };
  EXPECT_EQ(layout({7, 9}).shape, (ImageShape{7, 9, 1}));
  EXPECT_EQ(layout({50, 7, 9}).count, 50);
  EXPECT_EQ(layout({50, 7, 9}).shape, (ImageShape{7, 9, 1}));
  EXPECT_EQ(layout({50, 70, 3}).shape, (ImageShape{50, 70, 3}));
  EXPECT_EQ(layout({5, 7, 9, 2}).shape, (ImageShape{7, 9, 2}));
  EXPECT_EQ(layout({5, 3, 32, 33}).shape, (ImageShape{32, 33, 3}));
  EXPECT_EQ(layout({5, 3, 32, 33}).channel_stride, 32 * 33);
  EXPECT_TRUE(layout({5, 7, 9, 2}).IsPlain());
  const int64_t big = int64_t{1} << 40;
  for (const std::vector<int64_t>& bad : std::vector<std::vector<int64_t>>{
           {}, {5}, {0, 5}, {-1, 5}, {big, big, big}, {2, big, 9}, {1, 1, 1, 1, 1}}) {
    EXPECT_FALSE(LayoutOfArray(bad, false, 1).ok());
  }
}

TEST(NpyHeaderTest, AcceptsWhatNumPyWritesAndNothingElse) {
  const auto good =
      ParseNpyDictionary("{'descr': '>i4', 'fortran_order': True, 'shape': (3, 4L,), }\n");
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_EQ(good->extents, (std::vector<int64_t>{3, 4}));
  EXPECT_TRUE(good->fortran_order && good->format.swapped);
  EXPECT_TRUE(ParseNpyDictionary("{\"shape\":(),'fortran_order':False,'descr':'|u1'}").ok());
  for (const char* bad : {
           "",
           "{",
           "{}",
           "[]",
           "{'descr': '<f4'}",
           "{'descr': '|O', 'fortran_order': False, 'shape': (3, 4)}",
           "{'descr': '<c8', 'fortran_order': False, 'shape': (3, 4)}",
           "{'descr': '<u-1', 'fortran_order': False, 'shape': (3, 4)}",
           "{'descr': '<u999999999999', 'fortran_order': False, 'shape': (3, 4)}",
           "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3, 4)}",
           "{'descr': '<f4', 'fortran_order': None, 'shape': (3, 4)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (3 4)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (-3, 4)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 4)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4)} 7",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), 'more': 1}",
       }) {
    EXPECT_FALSE(ParseNpyDictionary(bad).ok()) << bad;
  }
}

TEST(ExifTest, OrientationInBothByteOrders) {
  const auto exif = [](const std::string& tiff) {
    const std::string app1 = "Exif\0\0"s + tiff;
    return OrientationOfExif({reinterpret_cast<const uint8_t*>(app1.data()), app1.size()});
  };
  const std::string big = "MM\0*\0\0\0\x8\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"s;
  const std::string little = "II*\0\x8\0\0\0\1\0\x12\1\3\0\1\0\0\0\x8\0\0\0\0\0\0\0"s;
  EXPECT_EQ(exif(big), 6);
  EXPECT_EQ(exif(little), 8);
  for (size_t size = 0; size < little.size(); ++size) exif(little.substr(0, size));  // No crash.
  EXPECT_EQ(exif("MM\0*\xff\xff\xff\xff\0\0\0\0\0\0"s), 1);
}

// The 2 x 3 image abc/def, turned as EXIF's table says that row 0 and column 0 lie.
TEST(FinishImageTest, Orientations) {
  const std::vector<std::string> turned = {"abcdef", "cbafed", "fedcba", "defabc",
                                           "adbecf", "daebfc", "fcebda", "cfbead"};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    DecodedImage image;
    image.shape = {.height = 2, .width = 3, .channels = 1};
    for (const char c : std::string("abcdef")) image.pixels.push_back(static_cast<std::byte>(c));
    std::string got;
    const absl::Status status =
        FinishImage(image, {.orientation = orientation}, {}, [&](const DecodedImage& result) {
          got.assign(reinterpret_cast<const char*>(result.pixels.data()), result.pixels.size());
          EXPECT_EQ(result.shape.height, orientation >= 5 ? 3 : 2);
          return absl::OkStatus();
        });
    EXPECT_TRUE(status.ok());
    EXPECT_EQ(got, turned[static_cast<size_t>(orientation - 1)]) << orientation;
  }
}

TEST(FinishImageTest, FiveChannelsAreNoColours) {
  DecodedImage image;
  image.shape = {.height = 1, .width = 1, .channels = 5};
  image.pixels.resize(5);
  const absl::Status status = FinishImage(image, {}, {.color = configs::ColorMode::kRgb},
                                          [](const DecodedImage&) { return absl::OkStatus(); });
  EXPECT_NE(status.message().find("5 channels"), absl::string_view::npos) << status;
}

// Against the definition, for every step and length: the vectorised filters read and write whole
// registers.
TEST(PngFilterTest, EveryFilterStepAndLength) {
  for (const size_t step : {1, 2, 3, 4, 6, 8}) {
    for (size_t size = 1; size < 40; ++size) {
      for (uint8_t filter = 0; filter <= 4; ++filter) {
        std::vector<uint8_t> filtered(size), above(size), expected(size), row(size);
        for (size_t i = 0; i < size; ++i) {
          filtered[i] = static_cast<uint8_t>(i * 37 + filter * 11 + size);
          above[i] = static_cast<uint8_t>(i * 91 + step * 5);
        }
        for (size_t i = 0; i < size; ++i) {
          const int left = i >= step ? expected[i - step] : 0;
          const int corner = i >= step ? above[i - step] : 0;
          const int up = above[i];
          const int p = left + up - corner;
          const int pa = std::abs(p - left), pb = std::abs(p - up), pc = std::abs(p - corner);
          const int paeth = pa <= pb && pa <= pc ? left : (pb <= pc ? up : corner);
          const int predicted[5] = {0, left, up, (left + up) / 2, paeth};
          expected[i] = static_cast<uint8_t>(filtered[i] + predicted[filter]);
        }
        ASSERT_TRUE(UndoPngFilter(filter, step, filtered, above, row));
        ASSERT_EQ(row, expected) << "filter " << int{filter} << " step " << step;
        ASSERT_TRUE(UndoPngFilter(filter, step, filtered, above, filtered));
        ASSERT_EQ(filtered, expected);
      }
    }
  }
  std::vector<uint8_t> row(4);
  EXPECT_FALSE(UndoPngFilter(5, 1, row, row, row));
}

}  // namespace
}  // namespace langevin::data
