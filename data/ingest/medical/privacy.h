// What stands in for the identifiers in medical files, and what is set aside because it may show
// some.
//
// Readers call this inside the sandbox, so that no name, date, UID or record number crosses its
// border. Also names of files and folders may be those of patients: whatever is written about a
// medical file calls it by a SafeName.
#ifndef LANGEVIN_DATA_INGEST_MEDICAL_PRIVACY_H_
#define LANGEVIN_DATA_INGEST_MEDICAL_PRIVACY_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "configs/prepare_config.h"
#include "data/ingest/decoded_image.h"

namespace langevin::data {

// Immutable; any thread. Make it before the sandbox forks.
class Privacy {
 public:
  // `secret` keys the hashes: the same secret gives the same groups in every data set.
  explicit Privacy(std::string secret, const configs::PrivacyConfig& config = {})
      : secret_(std::move(secret)), config_(config) {}

  const configs::PrivacyConfig& config() const { return config_; }

  // 16 hexadecimal digits: the first half of HMAC-SHA-256 over the purpose, a zero byte and the
  // identifier. Hashes for different purposes cannot be compared. Empty for an empty identifier.
  std::string Pseudonym(std::string_view purpose, std::string_view identifier) const;

 private:
  const std::string secret_;
  const configs::PrivacyConfig config_;
};

// Purposes of pseudonyms.
inline constexpr std::string_view kPatientPurpose = "patient";
inline constexpr std::string_view kSeriesPurpose = "series";
inline constexpr std::string_view kFilePurpose = "file";

// The secret of a preparation that writes `output`: the bytes of config.salt_file, or else those of
// OUTPUT.salt, which is made of 32 random bytes with mode 0600 where it is not there. One process
// calls it; others get the bytes from it. InvalidArgument names the file and what to do: a salt of
// fewer than 16 bytes, or one that everybody may read.
absl::StatusOr<std::string> ReadOrMakeSalt(const configs::PrivacyConfig& config,
                                           const std::string& output);

// Reads only: NotFound where neither file is there. For --dry_run, which writes nothing.
absl::StatusOr<std::string> ReadSalt(const configs::PrivacyConfig& config,
                                     const std::string& output);

// "file 5d21c09a7be3f410": the pseudonym of the path as it was given.
std::string SafeFileName(const Privacy& privacy, std::string_view path);

// "series 3f2a90c1b7e4d852, slice 12", or "image 12" where facts.series is empty. Slices count
// from 0 in the order in which the reader handed them over.
std::string SafeImageName(const MedicalFacts& facts, int64_t slice);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_MEDICAL_PRIVACY_H_
