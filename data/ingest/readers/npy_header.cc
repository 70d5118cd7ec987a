#include "data/ingest/readers/npy_header.h"

#include <array>
#include <bit>
#include <optional>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"

namespace langevin::data {
namespace {

constexpr uint32_t kMaxHeaderBytes = 64 << 10;
constexpr size_t kMaxRank = 32;  // NumPy's own.

absl::Status Malformed(std::string_view problem) {
  return absl::DataLossError(absl::StrCat("is no NPY file that can be read: ",
                                          absl::string_view(problem.data(), problem.size())));
}

absl::StatusOr<NumberFormat> ParseDescr(const std::string& descr) {
  using Kind = NumberFormat::Kind;
  int bytes = 0;
  if (descr == "|O" || descr == "O") {
    return Malformed("it holds Python objects (pickles), which are never read");
  }
  if (descr.size() < 3 || !absl::SimpleAtoi(descr.substr(2), &bytes) || bytes < 1 || bytes > 16) {
    return Malformed(absl::StrFormat("its numbers are of the unknown type \"%s\"", descr));
  }
  const bool is_big = descr[0] == '>';
  if (!is_big && descr[0] != '<' && descr[0] != '|' && descr[0] != '=') {
    return Malformed(absl::StrFormat("its numbers are of the unknown type \"%s\"", descr));
  }
  NumberFormat format;
  format.bytes = bytes;
  format.swapped = bytes > 1 && descr[0] != '=' && descr[0] != '|' &&
                   is_big == (std::endian::native == std::endian::little);
  switch (descr[1]) {
    case 'b':
      format.kind = Kind::kBool;
      break;
    case 'u':
      format.kind = Kind::kUnsigned;
      break;
    case 'i':
      format.kind = Kind::kSigned;
      break;
    case 'f':
      format.kind = Kind::kFloat;
      break;
    default:
      return Malformed(absl::StrFormat("its elements (\"%s\") are no numbers", descr));
  }
  if (format.kind == Kind::kBool && bytes != 1) return Malformed("its booleans are not one byte");
  return format;
}

// Reads the few kinds of Python literals that the dictionary is made of.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool Take(char c) {
    SkipSpace();
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool TakeWord(std::string_view word) {
    SkipSpace();
    if (rest_.substr(0, word.size()) != word) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  std::optional<std::string> TakeString() {
    SkipSpace();
    if (rest_.empty() || (rest_.front() != '\'' && rest_.front() != '"')) return std::nullopt;
    const size_t end = rest_.find(rest_.front(), 1);
    if (end == std::string_view::npos) return std::nullopt;
    std::string value(rest_.substr(1, end - 1));
    rest_.remove_prefix(end + 1);
    return value;
  }
  std::optional<int64_t> TakeInteger() {
    SkipSpace();
    size_t size = 0;
    while (size < rest_.size() && rest_[size] >= '0' && rest_[size] <= '9') ++size;
    int64_t value = 0;
    if (!absl::SimpleAtoi(absl::string_view(rest_.data(), size), &value)) return std::nullopt;
    rest_.remove_prefix(size);
    if (!rest_.empty() && rest_.front() == 'L') rest_.remove_prefix(1);  // Python 2 wrote these.
    return value;
  }
  bool AtEnd() {
    SkipSpace();
    return rest_.empty();
  }

 private:
  void SkipSpace() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\n')) {
      rest_.remove_prefix(1);
    }
  }
  std::string_view rest_;
};

}  // namespace

absl::StatusOr<ArraySource> ParseNpyDictionary(std::string_view text) {
  Scanner scanner(text);
  ArraySource array;
  bool has_descr = false, has_order = false, has_shape = false;
  if (!scanner.Take('{')) return Malformed("its header is no dictionary");
  while (!scanner.Take('}')) {
    const std::optional<std::string> key = scanner.TakeString();
    if (!key.has_value() || !scanner.Take(':')) return Malformed("its header is damaged");
    if (*key == "descr") {
      const std::optional<std::string> descr = scanner.TakeString();
      if (!descr.has_value()) return Malformed("its elements have fields, and are no numbers");
      LANGEVIN_ASSIGN_OR_RETURN(array.format, ParseDescr(*descr));
      has_descr = true;
    } else if (*key == "fortran_order") {
      array.fortran_order = scanner.TakeWord("True");
      if (!array.fortran_order && !scanner.TakeWord("False")) {
        return Malformed("its header is damaged");
      }
      has_order = true;
    } else if (*key == "shape") {
      if (!scanner.Take('(')) return Malformed("its header is damaged");
      array.extents.clear();
      bool more = true;  // After a comma.
      while (!scanner.Take(')')) {
        const std::optional<int64_t> extent = scanner.TakeInteger();
        if (!more || !extent.has_value() || array.extents.size() == kMaxRank) {
          return Malformed("its shape is damaged");
        }
        array.extents.push_back(*extent);
        more = scanner.Take(',');
      }
      has_shape = true;
    } else {
      return Malformed("its header has an unknown key");
    }
    if (!scanner.Take(',')) {
      if (scanner.Take('}')) break;
      return Malformed("its header is damaged");
    }
  }
  if (!scanner.AtEnd()) return Malformed("its header is damaged");
  if (!has_descr || !has_order || !has_shape) return Malformed("its header lacks a key");
  return array;
}

absl::StatusOr<NpyHeader> ReadNpyHeader(ByteStream& stream) {
  std::array<uint8_t, 8> magic;
  LANGEVIN_RETURN_IF_ERROR(stream.Read(std::as_writable_bytes(std::span(magic))));
  const std::string_view name(reinterpret_cast<const char*>(magic.data()), 6);
  if (name != "\x93NUMPY") return Malformed("it does not begin as one");
  const int version = magic[6];
  if (version < 1 || version > 3) {
    return Malformed(absl::StrFormat("it is of version %d, of which nothing is known", version));
  }
  std::array<uint8_t, 4> length = {};
  const std::span<uint8_t> length_bytes = std::span(length).first(version == 1 ? 2 : 4);
  LANGEVIN_RETURN_IF_ERROR(stream.Read(std::as_writable_bytes(length_bytes)));
  const uint32_t size =
      length[0] | uint32_t{length[1]} << 8 | uint32_t{length[2]} << 16 | uint32_t{length[3]} << 24;
  if (size > kMaxHeaderBytes) return Malformed("its header is too long");
  std::string text(size, '\0');
  LANGEVIN_RETURN_IF_ERROR(stream.Read(std::as_writable_bytes(std::span(text))));
  NpyHeader header;
  LANGEVIN_ASSIGN_OR_RETURN(header.array, ParseNpyDictionary(text));
  header.bytes = magic.size() + length_bytes.size() + size;
  return header;
}

}  // namespace langevin::data
