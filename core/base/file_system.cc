// The part of the file system interface that is built on its primitives, and path arithmetic.
#include "core/base/file_system.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace langevin {

bool FileSystem::Exists(const std::string& path) { return GetInfo(path).ok(); }

absl::Status FileSystem::LinkOrCopy(const std::string& from, const std::string& to) {
  constexpr uint64_t kPieceBytes = 8 << 20;
  if (Exists(to)) return absl::AlreadyExistsError(absl::StrCat(to, ": is there already"));
  LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<RandomAccessFile> source, OpenForReading(from));
  LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> copy, NewWritableFile(to));
  std::vector<std::byte> piece(std::min(source->size(), kPieceBytes));
  for (uint64_t offset = 0; offset < source->size(); offset += kPieceBytes) {
    const std::span bytes = std::span(piece).first(std::min(kPieceBytes, source->size() - offset));
    LANGEVIN_RETURN_IF_ERROR(source->ReadAt(offset, bytes));
    LANGEVIN_RETURN_IF_ERROR(copy->Append(bytes));
  }
  LANGEVIN_RETURN_IF_ERROR(copy->Sync());
  return copy->Close();
}

absl::StatusOr<std::string> FileSystem::ReadFile(const std::string& path, uint64_t limit) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<RandomAccessFile> file, OpenForReading(path));
  if (file->size() > limit) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": is ", file->size(),
                                                   " bytes long; at most ", limit,
                                                   " are allowed for this kind of file"));
  }
  std::string contents(file->size(), '\0');
  LANGEVIN_RETURN_IF_ERROR(file->ReadAt(0, std::as_writable_bytes(std::span(contents))));
  return contents;
}

absl::Status FileSystem::CreateFolders(const std::string& folder) {
  const absl::StatusOr<FileInfo> info = GetInfo(folder);
  if (info.ok() && info->type == FileType::kDirectory) return absl::OkStatus();
  const std::string parent = ParentFolder(folder);
  // A link to a folder is fine as a place to create in, so anything that is there is tried.
  if (parent != folder && !Exists(parent)) LANGEVIN_RETURN_IF_ERROR(CreateFolders(parent));
  LANGEVIN_RETURN_IF_ERROR(CreateFolder(folder));
  return SyncFolder(parent);
}

absl::Status FileSystem::RemoveTree(const std::string& path) {
  const absl::StatusOr<FileInfo> info = GetInfo(path);
  if (absl::IsNotFound(info.status())) return absl::OkStatus();
  if (!info.ok()) return info.status();
  if (info->type != FileType::kDirectory) return RemoveFile(path);
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> names, List(path));
  for (const std::string& name : names) {
    LANGEVIN_RETURN_IF_ERROR(RemoveTree(JoinPath(path, name)));
  }
  return RemoveEmptyFolder(path);
}

absl::Status FileSystem::WriteFileDurably(const std::string& path,
                                          std::span<const std::span<const std::byte>> pieces) {
  const std::string temporary = absl::StrCat(path, ".tmp");
  const absl::Status written = [&] {
    LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> file, NewWritableFile(temporary));
    for (const std::span<const std::byte> piece : pieces) {
      LANGEVIN_RETURN_IF_ERROR(file->Append(piece));
    }
    LANGEVIN_RETURN_IF_ERROR(file->Sync());
    LANGEVIN_RETURN_IF_ERROR(file->Close());
    return Rename(temporary, path);
  }();
  if (!written.ok()) {
    RemoveFile(temporary).IgnoreError();
    return written;
  }
  return SyncFolder(ParentFolder(path));
}

absl::Status FileSystem::WriteFileDurably(const std::string& path, std::string_view contents) {
  const std::span<const std::byte> piece = std::as_bytes(std::span(contents));
  return WriteFileDurably(path, {&piece, 1});
}

absl::Status FileSystem::WriteFile(const std::string& path, std::string_view contents) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> file, NewWritableFile(path));
  LANGEVIN_RETURN_IF_ERROR(file->Append(contents));
  return file->Close();
}

absl::Status FileSystem::SyncTree(const std::string& path) {
  LANGEVIN_ASSIGN_OR_RETURN(const FileInfo info, GetInfo(path));
  if (info.type != FileType::kDirectory) {
    LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> file, NewAppendableFile(path));
    LANGEVIN_RETURN_IF_ERROR(file->Sync());
    return file->Close();
  }
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> names, List(path));
  for (const std::string& name : names) LANGEVIN_RETURN_IF_ERROR(SyncTree(JoinPath(path, name)));
  return SyncFolder(path);
}

std::string JoinPath(std::string_view folder, std::string_view name) {
  if (folder.empty()) return std::string(name);
  std::string path(folder);
  if (path.back() != '/') path += '/';
  return path.append(name);
}

namespace {

std::string_view WithoutTrailingSlashes(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  return path;
}

}  // namespace

std::string ParentFolder(std::string_view path) {
  path = WithoutTrailingSlashes(path);
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(WithoutTrailingSlashes(path.substr(0, slash + 1)));
}

std::string BaseName(std::string_view path) {
  path = WithoutTrailingSlashes(path);
  const size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos || path.size() == 1 ? path
                                                                         : path.substr(slash + 1));
}

}  // namespace langevin
