#include "core/checkpoint/ema_snapshots.h"

#include <span>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/testing/fault_file_system.h"

namespace langevin::checkpoint {
namespace {

constexpr char kRun[] = "/run";

std::vector<float> Values(int64_t images_seen) {
  std::vector<float> values(12);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(images_seen) + static_cast<float>(i);
  }
  return values;
}

std::vector<TensorView> Views(const std::vector<float>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {{"ema_std_0.05.conv.weight", DType::kFloat32, {2, 4}, bytes.first(32)},
          {"ema_std_0.1.conv.bias", DType::kFloat32, {4}, bytes.last(16)}};
}

std::vector<MutableTensorView> Empty(std::vector<float>& values) {
  const auto bytes = std::as_writable_bytes(std::span(values));
  return {{"ema_std_0.1.conv.bias", DType::kFloat32, {4}, bytes.last(16)},
          {"ema_std_0.05.conv.weight", DType::kFloat32, {2, 4}, bytes.first(32)}};
}

absl::Status Write(FileSystem& files, int64_t images_seen) {
  return WriteEmaSnapshot(
      files, kRun,
      {.images_seen = images_seen, .stds = {0.05, 0.1}, .data_fingerprint = "d", .software = "s"},
      Views(Values(images_seen)));
}

std::vector<int64_t> Listed(FileSystem& files) {
  std::vector<int64_t> images_seen;
  const std::vector<EmaSnapshot> snapshots = ListEmaSnapshots(files, kRun).value();
  for (const EmaSnapshot& snapshot : snapshots) {
    images_seen.push_back(snapshot.images_seen);
  }
  return images_seen;
}

absl::Status Read(FileSystem& files, const EmaSnapshot& snapshot) {
  const auto facts = ReadEmaSnapshotFacts(files, snapshot);
  if (!facts.ok()) return facts.status();
  EXPECT_EQ(facts->stds, (std::vector<double>{0.05, 0.1}));
  std::vector<float> values(12);
  const absl::Status status = ReadEmaSnapshot(files, snapshot, Empty(values));
  if (!status.ok()) return status;
  EXPECT_EQ(values, Values(snapshot.images_seen));
  return absl::OkStatus();
}

TEST(EmaSnapshotsTest, WhatIsListedCanBeRead) {
  FaultFileSystem files;
  ASSERT_TRUE(files.CreateFolders(kRun).ok());
  EXPECT_TRUE(Listed(files).empty());
  for (const int64_t images_seen : {64, 12800, 128}) ASSERT_TRUE(Write(files, images_seen).ok());
  EXPECT_EQ(Listed(files), (std::vector<int64_t>{64, 128, 12800}));
  const std::vector<EmaSnapshot> snapshots = ListEmaSnapshots(files, kRun).value();
  for (const EmaSnapshot& snapshot : snapshots) {
    EXPECT_TRUE(Read(files, snapshot).ok());
  }
}

// Wherever the process dies, and whatever of it the disk keeps.
TEST(EmaSnapshotsTest, ADeathAtAnyOperationLeavesOnlyWholeSnapshots) {
  int64_t operations = 0;
  {
    FaultFileSystem files;
    ASSERT_TRUE(files.CreateFolders(kRun).ok() && Write(files, 64).ok());
    operations = files.operations();
  }
  ASSERT_GT(operations, 5);
  for (int64_t operation = 1; operation <= operations + 10; ++operation) {
    for (uint64_t seed = 0; seed < 5; ++seed) {
      FaultFileSystem files;
      ASSERT_TRUE(files.CreateFolders(kRun).ok());
      ASSERT_TRUE(Write(files, 64).ok());
      files.DieAt(files.operations() + operation);
      const bool written = Write(files, 128).ok();
      files.CutPower(seed == 0 ? std::nullopt : std::optional(seed));
      const std::vector<EmaSnapshot> snapshots = ListEmaSnapshots(files, kRun).value();
      ASSERT_GE(snapshots.size(), written ? 2 : 1);
      for (const EmaSnapshot& snapshot : snapshots) EXPECT_TRUE(Read(files, snapshot).ok());
      // The run goes on from images_seen 64.
      ASSERT_TRUE(RemoveEmaSnapshotsAfter(files, kRun, 64).ok());
      EXPECT_EQ(files.List("/run/ema_snapshots").value().size(), 1);
    }
  }
}

TEST(EmaSnapshotsTest, AFullDiskLeavesTheOthers) {
  FaultFileSystem files;
  ASSERT_TRUE(files.CreateFolders(kRun).ok() && Write(files, 64).ok());
  files.FillDiskAt(files.operations() + 1);
  EXPECT_TRUE(absl::IsResourceExhausted(Write(files, 128)));
  files.Restart();
  EXPECT_EQ(files.List("/run/ema_snapshots").value().size(), 1);
  EXPECT_TRUE(Read(files, ListEmaSnapshots(files, kRun)->front()).ok());
}

TEST(EmaSnapshotsTest, AFlippedBitOfATensorIsFound) {
  FaultFileSystem files;
  ASSERT_TRUE(files.CreateFolders(kRun).ok() && Write(files, 64).ok());
  const EmaSnapshot snapshot = ListEmaSnapshots(files, kRun)->front();
  const std::string good = files.Contents(snapshot.path);
  for (size_t i = good.size() - 48; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 4);
    files.SetContents(snapshot.path, bad);
    const absl::Status status = Read(files, snapshot);
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_TRUE(std::string(status.message()).starts_with(snapshot.path)) << status;
  }
  for (size_t size = 0; size < good.size(); size += 7) {
    files.SetContents(snapshot.path, good.substr(0, size));
    EXPECT_TRUE(absl::IsDataLoss(Read(files, snapshot)));
  }
}

TEST(EmaSnapshotsTest, AFileUnderAnotherNameIsRefused) {
  FaultFileSystem files;
  ASSERT_TRUE(files.CreateFolders(kRun).ok() && Write(files, 64).ok());
  ASSERT_TRUE(files
                  .Rename("/run/ema_snapshots/images-000000000064.safetensors",
                          "/run/ema_snapshots/images-000000000128.safetensors")
                  .ok());
  EXPECT_TRUE(absl::IsDataLoss(
      ReadEmaSnapshotFacts(files, ListEmaSnapshots(files, kRun)->front()).status()));
}

}  // namespace
}  // namespace langevin::checkpoint
