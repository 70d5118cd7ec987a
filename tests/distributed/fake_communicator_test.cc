#include "distributed/fake_communicator.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "ATen/ops/zeros.h"
#include "distributed/gradient_reducer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/distributed/local_ranks.h"

namespace langevin::distributed {
namespace {

using ::testing::ElementsAre;

// Hands everything on to a real backend and notes it as the fake one does.
class Listening : public Communicator {
 public:
  Listening(Communicator& real, CollectiveRecord& record) : real_(real), record_(record) {}

  int rank() const override { return real_.rank(); }
  int size() const override { return real_.size(); }
  std::string_view backend_name() const override { return real_.backend_name(); }
  std::unique_ptr<Work> AllReduce(at::Tensor tensor) override {
    record_.Add({CollectiveKind::kAllReduce, tensor, {}});
    return real_.AllReduce(tensor);
  }
  std::unique_ptr<Work> ReduceScatter(at::Tensor output, at::Tensor input) override {
    record_.Add({CollectiveKind::kReduceScatter, output, input});
    return real_.ReduceScatter(output, input);
  }
  std::unique_ptr<Work> AllGather(at::Tensor output, at::Tensor input) override {
    record_.Add({CollectiveKind::kAllGather, output, input});
    return real_.AllGather(output, input);
  }
  std::unique_ptr<Work> AllToAll(at::Tensor output, at::Tensor input) override {
    record_.Add({CollectiveKind::kAllToAll, output, input});
    return real_.AllToAll(output, input);
  }
  std::unique_ptr<Work> Broadcast(at::Tensor tensor, int root) override {
    record_.Add({CollectiveKind::kBroadcast, tensor, {}, root});
    return real_.Broadcast(tensor, root);
  }
  std::unique_ptr<Work> Enqueue(std::function<absl::Status()> local) override {
    return real_.Enqueue(std::move(local));
  }
  absl::Status Barrier() override {
    record_.Add({CollectiveKind::kBarrier});
    return real_.Barrier();
  }
  void Abort(std::string_view reason) override { real_.Abort(reason); }
  absl::Status Shutdown() override { return real_.Shutdown(); }

 private:
  Communicator& real_;
  CollectiveRecord& record_;
};

void Reduce(Communicator& communicator, Reduction kind, int64_t microbatches, int64_t length) {
  GradientReducer reducer(communicator, kind, microbatches);
  const at::Tensor gradient = at::zeros({length}, at::kFloat);
  for (int64_t i = 0; i < reducer.local_run().size(); ++i) {
    ASSERT_TRUE(reducer.Accumulate(gradient).ok());
  }
  const absl::StatusOr<at::Tensor> sum = reducer.Finish();
  ASSERT_TRUE(sum.ok()) << sum.status();
}

// What a dry run promises: no backend that exchanges something is asked for anything else.
TEST(FakeCommunicatorTest, AReductionAsksItForTheSameAsRealRanks) {
  for (const Reduction kind : {Reduction::kOrdered, Reduction::kFast}) {
    for (const auto& [ranks, microbatches] : {std::pair{2, 2}, {2, 8}, {3, 9}, {4, 12}, {8, 8}}) {
      for (const int64_t length : {3, 1000, 1003, 600001}) {  // The last in pieces of 2 MiB.
        SCOPED_TRACE(testing::Message() << ranks << " ranks, " << microbatches << " microbatches, "
                                        << length << " numbers");
        std::vector<CollectiveRecord> real(ranks);
        RunLocalRanks(ranks, [&](Communicator& communicator) {
          Listening listening(communicator, real[communicator.rank()]);
          Reduce(listening, kind, microbatches, length);
        });
        for (int rank = 0; rank < ranks; ++rank) {
          FakeCommunicator fake(rank, ranks);
          Reduce(fake, kind, microbatches, length);
          EXPECT_EQ(fake.record().entries(), real[rank].entries()) << "rank " << rank;
          EXPECT_GE(fake.record().TotalBytes(), 4 * length);
        }
      }
    }
  }
}

TEST(FakeCommunicatorTest, NotesKindBytesAndCount) {
  FakeCommunicator fake(1, 4);
  EXPECT_EQ(fake.backend_name(), "fake");
  const at::Tensor whole = at::zeros({40}, at::kFloat);
  const at::Tensor part = at::zeros({10}, at::kFloat);
  EXPECT_TRUE(fake.AllGather(whole, part)->Wait().ok());
  EXPECT_TRUE(fake.AllGather(whole, part)->Wait().ok());
  EXPECT_TRUE(fake.ReduceScatter(part, whole)->Wait().ok());
  EXPECT_TRUE(fake.AllReduce(at::zeros({3}, at::kBFloat16))->Wait().ok());
  EXPECT_TRUE(fake.Broadcast(part, 3)->Wait().ok());
  EXPECT_TRUE(fake.Barrier().ok());
  using Kind = CollectiveKind;
  EXPECT_THAT(fake.record().entries(), ElementsAre(RecordedCollective{Kind::kAllGather, 160, 2},
                                                   RecordedCollective{Kind::kReduceScatter, 160, 1},
                                                   RecordedCollective{Kind::kAllReduce, 6, 1},
                                                   RecordedCollective{Kind::kBroadcast, 40, 1},
                                                   RecordedCollective{Kind::kBarrier, 0, 1}));
  EXPECT_EQ(fake.record().TotalBytes(), 2 * 160 + 160 + 6 + 40);
  fake.ClearRecord();
  EXPECT_TRUE(fake.record().entries().empty());
}

TEST(FakeCommunicatorTest, NeedsNoMemoryForTensorsWithoutNumbers) {
  FakeCommunicator fake(0, 4096);
  const at::Tensor terabytes =
      at::zeros({int64_t{1} << 40}, at::TensorOptions().dtype(at::kFloat).device(at::kMeta));
  EXPECT_TRUE(fake.AllReduce(terabytes)->Wait().ok());
  EXPECT_EQ(fake.record().TotalBytes(), int64_t{4} << 40);
}

TEST(FakeCommunicatorTest, RefusesWhatTheOthersRefuse) {
  FakeCommunicator fake(0, 2);
  EXPECT_FALSE(fake.AllGather(at::zeros({3}), at::zeros({2}))->Wait().ok());
  EXPECT_FALSE(fake.Barrier().ok()) << "and is of no more use";
  EXPECT_TRUE(fake.record().entries().empty());
}

}  // namespace
}  // namespace langevin::distributed
