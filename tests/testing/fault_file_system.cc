#include "tests/testing/fault_file_system.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/philox.h"
#include "core/base/status_macros.h"

namespace langevin {
namespace {

std::vector<std::string> PartsOf(const std::string& path) {
  return absl::StrSplit(path, '/', absl::SkipEmpty());
}

// Draws of one loss of power.
class Dice {
 public:
  explicit Dice(uint64_t seed) : random_(seed, 0, RandomPurpose::kAugmentation) {}
  // Uniform over [0, bound).
  uint32_t Roll(size_t bound) { return random_.UniformInt(next_++, static_cast<uint32_t>(bound)); }

 private:
  RandomStream random_;
  uint32_t next_ = 0;
};

// What the disk may hold of a file of which only `durable` was promised.
std::string TornContents(const std::string& durable, const std::string& data, Dice& dice) {
  if (data == durable || data.empty()) return dice.Roll(2) == 0 ? durable : data;
  const size_t begin = dice.Roll(data.size());
  const size_t length = 1 + dice.Roll(data.size() - begin);
  std::string torn = data;
  switch (dice.Roll(5)) {
    case 0:
      return durable;
    case 1:
      return data;
    case 2:
      return data.substr(0, begin);
    case 3:
      std::fill(torn.begin() + begin, torn.end(), '\0');
      return torn;
    default:
      std::fill(torn.begin() + begin, torn.begin() + begin + length, '\0');
      return torn;
  }
}

}  // namespace

struct FaultFileSystem::Node {
  using Names = std::map<std::string, NodePointer>;

  // A change of names in a folder that a loss of power may undo: `node` loses the name `removed`,
  // gains the name `added`, or both at once. Empty: none.
  struct Change {
    std::string removed;
    std::string added;
    NodePointer node;

    void ApplyTo(Names& names) const {
      if (const auto old = names.find(removed); old != names.end() && old->second == node) {
        names.erase(old);
      }
      if (added.empty()) return;
      // Where an earlier rename of the same thing was lost, it moves from the name it still has.
      std::erase_if(names, [this](const auto& entry) { return entry.second == node; });
      names[added] = node;
    }
  };

  void Do(Change change) {
    change.ApplyTo(names);
    pending.push_back(std::move(change));
  }

  // The power fails: what may be lost is decided for all below.
  void Settle(Dice* dice) {
    if (!is_folder) {
      data = dice == nullptr ? durable_data : TornContents(durable_data, data, *dice);
      durable_data = data;
      sync_failed = false;
      return;
    }
    for (const Change& change : pending) {
      if (dice != nullptr && dice->Roll(2) == 0) change.ApplyTo(durable_names);
    }
    pending.clear();
    names = durable_names;
    for (const auto& [name, node] : names) node->Settle(dice);
  }

  bool is_folder = false;
  std::string data, durable_data;
  bool sync_failed = false;
  Names names, durable_names;
  std::vector<Change> pending;
};

class FaultFileSystem::OpenWritable : public WritableFile {
 public:
  OpenWritable(FaultFileSystem& owner, std::string path, NodePointer node)
      : owner_(owner), path_(std::move(path)), node_(std::move(node)) {}

  using WritableFile::Append;

  absl::Status Append(std::span<const std::byte> bytes) override {
    const std::lock_guard<std::mutex> lock(owner_.mutex_);
    const bool was_dead = owner_.dead_;
    const absl::Status status = owner_.Step("Append", path_, Effect::kNeedsRoom);
    if (was_dead) return status;
    const size_t written = status.ok() ? bytes.size() : bytes.size() / 2;
    node_->data.append(reinterpret_cast<const char*>(bytes.data()), written);
    return status;
  }

  absl::Status Sync() override {
    const std::lock_guard<std::mutex> lock(owner_.mutex_);
    if (const absl::Status status = owner_.Step("Sync", path_); !status.ok()) {
      node_->sync_failed = !owner_.dead_;
      return status;
    }
    if (owner_.ignore_file_syncs_ || owner_.SyncIsIgnored() || node_->sync_failed) {
      return absl::OkStatus();
    }
    node_->durable_data = node_->data;
    return absl::OkStatus();
  }

  absl::Status Close() override {
    const std::lock_guard<std::mutex> lock(owner_.mutex_);
    return owner_.Step("Close", path_);
  }

 private:
  FaultFileSystem& owner_;
  const std::string path_;
  const NodePointer node_;
};

class FaultFileSystem::OpenReadable : public RandomAccessFile {
 public:
  OpenReadable(FaultFileSystem& owner, std::string path, NodePointer node)
      : owner_(owner), path_(std::move(path)), node_(std::move(node)), size_(node_->data.size()) {}

  uint64_t size() const override { return size_; }

  absl::Status ReadAt(uint64_t offset, std::span<std::byte> out) const override {
    const std::lock_guard<std::mutex> lock(owner_.mutex_);
    LANGEVIN_RETURN_IF_ERROR(owner_.Step("ReadAt", path_));
    if (offset > node_->data.size() || out.size() > node_->data.size() - offset) {
      return absl::DataLossError(absl::StrCat(path_, ": ends early"));
    }
    if (!out.empty()) std::memcpy(out.data(), node_->data.data() + offset, out.size());
    return absl::OkStatus();
  }

 private:
  FaultFileSystem& owner_;
  const std::string path_;
  const NodePointer node_;
  const uint64_t size_;
};

FaultFileSystem::FaultFileSystem() : root_(std::make_shared<Node>()) { root_->is_folder = true; }

FaultFileSystem::~FaultFileSystem() = default;

int64_t FaultFileSystem::operations() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return static_cast<int64_t>(log_.size());
}

std::vector<std::string> FaultFileSystem::log() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return log_;
}

void FaultFileSystem::FailAt(int64_t operation, absl::StatusCode code) {
  failures_[operation] = code;
}

void FaultFileSystem::FillDiskAt(int64_t operation) { disk_full_at_ = operation; }

void FaultFileSystem::DieAt(int64_t operation) { dies_at_ = operation; }

void FaultFileSystem::IgnoreSyncAt(int64_t operation) { ignored_syncs_.insert(operation); }

void FaultFileSystem::Restart() {
  const std::lock_guard<std::mutex> lock(mutex_);
  failures_.clear();
  ignored_syncs_.clear();
  disk_full_at_.reset();
  dies_at_.reset();
  dead_ = ignore_file_syncs_ = ignore_folder_syncs_ = false;
}

void FaultFileSystem::CutPower(std::optional<uint64_t> seed) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::optional<Dice> dice;
    if (seed.has_value()) dice.emplace(*seed);
    root_->Settle(dice.has_value() ? &*dice : nullptr);
  }
  Restart();
}

std::string FaultFileSystem::Contents(const std::string& path) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const NodePointer node = Find(path);
  if (node == nullptr || node->is_folder) std::abort();
  return node->data;
}

void FaultFileSystem::SetContents(const std::string& path, const std::string& contents) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const NodePointer node = Find(path);
  if (node == nullptr || node->is_folder) std::abort();
  node->data = node->durable_data = contents;
}

absl::Status FaultFileSystem::Step(const std::string& action, const std::string& path,
                                   Effect effect) {
  log_.push_back(absl::StrCat(action, " ", path));
  const int64_t operation = static_cast<int64_t>(log_.size());
  if (dies_at_ == operation) dead_ = true;
  if (dead_) return absl::UnavailableError(absl::StrCat(path, ": this process is dead"));
  if (const auto failure = failures_.find(operation); failure != failures_.end()) {
    return absl::Status(failure->second, absl::StrCat(path, ": cannot ", action, ": injected"));
  }
  if (disk_full_at_.has_value() && operation >= *disk_full_at_ && effect == Effect::kNeedsRoom) {
    return absl::ResourceExhaustedError(absl::StrCat(path, ": cannot ", action, ": disk full"));
  }
  return absl::OkStatus();
}

bool FaultFileSystem::SyncIsIgnored() const {
  return ignored_syncs_.contains(static_cast<int64_t>(log_.size()));
}

FaultFileSystem::NodePointer FaultFileSystem::Find(const std::string& path) const {
  NodePointer node = root_;
  for (const std::string& part : PartsOf(path)) {
    const auto next = node->names.find(part);
    if (next == node->names.end()) return nullptr;
    node = next->second;
  }
  return node;
}

absl::StatusOr<FaultFileSystem::NodePointer> FaultFileSystem::FindParent(
    const std::string& path) const {
  NodePointer parent = Find(ParentFolder(path));
  if (parent != nullptr && parent->is_folder) return parent;
  return absl::NotFoundError(absl::StrCat(path, ": no such folder"));
}

absl::StatusOr<std::unique_ptr<WritableFile>> FaultFileSystem::OpenForWriting(
    const std::string& action, const std::string& path, bool truncate) {
  const std::lock_guard<std::mutex> lock(mutex_);
  NodePointer node = Find(path);
  LANGEVIN_RETURN_IF_ERROR(
      Step(action, path, node == nullptr ? Effect::kNeedsRoom : Effect::kNormal));
  LANGEVIN_ASSIGN_OR_RETURN(const NodePointer parent, FindParent(path));
  if (node == nullptr) {
    node = std::make_shared<Node>();
    parent->Do({"", BaseName(path), node});
  }
  if (node->is_folder) return absl::InvalidArgumentError(absl::StrCat(path, ": is a folder"));
  if (truncate) node->data.clear();
  return std::make_unique<OpenWritable>(*this, path, node);
}

absl::StatusOr<std::unique_ptr<WritableFile>> FaultFileSystem::NewWritableFile(
    const std::string& path) {
  return OpenForWriting("NewWritableFile", path, /*truncate=*/true);
}

absl::StatusOr<std::unique_ptr<WritableFile>> FaultFileSystem::NewAppendableFile(
    const std::string& path) {
  return OpenForWriting("NewAppendableFile", path, /*truncate=*/false);
}

absl::StatusOr<std::unique_ptr<RandomAccessFile>> FaultFileSystem::OpenForReading(
    const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex_);
  LANGEVIN_RETURN_IF_ERROR(Step("OpenForReading", path));
  const NodePointer node = Find(path);
  if (node == nullptr) return absl::NotFoundError(absl::StrCat(path, ": no such file"));
  if (node->is_folder) return absl::InvalidArgumentError(absl::StrCat(path, ": is a folder"));
  return std::make_unique<OpenReadable>(*this, path, node);
}

absl::StatusOr<FileInfo> FaultFileSystem::GetInfo(const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex_);
  LANGEVIN_RETURN_IF_ERROR(Step("GetInfo", path));
  const NodePointer node = Find(path);
  if (node == nullptr) return absl::NotFoundError(absl::StrCat(path, ": no such file"));
  return FileInfo{.type = node->is_folder ? FileType::kDirectory : FileType::kRegular,
                  .size = node->data.size()};
}

absl::StatusOr<std::vector<std::string>> FaultFileSystem::List(const std::string& folder) {
  const std::lock_guard<std::mutex> lock(mutex_);
  LANGEVIN_RETURN_IF_ERROR(Step("List", folder));
  const NodePointer node = Find(folder);
  if (node == nullptr) return absl::NotFoundError(absl::StrCat(folder, ": no such folder"));
  std::vector<std::string> names;
  for (const auto& [name, child] : node->names) names.push_back(name);
  return names;
}

absl::Status FaultFileSystem::CreateFolder(const std::string& folder) {
  const std::lock_guard<std::mutex> lock(mutex_);
  LANGEVIN_RETURN_IF_ERROR(Step("CreateFolder", folder, Effect::kNeedsRoom));
  LANGEVIN_ASSIGN_OR_RETURN(const NodePointer parent, FindParent(folder));
  if (const NodePointer node = Find(folder); node != nullptr) {
    return node->is_folder ? absl::OkStatus() : absl::AlreadyExistsError(folder);
  }
  const NodePointer node = std::make_shared<Node>();
  node->is_folder = true;
  parent->Do({"", BaseName(folder), node});
  return absl::OkStatus();
}

absl::Status FaultFileSystem::Rename(const std::string& from, const std::string& to) {
  const std::lock_guard<std::mutex> lock(mutex_);
  LANGEVIN_RETURN_IF_ERROR(Step("Rename", absl::StrCat(from, " to ", to)));
  const NodePointer node = Find(from), replaced = Find(to);
  if (node == nullptr) return absl::NotFoundError(absl::StrCat(from, ": no such file"));
  LANGEVIN_ASSIGN_OR_RETURN(const NodePointer old_parent, FindParent(from));
  LANGEVIN_ASSIGN_OR_RETURN(const NodePointer new_parent, FindParent(to));
  if (replaced != nullptr && replaced->is_folder && !replaced->names.empty()) {
    return absl::AlreadyExistsError(absl::StrCat(to, ": is not empty"));
  }
  if (old_parent == new_parent) {
    old_parent->Do({BaseName(from), BaseName(to), node});
  } else {
    old_parent->Do({BaseName(from), "", node});
    new_parent->Do({"", BaseName(to), node});
  }
  return absl::OkStatus();
}

absl::Status FaultFileSystem::Remove(const std::string& path, bool folder) {
  const NodePointer node = Find(path);
  if (node == nullptr) return absl::NotFoundError(absl::StrCat(path, ": no such file"));
  if (node->is_folder != folder) return absl::InvalidArgumentError(path);
  if (!node->names.empty()) return absl::AlreadyExistsError(absl::StrCat(path, ": is not empty"));
  LANGEVIN_ASSIGN_OR_RETURN(const NodePointer parent, FindParent(path));
  parent->Do({BaseName(path), "", node});
  return absl::OkStatus();
}

absl::Status FaultFileSystem::RemoveFile(const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex_);
  LANGEVIN_RETURN_IF_ERROR(Step("RemoveFile", path));
  return Remove(path, /*folder=*/false);
}

absl::Status FaultFileSystem::RemoveEmptyFolder(const std::string& folder) {
  const std::lock_guard<std::mutex> lock(mutex_);
  LANGEVIN_RETURN_IF_ERROR(Step("RemoveEmptyFolder", folder));
  return Remove(folder, /*folder=*/true);
}

absl::Status FaultFileSystem::Truncate(const std::string& path, uint64_t size) {
  const std::lock_guard<std::mutex> lock(mutex_);
  LANGEVIN_RETURN_IF_ERROR(Step("Truncate", path));
  const NodePointer node = Find(path);
  if (node == nullptr) return absl::NotFoundError(absl::StrCat(path, ": no such file"));
  node->data.resize(size, '\0');
  return absl::OkStatus();
}

absl::Status FaultFileSystem::SyncFolder(const std::string& folder) {
  const std::lock_guard<std::mutex> lock(mutex_);
  LANGEVIN_RETURN_IF_ERROR(Step("SyncFolder", folder));
  const NodePointer node = Find(folder);
  if (node == nullptr) return absl::NotFoundError(absl::StrCat(folder, ": no such folder"));
  if (ignore_folder_syncs_ || SyncIsIgnored()) return absl::OkStatus();
  node->durable_names = node->names;
  node->pending.clear();
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> FaultFileSystem::FreeBytes(const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex_);
  LANGEVIN_RETURN_IF_ERROR(Step("FreeBytes", path));
  return disk_full_at_.has_value() ? 0 : uint64_t{1} << 40;
}

}  // namespace langevin
