// CRC32C (Castagnoli), the checksum over image samples, checkpoint files and event records.
//
// It finds every error burst of up to 32 bits, and hardware computes it faster than a disk
// delivers. It does not protect against a forger.
#ifndef LANGEVIN_CORE_BASE_CRC32C_H_
#define LANGEVIN_CORE_BASE_CRC32C_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace langevin {

// The checksum of `bytes` appended to data whose checksum is `crc` (0 for none): iSCSI's CRC32C
// with the usual inversion, so Crc32c("123456789") is 0xe3069283. Any thread.
uint32_t Crc32c(std::span<const std::byte> bytes, uint32_t crc = 0);

inline uint32_t Crc32c(const void* data, size_t size, uint32_t crc = 0) {
  return Crc32c(std::span(static_cast<const std::byte*>(data), size), crc);
}

namespace internal {

// The table-driven method, which runs where the instruction is missing. Public for its test.
uint32_t Crc32cPortable(std::span<const std::byte> bytes, uint32_t crc);

}  // namespace internal
}  // namespace langevin

#endif  // LANGEVIN_CORE_BASE_CRC32C_H_
