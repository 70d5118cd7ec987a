// Names for large data: the data set's fingerprint, the digest of a training state.
//
// XXH3 with 128 bits: at memory speed, and two different states collide by chance once in 2^64. It
// does not protect against a forger.
#ifndef LANGEVIN_CORE_BASE_DIGEST_H_
#define LANGEVIN_CORE_BASE_DIGEST_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct XXH3_state_s;

namespace langevin {

// Collects bytes and names them. One thread at a time.
class Digest {
 public:
  Digest();
  ~Digest();
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;

  // Adds raw bytes. The digest depends on their sequence alone, not on how it is cut.
  void Update(std::span<const std::byte> bytes);

  // Adds the length and then the bytes, so that ("ab", "c") and ("a", "bc") differ.
  void UpdateString(std::string_view text);
  void UpdateInteger(uint64_t value);  // Eight bytes, little endian.

  // 32 hexadecimal digits for all that was added so far.
  std::string Hex() const;

 private:
  struct FreeState {
    void operator()(XXH3_state_s* state) const;
  };
  std::unique_ptr<XXH3_state_s, FreeState> state_;
};

// 64 bits of XXH3 over `text` and `seed`: for deriving keys, as in
// HashString("sample order", seed).
uint64_t HashString(std::string_view text, uint64_t seed);

}  // namespace langevin

#endif  // LANGEVIN_CORE_BASE_DIGEST_H_
