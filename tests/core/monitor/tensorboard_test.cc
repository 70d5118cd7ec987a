// The framing and what happens on errors; monitor_files_test.py has TensorBoard itself read the
// files.
#include "core/monitor/tensorboard.h"

#include <cstring>

#include "core/base/crc32c.h"
#include "event.pb.h"
#include "tests/core/monitor/folder_fixture.h"

namespace langevin::monitor {
namespace {

// The events of a file, with every checksum verified.
std::vector<tensorboard::Event> Events(const std::string& file) {
  std::vector<tensorboard::Event> events;
  const auto masked_crc = [](std::string_view bytes) {
    const uint32_t crc = Crc32c(bytes.data(), bytes.size());
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
  };
  const auto word = [&file](size_t offset) {
    uint32_t value = 0;
    if (offset + 4 <= file.size()) std::memcpy(&value, file.data() + offset, 4);
    return value;
  };
  for (size_t offset = 0; offset < file.size();) {
    const size_t size = word(offset);
    if (offset + 16 + size > file.size()) {
      ADD_FAILURE() << "the record at byte " << offset << " is torn";
      break;
    }
    EXPECT_EQ(word(offset + 4), 0);
    EXPECT_EQ(word(offset + 8), masked_crc(std::string_view(file).substr(offset, 8)));
    const std::string data = file.substr(offset + 12, size);
    EXPECT_EQ(word(offset + 12 + size), masked_crc(data));
    EXPECT_TRUE(events.emplace_back().ParseFromString(data));
    offset += 16 + size;
  }
  return events;
}

class TensorBoardTest : public FolderFixture {
 protected:
  std::unique_ptr<TensorBoardWriter> Open(int64_t step) {
    auto writer = TensorBoardWriter::Open(files_, folder_, step);
    EXPECT_TRUE(writer.ok()) << writer.status();
    return *std::move(writer);
  }
  std::vector<std::string> Names() { return *files_.List(folder_); }
};

// The bytes of TFRecords as TensorBoard 2 writes them: its RecordWriter, given b"" and b"abc".
TEST(TensorBoardRecordTest, IsFramedAsTensorBoardDoes) {
  const auto hex = [](const std::string& bytes) {
    std::string text;
    for (const char byte : bytes) {
      constexpr char kDigits[] = "0123456789abcdef";
      text += kDigits[static_cast<uint8_t>(byte) >> 4];
      text += kDigits[byte & 15];
    }
    return text;
  };
  EXPECT_EQ(hex(TensorBoardRecord("")), "000000000000000029039807d8ea82a2");
  EXPECT_EQ(hex(TensorBoardRecord("abc")), "0300000000000000b099490e6162636e57f121");
}

TEST_F(TensorBoardTest, BeginsWithVersionAndStart) {
  Open(640);
  const std::vector<tensorboard::Event> events = Events(Contents(Names().at(0)));
  ASSERT_EQ(events.size(), 2);
  EXPECT_EQ(events[0].file_version(), "brain.Event:2");
  EXPECT_EQ(events[1].session_log().status(), tensorboard::SessionLog::START);
  EXPECT_EQ(events[1].step(), 641);
  EXPECT_GT(events[1].wall_time(), 1.7e9);
}

// Restarts within one second, and on a node whose clock is behind.
TEST_F(TensorBoardTest, ALaterFileSortsBehindTheEarlier) {
  Write("events.out.tfevents.9000000000.node9.77.0", "");
  Open(0);
  Open(0);
  const std::vector<std::string> names = Names();
  ASSERT_EQ(names.size(), 3);
  EXPECT_EQ(names[0], "events.out.tfevents.9000000000.node9.77.0");
  EXPECT_TRUE(names[1].starts_with("events.out.tfevents.9000000001.")) << names[1];
  EXPECT_TRUE(names[2].starts_with("events.out.tfevents.9000000002.")) << names[2];
}

TEST_F(TensorBoardTest, AFullDiskLeavesOnlyWholeRecords) {
  const auto writer = Open(0);
  ASSERT_TRUE(writer->Scalars(64, {{"loss", 0.5}}).ok());
  FillDisk();
  EXPECT_TRUE(absl::IsResourceExhausted(writer->Scalars(128, {{"loss", 0.25}})));
  MakeRoom();
  ASSERT_TRUE(writer->Scalars(192, {{"loss", 0.125}}).ok());
  const std::vector<tensorboard::Event> events = Events(Contents(Names().at(0)));
  ASSERT_EQ(events.size(), 4);
  EXPECT_EQ(events[2].step(), 64);
  EXPECT_EQ(events[3].step(), 192);
  ASSERT_EQ(events[3].summary().value_size(), 1);
  EXPECT_EQ(events[3].summary().value(0).tag(), "loss");
  EXPECT_EQ(events[3].summary().value(0).simple_value(), 0.125);
}

}  // namespace
}  // namespace langevin::monitor
