// The same bytes for any number of ranks and workers, and after any interruption.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/file_lock.h"
#include "core/base/memory.h"
#include "data/ingest/prepare_job.h"
#include "tests/data/testing.h"
#include "tests/testing/lockstep_group.h"

namespace langevin::data {
namespace {

class PrepareResumeTest : public DataTest {
 protected:
  // 700 images in three classes, which make three chunks, with damaged ones among them.
  void WriteSources() {
    for (int i = 0; i < 700; ++i) {
      const std::string name = absl::StrCat("in/", std::string(1, "abc"[i % 3]), "/", i, ".png");
      const std::string png = MakeTestPng(8, 8, 1, i);
      Write(name, i % 50 == 7 ? png.substr(0, 40) : png);
    }
  }

  PrepareOptions Options(const std::string& output, int workers) const {
    PrepareOptions options = {.inputs = {Path("in")}, .output = Path(output), .workers = workers};
    options.config.split.validation_fraction = 0.2;
    options.config.shards.shard_mib = 1;
    return options;
  }

  // The contents of all files in a folder, by name.
  std::map<std::string, std::string> Tree(const std::string& folder) {
    std::map<std::string, std::string> tree;
    const auto names = files_.List(Path(folder));
    EXPECT_TRUE(names.ok()) << names.status();
    for (const std::string& name : names.ok() ? *names : std::vector<std::string>()) {
      tree[name] = Read(folder + "/" + name);
    }
    return tree;
  }

  std::map<std::string, std::string> Reference() {
    EXPECT_TRUE(PrepareDataset(files_, SingleProcess(), Options("one/data", 1)).ok());
    return Tree("one/data");
  }
};

TEST_F(PrepareResumeTest, RanksAndWorkersDoNotChangeAByte) {
  WriteSources();
  const auto reference = Reference();
  EXPECT_GE(reference.size(), 6);
  for (const auto& [ranks, workers] :
       {std::pair{1, 3}, std::pair{2, 1}, std::pair{3, 2}, std::pair{8, 1}}) {
    const std::string output = absl::StrCat("ranks", ranks, "/data");
    for (const absl::Status& status : RunInLockstep(ranks, [&, workers = workers](Group& group) {
           return PrepareDataset(files_, group, Options(output, workers)).status();
         })) {
      ASSERT_TRUE(status.ok()) << status;
    }
    EXPECT_TRUE(Tree(output) == reference) << ranks << " ranks";
  }
}

TEST_F(PrepareResumeTest, AKilledPreparationGoesOn) {
  WriteSources();
  const auto reference = Reference();
  int kills = 0;
  for (const int ranks : {1, 2}) {
    const std::string output = absl::StrCat("killed", ranks, "/data");
    for (int attempt = 0;; ++attempt) {
      ASSERT_LT(attempt, 200);
      const pid_t child = fork();
      if (child == 0) {
        bool ok = true;
        for (const absl::Status& status : RunInLockstep(ranks, [&](Group& group) {
               return PrepareDataset(files_, group, Options(output, 2)).status();
             })) {
          if (!status.ok()) std::cerr << "attempt " << attempt << ": " << status << "\n";
          ok = ok && status.ok();
        }
        _exit(ok ? 0 : 1);
      }
      usleep(2000 * (1 + attempt));  // Every time a little further.
      kill(child, SIGKILL);
      int status = 0;
      ASSERT_EQ(waitpid(child, &status, 0), child);
      if (WIFEXITED(status)) {
        ASSERT_EQ(WEXITSTATUS(status), 0);
        break;
      }
      ++kills;
    }
    EXPECT_TRUE(Tree(output) == reference) << ranks << " ranks";
    EXPECT_EQ(*files_.List(Path(absl::StrCat("killed", ranks))), std::vector<std::string>{"data"});
  }
  EXPECT_GE(kills, 3);
}

TEST_F(PrepareResumeTest, AStoppedPreparationGoesOn) {
  WriteSources();
  const auto reference = Reference();
  PrepareOptions options = Options("stopped/data", 2);
  options.stop_requested = [] { return true; };
  const auto text = PrepareDataset(files_, SingleProcess(), options);
  EXPECT_TRUE(absl::IsCancelled(text.status())) << text.status();
  EXPECT_EQ(*files_.List(Path("stopped")), std::vector<std::string>{"data.preparing"});
  options.stop_requested = nullptr;
  ASSERT_TRUE(PrepareDataset(files_, SingleProcess(), options).ok());
  EXPECT_TRUE(Tree("stopped/data") == reference);
}

TEST_F(PrepareResumeTest, WhatIsCompleteIsNotDoneAgainAndWhatIsDamagedIs) {
  WriteSources();
  const auto reference = Reference();
  PrepareOptions options = Options("again/data", 1);
  options.stop_requested = [] { return true; };
  ASSERT_TRUE(absl::IsCancelled(PrepareDataset(files_, SingleProcess(), options).status()));
  const std::string spool = "again/data.preparing/spool/";
  FlipBit(spool + "00000000", 100);  // As a disk, or a loss of power, would.
  Shorten(spool + "00000001", 1000);
  const auto third = files_.GetInfo(Path(spool + "00000002"));
  ASSERT_TRUE(third.ok());
  ASSERT_TRUE(absl::IsCancelled(PrepareDataset(files_, SingleProcess(), options).status()));
  EXPECT_EQ(files_.GetInfo(Path(spool + "00000002"))->modified_ns, third->modified_ns);
  options.stop_requested = nullptr;
  ASSERT_TRUE(PrepareDataset(files_, SingleProcess(), options).ok());
  EXPECT_TRUE(Tree("again/data") == reference);
}

TEST_F(PrepareResumeTest, OtherInputsOrOptionsBeginAnew) {
  WriteSources();
  PrepareOptions options = Options("other/data", 2);
  options.stop_requested = [] { return true; };
  ASSERT_TRUE(absl::IsCancelled(PrepareDataset(files_, SingleProcess(), options).status()));
  // The same name and size, other contents, later.
  Write("in/a/0.png", MakeTestPng(8, 8, 1, 12345));
  options.stop_requested = nullptr;
  ASSERT_TRUE(PrepareDataset(files_, SingleProcess(), options).ok());
  EXPECT_TRUE(Tree("other/data") == Reference());
}

TEST_F(PrepareResumeTest, TwoAtTheSamePlaceAreRefused) {
  WriteSources();
  ASSERT_TRUE(files_.CreateFolders(Path("busy/data.preparing")).ok());
  const auto lock = FileLock::Take(Path("busy/data.preparing/lock"));
  ASSERT_TRUE(lock.ok());
  // flock knows open files, not processes: this process counts as another.
  const auto text = PrepareDataset(files_, SingleProcess(), Options("busy/data", 1));
  EXPECT_TRUE(absl::IsFailedPrecondition(text.status())) << text.status();
}

// 96 MiB of pixels in 24 images go through a process that may map 64 MiB more than it has.
TEST_F(PrepareResumeTest, MemoryIsBounded) {
  for (int i = 0; i < 24; ++i) Write(absl::StrCat("in/", i, ".png"), MakeTestPng(2048, 2048, 1, i));
  const pid_t child = fork();
  if (child == 0) {
    PrepareOptions options = Options("small/data", 1);
    options.config.split.validation_fraction = 0;
    options.config.shards.shard_mib = 8;
    const int64_t before = PeakMemoryBytes();
    const auto text = PrepareDataset(files_, SingleProcess(), options);
    const int64_t used = PeakMemoryBytes() - before;
    if (used > (64 << 20)) std::fprintf(stderr, "used %ld bytes\n", static_cast<long>(used));
    _exit(text.ok() && used <= (64 << 20) ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace langevin::data
