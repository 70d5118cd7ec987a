#include "data/ingest/prepare_job.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "configs/prepare_config_text.h"
#include "core/base/log.h"
#include "core/base/status_macros.h"
#include "data/describe.h"
#include "data/ingest/analyse_item.h"
#include "data/ingest/analyse_job.h"
#include "data/ingest/append.h"
#include "data/ingest/dicom_series.h"
#include "data/ingest/inputs_digest.h"
#include "data/ingest/intensity/choose_intensities.h"
#include "data/ingest/medical/privacy.h"
#include "data/ingest/pictures.h"
#include "data/ingest/plan.h"
#include "data/ingest/preparation_folder.h"
#include "data/ingest/report.h"
#include "data/ingest/source_scan.h"
#include "data/ingest/spooled_pixels.h"
#include "data/ingest/write_job.h"

namespace langevin::data {
namespace {

constexpr size_t kMaxWarnings = 20;  // The rest are counted; rejected.csv has all.

void TellRejected(const PreparationSummary& summary) {
  for (size_t i = 0; i < std::min(summary.rejected.size(), kMaxWarnings); ++i) {
    const RejectedRow& row = summary.rejected[i];
    LogWarning("%s: rejected: %s", row.path, row.reason);
  }
  if (summary.rejected.size() > kMaxWarnings) {
    LogWarning("%d further rows are rejected; %s lists all", summary.rejected.size() - kMaxWarnings,
               kRejectedName);
  }
  for (const std::string& note : summary.notes) LogInfo("%s", note);
}

// What decides what is made of the inputs.
std::string IdentityOf(const PrepareOptions& options, const ParentDataset* parent) {
  const std::string config = configs::ToText(options.config);
  return parent == nullptr ? config : absl::StrCat(config, "behind ", parent->manifest.fingerprint);
}

class PrepareJob {
 public:
  PrepareJob(FileSystem& file_system, Group& group, const PrepareOptions& options,
             const std::string& target, Sources& sources, const ParentDataset* parent,
             const Privacy* privacy)
      : file_system_(file_system),
        group_(group),
        options_(options),
        target_(target),
        sources_(sources),
        parent_(parent),
        privacy_(privacy),
        config_text_(configs::ToText(options.config)) {}

  // All ranks together. Rank 0 gets the text.
  absl::StatusOr<std::string> Run() {
    LANGEVIN_ASSIGN_OR_RETURN(
        const std::vector<std::string> keys,
        GatherIfAllOk(group_, absl::OkStatus(),
                      group_.rank() == 0
                          ? JournalKey(file_system_, IdentityOf(options_, parent_), sources_)
                          : ""));
    LANGEVIN_ASSIGN_OR_RETURN(folder_,
                              PreparationFolder::Open(file_system_, group_, target_, keys.front()));
    absl::StatusOr<std::string> text = RunInFolder();
    // What another attempt would only fail at again is not kept for it.
    const absl::StatusCode code = text.status().code();
    if (code == absl::StatusCode::kDataLoss || code == absl::StatusCode::kInvalidArgument) {
      if (group_.rank() == 0) folder_->Discard().IgnoreError();
    }
    return text;
  }

 private:
  absl::StatusOr<std::string> RunInFolder() {
    const PrepareContext context = {.file_system = file_system_,
                                    .group = group_,
                                    .sources = sources_,
                                    .config = options_.config,
                                    .folder = *folder_,
                                    .privacy = privacy_,
                                    .workers = options_.workers,
                                    .stop_requested = options_.stop_requested};
    LANGEVIN_RETURN_IF_ERROR(AnalyseSources(context));
    absl::StatusOr<AnalysedSources> analysed = ReadAnalysis(context);
    LANGEVIN_RETURN_IF_ERROR(ShareOutcome(group_, analysed.status()));
    for (const ItemResult& item : analysed->items) contents_.push_back(item.contents);
    inputs_digest_ = InputsDigest(IdentityOf(options_, parent_), sources_, contents_);
    absl::StatusOr<Plan> plan = MakePlanFor(*analysed);
    LANGEVIN_RETURN_IF_ERROR(ShareOutcome(group_, plan.status()));
    if (group_.rank() == 0) TellRejected(plan->summary);
    plan->summary.title = BaseName(target_);
    plan->summary.config = config_text_;
    plan->summary.dry_run = options_.dry_run;
    if (parent_ == nullptr) {
      LANGEVIN_RETURN_IF_ERROR(
          ShareOutcome(group_, ChooseIntensities(context, *plan, analysed->places)));
    }

    absl::StatusOr<std::string> text = std::string();
    if (!options_.dry_run) {
      LANGEVIN_RETURN_IF_ERROR(WriteShards(context, *plan, analysed->places));
      if (group_.rank() == 0) text = Finish(context, *analysed, *plan);
    } else if (group_.rank() == 0) {
      text = FinishDryRun(context, *analysed, *plan);
    }
    LANGEVIN_RETURN_IF_ERROR(ShareOutcome(group_, text.status()));
    return text;
  }

  absl::StatusOr<Plan> MakePlanFor(AnalysedSources& analysed) {
    int64_t known = 0;
    if (parent_ != nullptr) {
      known = DropKnownSources(*parent_, analysed);
      if (analysed.images.empty() && known > 0) {
        return absl::InvalidArgumentError(absl::StrCat(
            parent_->folder, ": was made from all of these files already; there is nothing new"));
      }
      LANGEVIN_RETURN_IF_ERROR(MergeClasses(*parent_, sources_, analysed));
    }
    LANGEVIN_ASSIGN_OR_RETURN(
        Plan plan, MakePlan(sources_, options_.config, std::move(analysed.images), analysed.items,
                            parent_ != nullptr, std::max(1, options_.workers)));
    if (parent_ != nullptr) {
      LANGEVIN_RETURN_IF_ERROR(AppendTo(*parent_, plan));
      plan.summary.notes.push_back(
          absl::StrFormat("%d of %d files are in %s already and were passed over", known,
                          sources_.files.size(), parent_->folder));
    }
    return plan;
  }

  // One line a source file, the parent's included.
  std::string SourcesText() const {
    std::set<std::string> all(contents_.begin(), contents_.end());
    if (parent_ != nullptr) all.insert(parent_->contents.begin(), parent_->contents.end());
    std::string text;
    for (const std::string& line : all) absl::StrAppend(&text, line, "\n");
    return text;
  }

  absl::StatusOr<std::string> Finish(const PrepareContext& context, const AnalysedSources& analysed,
                                     Plan& plan) {
    for (PreparationSummary::PlannedDataset& dataset : plan.summary.datasets) {
      dataset.manifest.inputs_digest = inputs_digest_;
    }
    if (parent_ != nullptr) {
      LANGEVIN_RETURN_IF_ERROR(LinkOldShards(file_system_, *parent_, plan, folder_->DataPath()));
    }
    LANGEVIN_RETURN_IF_ERROR(CompleteManifests(context, plan));
    SpooledPixels pixels(context, plan, analysed.places);
    LANGEVIN_RETURN_IF_ERROR(AddPictures(pixels, plan));
    LANGEVIN_ASSIGN_OR_RETURN(const std::string report, ReportHtml(plan.summary));
    const std::string folder = folder_->DataPath();
    for (const auto& [name, contents_of_file] :
         {std::pair{std::string(kReportName), report},
          std::pair{std::string(kRejectedName), RejectedCsv(plan.summary)},
          std::pair{std::string(kSourcesName), SourcesText()},
          std::pair{std::string(kConfigName), config_text_}}) {
      LANGEVIN_RETURN_IF_ERROR(
          file_system_.WriteFileDurably(JoinPath(folder, name), contents_of_file));
    }
    for (const PreparationSummary::PlannedDataset& dataset : plan.summary.datasets) {
      LANGEVIN_RETURN_IF_ERROR(file_system_.WriteFileDurably(
          JoinPath(JoinPath(folder, dataset.subfolder), kManifestName),
          ManifestToText(dataset.manifest)));
    }
    LANGEVIN_RETURN_IF_ERROR(folder_->Commit());
    std::string text;
    for (const PreparationSummary::PlannedDataset& dataset : plan.summary.datasets) {
      LANGEVIN_ASSIGN_OR_RETURN(
          const std::string lines,
          DescribeDataset(file_system_, dataset.subfolder.empty()
                                            ? target_
                                            : JoinPath(target_, dataset.subfolder)));
      absl::StrAppend(&text, lines);
    }
    return text;
  }

  absl::StatusOr<std::string> FinishDryRun(const PrepareContext& context,
                                           const AnalysedSources& analysed, Plan& plan) {
    SpooledPixels pixels(context, plan, analysed.places);
    LANGEVIN_RETURN_IF_ERROR(AddPictures(pixels, plan));
    LANGEVIN_ASSIGN_OR_RETURN(const std::string report, ReportHtml(plan.summary));
    const std::string path = absl::StrCat(target_, ".", std::string(kReportName));
    LANGEVIN_RETURN_IF_ERROR(file_system_.WriteFileDurably(path, report));
    LANGEVIN_RETURN_IF_ERROR(folder_->Discard());
    std::string text;
    for (const PreparationSummary::PlannedDataset& dataset : plan.summary.datasets) {
      const auto count = [&dataset](Split split) {
        const SplitEntry* const entry = dataset.manifest.FindSplit(split);
        return entry == nullptr ? 0 : entry->count;
      };
      absl::StrAppendFormat(&text, "dry run: %s, train %d, validation %d, rejected %d\n",
                            Describe(dataset.manifest.shape, dataset.manifest.dtype),
                            count(Split::kTrain), count(Split::kValidation),
                            plan.summary.rejected.size());
    }
    absl::StrAppend(&text, "nothing written but ", path, "\n");
    return text;
  }

  FileSystem& file_system_;
  Group& group_;
  const PrepareOptions& options_;
  const std::string target_;
  Sources& sources_;
  const ParentDataset* const parent_;  // Null: nothing is appended to.
  const Privacy* const privacy_;       // Null: no source is medical.
  const std::string config_text_;
  std::unique_ptr<PreparationFolder> folder_;
  std::vector<std::string> contents_;  // Digests of the source files.
  std::string inputs_digest_;
};

// Whether nothing stands at `target`, or an empty folder, which a rename replaces.
absl::StatusOr<bool> IsFree(FileSystem& file_system, const std::string& target) {
  const absl::StatusOr<FileInfo> info = file_system.GetInfo(target);
  if (absl::IsNotFound(info.status())) return true;
  if (!info.ok()) return info.status();
  if (info->type != FileType::kDirectory) return false;
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> names, file_system.List(target));
  return names.empty();
}

// The folders of the data sets at `target`: itself, or its buckets.
absl::StatusOr<std::vector<std::string>> DatasetsAt(FileSystem& file_system,
                                                    const std::string& target) {
  if (file_system.Exists(JoinPath(target, kManifestName))) return std::vector{target};
  std::vector<std::string> folders;
  const auto names = file_system.List(target);
  for (const std::string& name : names.ok() ? *names : std::vector<std::string>()) {
    const std::string folder = JoinPath(target, name);
    if (file_system.Exists(JoinPath(folder, kManifestName))) folders.push_back(folder);
  }
  if (!folders.empty()) return folders;
  return absl::AlreadyExistsError(
      absl::StrCat(target, ": exists and is no data set; remove it, or choose another --output"));
}

// What to say of the data set that is at `target` already, if it is the one that would be made.
absl::StatusOr<std::string> DescribeExisting(FileSystem& file_system, const PrepareOptions& options,
                                             const std::string& target, const Sources& sources,
                                             const ParentDataset* parent) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> folders,
                            DatasetsAt(file_system, target));
  std::vector<std::string> contents;
  for (const SourceFile& file : sources.files) contents.push_back(ContentsOf(file));
  const std::string digest = InputsDigest(IdentityOf(options, parent), sources, contents);
  std::string text;
  for (const std::string& folder : folders) {
    LANGEVIN_ASSIGN_OR_RETURN(const Manifest manifest, ReadManifest(file_system, folder));
    if (manifest.inputs_digest != digest) {
      return absl::AlreadyExistsError(
          absl::StrCat(target,
                       ": is a data set of other inputs or options; remove it, or choose "
                       "another --output"));
    }
    LANGEVIN_ASSIGN_OR_RETURN(const std::string lines, DescribeDataset(file_system, folder));
    absl::StrAppend(&text, lines);
  }
  LANGEVIN_RETURN_IF_ERROR(PreparationFolder::RemoveLeftover(file_system, target));
  LogInfo("%s: was made from the same inputs before, and is left as it is", target);
  return text;
}

absl::Status CheckOptions(const PrepareOptions& options, const Sources& sources) {
  if (options.config.split.validation_fraction > 0 && sources.HasSplit(Split::kValidation)) {
    return absl::InvalidArgumentError(
        "split.validation_fraction is given, but the inputs have a validation split of their own; "
        "leave it out");
  }
  return absl::OkStatus();
}

// All ranks together. Makes `privacy` with the secret of this output (of the data set appended to,
// so that its patients stay who they are), hides names that may be patients', and makes DICOM files
// into series. A dry run writes no secret: its hashes are of one that nobody keeps.
absl::Status PrepareMedical(Group& group, const PrepareOptions& options, const std::string& target,
                            std::optional<Privacy>& privacy, Sources& sources) {
  absl::StatusOr<std::string> salt = std::string();
  if (group.rank() == 0) {
    configs::PrivacyConfig config = options.config.privacy;
    if (config.salt_file.empty() && !options.append_to.empty()) {
      config.salt_file = absl::StrCat(options.append_to, ".salt");
      // For what is appended to this one later. With the permissions of the old one.
      std::error_code error;
      std::filesystem::copy_file(config.salt_file, absl::StrCat(target, ".salt"),
                                 std::filesystem::copy_options::skip_existing, error);
    }
    if (options.dry_run) {
      salt = ReadSalt(config, target);
      if (absl::IsNotFound(salt.status())) salt = std::string("a secret of no consequence");
    } else {
      salt = ReadOrMakeSalt(config, target);
    }
  }
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> texts,
                            GatherIfAllOk(group, salt.status(), salt.ok() ? *salt : ""));
  privacy.emplace(texts.front(), options.config.privacy);
  for (SourceFile& file : sources.files) {
    if (IsMedical(file)) file.safe_name = SafeFileName(*privacy, file.name());
  }
  return GroupDicomSeries(group, options.workers, *privacy, sources);
}

}  // namespace

absl::StatusOr<std::string> PrepareDataset(FileSystem& file_system, Group& group,
                                           const PrepareOptions& options) {
  if (options.inputs.empty() || options.output.empty()) {
    return absl::InvalidArgumentError("prepare needs --input and --output");
  }
  std::error_code error;
  std::string target = std::filesystem::absolute(options.output, error).lexically_normal().string();
  if (error) target = options.output;
  while (target.size() > 1 && target.back() == '/') target.pop_back();

  absl::StatusOr<Sources> sources = FindSources(file_system, options.inputs);
  absl::Status ready = sources.ok() ? CheckOptions(options, *sources) : sources.status();
  std::optional<Privacy> privacy;
  if (ready.ok() && HasMedicalFiles(*sources)) {
    ready = PrepareMedical(group, options, target, privacy, *sources);
  }
  std::optional<ParentDataset> parent;
  if (ready.ok() && !options.append_to.empty()) {
    auto opened = OpenParent(file_system, options.append_to, configs::ToText(options.config));
    ready = opened.status();
    if (opened.ok()) parent = *std::move(opened);
  }
  const ParentDataset* const parent_or_null = parent.has_value() ? &*parent : nullptr;
  // Rank 0 looks whether there is anything to do.
  std::string existing;
  if (ready.ok() && !options.dry_run && group.rank() == 0) {
    const absl::StatusOr<bool> is_free = IsFree(file_system, target);
    ready = is_free.status();
    if (is_free.ok() && !*is_free) {
      const auto text = DescribeExisting(file_system, options, target, *sources, parent_or_null);
      ready = text.status();
      if (text.ok()) existing = *text;
    }
  }
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> texts,
                            GatherIfAllOk(group, ready, existing));
  if (!texts.front().empty()) return texts.front();
  return PrepareJob(file_system, group, options, target, *sources, parent_or_null,
                    privacy.has_value() ? &*privacy : nullptr)
      .Run();
}

}  // namespace langevin::data
