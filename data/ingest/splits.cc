#include "data/ingest/splits.h"

#include <cmath>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/digest.h"

namespace langevin::data {
namespace {

using configs::GroupBy;

// Whether the images of a file have no more to do with each other than those of a folder.
bool IsTableOfImages(const Sources& sources, const SourceFile& file) {
  return sources.is_idx || file.format == "IDX" || file.format == "NPY" || file.format == "NPZ" ||
         file.format == "HDF5";
}

// The name of the image's group; `fell_back` if it had none of the kind that was asked for.
std::string GroupName(const Sources& sources, GroupBy group_by, const ImageRecord& image,
                      bool& fell_back) {
  const SourceFile& file = sources.files[static_cast<size_t>(image.item)];
  const MedicalFacts* const facts = image.medical.get();
  fell_back = false;
  if (group_by == GroupBy::kPatient && facts != nullptr && !facts->group.empty()) {
    return absl::StrCat("patient ", facts->group);
  }
  if (group_by == GroupBy::kSeries && facts != nullptr && !facts->series.empty()) {
    return absl::StrCat("series ", facts->series);
  }
  // What a table says of a file counts before the file itself.
  if (!file.group.empty() && (group_by == GroupBy::kPatient || group_by == GroupBy::kTable)) {
    return absl::StrCat("group ", file.group);
  }
  // Names of medical files may be those of patients.
  const std::string name = file.safe_name.empty() ? file.name() : file.safe_name;
  fell_back = group_by != GroupBy::kFile && group_by != GroupBy::kNone;
  if (group_by == GroupBy::kNone || IsTableOfImages(sources, file)) {
    return absl::StrCat("image ", name, "#", image.index);
  }
  return absl::StrCat("file ", name);
}

const char* NameOf(GroupBy group_by) {
  switch (group_by) {
    case GroupBy::kPatient:
      return "patient";
    case GroupBy::kSeries:
      return "series";
    case GroupBy::kTable:
      return "group of the table";
    default:
      return "file";
  }
}

}  // namespace

std::vector<std::string> AssignSplits(const Sources& sources, const configs::PrepareConfig& config,
                                      std::vector<ImageRecord>& images) {
  const double fraction = config.split.validation_fraction;
  int64_t without = 0;
  bool is_medical = false;
  for (ImageRecord& image : images) {
    bool fell_back = false;
    const std::string name = GroupName(sources, config.split.group_by, image, fell_back);
    image.group = HashString(name, config.seed);
    without += fell_back ? 1 : 0;
    is_medical = is_medical || image.medical != nullptr;
    image.split = sources.files[static_cast<size_t>(image.item)].split;
    if (fraction > 0) {
      const double place =
          std::ldexp(static_cast<double>(HashString("split " + name, config.seed) >> 11), -53);
      image.split = place < fraction ? Split::kValidation : Split::kTrain;
    }
  }
  std::vector<std::string> notes;
  const bool was_asked = config.split.group_by != GroupBy::kPatient || is_medical;
  if (fraction > 0 && without > 0 && was_asked) {
    notes.push_back(absl::StrFormat("%d of %d images name no %s: they are split by file", without,
                                    images.size(), NameOf(config.split.group_by)));
  }
  return notes;
}

}  // namespace langevin::data
