#include "data/ingest/inputs_digest.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <span>
#include <vector>

#include "data/manifest.h"

namespace langevin::data {
namespace {

constexpr uint64_t kPieceBytes = 1 << 20;

}  // namespace

InputsDigest::InputsDigest(const PrepareOptions& options, const Sources& sources) {
  digest_.UpdateString("langevin prepare 1");
  digest_.UpdateInteger(static_cast<uint64_t>(options.shard_mib));
  digest_.UpdateInteger(std::bit_cast<uint64_t>(options.validation_fraction));
  digest_.UpdateInteger(sources.class_names.size());
  for (const std::string& name : sources.class_names) digest_.UpdateString(name);
}

void InputsDigest::Add(FileSystem& file_system, const SourceFile& file) {
  digest_.UpdateString(file.name());
  digest_.UpdateString(NameOfSplit(file.split));
  digest_.UpdateInteger(static_cast<uint64_t>(file.label));
  AddContents(file_system, file.path);
  digest_.UpdateInteger(file.labels_path.empty() ? 0 : 1);
  if (!file.labels_path.empty()) AddContents(file_system, file.labels_path);
}

void InputsDigest::AddContents(FileSystem& file_system, const std::string& path) {
  const auto file = file_system.OpenForReading(path);
  if (!file.ok()) return digest_.UpdateString("not readable");
  digest_.UpdateInteger((*file)->size());
  std::vector<std::byte> piece(std::min((*file)->size(), kPieceBytes));
  for (uint64_t offset = 0; offset < (*file)->size(); offset += kPieceBytes) {
    const std::span bytes =
        std::span(piece).first(std::min<uint64_t>(kPieceBytes, (*file)->size() - offset));
    if (!(*file)->ReadAt(offset, bytes).ok()) return digest_.UpdateString("not readable");
    digest_.Update(bytes);
  }
}

}  // namespace langevin::data
