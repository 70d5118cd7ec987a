#include "data/ingest/dicom_series.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/status_macros.h"
#include "data/ingest/medical/series.h"
#include "data/ingest/readers/dicom_decoder.h"
#include "data/ingest/sandboxed_worker.h"

namespace langevin::data {
namespace {

bool IsDicom(const SourceFile& file) { return file.format == "DICOM"; }

// A line of text for each file; those of files that failed begin with this.
constexpr char kFailed = '!';

class ProbeReceiver : public WorkReceiver {
 public:
  ProbeReceiver(int64_t first, std::vector<std::string>& lines) : first_(first), lines_(lines) {}

  absl::StatusOr<bool> Record(int64_t file, std::string_view text,
                              std::span<const std::byte> /*payload*/) override {
    if (text.find('\n') != std::string_view::npos || !ProbeFromText(text).ok()) return false;
    At(file) = std::string(text);
    return true;
  }
  absl::Status Done(int64_t file, const std::string& reason, const std::string& /*last_words*/,
                    bool /*lost*/) override {
    if (!reason.empty()) At(file) = kFailed + reason;
    std::replace(At(file).begin(), At(file).end(), '\n', ' ');
    return absl::OkStatus();
  }
  void Again(int64_t file) override { At(file).clear(); }

 private:
  std::string& At(int64_t file) { return lines_[static_cast<size_t>(file - first_)]; }

  const int64_t first_;
  std::vector<std::string>& lines_;
};

// The lines of files [first, end) of `paths`.
absl::StatusOr<std::vector<std::string>> ProbeShare(const std::vector<std::string>& paths,
                                                    int64_t first, int64_t end, int workers,
                                                    const Privacy& privacy) {
  std::vector<std::string> lines(static_cast<size_t>(end - first));
  const int64_t count = std::clamp<int64_t>(workers, 1, std::max<int64_t>(1, end - first));
  std::vector<absl::Status> statuses(static_cast<size_t>(count));
  std::vector<std::thread> threads;
  for (int64_t i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      SandboxedWorker worker({.run = [&](int64_t file, const EmitRecord& emit, std::string&) {
        const auto probe = ProbeDicom(paths[static_cast<size_t>(file)], privacy);
        if (probe.ok()) emit(ProbeToText(*probe), {});
        return probe.status();
      }});
      ProbeReceiver receiver(first, lines);
      statuses[static_cast<size_t>(i)] = worker.Run(
          first + (end - first) * i / count, first + (end - first) * (i + 1) / count, receiver);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& status : statuses) LANGEVIN_RETURN_IF_ERROR(status);
  return lines;
}

absl::StatusOr<std::vector<std::string>> ProbeAll(Group& group, int workers, const Privacy& privacy,
                                                  const std::vector<std::string>& paths) {
  const int64_t count = static_cast<int64_t>(paths.size());
  const auto share = ProbeShare(paths, count * group.rank() / group.size(),
                                count * (group.rank() + 1) / group.size(), workers, privacy);
  std::string text;
  for (const std::string& line : share.ok() ? *share : std::vector<std::string>()) {
    absl::StrAppend(&text, line, "\n");
  }
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> texts,
                            GatherIfAllOk(group, share.status(), text));
  std::vector<std::string> lines;
  for (const std::string& received : texts) {
    for (const absl::string_view line : absl::StrSplit(received, '\n')) lines.emplace_back(line);
    lines.pop_back();  // Behind the last line break.
  }
  if (lines.size() != paths.size()) return absl::InternalError("probes of DICOM files are missing");
  return lines;
}

}  // namespace

bool IsMedical(const SourceFile& file) {
  return IsDicom(file) ||
         absl::StartsWithIgnoreCase(absl::string_view(file.format.data(), file.format.size()),
                                    "nifti") ||
         file.format == "ANALYZE";
}

bool HasMedicalFiles(const Sources& sources) {
  return std::any_of(sources.files.begin(), sources.files.end(), IsMedical);
}

absl::Status GroupDicomSeries(Group& group, int workers, const Privacy& privacy, Sources& sources) {
  std::vector<size_t> files;
  std::vector<std::string> paths;
  for (size_t i = 0; i < sources.files.size(); ++i) {
    if (!IsDicom(sources.files[i])) continue;
    files.push_back(i);
    paths.push_back(sources.files[i].path);
  }
  if (files.empty()) return absl::OkStatus();
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> lines,
                            ProbeAll(group, workers, privacy, paths));

  // Each class, split and group of a table by itself.
  std::map<std::tuple<Split, int64_t, std::string>, std::vector<size_t>> parts;
  std::vector<DicomProbe> probes(files.size());
  std::vector<bool> dropped(sources.files.size(), false);
  for (size_t i = 0; i < files.size(); ++i) {
    const SourceFile& file = sources.files[files[i]];
    std::string reason;
    if (lines[i].empty() || lines[i].front() == kFailed) {
      reason = lines[i].empty() ? "cannot be read" : lines[i].substr(1);
    } else {
      LANGEVIN_ASSIGN_OR_RETURN(probes[i], ProbeFromText(lines[i]));
      reason = probes[i].reason;
    }
    if (!reason.empty()) {
      sources.rejected.push_back({.path = file.shown(), .reason = reason});
      dropped[files[i]] = true;
      continue;
    }
    parts[{file.split, file.label, file.group}].push_back(i);
  }
  for (const auto& [key, members] : parts) {
    std::vector<DicomProbe> part;
    for (const size_t i : members) part.push_back(probes[i]);
    for (const DicomSeries& series : GroupIntoSeries(part)) {
      size_t place = files[members[static_cast<size_t>(series.files.front())]];
      SourceFile item = sources.files[place];
      item.more_paths.clear();
      item.bytes = 0;
      for (size_t k = 0; k < series.files.size(); ++k) {
        const size_t file = files[members[static_cast<size_t>(series.files[k])]];
        if (k > 0) item.more_paths.push_back(sources.files[file].path);
        item.bytes += sources.files[file].bytes;
        dropped[file] = true;
        place = std::min(place, file);
      }
      for (const std::string& note : series.notes) {
        sources.notes.push_back(absl::StrCat(
            "series ", part[static_cast<size_t>(series.files.front())].facts.series, ": ", note));
      }
      sources.files[place] = std::move(item);
      dropped[place] = false;
    }
  }
  size_t kept = 0;
  for (size_t i = 0; i < sources.files.size(); ++i) {
    if (dropped[i]) continue;
    if (kept != i) sources.files[kept] = std::move(sources.files[i]);
    ++kept;
  }
  sources.files.resize(kept);
  return absl::OkStatus();
}

}  // namespace langevin::data
