#include "data/ingest/spool.h"

#include <string>
#include <vector>

#include "tests/data/testing.h"

namespace langevin::data {
namespace {

class SpoolTest : public DataTest {
 protected:
  // Images of 1000 i bytes; every third item is dropped on the way.
  void WriteSpool(const std::string& name) {
    auto writer = SpoolWriter::Create(files_, Path(name), "key");
    ASSERT_TRUE(writer.ok()) << writer.status();
    for (int i = 0; i < 9; ++i) {
      proto::SpoolImage image;
      image.set_item(i);
      image.set_pixel_bytes(static_cast<uint64_t>(1000 * i));
      ASSERT_TRUE(writer->AddImage(image, Payload(i)).ok());
      if (i % 3 == 2) {
        writer->DropItem();
        continue;
      }
      proto::SpoolItem item;
      item.set_item(i);
      writer->EndItem(item);
    }
    ASSERT_FALSE(files_.Exists(Path(name)));
    ASSERT_TRUE(writer->Finish().ok());
  }

  static std::vector<std::byte> Payload(int i) {
    return std::vector<std::byte>(static_cast<size_t>(1000 * i), static_cast<std::byte>(i));
  }
};

TEST_F(SpoolTest, WhatWasEndedComesBack) {
  WriteSpool("spool");
  const auto reader = SpoolReader::Open(files_, Path("spool"), "key");
  ASSERT_TRUE(reader.ok()) << reader.status();
  ASSERT_EQ((*reader)->chunk().image_size(), 6);
  EXPECT_EQ((*reader)->chunk().item_size(), 6);
  for (const proto::SpoolImage& image : (*reader)->chunk().image()) {
    std::vector<std::byte> payload;
    ASSERT_TRUE((*reader)->ReadImage(image, payload).ok());
    EXPECT_EQ(payload, Payload(static_cast<int>(image.item())));
  }
  EXPECT_TRUE((*reader)->Verify().ok());
}

TEST_F(SpoolTest, DamageAndOtherKeysAreSeen) {
  WriteSpool("spool");
  const std::string good = Read("spool");
  EXPECT_TRUE(absl::IsDataLoss(SpoolReader::Open(files_, Path("spool"), "other").status()));
  EXPECT_TRUE(absl::IsNotFound(SpoolReader::Open(files_, Path("none"), "key").status()));
  for (size_t at = 0; at < good.size(); at += 997) {
    Write("spool", good);
    FlipBit("spool", at);
    const auto reader = SpoolReader::Open(files_, Path("spool"), "key");
    const bool in_dropped = at >= 1000 && at < 3000;          // Item 2, which does not count.
    const bool in_dropped_later = at >= 10000 && at < 15000;  // Item 5.
    const bool in_dropped_last = at >= 28000 && at < 36000;   // Item 8.
    if (in_dropped || in_dropped_later || in_dropped_last) continue;
    EXPECT_FALSE(reader.ok() && (*reader)->Verify().ok()) << at;
  }
  for (const size_t size : {size_t{0}, size_t{10}, good.size() / 2, good.size() - 1}) {
    Write("spool", good.substr(0, size));
    EXPECT_TRUE(absl::IsDataLoss(SpoolReader::Open(files_, Path("spool"), "key").status()));
  }
}

}  // namespace
}  // namespace langevin::data
