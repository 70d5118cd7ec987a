#include "data/ingest/readers/zip_directory.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"

namespace langevin::data {
namespace {

constexpr uint64_t kMaxDirectoryBytes = 16 << 20;
constexpr uint64_t kMaxMembers = 65536;
constexpr uint64_t kEndBytes = 22, kEnd64Bytes = 56, kLocator64Bytes = 20;
constexpr uint64_t kEntryBytes = 46, kLocalBytes = 30;
constexpr uint32_t kEndMagic = 0x06054b50, kEnd64Magic = 0x06064b50, kLocator64Magic = 0x07064b50;
constexpr uint32_t kEntryMagic = 0x02014b50, kLocalMagic = 0x04034b50;

absl::Status Damaged(const char* what) {
  return absl::DataLossError(absl::StrFormat("its ZIP directory is damaged (%s)", what));
}

// Little endian, `bytes` of them.
uint64_t Number(std::span<const std::byte> from, size_t offset, int bytes) {
  uint64_t value = 0;
  for (int i = bytes - 1; i >= 0; --i) {
    value = value << 8 | std::to_integer<uint64_t>(from[offset + static_cast<size_t>(i)]);
  }
  return value;
}

absl::StatusOr<std::vector<std::byte>> ReadPart(const RandomAccessFile& file, uint64_t offset,
                                                uint64_t size) {
  if (offset > file.size() || size > file.size() - offset) return Damaged("truncated");
  std::vector<std::byte> part(size);
  if (!file.ReadAt(offset, part).ok()) return Damaged("truncated");
  return part;
}

struct Directory {
  uint64_t members = 0, bytes = 0, offset = 0;
};

absl::StatusOr<Directory> FindDirectory(const RandomAccessFile& file) {
  // The last record of the file, before a comment of at most 64 KiB.
  const uint64_t tail = std::min<uint64_t>(file.size(), kEndBytes + 65535);
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes,
                            ReadPart(file, file.size() - tail, tail));
  if (tail < kEndBytes) return Damaged("no end record");
  size_t at = tail - kEndBytes;
  while (Number(bytes, at, 4) != kEndMagic) {
    if (at-- == 0) return Damaged("no end record");
  }
  Directory directory = {.members = Number(bytes, at + 10, 2),
                         .bytes = Number(bytes, at + 12, 4),
                         .offset = Number(bytes, at + 16, 4)};
  const bool is_64 = directory.members == 0xffff || directory.bytes == 0xffffffff ||
                     directory.offset == 0xffffffff;
  if (is_64 && at >= kLocator64Bytes && Number(bytes, at - kLocator64Bytes, 4) == kLocator64Magic) {
    LANGEVIN_ASSIGN_OR_RETURN(
        const std::vector<std::byte> end,
        ReadPart(file, Number(bytes, at - kLocator64Bytes + 8, 8), kEnd64Bytes));
    if (Number(end, 0, 4) != kEnd64Magic) return Damaged("no ZIP64 end record");
    directory = {
        .members = Number(end, 32, 8), .bytes = Number(end, 40, 8), .offset = Number(end, 48, 8)};
  }
  if (directory.bytes > kMaxDirectoryBytes || directory.members > kMaxMembers) {
    return Damaged("too many members");
  }
  return directory;
}

// Numbers that did not fit into 32 bits are in the extra field with id 1, in this order.
absl::Status ReadZip64(std::span<const std::byte> extra, ZipMember& member) {
  while (extra.size() >= 4) {
    const uint64_t id = Number(extra, 0, 2);
    const size_t size = static_cast<size_t>(Number(extra, 2, 2));
    extra = extra.subspan(4);
    if (size > extra.size()) return Damaged("an extra field");
    std::span<const std::byte> body = extra.first(size);
    extra = extra.subspan(size);
    if (id != 1) continue;
    for (uint64_t* const number : {&member.bytes, &member.packed_bytes, &member.header_offset}) {
      if (*number != 0xffffffff) continue;
      if (body.size() < 8) return Damaged("an extra field");
      *number = Number(body, 0, 8);
      body = body.subspan(8);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<ZipMember>> ReadZipDirectory(const RandomAccessFile& file) {
  LANGEVIN_ASSIGN_OR_RETURN(const Directory directory, FindDirectory(file));
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes,
                            ReadPart(file, directory.offset, directory.bytes));
  std::vector<ZipMember> members;
  std::span<const std::byte> rest = bytes;
  for (uint64_t i = 0; i < directory.members; ++i) {
    if (rest.size() < kEntryBytes || Number(rest, 0, 4) != kEntryMagic) return Damaged("an entry");
    const size_t name_bytes = static_cast<size_t>(Number(rest, 28, 2));
    const size_t extra_bytes = static_cast<size_t>(Number(rest, 30, 2));
    const size_t all_bytes =
        kEntryBytes + name_bytes + extra_bytes + static_cast<size_t>(Number(rest, 32, 2));
    if (rest.size() < all_bytes) return Damaged("an entry");
    ZipMember member = {.method = static_cast<int>(Number(rest, 10, 2)),
                        .encrypted = (Number(rest, 8, 2) & 1) != 0,
                        .crc32 = static_cast<uint32_t>(Number(rest, 16, 4)),
                        .packed_bytes = Number(rest, 20, 4),
                        .bytes = Number(rest, 24, 4),
                        .header_offset = Number(rest, 42, 4)};
    member.name.assign(reinterpret_cast<const char*>(rest.data()) + kEntryBytes, name_bytes);
    LANGEVIN_RETURN_IF_ERROR(
        ReadZip64(rest.subspan(kEntryBytes + name_bytes, extra_bytes), member));
    if (member.packed_bytes > file.size() || member.header_offset > file.size()) {
      return Damaged("an entry points behind the end");
    }
    rest = rest.subspan(all_bytes);
    members.push_back(std::move(member));
  }
  return members;
}

absl::StatusOr<std::unique_ptr<ByteStream>> OpenZipMember(const RandomAccessFile& file,
                                                          const ZipMember& member) {
  if (member.encrypted) return absl::DataLossError("is encrypted");
  if (member.method != 0 && member.method != 8) {
    return absl::DataLossError(absl::StrFormat(
        "is compressed by ZIP's method %d; stored and deflated members are read", member.method));
  }
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::byte> local,
                            ReadPart(file, member.header_offset, kLocalBytes));
  if (Number(local, 0, 4) != kLocalMagic) return Damaged("a member's header");
  const uint64_t offset =
      member.header_offset + kLocalBytes + Number(local, 26, 2) + Number(local, 28, 2);
  if (offset > file.size() || member.packed_bytes > file.size() - offset) {
    return Damaged("a member is truncated");
  }
  if (member.method == 0) {
    if (member.bytes != member.packed_bytes) return Damaged("a member's size");
    return RangeStream(file, offset, member.bytes);
  }
  return InflatingStream(file, offset, member.packed_bytes, member.bytes, member.crc32);
}

}  // namespace langevin::data
