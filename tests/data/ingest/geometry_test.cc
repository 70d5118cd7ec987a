// What geometry passes through and refuses; geometry_pillow_test.py has the numbers.
#include "data/ingest/geometry/geometry.h"

#include "gtest/gtest.h"

namespace langevin::data {
namespace {

DecodedImage MakeImage(int64_t height, int64_t width) {
  DecodedImage image;
  image.shape = {.height = height, .width = width, .channels = 1};
  image.bits = 7;
  image.physical = {.scale = 2, .offset = -1024, .unit = "HU"};
  image.label = 3;
  image.medical.modality = "CT";
  image.notes = {"a gap"};
  image.pixels.resize(static_cast<size_t>(height * width));
  return image;
}

TEST(GeometryTest, AllButPixelsIsKept) {
  const DecodedImage image = MakeImage(20, 30);
  for (const configs::FitMode fit :
       {configs::FitMode::kCrop, configs::FitMode::kPad, configs::FitMode::kStretch}) {
    int images = 0;
    ASSERT_TRUE(ApplyGeometry(image, {.height = 8, .width = 8, .fit = fit},
                              [&](const DecodedImage& out, int32_t bucket) {
                                ++images;
                                EXPECT_EQ(bucket, 0);
                                EXPECT_EQ(out.shape.height, 8);
                                EXPECT_EQ(out.pixels.size(), 64);
                                EXPECT_EQ(out.bits, 7);
                                EXPECT_EQ(out.physical.offset, -1024);
                                EXPECT_EQ(out.label, 3);
                                EXPECT_EQ(out.medical.modality, "CT");
                                EXPECT_EQ(out.notes, image.notes);
                                return absl::OkStatus();
                              })
                    .ok());
    EXPECT_EQ(images, 1);
  }
}

TEST(GeometryTest, AnImageSmallerThanATileIsAnError) {
  const absl::Status status =
      ApplyGeometry(MakeImage(20, 30), {.height = 24, .width = 24, .tile_stride = 8},
                    [](const DecodedImage&, int32_t) { return absl::OkStatus(); });
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_NE(status.message().find("20 x 30"), absl::string_view::npos) << status;
}

}  // namespace
}  // namespace langevin::data
