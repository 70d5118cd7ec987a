#include "data/ingest/source_table.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>
#include <numeric>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "core/base/status_macros.h"
#include "data/ingest/csv.h"
#include "data/ingest/utf8.h"

namespace langevin::data {
namespace {

constexpr uint64_t kMaxTableBytes = uint64_t{4} << 30;
constexpr size_t kMostShown = 60;
constexpr std::array kColumns = {"file", "label", "group", "split", "condition"};
enum Column { kFile, kLabel, kGroup, kSplit, kCondition, kColumnCount };

class TableReader {
 public:
  TableReader(FileSystem& file_system, const std::string& path)
      : file_system_(file_system), path_(path), folder_(ParentFolder(path)) {}

  absl::StatusOr<SourceTable> Read() {
    LANGEVIN_ASSIGN_OR_RETURN(const std::string text, file_system_.ReadFile(path_, kMaxTableBytes));
    CsvReader reader(text);
    std::vector<std::string> fields;
    LANGEVIN_ASSIGN_OR_RETURN(bool more, Next(reader, fields));
    if (!more) return absl::DataLossError(absl::StrCat(path_, ": is empty; ", kRemedy));
    LANGEVIN_RETURN_IF_ERROR(ReadHeader(fields));
    const size_t width = fields.size();
    while (true) {
      LANGEVIN_ASSIGN_OR_RETURN(more, Next(reader, fields));
      if (!more) break;
      if (fields.size() != width) {
        return Problem(reader.line(),
                       absl::StrFormat("has %d fields, the header has %d", fields.size(), width));
      }
      LANGEVIN_RETURN_IF_ERROR(AddRow(fields, reader.line()));
    }
    RejectDoubles();
    LANGEVIN_RETURN_IF_ERROR(NumberLabels());
    return std::move(table_);
  }

 private:
  static constexpr const char* kRemedy =
      "the first line must name the columns: file, and any of label, group, split, condition";

  absl::StatusOr<bool> Next(CsvReader& reader, std::vector<std::string>& fields) {
    absl::StatusOr<bool> more = reader.Next(fields);
    if (more.ok()) return more;
    return absl::DataLossError(
        absl::StrCat(path_, ": ", more.status().message(), "; correct the table"));
  }

  absl::Status Problem(int64_t line, std::string_view what) const {
    return absl::DataLossError(
        absl::StrFormat("%s: line %d %s; correct the table", path_, line, what));
  }

  absl::Status ReadHeader(const std::vector<std::string>& fields) {
    for (size_t i = 0; i < fields.size(); ++i) {
      const auto column = std::find(kColumns.begin(), kColumns.end(), fields[i]);
      if (column == kColumns.end()) {
        return absl::DataLossError(
            absl::StrFormat("%s: has the unknown column \"%s\"; %s", path_, fields[i], kRemedy));
      }
      std::optional<size_t>& place = places_[static_cast<size_t>(column - kColumns.begin())];
      if (place.has_value()) {
        return absl::DataLossError(
            absl::StrFormat("%s: has the column %s twice; remove one", path_, fields[i]));
      }
      place = i;
    }
    if (!places_[kFile].has_value()) {
      return absl::DataLossError(absl::StrFormat("%s: has no column file; %s", path_, kRemedy));
    }
    return absl::OkStatus();
  }

  absl::Status AddRow(std::vector<std::string>& fields, int64_t line) {
    const auto take = [&](Column column) {
      return places_[column].has_value() ? std::move(fields[*places_[column]]) : std::string();
    };
    const std::string name = take(kFile);
    if (name.empty()) return Problem(line, "names no file");
    SourceFile file;
    const bool is_absolute = name.front() == '/';
    file.path = is_absolute ? name : JoinPath(folder_, name);
    file.name_begin = static_cast<uint32_t>(file.path.size() - name.size());
    const std::string label = take(kLabel);
    if (!label.empty()) {
      file.label = classes_.emplace(label, static_cast<int64_t>(classes_.size())).first->second;
    }
    (label.empty() ? without_label_ : with_label_) = line;
    if (const std::string split = take(kSplit); !split.empty()) {
      const std::optional<Split> known = SplitOfName(split);
      if (!known.has_value()) {
        return Problem(line, absl::StrFormat("has the split \"%s\"; train, validation, val, valid "
                                             "and test are known",
                                             split));
      }
      file.split = *known;
    }
    file.group = take(kGroup);
    LANGEVIN_RETURN_IF_ERROR(TakeCondition(take(kCondition), line, file.condition));
    if (const std::string reason = WhyNot(name, is_absolute, file); !reason.empty()) {
      table_.rejected.push_back(
          {.path = file.path,
           .reason = absl::StrFormat("%s (%s, line %d)", reason, BaseName(path_), line)});
      return absl::OkStatus();
    }
    table_.files.push_back(std::move(file));
    return absl::OkStatus();
  }

  // Numbers between spaces, in each row as many as in the first.
  absl::Status TakeCondition(const std::string& text, int64_t line, std::vector<float>& condition) {
    for (const absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
      float number = 0;
      if (!absl::SimpleAtof(word, &number) || !std::isfinite(number)) {
        return Problem(line, absl::StrFormat("has the condition \"%s\"; conditions are finite "
                                             "numbers with spaces between them",
                                             PrintableText(text, kMostShown)));
      }
      condition.push_back(number);
    }
    const auto size = static_cast<int64_t>(condition.size());
    if (!first_line_.has_value()) {
      first_line_ = line;
      table_.condition_size = size;
    }
    if (size == table_.condition_size) return absl::OkStatus();
    return Problem(line, absl::StrFormat("has a condition of %d numbers, and line %d one of %d; "
                                         "all rows must have as many",
                                         size, *first_line_, table_.condition_size));
  }

  // Why the file is not taken; empty where it is, and its size is known.
  std::string WhyNot(const std::string& name, bool is_absolute, SourceFile& file) {
    if (!is_absolute && !IsInside(name, file.path)) {
      return "lies outside the table's folder; write its absolute path where that is meant";
    }
    const absl::StatusOr<FileInfo> info = file_system_.GetInfo(file.path);
    if (absl::IsNotFound(info.status())) return "is not there";
    if (!info.ok()) return "cannot be examined";
    if (info->type == FileType::kDirectory) return "is a folder";
    if (info->type != FileType::kRegular) return "is a link or device; only regular files are read";
    file.bytes = info->size;
    return "";
  }

  // Whether `path`, named `name` in the table, is in the table's folder, also when links among the
  // folders on the way are followed.
  bool IsInside(const std::string& name, const std::string& path) {
    const std::string plain = std::filesystem::path(name).lexically_normal().string();
    if (plain == ".." || plain.starts_with("../")) return false;
    const std::string parent = ParentFolder(path);
    if (parent == last_parent_) return last_is_inside_;
    last_parent_ = parent;
    std::error_code error;
    const std::string real = std::filesystem::canonical(parent, error).string();
    // A folder that is not there leads nowhere: its files are missing.
    last_is_inside_ = error || real == folder_ || real.starts_with(folder_ + "/") || folder_ == "/";
    return last_is_inside_;
  }

  // Rejects the later rows of a file that is listed several times.
  void RejectDoubles() {
    std::vector<SourceFile>& files = table_.files;
    std::vector<uint32_t> order(files.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&files](uint32_t a, uint32_t b) {
      const int compared = files[a].path.compare(files[b].path);
      return compared < 0 || (compared == 0 && a < b);
    });
    std::vector<uint32_t> doubles;
    for (size_t i = 1; i < order.size(); ++i) {
      if (files[order[i]].path == files[order[i - 1]].path) doubles.push_back(order[i]);
    }
    std::sort(doubles.begin(), doubles.end());
    for (const uint32_t index : doubles) {
      table_.rejected.push_back(
          {.path = files[index].path,
           .reason = absl::StrCat("is listed twice (", BaseName(path_), ")")});
      files[index].path.clear();
    }
    std::erase_if(files, [](const SourceFile& file) { return file.path.empty(); });
  }

  // Labels that are all whole numbers are taken as they are; else they are names of classes.
  absl::Status NumberLabels() {
    if (with_label_ != 0 && without_label_ != 0) {
      return absl::DataLossError(absl::StrFormat(
          "%s: line %d has a label and line %d has none; give all rows one, or none", path_,
          with_label_, without_label_));
    }
    table_.has_labels = with_label_ != 0;
    std::vector<int64_t> numbers(classes_.size());
    const bool are_numbers = std::all_of(classes_.begin(), classes_.end(), [&](const auto& entry) {
      int64_t& number = numbers[static_cast<size_t>(entry.second)];
      return absl::SimpleAtoi(entry.first, &number) && number >= 0 && number <= kMaxLabel;
    });
    if (are_numbers) {
      for (SourceFile& file : table_.files) {
        if (file.label >= 0) file.label = numbers[static_cast<size_t>(file.label)];
      }
      return absl::OkStatus();
    }
    table_.classes.resize(classes_.size());
    for (const auto& [name, index] : classes_) table_.classes[static_cast<size_t>(index)] = name;
    return absl::OkStatus();
  }

  FileSystem& file_system_;
  const std::string path_;
  const std::string folder_;
  std::array<std::optional<size_t>, kColumnCount> places_ = {};
  std::map<std::string, int64_t> classes_;      // In the order of their first row.
  int64_t with_label_ = 0, without_label_ = 0;  // A line of each kind.
  std::optional<int64_t> first_line_;           // With a file.
  std::string last_parent_;
  bool last_is_inside_ = false;
  SourceTable table_;
};

}  // namespace

absl::StatusOr<SourceTable> ReadSourceTable(FileSystem& file_system, const std::string& path) {
  return TableReader(file_system, path).Read();
}

}  // namespace langevin::data
