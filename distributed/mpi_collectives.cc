#include "distributed/mpi_collectives.h"

#include <algorithm>
#include <utility>

#include "ATen/core/grad_mode.h"
#include "ATen/ops/add.h"
#include "ATen/ops/empty.h"
#include "ATen/ops/sum.h"
#include "c10/util/BFloat16.h"
#include "core/base/status_macros.h"
#include "distributed/mpi_status.h"
#include "distributed/torch_errors.h"

namespace langevin::distributed {
namespace {

// MPI's signature of a user-defined sum.
void SumBfloat16(void* in, void* inout, int* length, MPI_Datatype*) {
  const auto* from = static_cast<const c10::BFloat16*>(in);
  auto* to = static_cast<c10::BFloat16*>(inout);
  for (int i = 0; i < *length; ++i) {
    to[i] = static_cast<float>(to[i]) + static_cast<float>(from[i]);
  }
}

MPI_Datatype TypeOf(const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case at::kFloat:
      return MPI_FLOAT;
    case at::kDouble:
      return MPI_DOUBLE;
    default:
      return MPI_UINT16_T;  // bfloat16, summed by SumBfloat16.
  }
}

char* Bytes(const at::Tensor& tensor) { return static_cast<char*>(tensor.data_ptr()); }

// Blocks of `length` bytes, `stride` bytes apart, as MPI sees them.
class StridedBytes {
 public:
  static absl::StatusOr<StridedBytes> Create(int64_t length, int64_t stride) {
    StridedBytes result;
    if (length == stride) {  // Without gaps MPI is faster with a type of its own.
      result.count_ = static_cast<int>(length);
      return result;
    }
    MPI_Datatype block = MPI_DATATYPE_NULL;
    LANGEVIN_RETURN_IF_ERROR(
        MpiStatus(MPI_Type_contiguous(static_cast<int>(length), MPI_BYTE, &block), "MPI type"));
    const int code = MPI_Type_create_resized(block, 0, stride, &result.type_);
    MPI_Type_free(&block);
    LANGEVIN_RETURN_IF_ERROR(MpiStatus(code, "MPI type"));
    LANGEVIN_RETURN_IF_ERROR(MpiStatus(MPI_Type_commit(&result.type_), "MPI type"));
    return result;
  }
  StridedBytes(StridedBytes&& other) noexcept
      : count_(other.count_), type_(std::exchange(other.type_, MPI_DATATYPE_NULL)) {}
  ~StridedBytes() {
    if (type_ != MPI_DATATYPE_NULL) MPI_Type_free(&type_);
  }

  // One block is `count()` items of `type()`.
  int count() const { return count_; }
  MPI_Datatype type() const { return type_ == MPI_DATATYPE_NULL ? MPI_BYTE : type_; }

 private:
  StridedBytes() = default;
  int count_ = 1;
  MPI_Datatype type_ = MPI_DATATYPE_NULL;
};

// Calls piece(offset, length) over [0, total) in steps of at most `largest`, until one fails.
template <typename Piece>
absl::Status ForEachPiece(int64_t total, int64_t largest, Piece&& piece) {
  largest = std::max<int64_t>(largest, 1);
  for (int64_t offset = 0; offset < total; offset += largest) {
    LANGEVIN_RETURN_IF_ERROR(piece(offset, std::min(largest, total - offset)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<MpiCollectives>> MpiCollectives::Create(MPI_Comm comm) {
  MPI_Op sum_bfloat16 = MPI_OP_NULL;
  LANGEVIN_RETURN_IF_ERROR(
      MpiStatus(MPI_Op_create(&SumBfloat16, /*commute=*/1, &sum_bfloat16), "MPI_Op_create"));
  return std::unique_ptr<MpiCollectives>(new MpiCollectives(comm, sum_bfloat16));
}

MpiCollectives::MpiCollectives(MPI_Comm comm, MPI_Op sum_bfloat16)
    : comm_(comm), sum_bfloat16_(sum_bfloat16) {
  MPI_Comm_size(comm_, &size_);
}

absl::Status MpiCollectives::Shutdown() {
  return MpiStatus(MPI_Op_free(&sum_bfloat16_), "MPI_Op_free");
}

absl::Status MpiCollectives::Run(const Collective& collective) {
  switch (collective.kind) {
    case CollectiveKind::kAllReduce:
      return AllReduce(collective.output);
    case CollectiveKind::kReduceScatter:
      return ReduceScatter(collective.output, collective.input);
    case CollectiveKind::kAllGather:
      return AllGather(collective.output, collective.input);
    case CollectiveKind::kAllToAll:
      return AllToAll(collective.output, collective.input);
    case CollectiveKind::kBroadcast:
      return Broadcast(collective.output, collective.root);
    case CollectiveKind::kBarrier:
      return MpiStatus(MPI_Barrier(comm_), "barrier");
  }
  return absl::InternalError("unknown collective");
}

absl::Status MpiCollectives::AllReduce(const at::Tensor& tensor) {
  const int64_t element = static_cast<int64_t>(tensor.element_size());
  const MPI_Op sum = tensor.scalar_type() == at::kBFloat16 ? sum_bfloat16_ : MPI_SUM;
  return ForEachPiece(tensor.numel(), kPieceBytes / element, [&](int64_t offset, int64_t length) {
    return MpiStatus(MPI_Allreduce(MPI_IN_PLACE, Bytes(tensor) + offset * element,
                                   static_cast<int>(length), TypeOf(tensor), sum, comm_),
                     "all_reduce");
  });
}

// As an all_to_all and a sum here. MPI_Reduce_scatter_block sends as much, but of Open MPI 4.1 took
// 24 ms a step longer for the 34 MiB of two ranks (tests/bench/compare_ddp.py).
absl::Status MpiCollectives::ReduceScatter(const at::Tensor& output, const at::Tensor& input) {
  const int64_t element = static_cast<int64_t>(output.element_size());
  const at::Tensor sum = output.view({-1});
  return ForEachPiece(
      sum.numel(), kPieceBytes / (element * size_), [&](int64_t offset, int64_t length) {
        at::Tensor from_ranks = Received(size_ * length, output.options()).view({size_, length});
        const int bytes = static_cast<int>(length * element);
        LANGEVIN_ASSIGN_OR_RETURN(const StridedBytes blocks,
                                  StridedBytes::Create(bytes, sum.numel() * element));
        LANGEVIN_RETURN_IF_ERROR(
            MpiStatus(MPI_Alltoall(Bytes(input) + offset * element, blocks.count(), blocks.type(),
                                   Bytes(from_ranks), bytes, MPI_BYTE, comm_),
                      "reduce_scatter"));
        return CatchTorchErrors("reduce_scatter", [&] {
          const at::NoGradGuard no_grad;
          at::Tensor piece = sum.narrow(0, offset, length);
          if (size_ == 2) {
            at::add_out(piece, from_ranks[0], from_ranks[1]);
          } else {  // Slower for two; of bfloat16 it rounds once.
            at::sum_out(piece, from_ranks, {0});
          }
          return absl::OkStatus();
        });
      });
}

at::Tensor MpiCollectives::Received(int64_t numel, const at::TensorOptions& options) {
  if (!received_.defined() || received_.numel() < numel ||
      !received_.options().type_equal(options)) {
    received_ = at::empty({numel}, options);
  }
  return received_.narrow(0, 0, numel);
}

absl::Status MpiCollectives::AllGather(const at::Tensor& output, const at::Tensor& input) {
  const int64_t slice = static_cast<int64_t>(input.nbytes());
  int rank = 0;
  MPI_Comm_rank(comm_, &rank);
  const bool in_place = Bytes(input) == Bytes(output) + rank * slice;
  return ForEachPiece(slice, kPieceBytes / size_, [&](int64_t offset, int64_t length) {
    LANGEVIN_ASSIGN_OR_RETURN(const StridedBytes blocks, StridedBytes::Create(length, slice));
    const void* send = in_place ? MPI_IN_PLACE : Bytes(input) + offset;
    return MpiStatus(MPI_Allgather(send, static_cast<int>(length), MPI_BYTE, Bytes(output) + offset,
                                   blocks.count(), blocks.type(), comm_),
                     "all_gather");
  });
}

absl::Status MpiCollectives::AllToAll(const at::Tensor& output, const at::Tensor& input) {
  const int64_t slice = static_cast<int64_t>(input.nbytes()) / size_;
  return ForEachPiece(slice, kPieceBytes / size_, [&](int64_t offset, int64_t length) {
    LANGEVIN_ASSIGN_OR_RETURN(const StridedBytes blocks, StridedBytes::Create(length, slice));
    return MpiStatus(MPI_Alltoall(Bytes(input) + offset, blocks.count(), blocks.type(),
                                  Bytes(output) + offset, blocks.count(), blocks.type(), comm_),
                     "all_to_all");
  });
}

absl::Status MpiCollectives::Broadcast(const at::Tensor& tensor, int root) {
  return ForEachPiece(
      static_cast<int64_t>(tensor.nbytes()), kPieceBytes, [&](int64_t offset, int64_t length) {
        return MpiStatus(
            MPI_Bcast(Bytes(tensor) + offset, static_cast<int>(length), MPI_BYTE, root, comm_),
            "broadcast");
      });
}

}  // namespace langevin::distributed
