// Save: the protocol of checkpoint.h, step by step.
#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "core/base/log.h"
#include "core/base/safetensors.h"
#include "core/base/status_macros.h"
#include "core/checkpoint/checkpoint.h"
#include "core/checkpoint/exchange.h"
#include "core/checkpoint/folders.h"
#include "core/checkpoint/manifest.h"
#include "core/checkpoint/retention.h"
#include "core/checkpoint/shard.h"
#include "core/checkpoint/verify.h"

namespace langevin::checkpoint {
namespace {

// Names what ranks must have been given alike.
std::string SchemaDigest(const Metadata& metadata, const std::vector<TensorView>& tensors) {
  Digest digest;
  digest.UpdateInteger(static_cast<uint64_t>(metadata.images_seen));
  for (const TensorView& tensor : tensors) {
    digest.UpdateString(tensor.name);
    digest.UpdateString(NameOf(tensor.dtype));
    digest.UpdateString(ShapeString(tensor.shape));
  }
  return digest.Hex();
}

absl::Status CheckArguments(const Metadata& metadata, const std::vector<TensorView>& tensors,
                            int keep) {
  if (metadata.images_seen < 0 || keep < 1) {
    return absl::InternalError(
        absl::StrCat("images_seen ", metadata.images_seen, " or keep ", keep, " is out of range"));
  }
  return CheckTensorSchema(tensors);
}

std::string Advice(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kResourceExhausted:
      return "make room there";
    case absl::StatusCode::kDataLoss:
      return "check the disk";
    case absl::StatusCode::kPermissionDenied:
      return "make the run folder writable";
    case absl::StatusCode::kNotFound:
      return "the run folder must be on a file system that all ranks see";
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kAborted:
      return "run again to go on from the newest";
    default:
      return "";
  }
}

// One call of Save. Errors inside are as they came; Save adds the checkpoint's name.
class Saving {
 public:
  Saving(FileSystem& file_system, Group& group, const std::string& run_folder,
         const Metadata& metadata, const std::vector<TensorView>& tensors, int keep)
      : file_system_(file_system),
        group_(group),
        run_folder_(run_folder),
        checkpoints_(CheckpointsFolder(run_folder)),
        target_(JoinPath(checkpoints_, FolderName(metadata.images_seen))),
        metadata_(metadata),
        tensors_(tensors),
        keep_(keep) {}

  absl::Status Run() {
    const absl::Status status = AllSteps();
    // All ranks have closed their files by now, unless one is gone.
    if (!temporary_.empty() && group_.rank() == 0) {
      file_system_.RemoveTree(temporary_).IgnoreError();
    }
    if (status.ok()) return status;
    std::string message = absl::StrCat(target_, ": was not saved: ", std::string(status.message()),
                                       "; older checkpoints are as they were");
    if (const std::string advice = Advice(status); !advice.empty()) {
      absl::StrAppend(&message, "; ", advice);
    }
    return absl::Status(status.code(), message);
  }

 private:
  bool is_first() const { return group_.rank() == 0; }

  absl::Status AllSteps() {
    proto::RankReport report;
    report.set_schema(SchemaDigest(metadata_, tensors_));
    absl::Status status = CheckArguments(metadata_, tensors_, keep_);
    if (status.ok() && is_first()) status = Prepare(report);
    LANGEVIN_ASSIGN_OR_RETURN(std::vector<proto::RankReport> reports,
                              Exchange(group_, status, report));
    for (size_t rank = 1; rank < reports.size(); ++rank) {
      if (reports[rank].schema() != reports[0].schema()) {
        return absl::InternalError(absl::StrCat("rank ", rank, " saves other tensors than rank 0"));
      }
    }
    if (reports[0].exists()) return absl::OkStatus();

    const std::vector<int> owners = DivideTensors(tensors_, group_.size());
    proto::RankReport shard;
    status = WriteShard(file_system_, JoinPath(checkpoints_, reports[0].temporary_name()),
                        metadata_.images_seen, tensors_, owners, group_.rank(), shard);
    LANGEVIN_ASSIGN_OR_RETURN(reports, Exchange(group_, status, shard));

    if (is_first()) status = Commit(reports);
    return Exchange(group_, status, {}).status();
  }

  // Makes the folder to write into, or finds that there is nothing to do.
  absl::Status Prepare(proto::RankReport& report) {
    LANGEVIN_RETURN_IF_ERROR(file_system_.CreateFolders(run_folder_));
    LANGEVIN_RETURN_IF_ERROR(file_system_.CreateFolder(checkpoints_));
    // Every time: a run that was killed may have made the folder without coming to this line.
    LANGEVIN_RETURN_IF_ERROR(file_system_.SyncFolder(run_folder_));
    RemoveLeftovers(file_system_, checkpoints_);
    LANGEVIN_ASSIGN_OR_RETURN(const bool exists, ExistsUndamaged());
    report.set_exists(exists);
    if (exists) return absl::OkStatus();
    report.set_temporary_name(TemporaryName(metadata_.images_seen));
    temporary_ = JoinPath(checkpoints_, report.temporary_name());
    return file_system_.CreateFolder(temporary_);
  }

  // Whether the checkpoint is there already and can be acknowledged. A damaged one is put aside.
  absl::StatusOr<bool> ExistsUndamaged() {
    const absl::Status there = file_system_.GetInfo(target_).status();
    if (absl::IsNotFound(there)) return false;
    LANGEVIN_RETURN_IF_ERROR(there);
    const absl::Status verified = VerifyCheckpoint(file_system_, target_).status();
    if (absl::IsDataLoss(verified)) {
      LANGEVIN_ASSIGN_OR_RETURN(const std::string bad,
                                Quarantine(file_system_, checkpoints_, BaseName(target_)));
      LogWarning("%s; renamed to %s and saved anew", std::string(verified.message()), bad);
      return false;
    }
    LANGEVIN_RETURN_IF_ERROR(verified);
    // Whoever wrote it may have been killed between the rename and this.
    LANGEVIN_RETURN_IF_ERROR(file_system_.SyncFolder(checkpoints_));
    KeepNewest(file_system_, checkpoints_, keep_);
    return true;
  }

  absl::Status Commit(const std::vector<proto::RankReport>& reports) {
    LANGEVIN_RETURN_IF_ERROR(WriteManifest(EncodeManifest(ManifestOf(reports))));
    LANGEVIN_RETURN_IF_ERROR(file_system_.SyncFolder(temporary_));
    LANGEVIN_RETURN_IF_ERROR(file_system_.Rename(temporary_, target_));
    if (const absl::Status synced = file_system_.SyncFolder(checkpoints_); !synced.ok()) {
      // Nobody may find, and build upon, what is not sure to stay.
      file_system_.Rename(target_, temporary_).IgnoreError();
      return synced;
    }
    temporary_.clear();
    KeepNewest(file_system_, checkpoints_, keep_);
    return absl::OkStatus();
  }

  proto::CheckpointManifest ManifestOf(const std::vector<proto::RankReport>& reports) const {
    proto::CheckpointManifest manifest = ManifestFor(metadata_);
    std::vector<proto::CheckpointManifest::Tensor> tensors;
    for (const proto::RankReport& report : reports) {
      if (!report.has_file()) continue;
      for (const proto::CheckpointManifest::Tensor& tensor : report.tensors()) {
        tensors.push_back(tensor);
        tensors.back().set_file(static_cast<uint32_t>(manifest.files_size()));
      }
      *manifest.add_files() = report.file();
    }
    std::sort(tensors.begin(), tensors.end(),
              [](const auto& a, const auto& b) { return a.name() < b.name(); });
    for (proto::CheckpointManifest::Tensor& tensor : tensors) {
      *manifest.add_tensors() = std::move(tensor);
    }
    return manifest;
  }

  absl::Status WriteManifest(const std::string& bytes) {
    LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> file,
                              file_system_.NewWritableFile(JoinPath(temporary_, kManifestName)));
    LANGEVIN_RETURN_IF_ERROR(file->Append(bytes));
    LANGEVIN_RETURN_IF_ERROR(file->Sync());
    return file->Close();
  }

  FileSystem& file_system_;
  Group& group_;
  const std::string run_folder_;
  const std::string checkpoints_;
  const std::string target_;
  const Metadata& metadata_;
  const std::vector<TensorView>& tensors_;
  const int keep_;
  std::string temporary_;  // On rank 0, while there is one to remove.
};

}  // namespace

absl::Status Save(FileSystem& file_system, Group& group, const std::string& run_folder,
                  const Metadata& metadata, const std::vector<TensorView>& tensors, int keep) {
  return Saving(file_system, group, run_folder, metadata, tensors, keep).Run();
}

}  // namespace langevin::checkpoint
