#include "core/checkpoint/checkpoint.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/checkpoint/shard.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/checkpoint/test_state.h"
#include "tests/testing/fault_file_system.h"
#include "tests/testing/lockstep_group.h"

namespace langevin::checkpoint {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kRun[] = "/runs/a";

std::vector<std::string> Names(FileSystem& files, const std::string& folder) {
  return files.List(folder).value_or(std::vector<std::string>{"no such folder"});
}

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(CheckpointTest, AnyNumberOfRanksLoadsWhatAnyNumberSaved) {
  for (const int writers : {1, 2, 3, 11}) {
    FaultFileSystem files;
    ASSERT_TRUE(SaveState(files, writers, kRun, 128000, /*keep=*/2).ok());
    for (const int readers : {1, 2, 5}) {
      const absl::StatusOr<int64_t> newest = NewestState(files, readers, kRun);
      ASSERT_TRUE(newest.ok()) << newest.status();
      EXPECT_EQ(*newest, 128000);
    }
  }
}

TEST(CheckpointTest, TheLayoutIsTheDocumentedOne) {
  FaultFileSystem files;
  ASSERT_TRUE(SaveState(files, /*ranks=*/2, kRun, 128000, /*keep=*/2).ok());
  EXPECT_THAT(Names(files, "/runs/a/checkpoints"), ElementsAre("images-000000128000"));
  EXPECT_THAT(Names(files, "/runs/a/checkpoints/images-000000128000"),
              ElementsAre("MANIFEST", "shard-00000.safetensors", "shard-00001.safetensors"));
  EXPECT_EQ(FolderName(0), "images-000000000000");
  EXPECT_EQ(FolderName(1234567890123), "images-1234567890123");
}

TEST(CheckpointTest, TheNewestIsTakenByNumber) {
  FaultFileSystem files;
  // A number of more digits sorts before the others as a text.
  for (const int64_t images_seen : {int64_t{900000000000}, int64_t{1000000000000}}) {
    ASSERT_TRUE(SaveState(files, 1, kRun, images_seen, /*keep=*/5).ok());
  }
  EXPECT_EQ(NewestState(files, 1, kRun).value_or(-2), 1000000000000);
}

TEST(CheckpointTest, TheDigestNamesTheStateWhateverTheSharding) {
  std::vector<std::string> digests;
  for (const int ranks : {1, 2, 3, 7}) {
    FaultFileSystem files;
    ASSERT_TRUE(SaveState(files, ranks, kRun, 100, /*keep=*/2).ok());
    const auto digest = StateDigest(files, *FindForReading(files, kRun));
    ASSERT_TRUE(digest.ok()) << digest.status();
    digests.push_back(*digest);
  }
  EXPECT_THAT(digests, testing::Each(digests[0]));
  EXPECT_EQ(digests[0].size(), 32);
}

TEST(CheckpointTest, TheDigestTellsStatesApart) {
  const std::string bytes = "abcdefgh", other_bytes = "abcdefgi";
  const auto digest_of = [](int64_t images_seen, const std::vector<TensorView>& tensors) {
    FaultFileSystem files;
    Metadata metadata;
    metadata.images_seen = images_seen;
    EXPECT_TRUE(Save(files, SingleProcess(), kRun, metadata, tensors, 1).ok());
    return StateDigest(files, *FindForReading(files, kRun)).value();
  };
  const auto view = [](const std::string& name, DType dtype, std::vector<int64_t> shape,
                       const std::string& data) {
    return TensorView{name, dtype, std::move(shape), std::as_bytes(std::span(data))};
  };
  const std::string first = digest_of(1, {view("a", DType::kFloat32, {2}, bytes)});
  EXPECT_EQ(first, digest_of(1, {view("a", DType::kFloat32, {2}, bytes)}));
  EXPECT_NE(first, digest_of(2, {view("a", DType::kFloat32, {2}, bytes)}));
  EXPECT_NE(first, digest_of(1, {view("b", DType::kFloat32, {2}, bytes)}));
  EXPECT_NE(first, digest_of(1, {view("a", DType::kInt32, {2}, bytes)}));
  EXPECT_NE(first, digest_of(1, {view("a", DType::kFloat32, {2, 1}, bytes)}));
  EXPECT_NE(first, digest_of(1, {view("a", DType::kFloat32, {2}, other_bytes)}));
}

TEST(CheckpointTest, OnlyTheNewestAreKept) {
  FaultFileSystem files;
  for (int64_t images_seen = 100; images_seen <= 500; images_seen += 100) {
    ASSERT_TRUE(SaveState(files, 2, kRun, images_seen, /*keep=*/2).ok());
  }
  EXPECT_THAT(Names(files, "/runs/a/checkpoints"),
              ElementsAre("images-000000000400", "images-000000000500"));
}

TEST(CheckpointTest, RetentionTouchesNothingElse) {
  FaultFileSystem files;
  for (const char* name : {"images-000000000001.bad", "notes", "images-12"}) {
    ASSERT_TRUE(files.CreateFolders(absl::StrCat("/runs/a/checkpoints/", name)).ok());
  }
  for (const int64_t images_seen : {100, 200, 300}) {
    ASSERT_TRUE(SaveState(files, 1, kRun, images_seen, /*keep=*/1).ok());
  }
  EXPECT_THAT(Names(files, "/runs/a/checkpoints"),
              ElementsAre("images-000000000001.bad", "images-000000000300", "images-12", "notes"));
}

TEST(CheckpointTest, SavingTheSameAgainChangesNothing) {
  FaultFileSystem files;
  ASSERT_TRUE(SaveState(files, 1, kRun, 100, /*keep=*/2).ok());
  const std::string path = "/runs/a/checkpoints/images-000000000100/MANIFEST";
  const std::string manifest = files.Contents(path);
  ASSERT_TRUE(SaveState(files, 2, kRun, 100, /*keep=*/2).ok());
  EXPECT_EQ(files.Contents(path), manifest);
  EXPECT_THAT(Names(files, "/runs/a/checkpoints"), ElementsAre("images-000000000100"));
}

TEST(CheckpointTest, ADamagedOneOfTheSameNumberIsSavedAnew) {
  FaultFileSystem files;
  ASSERT_TRUE(SaveState(files, 1, kRun, 100, /*keep=*/2).ok());
  files.SetContents("/runs/a/checkpoints/images-000000000100/shard-00000.safetensors", "x");
  ASSERT_TRUE(SaveState(files, 2, kRun, 100, /*keep=*/2).ok());
  EXPECT_THAT(Names(files, "/runs/a/checkpoints"),
              ElementsAre("images-000000000100", "images-000000000100.bad"));
  EXPECT_EQ(NewestState(files, 1, kRun).value_or(-2), 100);
}

TEST(CheckpointTest, WhatADeadRunLeftIsRemovedByTheNext) {
  for (const bool save : {false, true}) {
    FaultFileSystem files;
    ASSERT_TRUE(SaveState(files, 1, kRun, 100, /*keep=*/2).ok());
    files.DieAt(files.operations() + 15);
    EXPECT_FALSE(SaveState(files, 1, kRun, 200, /*keep=*/2).ok());
    files.Restart();
    EXPECT_THAT(
        Names(files, "/runs/a/checkpoints"),
        ElementsAre(testing::StartsWith(".images-000000000200.tmp-"), "images-000000000100"));
    if (save) {
      ASSERT_TRUE(SaveState(files, 1, kRun, 100, /*keep=*/2).ok());
    } else {
      EXPECT_EQ(NewestState(files, 1, kRun).value_or(-2), 100);
    }
    EXPECT_THAT(Names(files, "/runs/a/checkpoints"), ElementsAre("images-000000000100"));
  }
}

// Some file systems report a full disk only when the file is closed.
TEST(CheckpointTest, EveryFileIsSyncedAndClosedBeforeTheRename) {
  FaultFileSystem files;
  ASSERT_TRUE(SaveState(files, 3, kRun, 100, /*keep=*/2).ok());
  const std::vector<std::string> log = files.log();
  const auto rename = std::find_if(
      log.begin(), log.end(), [](const std::string& line) { return line.starts_with("Rename "); });
  int opened = 0;
  for (auto line = log.begin(); line != rename; ++line) {
    if (!line->starts_with("NewWritableFile ")) continue;
    ++opened;
    const std::string path = line->substr(line->find('/'));
    EXPECT_EQ(std::count(line, rename, "Sync " + path), 1) << path;
    EXPECT_EQ(std::count(line, rename, "Close " + path), 1) << path;
  }
  EXPECT_EQ(opened, 3 + 1);
}

TEST(CheckpointTest, TensorsAreDividedBySize) {
  std::vector<TensorView> tensors;
  std::vector<std::string> data;
  for (const size_t size : {700, 10, 300, 200, 10, 250}) data.emplace_back(size, 'x');
  for (const std::string& bytes : data) {
    tensors.push_back({absl::StrCat("t", tensors.size()),
                       DType::kUint8,
                       {static_cast<int64_t>(bytes.size())},
                       std::as_bytes(std::span(bytes))});
  }
  const std::vector<int> owners = DivideTensors(tensors, 2);
  std::vector<size_t> load(2);
  for (size_t i = 0; i < owners.size(); ++i) load[owners[i]] += data[i].size();
  EXPECT_LE(std::max(load[0], load[1]) - std::min(load[0], load[1]), 40);
  // A rank that gets nothing writes nothing.
  FaultFileSystem files;
  ASSERT_TRUE(SaveState(files, 11, kRun, 100, /*keep=*/2).ok());
  EXPECT_EQ(Names(files, "/runs/a/checkpoints/images-000000000100").size(), 7 + 1);
}

TEST(CheckpointTest, AnySubsetOfTensorsCanBeLoaded) {
  FaultFileSystem files;
  ASSERT_TRUE(SaveState(files, 2, kRun, 100, /*keep=*/2).ok());
  const auto found = FindForReading(files, kRun);
  std::string buffer(20, '\0');
  const auto bytes = std::as_writable_bytes(std::span(buffer));
  EXPECT_TRUE(
      LoadTensors(files, *found, {{"weights.conv_in.bias", DType::kFloat32, {5}, bytes}}).ok());
  const TestState state(100);
  EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), state.tensors()[1].bytes.begin()));
}

TEST(CheckpointTest, TensorsThatDoNotFitAreRefused) {
  FaultFileSystem files;
  ASSERT_TRUE(SaveState(files, 2, kRun, 100, /*keep=*/2).ok());
  const auto found = FindForReading(files, kRun);
  std::string buffer(20, '\0');
  const auto bytes = std::as_writable_bytes(std::span(buffer));
  for (const MutableTensorView& wanted :
       {MutableTensorView{"weights.more", DType::kFloat32, {5}, bytes},
        MutableTensorView{"weights.conv_in.bias", DType::kInt32, {5}, bytes},
        MutableTensorView{"weights.conv_in.bias", DType::kFloat32, {5, 1}, bytes}}) {
    const absl::Status status = LoadTensors(files, *found, {wanted});
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(Message(status), HasSubstr(found->folder));
    EXPECT_THAT(Message(status), HasSubstr(wanted.name));
  }
}

TEST(CheckpointTest, ARunOrACheckpointCanBeRead) {
  FaultFileSystem files;
  for (const int64_t images_seen : {100, 200}) {
    ASSERT_TRUE(SaveState(files, 1, kRun, images_seen, /*keep=*/2).ok());
  }
  const int64_t before = files.operations();
  for (const auto& [path, images_seen] : std::vector<std::pair<std::string, int64_t>>{
           {kRun, 200},
           {"/runs/a/", 200},
           {"/runs/a/checkpoints/images-000000000100", 100},
           {"/runs/a/checkpoints/images-000000000200/", 200}}) {
    const auto found = FindForReading(files, path);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->metadata.images_seen, images_seen);
    EXPECT_TRUE(CheckState(files, *found).ok()) << CheckState(files, *found);
  }
  const std::vector<std::string> log = files.log();
  for (size_t i = before; i < log.size(); ++i) {
    for (const char* action : {"Rename", "Remove", "Create", "New", "Sync"}) {
      EXPECT_FALSE(log[i].starts_with(action)) << log[i];
    }
  }
}

TEST(CheckpointTest, WhereThereIsNoneItIsSaid) {
  FaultFileSystem files;
  EXPECT_EQ(NewestState(files, 2, kRun).value_or(-2), -1);
  ASSERT_TRUE(files.CreateFolders("/runs/a/checkpoints").ok());
  EXPECT_EQ(NewestState(files, 2, kRun).value_or(-2), -1);
  for (const char* path : {"/runs/a", "/runs", "/nowhere"}) {
    const absl::Status status = FindForReading(files, path).status();
    EXPECT_TRUE(absl::IsNotFound(status)) << status;
    EXPECT_THAT(Message(status), HasSubstr(path));
  }
}

TEST(CheckpointTest, TheListNamesAllOldestFirst) {
  FaultFileSystem files;
  for (const int64_t images_seen : {100, 200, 300}) {
    ASSERT_TRUE(SaveState(files, 1, kRun, images_seen, /*keep=*/3).ok());
  }
  files.SetContents("/runs/a/checkpoints/images-000000000200/MANIFEST", "nothing");
  ASSERT_TRUE(files
                  .Rename("/runs/a/checkpoints/images-000000000300",
                          "/runs/a/checkpoints/images-000000000300.bad")
                  .ok());
  const auto listed = List(files, kRun);
  ASSERT_TRUE(listed.ok() && listed->size() == 3);
  EXPECT_EQ((*listed)[0].metadata->images_seen, 100);
  EXPECT_EQ((*listed)[0].bytes,
            files.Contents((*listed)[0].folder + "/MANIFEST").size() +
                files.Contents((*listed)[0].folder + "/shard-00000.safetensors").size());
  EXPECT_TRUE(absl::IsDataLoss((*listed)[1].metadata.status()));
  EXPECT_TRUE(absl::IsDataLoss((*listed)[2].metadata.status()));
  EXPECT_THAT((*listed)[2].folder, testing::EndsWith("images-000000000300.bad"));
  EXPECT_TRUE(List(files, "/runs/b")->empty());
}

TEST(CheckpointTest, RanksWithOtherTensorsDoNotSave) {
  FaultFileSystem files;
  const std::vector<absl::Status> results = RunInLockstep(2, [&files](Group& group) {
    const TestState state(100);
    std::vector<TensorView> tensors = state.tensors();
    if (group.rank() == 1) std::swap(tensors[0], tensors[1]);
    return Save(files, group, kRun, state.metadata(), tensors, 2);
  });
  for (const absl::Status& status : results) EXPECT_TRUE(absl::IsInternal(status)) << status;
  EXPECT_TRUE(Names(files, "/runs/a/checkpoints").empty());
}

TEST(CheckpointTest, ARankThatIsGoneFailsTheOthers) {
  FaultFileSystem files;
  ASSERT_TRUE(SaveState(files, 3, kRun, 100, /*keep=*/2).ok());
  // Gone before each of the three times that ranks agree; a fourth would have succeeded.
  for (int round = 0; round < 3; ++round) {
    class LeavingGroup : public Group {
     public:
      LeavingGroup(Group& group, int rounds) : group_(group), rounds_(rounds) {}
      int rank() const override { return group_.rank(); }
      int size() const override { return group_.size(); }
      absl::StatusOr<std::vector<std::string>> AllGather(const std::string& text) override {
        if (rank() == 1 && rounds_-- == 0) return absl::UnavailableError("gone myself");
        return group_.AllGather(text);
      }

     private:
      Group& group_;
      int rounds_;
    };
    const TestState state(200);
    const std::vector<absl::Status> results = RunInLockstep(3, [&](Group& group) {
      LeavingGroup leaving(group, round);
      return Save(files, leaving, kRun, state.metadata(), state.tensors(), 2);
    });
    for (const absl::Status& status : results) {
      EXPECT_TRUE(absl::IsUnavailable(status)) << round << ": " << status;
    }
    const int64_t newest = NewestState(files, 1, kRun).value_or(-2);
    // In the last round rank 0 has made it already and only misses the answer.
    EXPECT_EQ(newest, round < 2 ? 100 : 200) << round;
  }
}

TEST(CheckpointTest, RanksThatSeeAnotherDiskAreTold) {
  FaultFileSystem files, elsewhere;
  ASSERT_TRUE(elsewhere.CreateFolders(kRun).ok());
  const TestState state(100);
  std::vector<absl::Status> results = RunInLockstep(2, [&](Group& group) {
    return Save(group.rank() == 0 ? files : elsewhere, group, kRun, state.metadata(),
                state.tensors(), 2);
  });
  for (const absl::Status& status : results) {
    EXPECT_TRUE(absl::IsNotFound(status)) << status;
    EXPECT_THAT(Message(status), HasSubstr("rank 1"));
    EXPECT_THAT(Message(status), HasSubstr("on a file system that all ranks see"));
  }
  ASSERT_TRUE(SaveState(files, 1, kRun, 100, 2).ok());
  results = RunInLockstep(2, [&](Group& group) {
    return FindNewest(group.rank() == 0 ? files : elsewhere, group, kRun).status();
  });
  for (const absl::Status& status : results) {
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_THAT(Message(status), HasSubstr("rank 1"));
  }
}

}  // namespace
}  // namespace langevin::checkpoint
