#include "data/mixed_order.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "data/dataset_writer.h"
#include "data/mixed_dataset.h"
#include "data/sample_order.h"
#include "tests/data/testing.h"

namespace langevin::data {
namespace {

TEST(ApportionmentTest, NoPartIsEverATurnAway) {
  const std::vector<std::vector<double>> all_weights = {{1},
                                                        {1, 1},
                                                        {1, 2},
                                                        {0.3, 0.7},
                                                        {5, 1, 1, 1},
                                                        {0.1, 0.2, 0.3, 0.4},
                                                        {1, 1000},
                                                        {std::sqrt(2), 1, std::sqrt(3)},
                                                        {7, 11, 13, 17, 19, 23}};
  for (const std::vector<double>& weights : all_weights) {
    const Apportionment dealt(weights);
    double sum = 0;
    for (const int64_t quota : dealt.quotas()) sum += static_cast<double>(quota);
    std::vector<int64_t> seen(weights.size());
    for (int64_t position = 0; position < 2 * dealt.period() + 3; ++position) {
      const Apportionment::Turn turn = dealt.At(position);
      const auto part = static_cast<size_t>(turn.part);
      ASSERT_EQ(turn.index, seen[part]);  // Each part's stream has no gap.
      ++seen[part];
      for (size_t i = 0; i < seen.size(); ++i) {
        const double share = static_cast<double>(dealt.quotas()[i]) / sum;
        ASSERT_LT(
            std::abs(static_cast<double>(seen[i]) - share * static_cast<double>(position + 1)), 1)
            << position;
      }
    }
  }
}

TEST(ApportionmentTest, ProportionsAreKept) {
  EXPECT_EQ(Apportionment({0.3, 0.7}).quotas(), (std::vector<int64_t>{3, 7}));
  EXPECT_EQ(Apportionment({5, 5, 5}).quotas(), (std::vector<int64_t>{1, 1, 1}));
  EXPECT_EQ(Apportionment({0.25, 0.125}).quotas(), (std::vector<int64_t>{2, 1}));
  const Apportionment irrational({std::sqrt(2), 1});
  EXPECT_NEAR(
      static_cast<double>(irrational.quotas()[0]) / static_cast<double>(irrational.period()),
      std::sqrt(2) / (1 + std::sqrt(2)), 1e-4);
  // However rare, a part has its turn.
  EXPECT_EQ(Apportionment({1, 1e9, 1}).quotas()[0], 1);
}

class MixedOrderTest : public DataTest {
 protected:
  std::unique_ptr<Dataset> Make(const std::string& name, int64_t count,
                                const ShardSpec& spec = SmallSpec()) {
    MakeTestDataset(Path(name), spec, count, 0, 9);
    auto dataset = Dataset::Open(files_, Path(name), Split::kTrain);
    EXPECT_TRUE(dataset.ok()) << dataset.status();
    return *std::move(dataset);
  }

  static std::vector<int64_t> Samples(const Order& order, int64_t first, int64_t count) {
    std::vector<Pick> picks(static_cast<size_t>(count));
    order.PicksAt(first, picks);
    std::vector<int64_t> samples;
    for (const Pick& pick : picks) samples.push_back(pick.sample);
    return samples;
  }
};

TEST_F(MixedOrderTest, DataSetsComeByWeightAndInOrdersOfTheirOwn) {
  std::vector<std::unique_ptr<Dataset>> datasets;
  for (const int64_t count : {20, 7}) datasets.push_back(Make(absl::StrCat("d", count), count));
  const auto mixed = MixDatasets(std::move(datasets), {"a", "b"});
  ASSERT_TRUE(mixed.ok()) << mixed.status();
  EXPECT_EQ((*mixed)->size(), 27);
  const MixedOrder order(5, **mixed, {3, 1}, 0);
  const std::vector<int64_t> samples = Samples(order, 0, 280);
  std::vector<int64_t> first, second;
  for (const int64_t sample : samples) (sample < 20 ? first : second).push_back(sample);
  EXPECT_EQ(first.size(), 210);
  EXPECT_EQ(second.size(), 70);
  // The first one's stream is what it would be alone.
  const SampleOrder alone(5, 20);
  for (size_t i = 0; i < first.size(); ++i) {
    ASSERT_EQ(first[i], alone.SampleAt(static_cast<int64_t>(i)));
  }
  // Each image of the second comes once in each of its ten epochs.
  for (size_t epoch = 0; epoch < 10; ++epoch) {
    std::vector<int64_t> seen(second.begin() + epoch * 7, second.begin() + (epoch + 1) * 7);
    std::sort(seen.begin(), seen.end());
    EXPECT_EQ(seen, (std::vector<int64_t>{20, 21, 22, 23, 24, 25, 26}));
  }
  // Any stretch, from anywhere.
  for (int64_t position = 0; position < 280; ++position) {
    ASSERT_EQ(Samples(order, position, 1)[0], samples[static_cast<size_t>(position)]);
  }
  // Frozen: a resumed run goes on in the same order.
  EXPECT_EQ(Samples(order, 0, 12),
            (std::vector<int64_t>{8, 13, 4, 22, 3, 6, 11, 20, 16, 7, 18, 23}));
}

TEST_F(MixedOrderTest, RareClassesComeAsOftenAsAsked) {
  // 24 images: class 0 has 20, class 1 three, class 2 one.
  ASSERT_TRUE(files_.CreateFolders(Path("rare")).ok());
  DatasetWriter writer(files_, Path("rare"), SmallSpec(), {}, 1 << 20);
  for (int64_t i = 0; i < 24; ++i) {
    const int64_t label = i < 20 ? 0 : i < 23 ? 1 : 2;
    ASSERT_TRUE(writer.Add(Split::kTrain, TestPixels(SmallSpec(), i), label).ok());
  }
  ASSERT_TRUE(writer.Finish(0, "").ok());
  const auto dataset = Dataset::Open(files_, Path("rare"), Split::kTrain);
  ASSERT_TRUE(dataset.ok());
  for (const double balance : {0.5, 1.0}) {
    const MixedOrder order(5, **dataset, {1}, balance);
    std::vector<double> seen(3);
    std::vector<int> visits(24);
    constexpr int64_t kCount = 60000;
    for (const int64_t sample : Samples(order, 0, kCount)) {
      ++seen[static_cast<size_t>((*dataset)->label(sample))];
      ++visits[static_cast<size_t>(sample)];
    }
    const double counts[] = {20, 3, 1};
    double sum = 0;
    for (const double count : counts) sum += std::pow(count, 1 - balance);
    for (size_t label = 0; label < 3; ++label) {
      EXPECT_NEAR(seen[label] / kCount, std::pow(counts[label], 1 - balance) / sum, 1e-4);
    }
    // Inside a class all images come equally often.
    for (size_t i = 1; i < 20; ++i) EXPECT_NEAR(visits[i], visits[0], 1);
  }
}

TEST_F(MixedOrderTest, DataSetsThatDifferAreNamed) {
  ShardSpec other = SmallSpec();
  other.shape.width = 4;
  ShardSpec deep = SmallSpec();
  deep.dtype = DType::kUint16;
  ShardSpec unlabelled = SmallSpec();
  unlabelled.has_labels = false;
  ShardSpec shifted = SmallSpec();
  shifted.intensity_map.offset = 0;
  int number = 0;
  for (const ShardSpec& spec : {other, deep, unlabelled, shifted}) {
    std::vector<std::unique_ptr<Dataset>> datasets;
    datasets.push_back(Make(absl::StrCat("first", number), 3));
    datasets.push_back(Make(absl::StrCat("second", number++), 3, spec));
    const auto mixed = MixDatasets(std::move(datasets), {"first", "the_second"});
    EXPECT_TRUE(absl::IsInvalidArgument(mixed.status()));
    EXPECT_NE(mixed.status().message().find("the_second"), absl::string_view::npos);
  }
}

TEST_F(MixedOrderTest, ClassesWithNamesMeetByName) {
  const auto make = [this](const std::string& name, std::vector<std::string> classes) {
    EXPECT_TRUE(files_.CreateFolders(Path(name)).ok());
    DatasetWriter writer(files_, Path(name), SmallSpec(), std::move(classes), 1 << 20);
    for (int64_t i = 0; i < 4; ++i) {
      EXPECT_TRUE(writer.Add(Split::kTrain, TestPixels(SmallSpec(), i), i % 2).ok());
    }
    EXPECT_TRUE(writer.Finish(0, "").ok());
    return *Dataset::Open(files_, Path(name), Split::kTrain);
  };
  std::vector<std::unique_ptr<Dataset>> datasets;
  datasets.push_back(make("one", {"cat", "dog"}));
  datasets.push_back(make("two", {"bird", "cat"}));
  const std::string first = datasets[0]->fingerprint();
  const auto mixed = MixDatasets(std::move(datasets), {"one", "two"});
  ASSERT_TRUE(mixed.ok()) << mixed.status();
  EXPECT_EQ((*mixed)->class_names(), (std::vector<std::string>{"cat", "dog", "bird"}));
  EXPECT_EQ((*mixed)->num_classes(), 3);
  EXPECT_EQ((*mixed)->label(1), 1);  // Dog.
  EXPECT_EQ((*mixed)->label(4), 2);  // Bird.
  EXPECT_EQ((*mixed)->label(5), 0);  // Cat.
  EXPECT_NE((*mixed)->fingerprint(), first);
}

}  // namespace
}  // namespace langevin::data
