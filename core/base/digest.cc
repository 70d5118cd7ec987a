#include "core/base/digest.h"

#include <xxhash.h>

#include "absl/strings/str_format.h"

namespace langevin {

Digest::Digest() : state_(XXH3_createState()) { XXH3_128bits_reset(state_.get()); }

Digest::~Digest() = default;

void Digest::FreeState::operator()(XXH3_state_s* state) const { XXH3_freeState(state); }

void Digest::Update(std::span<const std::byte> bytes) {
  XXH3_128bits_update(state_.get(), bytes.data(), bytes.size());
}

void Digest::UpdateInteger(uint64_t value) { Update(std::as_bytes(std::span(&value, 1))); }

void Digest::UpdateString(std::string_view text) {
  UpdateInteger(text.size());
  Update(std::as_bytes(std::span(text)));
}

std::string Digest::Hex() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(state_.get());
  return absl::StrFormat("%016x%016x", hash.high64, hash.low64);
}

uint64_t HashString(std::string_view text, uint64_t seed) {
  return XXH3_64bits_withSeed(text.data(), text.size(), seed);
}

}  // namespace langevin
