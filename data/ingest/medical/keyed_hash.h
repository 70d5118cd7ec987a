// HMAC-SHA-256 (FIPS 180-4, RFC 2104): the hash behind which identifiers of patients disappear.
//
// A plain hash, salted or not, of something as short as a patient's number can be inverted by
// hashing all numbers; this one only by who has the key.
#ifndef LANGEVIN_DATA_INGEST_MEDICAL_KEYED_HASH_H_
#define LANGEVIN_DATA_INGEST_MEDICAL_KEYED_HASH_H_

#include <array>
#include <cstdint>
#include <string_view>

namespace langevin::data {

using Sha256Digest = std::array<uint8_t, 32>;

Sha256Digest Sha256(std::string_view message);

Sha256Digest HmacSha256(std::string_view key, std::string_view message);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_MEDICAL_KEYED_HASH_H_
