#include "core/monitor/run_monitor.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/png.h"
#include "core/base/status_macros.h"
#include "core/monitor/event_list.h"
#include "core/monitor/metrics_file.h"
#include "core/monitor/report.h"
#include "core/monitor/status_line.h"
#include "core/monitor/tensorboard.h"

namespace langevin::monitor {
namespace {

constexpr size_t kPicturesInReport = 6;
// Larger pictures are named in the report instead of being part of it.
constexpr uint64_t kLargestPictureInReport = 8 << 20;

constexpr std::string_view kPicturePrefix = "images-";
constexpr std::string_view kPictureSuffix = ".png";

// The images_seen of a file that Samples wrote, from its name; nothing for other files.
std::optional<int64_t> ImagesSeenOfPicture(std::string_view name) {
  if (!name.starts_with(kPicturePrefix) || !name.ends_with(kPictureSuffix)) return std::nullopt;
  name.remove_prefix(kPicturePrefix.size());
  name.remove_suffix(kPictureSuffix.size());
  int64_t images_seen = 0;
  if (!absl::SimpleAtoi(absl::string_view(name.data(), name.size()), &images_seen)) {
    return std::nullopt;
  }
  return images_seen;
}

class RunMonitorImpl : public RunMonitor {
 public:
  RunMonitorImpl(FileSystem& file_system, const std::string& run_folder, const RunFacts& facts,
                 int64_t images_seen, MetricsFile metrics, EventList events)
      : file_system_(file_system),
        run_folder_(run_folder),
        facts_(facts),
        images_seen_(images_seen),
        metrics_(std::move(metrics)),
        events_(std::move(events)) {
    OpenTensorBoard();
  }

  // What stands below the log on a terminal belongs to a run that is over.
  ~RunMonitorImpl() override { LogStatusLine(""); }

  void Log(const LogPoint& point) override {
    images_seen_ = std::max(images_seen_, point.images_seen);
    progress_.Add(point);
    LogStatusLine(
        StatusLine(point, facts_.total_images, progress_.SecondsLeft(facts_.total_images)));
    WarnOnce(metrics_.Append(point, UnixSeconds()));
    if (tensorboard_ == nullptr) OpenTensorBoard();
    if (tensorboard_ == nullptr) return;
    WarnOnce(tensorboard_->Scalars(point.images_seen,
                                   {{"loss", point.loss},
                                    {"gradient_norm", point.gradient_norm},
                                    {"learning_rate", point.learning_rate},
                                    {"images_per_s", point.images_per_s},
                                    {"loader_wait_share", point.loader_wait_share},
                                    {"rank_spread", point.rank_spread},
                                    {"skipped_steps", static_cast<double>(point.skipped_steps)},
                                    {"loss_spikes", static_cast<double>(point.loss_spikes)}}));
  }

  void Samples(int64_t images_seen, const ImageBatch& images) override {
    if (images.count == 0) return;
    images_seen_ = std::max(images_seen_, images_seen);
    WarnOnce(WriteSamples(images_seen, images));
  }

  void Event(int64_t images_seen, const std::string& what) override {
    LogInfo("%d images: %s", images_seen, what);
    Append(images_seen, what);
  }

  void Warn(int64_t images_seen, const std::string& what) override {
    LogWarning("%d images: %s", images_seen, what);
    Append(images_seen, what);
  }

  void WriteReport() override {
    WarnOnce([&] {
      LANGEVIN_ASSIGN_OR_RETURN(const ReportContent content, CollectReport());
      return file_system_.WriteFileDurably(JoinPath(run_folder_, "report.html"),
                                           RenderReport(content));
    }());
  }

 private:
  void Append(int64_t images_seen, const std::string& what) {
    images_seen_ = std::max(images_seen_, images_seen);
    WarnOnce(events_.Append({images_seen, UnixSeconds(), what}));
  }

  std::string SamplesFolder() const { return JoinPath(run_folder_, "samples"); }

  void OpenTensorBoard() {
    absl::StatusOr<std::unique_ptr<TensorBoardWriter>> writer =
        TensorBoardWriter::Open(file_system_, run_folder_, images_seen_);
    WarnOnce(writer.status());
    if (writer.ok()) tensorboard_ = *std::move(writer);
  }

  absl::Status WriteSamples(int64_t images_seen, const ImageBatch& images) {
    const int64_t values_per_image = images.channels * images.height * images.width;
    std::vector<Picture> tiles;
    for (int64_t i = 0; i < images.count; ++i) {
      tiles.push_back(
          PictureFromModelRange(images.values.subspan(i * values_per_image, values_per_image),
                                images.channels, images.height, images.width));
    }
    const Picture grid = Grid(tiles);
    LANGEVIN_ASSIGN_OR_RETURN(const std::string png, EncodePng(grid));
    const absl::Status written = [&] {
      LANGEVIN_RETURN_IF_ERROR(file_system_.CreateFolders(SamplesFolder()));
      return file_system_.WriteFileDurably(
          JoinPath(SamplesFolder(),
                   absl::StrFormat("%s%012d%s", kPicturePrefix, images_seen, kPictureSuffix)),
          png);
    }();
    // Each of the two is of use without the other.
    if (tensorboard_ != nullptr) {
      const absl::Status shown = tensorboard_->Image(images_seen, "samples", grid, png);
      if (written.ok()) return shown;
    }
    return written;
  }

  absl::StatusOr<ReportContent> CollectReport() {
    ReportContent content;
    content.facts = facts_;
    content.images_seen = images_seen_;
    content.unix_time = UnixSeconds();
    LANGEVIN_ASSIGN_OR_RETURN(content.points,
                              ReadMetrics(file_system_, JoinPath(run_folder_, "metrics.jsonl")));
    LANGEVIN_ASSIGN_OR_RETURN(content.events,
                              ReadEvents(file_system_, JoinPath(run_folder_, "events.jsonl")));
    content.samples = NewestPictures();
    return content;
  }

  // In order of time. Pictures of steps that the run has not come to again since it went back to a
  // checkpoint are not shown; those that cannot be read are left out.
  std::vector<SamplePicture> NewestPictures() {
    std::vector<SamplePicture> pictures;
    const absl::StatusOr<std::vector<std::string>> names = file_system_.List(SamplesFolder());
    if (!names.ok()) return pictures;  // None were written so far.
    for (const std::string& name : *names) {
      const std::optional<int64_t> images_seen = ImagesSeenOfPicture(name);
      if (!images_seen.has_value() || *images_seen > images_seen_) continue;
      pictures.push_back({.images_seen = *images_seen, .png = {}, .path = "samples/" + name});
    }
    if (pictures.size() > kPicturesInReport) {
      pictures.erase(pictures.begin(), pictures.end() - kPicturesInReport);
    }
    for (SamplePicture& picture : pictures) {
      absl::StatusOr<std::string> png =
          file_system_.ReadFile(JoinPath(run_folder_, picture.path), kLargestPictureInReport);
      if (png.ok()) picture.png = *std::move(png);
    }
    return pictures;
  }

  // A disk that is full is so for all files and for a long time: one warning says it.
  void WarnOnce(const absl::Status& status) {
    if (status.ok() || has_warned_) return;
    has_warned_ = true;
    LogWarning("%s; training goes on, but its metrics, pictures or report will have gaps",
               std::string(status.message()));
  }

  FileSystem& file_system_;
  const std::string run_folder_;
  const RunFacts facts_;
  int64_t images_seen_;
  MetricsFile metrics_;
  EventList events_;
  std::unique_ptr<TensorBoardWriter> tensorboard_;  // Null while it cannot be opened.
  ProgressEstimate progress_;
  bool has_warned_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RunMonitor>> RunMonitor::Open(FileSystem& file_system,
                                                             const std::string& run_folder,
                                                             const RunFacts& facts,
                                                             int64_t images_seen) {
  LANGEVIN_ASSIGN_OR_RETURN(
      MetricsFile metrics,
      MetricsFile::Open(file_system, JoinPath(run_folder, "metrics.jsonl"), images_seen));
  LANGEVIN_ASSIGN_OR_RETURN(
      EventList events,
      EventList::Open(file_system, JoinPath(run_folder, "events.jsonl"), images_seen));
  return std::make_unique<RunMonitorImpl>(file_system, run_folder, facts, images_seen,
                                          std::move(metrics), std::move(events));
}

}  // namespace langevin::monitor
