#include "data/ingest/inputs_digest.h"

#include <span>

#include "core/base/digest.h"
#include "data/manifest.h"

namespace langevin::data {
namespace {

void AddSources(const std::string& options, const Sources& sources, Digest& digest) {
  digest.UpdateString(options);
  digest.UpdateInteger(sources.class_names.size());
  for (const std::string& name : sources.class_names) digest.UpdateString(name);
  for (const SourceFile& file : sources.files) {
    digest.UpdateString(file.name());
    digest.UpdateString(NameOfSplit(file.split));
    digest.UpdateInteger(static_cast<uint64_t>(file.label));
    digest.UpdateString(file.group);
    digest.UpdateInteger(file.condition.size());
    digest.Update(std::as_bytes(std::span(file.condition)));
  }
}

}  // namespace

std::string InputsDigest(const std::string& options, const Sources& sources,
                         const std::vector<std::string>& contents) {
  Digest digest;
  digest.UpdateString("langevin prepare 3");
  AddSources(options, sources, digest);
  for (const std::string& text : contents) digest.UpdateString(text);
  return digest.Hex();
}

std::string JournalKey(FileSystem& file_system, const std::string& options,
                       const Sources& sources) {
  Digest digest;
  digest.UpdateString("langevin prepare journal 2");
  AddSources(options, sources, digest);
  const auto add = [&](const std::string& path) {
    digest.UpdateString(path);
    const auto info = file_system.GetInfo(path);
    digest.UpdateInteger(info.ok() ? info->size : 0);
    digest.UpdateInteger(info.ok() ? static_cast<uint64_t>(info->modified_ns) : 0);
  };
  for (const SourceFile& file : sources.files) {
    add(file.path);
    if (!file.labels_path.empty()) add(file.labels_path);
    for (const std::string& path : file.more_paths) add(path);
  }
  return digest.Hex();
}

}  // namespace langevin::data
