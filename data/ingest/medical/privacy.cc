#include "data/ingest/medical/privacy.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/file_system.h"
#include "core/base/status_macros.h"
#include "data/ingest/medical/keyed_hash.h"

namespace langevin::data {
namespace {

constexpr size_t kSaltBytes = 32;
constexpr uint64_t kMaxSaltBytes = 4096;
constexpr size_t kMinSaltBytes = 16;

std::string SaltPath(const configs::PrivacyConfig& config, const std::string& output) {
  return config.salt_file.empty() ? absl::StrCat(output, ".salt") : config.salt_file;
}

absl::Status MakeSalt(const std::string& path) {
  std::array<std::byte, kSaltBytes> salt;
  size_t done = 0;
  while (done < salt.size()) {
    const ssize_t count = getrandom(&salt[done], salt.size() - done, 0);
    if (count < 0 && errno != EINTR) {
      return absl::InternalError(absl::StrCat("no random numbers: ", std::strerror(errno)));
    }
    if (count > 0) done += static_cast<size_t>(count);
  }
  // Created closed to others, rather than closed after it was written.
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    return absl::PermissionDeniedError(absl::StrFormat(
        "%s: the salt of patients' hashes cannot be written (%s); name one with privacy.salt_file",
        path, std::strerror(errno)));
  }
  const bool written =
      write(fd, salt.data(), salt.size()) == static_cast<ssize_t>(salt.size()) && fsync(fd) == 0;
  const bool closed = close(fd) == 0;
  if (!written || !closed) {
    unlink(path.c_str());
    return absl::ResourceExhaustedError(absl::StrFormat(
        "%s: the salt of patients' hashes cannot be written; free some disk space", path));
  }
  return PosixFileSystem().SyncFolder(ParentFolder(path));
}

}  // namespace

std::string Privacy::Pseudonym(std::string_view purpose, std::string_view identifier) const {
  if (identifier.empty()) return "";
  std::string message(purpose);
  message.push_back('\0');
  message.append(identifier);
  const Sha256Digest digest = HmacSha256(secret_, message);
  std::string digits;
  for (size_t i = 0; i < 8; ++i) absl::StrAppendFormat(&digits, "%02x", digest[i]);
  return digits;
}

absl::StatusOr<std::string> ReadSalt(const configs::PrivacyConfig& config,
                                     const std::string& output) {
  const std::string path = SaltPath(config, output);
  LANGEVIN_ASSIGN_OR_RETURN(std::string salt, PosixFileSystem().ReadFile(path, kMaxSaltBytes));
  struct stat info;
  if (stat(path.c_str(), &info) == 0 && (info.st_mode & (S_IROTH | S_IWOTH)) != 0) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s: everybody may read this salt, so hashes can be inverted; chmod 600 it", path));
  }
  if (salt.size() < kMinSaltBytes) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: a salt of %d bytes can be guessed; give at least %d random ones", path,
                        salt.size(), kMinSaltBytes));
  }
  return salt;
}

absl::StatusOr<std::string> ReadOrMakeSalt(const configs::PrivacyConfig& config,
                                           const std::string& output) {
  absl::StatusOr<std::string> salt = ReadSalt(config, output);
  if (!absl::IsNotFound(salt.status()) || !config.salt_file.empty()) return salt;
  LANGEVIN_RETURN_IF_ERROR(MakeSalt(SaltPath(config, output)));
  return ReadSalt(config, output);
}

std::string SafeFileName(const Privacy& privacy, std::string_view path) {
  return absl::StrCat("file ", privacy.Pseudonym(kFilePurpose, path));
}

std::string SafeImageName(const MedicalFacts& facts, int64_t slice) {
  return facts.series.empty() ? absl::StrFormat("image %d", slice)
                              : absl::StrFormat("series %s, slice %d", facts.series, slice);
}

}  // namespace langevin::data
