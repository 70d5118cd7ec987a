// Features of pixels and of TorchScript modules, and that ranks share their extraction unseen.
#include "core/metrics/features.h"

#include <filesystem>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "core/metrics/extract_together.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/distributed/local_ranks.h"
#include "torch/csrc/jit/api/module.h"

namespace langevin::metrics {
namespace {

using testing::HasSubstr;

class FeaturesTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "/features_" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }

  // The file of a module with this forward method.
  std::string Save(const std::string& source) {
    torch::jit::Module module("Net");
    module.define(source);
    const std::string path = folder_ + "/net.pt";
    module.save(path);
    return path;
  }

  absl::StatusOr<std::unique_ptr<FeatureExtractor>> Load(const std::string& path) {
    return LoadFeatureModule(PosixFileSystem(), path, kSize, at::kCPU);
  }

  std::string ErrorOf(const std::string& source) {
    const auto extractor = Load(Save(source));
    EXPECT_EQ(extractor.status().code(), absl::StatusCode::kDataLoss) << extractor.status();
    const std::string message(extractor.status().message());
    EXPECT_THAT(message, HasSubstr("net.pt: "));
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    return message;
  }

  static constexpr ImageSize kSize = {.channels = 1, .height = 4, .width = 6};
  std::string folder_;
};

TEST_F(FeaturesTest, PixelsAreAveragedToAtMost256Values) {
  const auto small = MakePixelFeatures({.channels = 1, .height = 16, .width = 16});
  ASSERT_TRUE(small.ok());
  EXPECT_EQ((*small)->info().description, "pixels, 1 x 16 x 16");
  const auto large = MakePixelFeatures({.channels = 3, .height = 32, .width = 24});
  ASSERT_TRUE(large.ok());
  EXPECT_TRUE((*large)->info().are_pixels);
  EXPECT_EQ((*large)->info().description, "pixels averaged to 3 x 8 x 6");
  EXPECT_EQ((*large)->info().dimension, 144);
  const at::Tensor images = at::rand({kFeatureBatch, 3, 32, 24});
  const auto features = (*large)->Extract(images);
  ASSERT_TRUE(features.ok());
  const at::Tensor means = images.view({kFeatureBatch, 3, 8, 4, 6, 4}).mean({3, 5}).flatten(1);
  EXPECT_TRUE(at::allclose(features->values, means, 1e-5, 1e-6));
  EXPECT_FALSE(MakePixelFeatures({.channels = 300, .height = 1, .width = 1}).ok());
}

TEST_F(FeaturesTest, AModuleGivesFeaturesAndLogits) {
  const auto extractor =
      Load(Save("def forward(self, x):\n  f = x.flatten(1)\n  return f * 2, f[:, :3] + 1\n"));
  ASSERT_TRUE(extractor.ok()) << extractor.status();
  EXPECT_EQ((*extractor)->info().dimension, 24);
  EXPECT_EQ((*extractor)->info().classes, 3);
  EXPECT_THAT((*extractor)->info().checksum, testing::MatchesRegex("xxh3-128:[0-9a-f]{32}"));
  const at::Tensor images = at::rand({kFeatureBatch, 1, 4, 6});
  const auto features = (*extractor)->Extract(images);
  ASSERT_TRUE(features.ok());
  EXPECT_TRUE(at::equal(features->values, images.flatten(1) * 2));
  EXPECT_TRUE(at::equal(features->logits, images.flatten(1).narrow(1, 0, 3) + 1));
}

TEST_F(FeaturesTest, WhatIsNoFeatureModuleIsRefusedInOneLine) {
  EXPECT_THAT(ErrorOf("def forward(self, x):\n  return x\n"), HasSubstr("shape [64, 1, 4, 6]"));
  EXPECT_THAT(ErrorOf("def forward(self, x):\n  return x.flatten(1).sum(0, keepdim=True)\n"),
              HasSubstr("shape [1, 24]"));
  EXPECT_THAT(ErrorOf("def forward(self, x):\n  return 3\n"), HasSubstr("Int, no tensor"));
  EXPECT_THAT(ErrorOf("def forward(self, x):\n  return x, x, x\n"), HasSubstr("tuple of 3"));
  EXPECT_THAT(ErrorOf("def forward(self, x):\n  return x.flatten(1) / 0\n"), HasSubstr("finite"));
  EXPECT_THAT(ErrorOf("def forward(self, x):\n  return x.view([64, 999])\n"),
              HasSubstr("fails on images of shape [64, 1, 4, 6] ("));
  EXPECT_THAT(ErrorOf("def forward(self, x):\n  assert x.size(1) == 3, 'wants RGB'\n"
                      "  return x.flatten(1)\n"),
              HasSubstr("wants RGB"));
}

TEST_F(FeaturesTest, DamagedAndMissingFilesAreRefused) {
  EXPECT_EQ(Load(folder_ + "/none.pt").status().code(), absl::StatusCode::kNotFound);
  const std::string path = Save("def forward(self, x):\n  return x.flatten(1)\n");
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  const auto extractor = Load(path);
  EXPECT_EQ(extractor.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(extractor.status().message()),
              HasSubstr("cannot be loaded as a TorchScript module"));
}

TEST_F(FeaturesTest, RanksShareTheWorkAndRankZeroGetsAll) {
  const std::string path =
      Save("def forward(self, x):\n  f = x.flatten(1)\n  return f, f[:, :2]\n");
  constexpr int64_t kCount = 3 * kFeatureBatch + 5;
  const ImageSource source = [](int64_t index, std::span<float> image) {
    for (size_t i = 0; i < image.size(); ++i) image[i] = static_cast<float>(index) + 0.01F * i;
    return absl::OkStatus();
  };
  for (const int ranks : {1, 2, 3, 8}) {
    distributed::RunLocalRanks(ranks, [&](distributed::Communicator& communicator) {
      const auto extractor = Load(path);
      ASSERT_TRUE(extractor.ok());
      const auto features =
          ExtractTogether(communicator, **extractor, kSize, at::kCPU, kCount, source);
      ASSERT_TRUE(features.ok()) << features.status();
      if (communicator.rank() != 0) {
        EXPECT_EQ(features->values.size(0), 0);
        return;
      }
      ASSERT_EQ(features->values.size(0), kCount);
      for (int64_t i = 0; i < kCount; ++i) {
        EXPECT_EQ(features->values[i][0].item<float>(), static_cast<float>(i));
        EXPECT_EQ(features->logits[i][1].item<float>(), static_cast<float>(i) + 0.01F);
      }
    });
  }
}

}  // namespace
}  // namespace langevin::metrics
