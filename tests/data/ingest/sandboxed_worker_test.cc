#include "data/ingest/sandboxed_worker.h"

#include <unistd.h>

#include <csignal>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace langevin::data {
namespace {

// What came of each piece.
class Collector : public WorkReceiver {
 public:
  absl::StatusOr<bool> Record(int64_t piece, std::string_view text,
                              std::span<const std::byte> payload) override {
    if (text == "nonsense") return false;
    records[piece] += absl::StrCat(std::string(text), ":", payload.size(), " ");
    return piece == fail_at ? absl::StatusOr<bool>(absl::ResourceExhaustedError("full")) : true;
  }
  absl::Status Done(int64_t piece, const std::string& reason, const std::string& last_words,
                    bool lost) override {
    if (lost) records.erase(piece);
    reasons[piece] = reason;
    words[piece] = last_words;
    order.push_back(piece);
    return absl::OkStatus();
  }
  void Again(int64_t piece) override { records.erase(piece); }

  std::map<int64_t, std::string> records, reasons, words;
  std::vector<int64_t> order;
  int64_t fail_at = -1;
};

// Two records a piece, the second of some size.
absl::Status Honest(int64_t piece, const EmitRecord& emit, std::string& last_words) {
  emit("first", {});
  const std::vector<std::byte> payload(static_cast<size_t>(piece * 1000));
  emit("second", payload);
  last_words = absl::StrCat("piece ", piece);
  return piece % 5 == 4 ? absl::DataLossError("is odd") : absl::OkStatus();
}

void ExpectAllBut(const Collector& collector, int64_t count, int64_t bad) {
  ASSERT_EQ(collector.order.size(), count);
  for (int64_t piece = 0; piece < count; ++piece) {
    EXPECT_EQ(collector.order[static_cast<size_t>(piece)], piece);
    if (piece == bad) {
      EXPECT_FALSE(collector.records.contains(piece));
      continue;
    }
    EXPECT_EQ(collector.records.at(piece), absl::StrCat("first:0 second:", piece * 1000, " "));
    EXPECT_EQ(collector.reasons.at(piece), piece % 5 == 4 ? "is odd" : "");
    EXPECT_EQ(collector.words.at(piece), absl::StrCat("piece ", piece));
  }
}

TEST(SandboxedWorkerTest, RecordsComeInOrder) {
  SandboxedWorker worker({Honest});
  Collector collector;
  ASSERT_TRUE(worker.Run(0, 20, collector).ok());
  ASSERT_TRUE(worker.Run(20, 30, collector).ok());  // The same child.
  ExpectAllBut(collector, 30, -1);
}

TEST(SandboxedWorkerTest, ACrashCostsItsOwnPieceWhateverWasUnderWay) {
  for (const int64_t bad : {0, 7, 19}) {
    SandboxedWorker worker({[bad](int64_t piece, const EmitRecord& emit, std::string& words) {
      const absl::Status status = Honest(piece, emit, words);
      if (piece == bad) raise(SIGSEGV);
      return status;
    }});
    Collector collector;
    ASSERT_TRUE(worker.Run(0, 20, collector).ok());
    ExpectAllBut(collector, 20, bad);
    EXPECT_NE(collector.reasons[bad].find("crashed"), std::string::npos) << collector.reasons[bad];
  }
}

TEST(SandboxedWorkerTest, TimeAndMemoryAreLimited) {
  SandboxedWorker worker(
      {[](int64_t piece, const EmitRecord& emit, std::string& words) -> absl::Status {
        if (piece == 1) {
          for (volatile bool forever = true; forever;) {
          }
        }
        if (piece == 2) {
          const std::vector<char> large(size_t{1} << 30, 'x');
          words = large[12345];
        }
        return Honest(piece, emit, words);
      }},
      {.memory_bytes = 256 << 20, .seconds_per_piece = 0.1});
  Collector collector;
  ASSERT_TRUE(worker.Run(0, 4, collector).ok());
  EXPECT_EQ(collector.reasons[0], "");
  EXPECT_NE(collector.reasons[1].find("too much time"), std::string::npos) << collector.reasons[1];
  EXPECT_NE(collector.reasons[2].find("memory"), std::string::npos) << collector.reasons[2];
  EXPECT_EQ(collector.reasons[3], "");
}

TEST(SandboxedWorkerTest, ASilentChildIsGivenUp) {
  SandboxedWorker worker({[](int64_t piece, const EmitRecord& emit, std::string& words) {
                           if (piece == 2) pause();
                           return Honest(piece, emit, words);
                         }},
                         {.silent_seconds = 1});
  Collector collector;
  ASSERT_TRUE(worker.Run(0, 4, collector).ok());
  EXPECT_NE(collector.reasons[2].find("silent"), std::string::npos) << collector.reasons[2];
  EXPECT_EQ(collector.reasons[3], "");
  EXPECT_EQ(collector.records[1], "first:0 second:1000 ");
}

// So is one that says something now and then, without an end.
TEST(SandboxedWorkerTest, ATricklingChildIsGivenUp) {
  SandboxedWorker worker(
      {[](int64_t piece, const EmitRecord& emit, std::string& words) {
        const std::vector<std::byte> payload(1 << 20);  // Too large to be held back.
        while (piece == 2) {
          emit("first", payload);
          usleep(100'000);
        }
        return Honest(piece, emit, words);
      }},
      {.silent_seconds = 1});
  Collector collector;
  ASSERT_TRUE(worker.Run(0, 4, collector).ok());
  EXPECT_NE(collector.reasons[2].find("silent"), std::string::npos) << collector.reasons[2];
  EXPECT_EQ(collector.reasons[3], "");
}

// A large source may take longer, and what was done before it does not wait for it.
TEST(SandboxedWorkerTest, TimeGoesWithTheSizeOfTheSource) {
  SandboxedWorker worker({[](int64_t piece, const EmitRecord& emit, std::string& words) {
                            if (piece == 2) sleep(4);
                            return Honest(piece, emit, words);
                          },
                          [](int64_t piece) { return piece == 2 ? uint64_t{60} << 20 : 0; }},
                         {.silent_seconds = 1});
  Collector collector;
  ASSERT_TRUE(worker.Run(0, 4, collector).ok());
  ExpectAllBut(collector, 4, -1);
}

TEST(SandboxedWorkerTest, ReasonsArePrintable) {
  SandboxedWorker worker({[](int64_t, const EmitRecord&, std::string&) {
    return absl::DataLossError("is \x1b[31mred\n\xff");
  }});
  Collector collector;
  ASSERT_TRUE(worker.Run(0, 1, collector).ok());
  EXPECT_EQ(collector.reasons[0], "is ?[31mred??");
}

// Each thread has a child of its own.
TEST(SandboxedWorkerTest, SeveralAtATime) {
  std::vector<std::thread> threads;
  std::vector<Collector> collectors(4);
  for (Collector& collector : collectors) {
    threads.emplace_back([&collector] {
      SandboxedWorker worker({[](int64_t piece, const EmitRecord& emit, std::string& words) {
        const absl::Status status = Honest(piece, emit, words);
        if (piece == 9) raise(SIGSEGV);
        return status;
      }});
      EXPECT_TRUE(worker.Run(0, 30, collector).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Collector& collector : collectors) ExpectAllBut(collector, 30, 9);
}

TEST(SandboxedWorkerTest, NonsenseIsNotBelieved) {
  SandboxedWorker worker({[](int64_t piece, const EmitRecord& emit, std::string& words) {
    if (piece == 3) emit("nonsense", {});
    if (piece == 5) {  // Frames of its own making.
      const std::string junk(4096, '\xff');
      [[maybe_unused]] const ssize_t written = write(kSandboxSocket, junk.data(), junk.size());
    }
    return Honest(piece, emit, words);
  }});
  Collector collector;
  ASSERT_TRUE(worker.Run(0, 8, collector).ok());
  EXPECT_NE(collector.reasons[3].find("nonsense"), std::string::npos) << collector.reasons[3];
  EXPECT_EQ(collector.records[7], "first:0 second:7000 ");
  EXPECT_EQ(collector.order.size(), 8);
  // Only those two.
  EXPECT_EQ(collector.records[4], "first:0 second:4000 ");
  EXPECT_EQ(collector.records[6], "first:0 second:6000 ");
  EXPECT_NE(collector.reasons[5].find("nonsense"), std::string::npos) << collector.reasons[5];
}

TEST(SandboxedWorkerTest, TheReceiversErrorEndsIt) {
  SandboxedWorker worker({Honest});
  Collector collector;
  collector.fail_at = 3;
  EXPECT_TRUE(absl::IsResourceExhausted(worker.Run(0, 8, collector)));
  collector = Collector();
  ASSERT_TRUE(worker.Run(0, 8, collector).ok());  // With a new child.
  ExpectAllBut(collector, 8, -1);
}

}  // namespace
}  // namespace langevin::data
