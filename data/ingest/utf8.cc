#include "data/ingest/utf8.h"

#include <cstdint>

namespace langevin::data {
namespace {

// The code point that `text` begins with and its bytes; 0 bytes where it is none.
struct CodePoint {
  uint32_t value = 0;
  size_t bytes = 0;
};

CodePoint FirstOf(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < bytes) return {};
  uint32_t value = first & (0x7f >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    value = value << 6 | (byte(i) & 0x3f);
  }
  const bool is_overlong = (bytes == 3 && value < 0x800) || (bytes == 4 && value < 0x10000);
  if (is_overlong || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return {};
  return {value, bytes};
}

bool IsControl(uint32_t value) {
  return value < 0x20 || (value >= 0x7f && value < 0xa0) || (value >= 0x200e && value <= 0x200f) ||
         (value >= 0x2028 && value <= 0x202e) || (value >= 0x2066 && value <= 0x2069);
}

}  // namespace

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const CodePoint point = FirstOf(text);
    if (point.bytes == 0) return false;
    text.remove_prefix(point.bytes);
  }
  return true;
}

std::string PrintableText(std::string_view text, size_t limit) {
  std::string out;
  while (!text.empty()) {
    const CodePoint point = FirstOf(text);
    const bool is_good = point.bytes > 0 && !IsControl(point.value);
    const std::string_view piece = is_good ? text.substr(0, point.bytes) : "?";
    if (out.size() + piece.size() > limit) break;
    out += piece;
    text.remove_prefix(point.bytes == 0 ? 1 : point.bytes);
  }
  return out;
}

}  // namespace langevin::data
