#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "data/ingest/intensity/choose_map.h"
#include "data/ingest/intensity/value_counts.h"
#include "data/ingest/prepare_job.h"
#include "data/ingest/stored_format.h"
#include "gtest/gtest.h"
#include "tests/data/testing.h"
#include "tests/testing/lockstep_group.h"

namespace langevin::data {
namespace {

using configs::IntensityConfig;
using configs::IntensityMode;

template <typename T>
std::vector<std::byte> Bytes(const std::vector<T>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

template <typename T>
std::vector<T> Values(const std::vector<std::byte>& bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

ValueCounts CountOf(const std::vector<uint16_t>& values) {
  ValueCounts counts(DType::kUint16, {});
  counts.Add(Bytes(values), 1, {});
  return counts;
}

TEST(ValueCountsTest, StatisticsAreNumpys) {
  // numpy: x = np.array([1, 1, 2, 7, 100]); percentile(x, [0, 10, 50, 87.5, 100]), mean, std.
  const ValueCounts counts = CountOf({100, 1, 7, 1, 2});
  EXPECT_DOUBLE_EQ(counts.Percentile(0, -INFINITY, INFINITY), 1);
  EXPECT_DOUBLE_EQ(counts.Percentile(50, -INFINITY, INFINITY), 2);
  EXPECT_DOUBLE_EQ(counts.Percentile(87.5, -INFINITY, INFINITY), 53.5);
  EXPECT_DOUBLE_EQ(counts.Mean(-INFINITY, INFINITY), 22.2);
  EXPECT_NEAR(counts.StandardDeviation(-INFINITY, INFINITY), 38.9635727, 1e-6);
  EXPECT_DOUBLE_EQ(counts.Percentile(50, 2, 50), 4.5);  // Of 2 and 7.
  EXPECT_DOUBLE_EQ(counts.Mean(2, 50), 4.5);
  EXPECT_DOUBLE_EQ(counts.StandardDeviation(2, 50), 2.5);
  EXPECT_TRUE(std::isnan(counts.Percentile(50, 200, 300)));
}

TEST(ValueCountsTest, RanksAddUpToTheSame) {
  const ValueCounts whole = CountOf({5, 6, 7, 8, 9, 9});
  ValueCounts sum(DType::kUint16, {});
  ASSERT_TRUE(sum.AddSerialized(CountOf({9, 5, 7}).Serialize()).ok());
  ASSERT_TRUE(sum.AddSerialized(CountOf({8, 9, 6}).Serialize()).ok());
  EXPECT_EQ(sum.Serialize(), whole.Serialize());
  EXPECT_FALSE(sum.AddSerialized("short").ok());
}

TEST(ValueCountsTest, MasksAndNanDoNotCount) {
  ValueCounts counts(DType::kFloat32, {.low = -1, .high = 3, .empty = false});
  const auto pixels = Bytes<float>({-1, 3, NAN, 1, 2, 2});  // Three pixels of two channels.
  counts.Add(pixels, 2, Bytes<uint8_t>({1, 1, 0}));
  EXPECT_EQ(counts.total(), 3);
  EXPECT_NEAR(counts.Mean(-INFINITY, INFINITY), 1, 1e-5);
  const ValueRange range = RangeOf(pixels, DType::kFloat32, 2, Bytes<uint8_t>({0, 1, 1}));
  EXPECT_EQ(range.low, 1);
  EXPECT_EQ(range.high, 2);
}

double Map(const IntensityMap& map, double stored) {
  return std::clamp(stored, map.clip_low, map.clip_high) * map.scale + map.offset;
}

TEST(ChooseMapTest, ModesMapWhatTheyPromise) {
  const PhysicalUnits hu = {.scale = 1, .offset = -1024, .unit = "HU"};
  const auto choose = [&](const IntensityConfig& config, const ValueCounts* counts) {
    const auto map = ChooseMap(config, DType::kUint16, 12, hu, counts);
    EXPECT_TRUE(map.ok()) << map.status();
    return *map;
  };
  const IntensityMap depth = choose({}, nullptr);
  EXPECT_DOUBLE_EQ(Map(depth, 4095), 1);
  // A lung window, in HU; stored numbers are 1024 above.
  const IntensityMap window =
      choose({.mode = IntensityMode::kWindow, .low = -1000, .high = 400}, nullptr);
  EXPECT_NEAR(Map(window, 24), -1, 1e-12);
  EXPECT_NEAR(Map(window, 1424), 1, 1e-12);
  EXPECT_NEAR(Map(window, 724), 0, 1e-12);
  EXPECT_NEAR(Map(window, 4000), 1, 1e-12);

  std::vector<uint16_t> values;
  for (int i = 0; i < 1001; ++i) values.push_back(static_cast<uint16_t>(1000 + i));
  const ValueCounts counts = CountOf(values);
  const IntensityMap range = choose({.mode = IntensityMode::kRange}, &counts);
  EXPECT_NEAR(Map(range, 1000), -1, 1e-12);
  EXPECT_NEAR(Map(range, 2000), 1, 1e-12);
  const IntensityMap percentile = choose(
      {.mode = IntensityMode::kPercentile, .low_percentile = 10, .high_percentile = 90}, &counts);
  EXPECT_NEAR(Map(percentile, 1100), -1, 1e-12);
  EXPECT_NEAR(Map(percentile, 1950), 1, 1e-12);
  // Standard deviation 0.5 in the model's range: EDM's sigma_data.
  const IntensityMap score = choose({.mode = IntensityMode::kDatasetZScore}, &counts);
  EXPECT_NEAR(Map(score, 1500), 0, 1e-12);
  const double deviation = std::sqrt((1001.0 * 1001 - 1) / 12);
  EXPECT_NEAR(Map(score, 1500 + deviation), 0.5, 1e-12);
  // Foreground: above 0 HU, so stored 1025 to 2000. Percentiles clip what is mapped, not what mean
  // and deviation are of.
  const IntensityMap ct =
      choose({.mode = IntensityMode::kCt, .low_percentile = 0, .high_percentile = 80}, &counts);
  EXPECT_DOUBLE_EQ(ct.clip_low, 1025);
  EXPECT_DOUBLE_EQ(ct.clip_high, 1805);
  EXPECT_NEAR(Map(ct, 1512.5), 0, 1e-12);
  EXPECT_NEAR(Map(ct, 1512.5 + std::sqrt((976.0 * 976 - 1) / 12)), 0.5, 1e-12);

  const ValueCounts same = CountOf({7, 7});
  for (const IntensityMode mode : {IntensityMode::kRange, IntensityMode::kDatasetZScore,
                                   IntensityMode::kPercentile, IntensityMode::kCt}) {
    EXPECT_TRUE(
        absl::IsInvalidArgument(ChooseMap({.mode = mode}, DType::kUint16, 12, hu, &same).status()));
  }
}

TEST(ChooseMapTest, AnImagesOwnScore) {
  DecodedImage image;
  image.shape = {.height = 1, .width = 4, .channels = 1};
  image.dtype = DType::kUint16;
  image.bits = 16;
  image.pixels = Bytes<uint16_t>({10, 20, 30, 999});
  image.mask = {1, 1, 1, 0};
  const DecodedImage score = ZScore(image);
  const std::vector<float> values = Values<float>(score.pixels);
  EXPECT_NEAR(values[0], -1.2247449, 1e-6);
  EXPECT_NEAR(values[1], 0, 1e-6);
  EXPECT_EQ(values[3], 0);
  EXPECT_EQ(score.mask, image.mask);
}

TEST(StoredFormatTest, OffsetsAreUnifiedWithoutLoss) {
  const StoredFormat a = {DType::kUint16, 12, {.scale = 1, .offset = -1024, .unit = "HU"}};
  const StoredFormat b = {DType::kUint16, 12, {.scale = 1, .offset = -1000, .unit = "HU"}};
  const std::vector<StoredFormat> both = {a, b};
  const auto common = CommonFormat(both);
  ASSERT_TRUE(common.has_value());
  EXPECT_EQ(common->dtype, DType::kUint16);
  EXPECT_EQ(common->physical.offset, -1024);
  EXPECT_EQ(common->bits, 13);
  std::vector<std::byte> pixels = Bytes<uint16_t>({0, 1000, 4095});
  ConvertPixels(b, *common, pixels);
  EXPECT_EQ(Values<uint16_t>(pixels), (std::vector<uint16_t>{24, 1024, 4119}));

  const StoredFormat pet = {DType::kUint16, 16, {.scale = 0.37, .offset = 0, .unit = "HU"}};
  const std::vector<StoredFormat> mixed = {a, pet};
  const auto floats = CommonFormat(mixed);
  ASSERT_TRUE(floats.has_value());
  EXPECT_EQ(floats->dtype, DType::kFloat32);
  pixels = Bytes<uint16_t>({100});
  ConvertPixels(pet, *floats, pixels);
  EXPECT_FLOAT_EQ(Values<float>(pixels)[0], 37);

  const std::vector<StoredFormat> photos = {{DType::kUint8, 8, {}}, {DType::kUint16, 16, {}}};
  EXPECT_FALSE(CommonFormat(photos).has_value());
  StoredFormat other = a;
  other.physical.unit = "Gy";
  const std::vector<StoredFormat> units = {a, other};
  EXPECT_FALSE(CommonFormat(units).has_value());
}

class IntensityJobTest : public DataTest {};

TEST_F(IntensityJobTest, StatisticsAreOfTheTrainingSplitOnAnyNumberOfRanks) {
  // Training images have the values 100 and 200, those of validation 0 and 255.
  for (int i = 0; i < 300; ++i) {
    const bool train = i % 3 != 0;
    const std::string row = train ? std::string("\0\x64\xc8", 3) : std::string("\0\x00\xff", 3);
    Write(absl::StrCat("in/", train ? "train" : "val", "/x/", i, ".png"),
          MakePng({.width = 2, .height = 1}, row));
  }
  std::string manifest;
  for (const int ranks : {1, 3}) {
    const std::string output = absl::StrCat("out", ranks);
    for (const absl::Status& status : RunInLockstep(ranks, [&](Group& group) {
           PrepareOptions options = {.inputs = {Path("in")}, .output = Path(output)};
           options.config.intensity.mode = IntensityMode::kRange;
           return PrepareDataset(files_, group, options).status();
         })) {
      ASSERT_TRUE(status.ok()) << status;
    }
    const auto dataset = Dataset::Open(files_, Path(output), Split::kTrain);
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    const IntensityMap& map = (*dataset)->intensity_map();
    EXPECT_NEAR(Map(map, 100), -1, 1e-12);
    EXPECT_NEAR(Map(map, 200), 1, 1e-12);
    const std::string text = Read(output + "/manifest.textproto");
    EXPECT_TRUE(manifest.empty() || text == manifest);
    manifest = text;
  }
}

}  // namespace
}  // namespace langevin::data
