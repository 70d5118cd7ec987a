#include "data/ingest/write_job.h"

#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/status_macros.h"
#include "data/ingest/spooled_pixels.h"
#include "data/shard_reader.h"

namespace langevin::data {
namespace {

std::string FolderOf(const PrepareContext& context, const Plan& plan, int32_t dataset) {
  const std::string& subfolder = plan.summary.datasets[static_cast<size_t>(dataset)].subfolder;
  return subfolder.empty() ? context.folder.DataPath()
                           : JoinPath(context.folder.DataPath(), subfolder);
}

// Whether the shard is there as planned. It is under its name only if it is whole.
bool IsWritten(const PrepareContext& context, const ShardPlan& shard, const std::string& path) {
  const auto reader = ShardReader::Open(context.file_system, path);
  return reader.ok() && (*reader)->count() == static_cast<int64_t>(shard.images.size());
}

class ShareWriter {
 public:
  ShareWriter(const PrepareContext& context, const Plan& plan,
              const std::vector<SpoolPlace>& places)
      : context_(context), plan_(plan), pixels_(context, plan, places) {
    for (size_t i = 0; i < plan.shards.size(); ++i) {
      if (IsMine(i)) total_ += static_cast<double>(BytesOf(plan.shards[i]));
    }
  }
  ~ShareWriter() { LogStatusLine(""); }

  absl::Status Run() {
    for (size_t i = 0; i < plan_.shards.size(); ++i) {
      if (!IsMine(i)) continue;
      const ShardPlan& shard = plan_.shards[i];
      const std::string path = JoinPath(FolderOf(context_, plan_, shard.dataset), shard.file);
      if (IsWritten(context_, shard, path)) {
        done_ += static_cast<double>(BytesOf(shard));
        continue;
      }
      LANGEVIN_RETURN_IF_ERROR(Write(shard, path));
    }
    return absl::OkStatus();
  }

 private:
  bool IsMine(size_t shard) const {
    return static_cast<int>(shard) % context_.group.size() == context_.group.rank();
  }

  const ShardSpec& SpecOf(const ShardPlan& shard) const {
    return plan_.specs[static_cast<size_t>(shard.dataset)];
  }
  int64_t BytesOf(const ShardPlan& shard) const {
    return static_cast<int64_t>(shard.images.size()) * SpecOf(shard).image_bytes();
  }

  absl::Status Write(const ShardPlan& shard, const std::string& path) {
    LANGEVIN_RETURN_IF_ERROR(CheckStop(context_));
    const ShardSpec& spec = SpecOf(shard);
    ShardWriter writer(spec);
    writer.Expect(static_cast<int64_t>(shard.images.size()));
    for (const int64_t image : shard.images) {
      LANGEVIN_RETURN_IF_ERROR(pixels_.ReadStored(image, pixels_of_image_));
      const ImageRecord& record = plan_.summary.images[static_cast<size_t>(image)];
      ShardSample sample = {
          .pixels = pixels_of_image_.pixels,
          .label = record.label,
          .group = record.group,
          .condition = context_.sources.files[static_cast<size_t>(record.item)].condition};
      if (context_.config.missing.keep_mask) {
        sample.mask = {reinterpret_cast<const uint8_t*>(pixels_of_image_.mask.data()),
                       pixels_of_image_.mask.size()};
      }
      writer.Add(sample);
      done_ += static_cast<double>(spec.image_bytes());
      if (const double now = MonotonicSeconds(); now - last_look_ >= 0.5) {
        last_look_ = now;
        LANGEVIN_RETURN_IF_ERROR(CheckStop(context_));
        ShowProgress(now - start_);
      }
    }
    return writer.Write(context_.file_system, path).status();
  }

  void ShowProgress(double seconds) const {
    LogStatusLine(absl::StrFormat("writing %3.0f%%  %.0f MB/s  %s left", 100 * done_ / total_,
                                  done_ * 1e-6 / seconds,
                                  FormatDuration(seconds * (total_ - done_) / done_)));
  }

  const PrepareContext& context_;
  const Plan& plan_;
  SpooledPixels pixels_;
  PixelsAndMask pixels_of_image_;
  const double start_ = MonotonicSeconds();
  double last_look_ = start_;
  double total_ = 0, done_ = 0;  // Bytes.
};

}  // namespace

absl::Status WriteShards(const PrepareContext& context, const Plan& plan,
                         const std::vector<SpoolPlace>& places) {
  absl::Status status;
  if (context.group.rank() == 0) {
    for (int32_t dataset = 0; status.ok() && dataset < static_cast<int32_t>(plan.specs.size());
         ++dataset) {
      status = context.file_system.CreateFolder(FolderOf(context, plan, dataset));
    }
  }
  LANGEVIN_RETURN_IF_ERROR(GatherIfAllOk(context.group, status, "").status());
  status = ShareWriter(context, plan, places).Run();
  if (!status.ok()) context.folder.RequestStop();
  return ShareOutcome(context.group, status);
}

absl::Status CompleteManifests(const PrepareContext& context, Plan& plan) {
  for (size_t dataset = 0; dataset < plan.specs.size(); ++dataset) {
    Manifest& manifest = plan.summary.datasets[dataset].manifest;
    const std::string folder = FolderOf(context, plan, static_cast<int32_t>(dataset));
    for (SplitEntry& split : manifest.splits) {
      ContentDigest digest;
      for (ShardEntry& shard : split.shards) {
        LANGEVIN_ASSIGN_OR_RETURN(
            const std::unique_ptr<ShardReader> reader,
            ShardReader::Open(context.file_system, JoinPath(folder, shard.file)));
        shard.digest = reader->digest();
        for (size_t i = 0; i < reader->crcs().size(); ++i) {
          digest.Add(reader->crcs()[i], manifest.has_labels ? reader->labels()[i] : -1,
                     reader->extras_crc(static_cast<int64_t>(i)));
        }
        manifest.has_masks = manifest.has_masks || reader->has_masks();
      }
      split.digest = digest.Hex();
    }
    manifest.fingerprint = Fingerprint(manifest);
  }
  return absl::OkStatus();
}

}  // namespace langevin::data
