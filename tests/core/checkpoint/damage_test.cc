// Damaged, cut and hostile checkpoints.
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/crc32c.h"
#include "core/checkpoint/checkpoint.h"
#include "core/checkpoint/manifest.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/checkpoint/test_state.h"
#include "tests/testing/fault_file_system.h"

namespace langevin::checkpoint {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kRun[] = "/run";
constexpr char kCheckpoints[] = "/run/checkpoints";
constexpr char kOld[] = "/run/checkpoints/images-000000000100";
constexpr char kNew[] = "/run/checkpoints/images-000000000200";

// A run with checkpoints 100 and 200, of two shards each.
class DamageTest : public testing::Test {
 protected:
  DamageTest() {
    for (const int64_t images_seen : {100, 200}) {
      EXPECT_TRUE(SaveState(files_, 2, kRun, images_seen, /*keep=*/5).ok());
    }
  }

  std::vector<std::string> Names() { return files_.List(kCheckpoints).value(); }

  FaultFileSystem files_;
};

TEST_F(DamageTest, EveryFlippedBitIsFound) {
  for (const std::string name :
       {"MANIFEST", "shard-00000.safetensors", "shard-00001.safetensors"}) {
    const std::string path = JoinPath(kNew, name);
    const std::string good = files_.Contents(path);
    for (size_t place = 0; place < good.size(); ++place) {
      std::string bad = good;
      bad[place] ^= static_cast<char>(1 << place % 8);
      files_.SetContents(path, bad);
      const absl::Status status = FindForReading(files_, kNew).status();
      ASSERT_TRUE(absl::IsDataLoss(status)) << name << " byte " << place << ": " << status;
      ASSERT_THAT(std::string(status.message()), testing::StartsWith(absl::StrCat(kNew, ": ")));
    }
    files_.SetContents(path, good);
  }
  EXPECT_TRUE(FindForReading(files_, kNew).ok());
}

TEST_F(DamageTest, EveryTruncationAndEveryExtraByteIsFound) {
  for (const std::string name :
       {"MANIFEST", "shard-00000.safetensors", "shard-00001.safetensors"}) {
    const std::string path = JoinPath(kNew, name);
    const std::string good = files_.Contents(path);
    for (size_t size = 0; size < good.size(); ++size) {
      files_.SetContents(path, good.substr(0, size));
      ASSERT_TRUE(absl::IsDataLoss(FindForReading(files_, kNew).status())) << name << " " << size;
    }
    for (const char extra : {'\0', '\n', ' '}) {
      files_.SetContents(path, good + extra);
      ASSERT_TRUE(absl::IsDataLoss(FindForReading(files_, kNew).status())) << name;
    }
    files_.SetContents(path, good);
  }
}

TEST_F(DamageTest, MissingAndExchangedFilesAreFound) {
  const std::string shard0 = JoinPath(kNew, "shard-00000.safetensors");
  const std::string shard1 = JoinPath(kNew, "shard-00001.safetensors");
  const std::string contents0 = files_.Contents(shard0), contents1 = files_.Contents(shard1);
  files_.SetContents(shard0, contents1);
  files_.SetContents(shard1, contents0);
  EXPECT_TRUE(absl::IsDataLoss(FindForReading(files_, kNew).status()));
  files_.SetContents(shard0, contents0);
  EXPECT_TRUE(absl::IsDataLoss(FindForReading(files_, kNew).status()));
  files_.SetContents(shard1, contents1);
  EXPECT_TRUE(FindForReading(files_, kNew).ok());
  // Same names and sizes, from the checkpoint before.
  files_.SetContents(shard1, files_.Contents(JoinPath(kOld, "shard-00001.safetensors")));
  EXPECT_TRUE(absl::IsDataLoss(FindForReading(files_, kNew).status()));
  ASSERT_TRUE(files_.RemoveFile(shard1).ok());
  EXPECT_TRUE(absl::IsDataLoss(FindForReading(files_, kNew).status()));
}

TEST_F(DamageTest, TheOlderOneIsTakenAndTheDamagedOnePutAside) {
  files_.SetContents(JoinPath(kNew, "shard-00001.safetensors"), "damaged");
  testing::internal::CaptureStderr();
  EXPECT_EQ(NewestState(files_, 2, kRun).value_or(-2), 100);
  const std::string warning = testing::internal::GetCapturedStderr();
  EXPECT_THAT(warning, HasSubstr(kNew));
  EXPECT_THAT(warning, HasSubstr("shard-00001.safetensors has 7 bytes"));
  EXPECT_THAT(warning, HasSubstr("renamed to images-000000000200.bad"));
  EXPECT_THAT(Names(), ElementsAre("images-000000000100", "images-000000000200.bad"));
  // Training comes by 200 again, and it is damaged again.
  ASSERT_TRUE(SaveState(files_, 2, kRun, 200, /*keep=*/5).ok());
  files_.SetContents(JoinPath(kNew, "MANIFEST"), "");
  EXPECT_EQ(NewestState(files_, 1, kRun).value_or(-2), 100);
  EXPECT_THAT(Names(), ElementsAre("images-000000000100", "images-000000000200.bad",
                                   "images-000000000200.bad-2"));
}

TEST_F(DamageTest, AReaderPutsNothingAside) {
  files_.SetContents(JoinPath(kNew, "MANIFEST"), "damaged");
  EXPECT_EQ(FindForReading(files_, kRun)->metadata.images_seen, 100);
  EXPECT_THAT(Names(), ElementsAre("images-000000000100", "images-000000000200"));
}

TEST_F(DamageTest, WhereNoneIsGoodTheRunDoesNotBeginAgain) {
  for (const char* folder : {kOld, kNew}) files_.SetContents(JoinPath(folder, "MANIFEST"), "x");
  EXPECT_TRUE(absl::IsDataLoss(FindForReading(files_, kRun).status()));
  // Also when asked a second time, when all are put aside.
  for (int time = 0; time < 2; ++time) {
    const absl::Status status = NewestState(files_, 2, kRun).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(kCheckpoints));
    EXPECT_THAT(Names(), ElementsAre("images-000000000100.bad", "images-000000000200.bad"));
  }
}

TEST_F(DamageTest, ARenamedCheckpointIsNotTakenForNewer) {
  ASSERT_TRUE(files_.Rename(kOld, "/run/checkpoints/images-000000000900").ok());
  EXPECT_EQ(NewestState(files_, 1, kRun).value_or(-2), 200);
}

TEST_F(DamageTest, WhatCannotBeLookedAtIsNotCalledDamaged) {
  const std::vector<std::string> names = Names();
  for (const absl::StatusCode code :
       {absl::StatusCode::kPermissionDenied, absl::StatusCode::kResourceExhausted}) {
    int failed = 0;
    for (int64_t i = 1; i <= 30; ++i) {
      files_.FailAt(files_.operations() + i, code);
      const absl::StatusOr<std::optional<Found>> found = FindNewest(files_, SingleProcess(), kRun);
      files_.Restart();
      failed += !found.ok();
      if (found.ok()) {
        EXPECT_EQ((*found)->metadata.images_seen, 200);
      } else {
        EXPECT_EQ(found.status().code(), code) << found.status();
      }
      EXPECT_EQ(Names(), names);
    }
    EXPECT_GE(failed, 10);
  }
}

TEST_F(DamageTest, ANewerFormatIsLeftAlone) {
  const std::string path = JoinPath(kNew, "MANIFEST");
  proto::CheckpointManifest manifest = *DecodeManifest(files_.Contents(path));
  manifest.set_format_version(kFormatVersion + 1);
  files_.SetContents(path, EncodeManifest(manifest));
  const absl::Status status = NewestState(files_, 1, kRun).status();
  EXPECT_TRUE(absl::IsUnimplemented(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("format version 2"));
  EXPECT_THAT(Names(), ElementsAre("images-000000000100", "images-000000000200"));
}

TEST_F(DamageTest, DamageAfterTheChoiceIsFoundWhileLoading) {
  const auto found = FindForReading(files_, kNew);
  const std::string path = JoinPath(kNew, "shard-00000.safetensors");
  std::string contents = files_.Contents(path);
  contents.back() ^= 1;  // In the last tensor's data.
  files_.SetContents(path, contents);
  const absl::Status status = CheckState(files_, *found);
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), testing::StartsWith(absl::StrCat(kNew, ": ")));
  EXPECT_TRUE(absl::IsDataLoss(StateDigest(files_, *found).status()));
}

// Manifests with a right checksum that say what no writer of ours would.
TEST_F(DamageTest, HostileManifestsAreRefused) {
  using Manifest = proto::CheckpointManifest;
  const std::string path = JoinPath(kNew, "MANIFEST");
  const Manifest good = *DecodeManifest(files_.Contents(path));
  const auto named = [](const std::string& name) {
    return [name](Manifest& manifest) { manifest.mutable_files(0)->set_name(name); };
  };
  const std::vector<std::function<void(Manifest&)>> changes = {
      named("../images-000000000100/shard-00000.safetensors"),
      named("/run/checkpoints/images-000000000200/shard-00000.safetensors"),
      named("./shard-00000.safetensors"),
      named(".."),
      named("."),
      named(""),
      named("MANIFEST"),
      named("shard-00001.safetensors"),
      named(std::string("shard-00000.safetensors\0", 24)),
      named(std::string(300, 'x')),
      [](Manifest& m) { m.clear_format_version(); },
      [](Manifest& m) { m.set_images_seen(-1); },
      [](Manifest& m) { m.set_images_seen(201); },
      [](Manifest& m) { m.clear_files(); },
      [](Manifest& m) { m.clear_tensors(); },
      [](Manifest& m) { m.mutable_files(0)->set_size(uint64_t{1} << 62); },
      [](Manifest& m) { m.mutable_files(0)->set_size(~uint64_t{0}); },
      [](Manifest& m) { m.mutable_files(0)->set_size(0); },
      [](Manifest& m) { m.mutable_tensors(0)->set_file(2); },
      [](Manifest& m) { m.mutable_tensors(0)->set_file(~uint32_t{0}); },
      [](Manifest& m) { m.mutable_tensors(0)->clear_file(); },
      [](Manifest& m) { m.mutable_tensors(0)->set_file(1 - m.tensors(0).file()); },
      [](Manifest& m) { m.mutable_tensors(0)->set_dtype("F31"); },
      [](Manifest& m) { m.mutable_tensors(0)->set_dtype("I64"); },
      [](Manifest& m) { m.mutable_tensors(0)->set_shape(0, -5); },
      [](Manifest& m) { m.mutable_tensors(0)->set_shape(0, int64_t{1} << 62); },
      [](Manifest& m) { m.mutable_tensors(0)->set_shape(0, 6); },
      [](Manifest& m) { m.mutable_tensors(0)->add_shape(1); },
      [](Manifest& m) { m.mutable_tensors(0)->set_name("zzz"); },
      [](Manifest& m) { m.mutable_tensors(0)->set_name(m.tensors(1).name()); },
      [](Manifest& m) { m.mutable_tensors(0)->set_name("ema.0.conv_in.weighs"); },
      [](Manifest& m) { m.mutable_tensors()->SwapElements(0, 1); },
      [](Manifest& m) { m.mutable_tensors()->RemoveLast(); },
      [](Manifest& m) {
        for (int i = 0; i < 20; ++i) m.mutable_tensors(0)->add_shape(1);
      },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    Manifest manifest = good;
    changes[i](manifest);
    files_.SetContents(path, EncodeManifest(manifest));
    EXPECT_EQ(NewestState(files_, 1, kRun).value_or(-2), 100) << i;
    EXPECT_EQ(Names().back(), "images-000000000200.bad") << i;
    ASSERT_TRUE(files_.Rename("/run/checkpoints/images-000000000200.bad", kNew).ok()) << i;
  }
  files_.SetContents(path, EncodeManifest(good));
  EXPECT_EQ(NewestState(files_, 1, kRun).value_or(-2), 200);
}

TEST_F(DamageTest, GarbageBehindARightChecksumIsRefused) {
  for (const std::string& message : {std::string("\xff\xff\xff\xff"), std::string(1000, '\x0b'),
                                     std::string("\x42\x7f"), std::string()}) {
    const std::string frame = EncodeManifest({});
    std::string bytes = frame.substr(0, 8);
    const uint64_t length = message.size();
    bytes.append(reinterpret_cast<const char*>(&length), sizeof(length));
    bytes += message;
    const uint32_t crc = Crc32c(bytes.data(), bytes.size());
    bytes.append(reinterpret_cast<const char*>(&crc), sizeof(crc));
    EXPECT_TRUE(absl::IsDataLoss(DecodeManifest(bytes).status()));
  }
}

TEST_F(DamageTest, AManifestsLengthMustBeItsOwn) {
  std::string bytes = files_.Contents(JoinPath(kNew, "MANIFEST"));
  ASSERT_TRUE(DecodeManifest(bytes).ok());
  bytes[8] += 1;
  const size_t crc_offset = bytes.size() - sizeof(uint32_t);
  const uint32_t crc = Crc32c(bytes.data(), crc_offset);
  bytes.replace(crc_offset, sizeof(crc), reinterpret_cast<const char*>(&crc), sizeof(crc));
  EXPECT_TRUE(absl::IsDataLoss(DecodeManifest(bytes).status()));
}

// On the real file system: what is not a plain file or folder is not followed.
TEST(HostileFilesTest, LinksAndPipesAreRefused) {
  FileSystem& files = PosixFileSystem();
  const std::string root = absl::StrCat(testing::TempDir(), "damage_test_", getpid());
  ASSERT_TRUE(files.RemoveTree(root).ok());
  const std::string run = JoinPath(root, "run");
  const std::string folder = JoinPath(run, "checkpoints/images-000000000100");
  const std::string aside = JoinPath(root, "aside");
  for (const std::string name : {"MANIFEST", "shard-00000.safetensors", ""}) {
    for (const bool pipe : {false, true}) {
      ASSERT_TRUE(files.RemoveTree(root).ok());
      ASSERT_TRUE(SaveState(files, 1, run, 100, /*keep=*/2).ok());
      ASSERT_TRUE(FindForReading(files, run).ok());
      // The very same bytes, but behind a link.
      const std::string path = name.empty() ? folder : JoinPath(folder, name);
      ASSERT_TRUE(files.Rename(path, aside).ok());
      ASSERT_EQ(pipe ? mkfifo(path.c_str(), 0600) : symlink(aside.c_str(), path.c_str()), 0);
      const absl::Status status = FindForReading(files, folder).status();
      EXPECT_TRUE(absl::IsDataLoss(status)) << path << ": " << status;
      EXPECT_TRUE(absl::IsDataLoss(FindForReading(files, run).status())) << path;
      EXPECT_TRUE(absl::IsDataLoss(NewestState(files, 1, run).status())) << path;
      EXPECT_TRUE(files.Exists(aside));
    }
  }
  files.RemoveTree(root).IgnoreError();
}

}  // namespace
}  // namespace langevin::checkpoint
