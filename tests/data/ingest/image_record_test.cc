#include "data/ingest/image_record.h"

#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace langevin::data {
namespace {

// An image with all that can be said of one: 1 x 2, 16 bits, with a mask.
proto::SpoolImage RichImage() {
  const Measures measures;
  proto::SpoolImage image;
  image.set_item(3);
  image.set_index(4);
  for (proto::SpoolShape* shape : {image.mutable_source_shape(), image.mutable_shape()}) {
    shape->set_height(1);
    shape->set_width(2);
    shape->set_channels(1);
  }
  image.set_dtype(static_cast<int32_t>(DType::kUint16));
  image.set_bits(12);
  image.set_physical_scale(2);
  image.set_physical_offset(-1024);
  image.set_physical_unit("HU");
  image.set_label(7);
  image.set_pixel_bytes(4);
  image.set_mask_bytes(2);
  image.set_measures(&measures, sizeof(measures));
  proto::SpoolMedical& medical = *image.mutable_medical();
  medical.set_modality("CT");
  medical.set_group("0123456789abcdef");
  medical.set_series("fedcba9876543210");
  for (const double value : {1, 2, 3}) medical.add_position_mm(value);
  for (const double value : {0, 0, 1}) medical.add_normal(value);
  for (const double value : {0.5, 0.5, 2.0}) medical.add_spacing_mm(value);
  medical.set_burned_in_annotation(true);
  image.add_note("first");
  image.add_note("red\x1b[31m");
  return image;
}

std::vector<std::byte> Payload(int mask = 1) {
  std::vector<std::byte> payload(6);
  payload[5] = std::byte(mask);
  return payload;
}

TEST(ImageRecordTest, AllThatIsKnownOfAnImageComesAcross) {
  ASSERT_TRUE(IsPossible(RichImage(), Payload()));
  const ImageRecord record = RecordFromProto(RichImage());
  EXPECT_EQ(record.item, 3);
  EXPECT_EQ(record.index, 4);
  EXPECT_EQ(record.shape.width, 2);
  EXPECT_EQ(record.dtype, DType::kUint16);
  EXPECT_EQ(record.bits, 12);
  EXPECT_EQ(record.physical.scale, 2);
  EXPECT_EQ(record.physical.offset, -1024);
  EXPECT_EQ(record.physical.unit, "HU");
  EXPECT_EQ(record.label, 7);
  EXPECT_TRUE(record.has_mask);
  ASSERT_NE(record.medical, nullptr);
  EXPECT_EQ(record.medical->modality, "CT");
  EXPECT_EQ(record.medical->group, "0123456789abcdef");
  EXPECT_EQ(record.medical->series, "fedcba9876543210");
  EXPECT_EQ(record.medical->position_mm, (std::array<double, 3>{1, 2, 3}));
  EXPECT_EQ(record.medical->normal, (std::array<double, 3>{0, 0, 1}));
  EXPECT_EQ(record.medical->spacing_mm, (std::vector<double>{0.5, 0.5, 2}));
  EXPECT_TRUE(record.medical->burned_in_annotation);
  EXPECT_EQ(record.notes, (std::vector<std::string>{"first", "red?[31m"}));
}

TEST(ImageRecordTest, NonsenseIsNotBelieved) {
  using Change = std::function<void(proto::SpoolImage&)>;
  const std::vector<std::pair<std::string, Change>> changes = {
      {"huge", [](auto& image) { image.mutable_shape()->set_width(int64_t{1} << 62); }},
      {"empty", [](auto& image) { image.mutable_shape()->set_height(0); }},
      {"huge source",
       [](auto& image) { image.mutable_source_shape()->set_width(int64_t{1} << 40); }},
      {"huge pixels", [](auto& image) { image.set_pixel_bytes(uint64_t{1} << 62); }},
      {"huge mask", [](auto& image) { image.set_mask_bytes(uint64_t{1} << 40); }},
      {"pixels of another type",
       [](auto& image) { image.set_dtype(static_cast<int32_t>(DType::kFloat32)); }},
      {"type", [](auto& image) { image.set_dtype(77); }},
      {"depth", [](auto& image) { image.set_bits(17); }},
      {"label", [](auto& image) { image.set_label(kMaxLabel + 1); }},
      {"index", [](auto& image) { image.set_index(-1); }},
      {"scale", [](auto& image) { image.set_physical_scale(NAN); }},
      {"scale of 0", [](auto& image) { image.set_physical_scale(0); }},
      {"offset", [](auto& image) { image.set_physical_offset(INFINITY); }},
      {"measures", [](auto& image) { image.set_measures("short"); }},
      {"position", [](auto& image) { image.mutable_medical()->add_position_mm(4); }},
      {"normal", [](auto& image) { image.mutable_medical()->set_normal(0, NAN); }},
      {"name in clear", [](auto& image) { image.mutable_medical()->set_group("Jane Doe"); }},
      {"UID in clear",
       [](auto& image) { image.mutable_medical()->set_series("1.2.840.113619.2"); }},
  };
  for (const auto& [name, change] : changes) {
    proto::SpoolImage image = RichImage();
    change(image);
    EXPECT_FALSE(IsPossible(image, Payload())) << name;
  }
  EXPECT_FALSE(IsPossible(RichImage(), Payload(/*mask=*/2)));
  EXPECT_FALSE(IsPossible(RichImage(), std::vector<std::byte>(5)));
}

}  // namespace
}  // namespace langevin::data
