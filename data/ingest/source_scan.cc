#include "data/ingest/source_scan.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "core/base/status_macros.h"
#include "data/ingest/decoders.h"
#include "data/ingest/file_kind.h"
#include "data/ingest/source_table.h"

namespace langevin::data {
namespace {

constexpr int kMaxFolderDepth = 32;

// Where in the path of a file in `folder` its name begins.
uint32_t NameBegin(const std::string& folder) {
  return static_cast<uint32_t>(JoinPath(folder, "x").size() - 1);
}

bool IsHidden(const std::string& name) { return name.front() == '.'; }

struct IdxName {
  Split split = Split::kTrain;
  bool is_labels = false;
};

// What "Train-Images.idx3-ubyte.gz" and its like mean, or nothing.
std::optional<IdxName> ParseIdxName(const std::string& file) {
  std::string name = absl::AsciiStrToLower(file);
  if (absl::EndsWith(name, ".gz")) name.resize(name.size() - 3);
  name = absl::StrReplaceAll(name, {{".", "-"}});
  for (const auto& [prefix, split] :
       {std::pair{"train", Split::kTrain}, std::pair{"t10k", Split::kValidation},
        std::pair{"test", Split::kValidation}}) {
    if (name == absl::StrCat(prefix, "-images-idx3-ubyte")) return IdxName{split, false};
    if (name == absl::StrCat(prefix, "-labels-idx1-ubyte")) return IdxName{split, true};
  }
  return std::nullopt;
}

class Scanner {
 public:
  explicit Scanner(FileSystem& file_system) : file_system_(file_system) {}

  absl::Status AddInput(const std::string& input) {
    // What the person named may be a link; what is found inside may not.
    std::error_code error;
    const std::string path = std::filesystem::canonical(input, error).string();
    if (error) {
      return absl::NotFoundError(
          absl::StrCat(input, ": cannot be opened (", error.message(), "); check --input"));
    }
    LANGEVIN_ASSIGN_OR_RETURN(const FileInfo info, file_system_.GetInfo(path));
    if (info.type == FileType::kRegular) return AddSingleFile(path, info.size);
    if (info.type != FileType::kDirectory) {
      return absl::NotFoundError(absl::StrCat(input, ": is neither a file nor a folder"));
    }
    LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> names, file_system_.List(path));
    const bool is_idx = std::any_of(names.begin(), names.end(), [](const std::string& name) {
      const auto idx = ParseIdxName(name);
      return idx.has_value() && !idx->is_labels;
    });
    return is_idx ? AddIdxFolder(path, names) : AddMixedFolder(path, names);
  }

  absl::StatusOr<Sources> Finish() {
    if (!sources_.files.empty() && !found_.empty()) {
      return absl::DataLossError(
          absl::StrFormat("%s is one of MNIST's files and %s is not; prepare them as two data sets",
                          sources_.files.front().path, found_.front().path));
    }
    if (!found_.empty()) {
      LANGEVIN_RETURN_IF_ERROR(NumberClasses());
    } else {
      LANGEVIN_RETURN_IF_ERROR(CheckIdxLabels());
    }
    LANGEVIN_RETURN_IF_ERROR(CheckConditions());
    // Train first; within a split the order of the inputs.
    std::stable_sort(sources_.files.begin(), sources_.files.end(),
                     [](const SourceFile& a, const SourceFile& b) { return a.split < b.split; });
    return std::move(sources_);
  }

 private:
  absl::Status AddSingleFile(const std::string& path, uint64_t bytes) {
    const std::string name = BaseName(path);
    if (absl::EndsWithIgnoreCase(name, ".csv")) return AddTable(path);
    if (const auto idx = ParseIdxName(name); idx.has_value() && !idx->is_labels) {
      LANGEVIN_ASSIGN_OR_RETURN(std::vector<std::string> names,
                                file_system_.List(ParentFolder(path)));
      std::erase_if(names, [&](const std::string& other) {
        const auto parsed = ParseIdxName(other);
        return other != name &&
               !(parsed.has_value() && parsed->is_labels && parsed->split == idx->split);
      });
      return AddIdxFolder(ParentFolder(path), names);
    }
    SourceFile file = {.path = path,
                       .name_begin = static_cast<uint32_t>(path.size() - name.size()),
                       .bytes = bytes};
    if (const std::string reason = FindFormat(file); !reason.empty()) {
      return absl::NotFoundError(absl::StrFormat(
          "%s: %s; give a file in a format that is read (%s), a table (.csv), or a folder", path,
          reason, KnownFormats()));
    }
    found_.push_back(std::move(file));
    return absl::OkStatus();
  }

  absl::Status AddTable(const std::string& path) {
    LANGEVIN_ASSIGN_OR_RETURN(SourceTable table, ReadSourceTable(file_system_, path));
    std::vector<int64_t> classes;
    for (const std::string& name : table.classes) classes.push_back(ClassNumber(name));
    if (table.has_labels && classes.empty()) numbers_in_ = path;
    sources_.condition_size = std::max(sources_.condition_size, table.condition_size);
    for (Rejection& row : table.rejected) sources_.rejected.push_back(std::move(row));
    for (SourceFile& file : table.files) {
      if (!classes.empty()) file.label = classes[static_cast<size_t>(file.label)];
      Take(std::move(file));
    }
    return absl::OkStatus();
  }

  // Sets the format of `file`. Says why it cannot be read, or nothing.
  std::string FindFormat(SourceFile& file) {
    if (const auto idx = ParseIdxName(BaseName(file.path)); idx.has_value() && idx->is_labels) {
      return "has labels for images that are not there";
    }
    file.format = FormatOfName(file.path);
    if (!file.format.empty()) return "";
    const absl::StatusOr<FileHead> head = ReadFileHead(file_system_, file.path);
    if (!head.ok()) return "cannot be opened";
    file.format = FormatOfHead(*head);
    return file.format.empty() ? WhyUnreadable(*head) : "";
  }

  void Take(SourceFile file) {
    if (const std::string reason = FindFormat(file); !reason.empty()) {
      Reject(file.path, reason);
    } else {
      found_.push_back(std::move(file));
    }
  }

  // A provisional one, in the order in which classes are found.
  int64_t ClassNumber(const std::string& name) {
    return classes_.emplace(name, static_cast<int64_t>(classes_.size())).first->second;
  }

  absl::Status AddIdxFolder(const std::string& folder, const std::vector<std::string>& names) {
    std::map<std::pair<Split, bool>, std::string> taken;
    for (const std::string& name : names) {
      if (IsHidden(name)) continue;
      const std::string path = JoinPath(folder, name);
      const auto idx = ParseIdxName(name);
      if (!idx.has_value()) {
        Reject(path, "is not one of MNIST's files");
        continue;
      }
      const auto [place, is_new] = taken.emplace(std::pair{idx->split, idx->is_labels}, name);
      if (!is_new) Reject(path, absl::StrCat("is left out, because ", place->second, " is there"));
    }
    for (const auto& [key, name] : taken) {
      const auto [split, is_labels] = key;
      const auto labels = taken.find({split, true});
      if (is_labels) {
        if (!taken.contains({split, false})) {
          return absl::DataLossError(
              absl::StrCat(JoinPath(folder, name), ": has labels for images that are not there"));
        }
        continue;
      }
      const std::string path = JoinPath(folder, name);
      LANGEVIN_ASSIGN_OR_RETURN(const FileInfo info, file_system_.GetInfo(path));
      sources_.files.push_back(
          {.path = path,
           .name_begin = static_cast<uint32_t>(path.size() - name.size()),
           .split = split,
           .bytes = info.size,
           .format = "IDX",
           .labels_path = labels == taken.end() ? "" : JoinPath(folder, labels->second)});
    }
    sources_.is_idx = true;
    return absl::OkStatus();
  }

  absl::Status AddMixedFolder(const std::string& folder, const std::vector<std::string>& names) {
    std::vector<std::string> folders, splits;
    for (const std::string& name : names) {
      LANGEVIN_ASSIGN_OR_RETURN(const FileInfo info, file_system_.GetInfo(JoinPath(folder, name)));
      if (info.type != FileType::kDirectory || IsHidden(name)) continue;
      folders.push_back(name);
      if (SplitOfName(name).has_value()) splits.push_back(name);
    }
    const bool has_train = std::any_of(splits.begin(), splits.end(), [](const std::string& name) {
      return SplitOfName(name) == Split::kTrain;
    });
    if (splits.size() >= 2 && (splits.size() < folders.size() || !has_train)) {
      return absl::DataLossError(
          absl::StrFormat("%s: has the sub-folders %s; where some are splits, all must be, and one "
                          "must be \"train\"",
                          folder, absl::StrJoin(folders, ", ")));
    }
    if (!has_train || splits.size() < folders.size()) {
      return AddTree(folder, NameBegin(folder), Split::kTrain, "", 0);
    }
    for (const std::string& name : names) {
      if (std::find(splits.begin(), splits.end(), name) == splits.end() && !IsHidden(name)) {
        Reject(JoinPath(folder, name), "stands beside the folders of the splits, in none of them");
      }
    }
    for (const std::string& name : splits) {
      LANGEVIN_RETURN_IF_ERROR(
          AddTree(JoinPath(folder, name), NameBegin(folder), *SplitOfName(name), "", 0));
    }
    return absl::OkStatus();
  }

  // Names of files begin behind the first `name_begin` bytes of their paths.
  absl::Status AddTree(const std::string& folder, uint32_t name_begin, Split split,
                       const std::string& class_name, int depth) {
    if (depth > kMaxFolderDepth) {
      return absl::DataLossError(
          absl::StrFormat("%s: folders are nested deeper than %d", folder, kMaxFolderDepth));
    }
    LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> names, file_system_.List(folder));
    for (const std::string& name : names) {
      if (IsHidden(name)) continue;
      std::string path = JoinPath(folder, name);
      LANGEVIN_ASSIGN_OR_RETURN(const FileInfo info, file_system_.GetInfo(path));
      if (info.type == FileType::kDirectory) {
        LANGEVIN_RETURN_IF_ERROR(
            AddTree(path, name_begin, split, depth == 0 ? name : class_name, depth + 1));
      } else if (info.type != FileType::kRegular) {
        Reject(path, "is a link or device; only regular files are read");
      } else {
        Take({.path = std::move(path),
              .name_begin = name_begin,
              .split = split,
              .bytes = info.size,
              .label = class_name.empty() ? -1 : ClassNumber(class_name)});
      }
    }
    return absl::OkStatus();
  }

  // Gives each class the place of its name in the alphabet.
  absl::Status NumberClasses() {
    const SourceFile* with_class = nullptr;
    const SourceFile* without_class = nullptr;
    for (const SourceFile& file : found_) (file.label < 0 ? without_class : with_class) = &file;
    if (with_class != nullptr && without_class != nullptr) {
      return absl::DataLossError(absl::StrFormat(
          "%s has a class and %s has none; put all images into class folders, or none",
          with_class->path, without_class->path));
    }
    if (!numbers_in_.empty() && !classes_.empty()) {
      return absl::DataLossError(absl::StrFormat(
          "%s: its labels are numbers, but other inputs have classes with names, such as %s; give "
          "all of them names, or all numbers",
          numbers_in_, classes_.begin()->first));
    }
    sources_.has_labels = with_class != nullptr;
    // Classes of which no file is left are none.
    std::vector<bool> is_used(classes_.size(), false);
    if (numbers_in_.empty()) {
      for (const SourceFile& file : found_) {
        if (file.label >= 0) is_used[static_cast<size_t>(file.label)] = true;
      }
    }
    std::vector<int64_t> places(classes_.size(), -1);
    for (const auto& [name, number] : classes_) {
      if (!is_used[static_cast<size_t>(number)]) continue;
      places[static_cast<size_t>(number)] = static_cast<int64_t>(sources_.class_names.size());
      sources_.class_names.push_back(name);
    }
    sources_.files = std::move(found_);
    for (SourceFile& file : sources_.files) {
      if (file.label >= 0 && numbers_in_.empty()) {
        file.label = places[static_cast<size_t>(file.label)];
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckConditions() const {
    for (const SourceFile& file : sources_.files) {
      if (static_cast<int64_t>(file.condition.size()) == sources_.condition_size) continue;
      return absl::DataLossError(absl::StrFormat(
          "%s: has a condition of %d numbers, others have one of %d; give all as many, or none",
          file.path, file.condition.size(), sources_.condition_size));
    }
    return absl::OkStatus();
  }

  absl::Status CheckIdxLabels() {
    for (const SourceFile& file : sources_.files) {
      const SourceFile& first = sources_.files.front();
      if (file.labels_path.empty() != first.labels_path.empty()) {
        const SourceFile& without = file.labels_path.empty() ? file : first;
        return absl::DataLossError(absl::StrFormat(
            "%s: has no file of labels beside it, but others have; add it, or remove all of them",
            without.path));
      }
      sources_.has_labels = !file.labels_path.empty();
    }
    return absl::OkStatus();
  }

  void Reject(const std::string& path, std::string reason) {
    sources_.rejected.push_back({.path = path, .reason = std::move(reason)});
  }

  FileSystem& file_system_;
  Sources sources_;
  std::vector<SourceFile> found_;  // Other than MNIST's; labels are provisional.
  std::map<std::string, int64_t> classes_;
  std::string numbers_in_;  // A table whose labels are numbers.
};

}  // namespace

std::optional<Split> SplitOfName(std::string_view name) {
  const std::string lower = absl::AsciiStrToLower(absl::string_view(name.data(), name.size()));
  if (lower == "train" || lower == "training") return Split::kTrain;
  for (const char* known : {"validation", "val", "valid", "test"}) {
    if (lower == known) return Split::kValidation;
  }
  return std::nullopt;
}

bool Sources::HasSplit(Split split) const {
  return std::any_of(files.begin(), files.end(),
                     [split](const SourceFile& file) { return file.split == split; });
}

absl::StatusOr<Sources> FindSources(FileSystem& file_system,
                                    const std::vector<std::string>& inputs) {
  Scanner scanner(file_system);
  for (const std::string& input : inputs) LANGEVIN_RETURN_IF_ERROR(scanner.AddInput(input));
  LANGEVIN_ASSIGN_OR_RETURN(Sources sources, scanner.Finish());
  if (sources.files.empty()) {
    return absl::NotFoundError(
        absl::StrFormat("%s: holds no images that can be read (%d other files); %s files are read",
                        absl::StrJoin(inputs, ", "), sources.rejected.size(), KnownFormats()));
  }
  return sources;
}

}  // namespace langevin::data
