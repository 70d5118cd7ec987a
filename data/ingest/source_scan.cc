#include "data/ingest/source_scan.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
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

namespace langevin::data {
namespace {

constexpr int kMaxFolderDepth = 32;

bool IsHidden(const std::string& name) { return name.front() == '.'; }

// A file found in a PNG folder; class and split are names until all are known.
struct FoundPng {
  SourceFile file;
  std::string class_name;  // Empty: directly in the folder.
};

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

std::optional<Split> SplitOfFolder(const std::string& folder) {
  const std::string name = absl::AsciiStrToLower(folder);
  if (name == "train" || name == "training") return Split::kTrain;
  for (const char* known : {"validation", "val", "valid", "test"}) {
    if (name == known) return Split::kValidation;
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
    return is_idx ? AddIdxFolder(path, names) : AddPngFolder(path, names);
  }

  absl::StatusOr<Sources> Finish() {
    if (!sources_.files.empty() && !pngs_.empty()) {
      return absl::DataLossError(
          absl::StrFormat("%s is IDX and %s is PNG; prepare them as two data sets",
                          sources_.files.front().path, pngs_.front().file.path));
    }
    if (!pngs_.empty()) {
      LANGEVIN_RETURN_IF_ERROR(LabelPngs());
    } else {
      LANGEVIN_RETURN_IF_ERROR(CheckIdxLabels());
    }
    // Train first; within a split the order of the inputs.
    std::stable_sort(sources_.files.begin(), sources_.files.end(),
                     [](const SourceFile& a, const SourceFile& b) { return a.split < b.split; });
    return std::move(sources_);
  }

 private:
  absl::Status AddSingleFile(const std::string& path, uint64_t bytes) {
    const std::string name = BaseName(path);
    if (HasPngName(name)) {
      pngs_.push_back({.file = {.path = path, .name = name, .bytes = bytes}, .class_name = ""});
      return absl::OkStatus();
    }
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
    return absl::NotFoundError(
        absl::StrCat(path,
                     ": is of no kind that can be read; give a PNG file, an IDX file named like "
                     "train-images-idx3-ubyte(.gz), or a folder of such files"));
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
           .name = name,
           .bytes = info.size,
           .split = split,
           .labels_path = labels == taken.end() ? "" : JoinPath(folder, labels->second)});
    }
    sources_.is_idx = true;
    return absl::OkStatus();
  }

  absl::Status AddPngFolder(const std::string& folder, const std::vector<std::string>& names) {
    std::vector<std::string> folders, splits;
    for (const std::string& name : names) {
      LANGEVIN_ASSIGN_OR_RETURN(const FileInfo info, file_system_.GetInfo(JoinPath(folder, name)));
      if (info.type != FileType::kDirectory || IsHidden(name)) continue;
      folders.push_back(name);
      if (SplitOfFolder(name).has_value()) splits.push_back(name);
    }
    const bool has_train = std::any_of(splits.begin(), splits.end(), [](const std::string& name) {
      return SplitOfFolder(name) == Split::kTrain;
    });
    if (splits.size() >= 2 && (splits.size() < folders.size() || !has_train)) {
      return absl::DataLossError(
          absl::StrFormat("%s: has the sub-folders %s; where some are splits, all must be, and one "
                          "must be \"train\"",
                          folder, absl::StrJoin(folders, ", ")));
    }
    if (!has_train || splits.size() < folders.size()) {
      return AddClassFolders(folder, "", Split::kTrain);
    }
    for (const std::string& name : names) {
      if (std::find(splits.begin(), splits.end(), name) == splits.end() && !IsHidden(name)) {
        Reject(JoinPath(folder, name), "stands beside the folders of the splits, in none of them");
      }
    }
    for (const std::string& name : splits) {
      LANGEVIN_RETURN_IF_ERROR(
          AddClassFolders(JoinPath(folder, name), name + "/", *SplitOfFolder(name)));
    }
    return absl::OkStatus();
  }

  // `prefix` stands before the names of files.
  absl::Status AddClassFolders(const std::string& folder, const std::string& prefix, Split split) {
    return AddTree(folder, prefix, split, /*class_name=*/"", /*depth=*/0);
  }

  absl::Status AddTree(const std::string& folder, const std::string& prefix, Split split,
                       const std::string& class_name, int depth) {
    if (depth > kMaxFolderDepth) {
      return absl::DataLossError(
          absl::StrFormat("%s: folders are nested deeper than %d", folder, kMaxFolderDepth));
    }
    LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> names, file_system_.List(folder));
    for (const std::string& name : names) {
      if (IsHidden(name)) continue;
      const std::string path = JoinPath(folder, name);
      LANGEVIN_ASSIGN_OR_RETURN(const FileInfo info, file_system_.GetInfo(path));
      if (info.type == FileType::kDirectory) {
        LANGEVIN_RETURN_IF_ERROR(AddTree(path, absl::StrCat(prefix, name, "/"), split,
                                         depth == 0 ? name : class_name, depth + 1));
      } else if (info.type != FileType::kRegular) {
        Reject(path, "is a link or device; only regular files are read");
      } else if (!HasPngName(name)) {
        Reject(path, "is of no kind that can be read (PNG is)");
      } else {
        pngs_.push_back(
            {.file = {.path = path, .name = prefix + name, .bytes = info.size, .split = split},
             .class_name = class_name});
      }
    }
    return absl::OkStatus();
  }

  // Gives each PNG the number of its class: the place of its name in the alphabet.
  absl::Status LabelPngs() {
    const FoundPng* with_class = nullptr;
    const FoundPng* without_class = nullptr;
    std::set<std::string> names;
    for (const FoundPng& png : pngs_) {
      (png.class_name.empty() ? without_class : with_class) = &png;
      if (!png.class_name.empty()) names.insert(png.class_name);
    }
    if (with_class != nullptr && without_class != nullptr) {
      return absl::DataLossError(absl::StrFormat(
          "%s is in a class folder and %s is in none; put all images into class folders, or none",
          with_class->file.path, without_class->file.path));
    }
    sources_.has_labels = with_class != nullptr;
    sources_.class_names.assign(names.begin(), names.end());
    for (FoundPng& png : pngs_) {
      if (sources_.has_labels) {
        png.file.label = std::distance(names.begin(), names.find(png.class_name));
      }
      sources_.files.push_back(std::move(png.file));
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
  std::vector<FoundPng> pngs_;
};

}  // namespace

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
    return absl::NotFoundError(absl::StrFormat(
        "%s: holds no images that can be read (%d other files); PNG files and MNIST's IDX files "
        "are read",
        absl::StrJoin(inputs, ", "), sources.rejected.size()));
  }
  return sources;
}

}  // namespace langevin::data
