#include "core/base/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <set>
#include <string_view>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "nlohmann/json.hpp"

namespace langevin {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors files are little endian");

constexpr uint64_t kMaxHeaderBytes = uint64_t{16} << 20;
constexpr size_t kMaxTensors = 65536;
constexpr size_t kMaxDimensions = 8;
constexpr std::string_view kMetadataName = "__metadata__";

// A name from the file as messages may show it: printable, on one line, not too long.
std::string Quoted(std::string_view name) {
  constexpr size_t kShown = 80;
  return absl::StrCat("\"", absl::CHexEscape(std::string(name.substr(0, kShown))),
                      name.size() > kShown ? "...\"" : "\"");
}

// What the header says, offsets counted from the beginning of the data.
struct Header {
  std::map<std::string, SafetensorsFile::Entry> entries;
  std::map<std::string, std::string> metadata;
};

// Receives the events of nlohmann's parser, which neither recurses nor builds a document: nothing
// is kept beyond what the schema has a place for, and the first event without a place ends the
// parse.
class HeaderHandler : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return Fail("holds a null"); }
  bool boolean(bool) override { return Fail("holds a boolean"); }
  bool number_integer(number_integer_t) override { return Fail("holds a negative number"); }
  bool number_float(number_float_t, const string_t&) override {
    return Fail("holds a number that is no integer of 64 bits");
  }
  bool binary(binary_t&) override { return Fail("holds binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return Fail("holds a number above 2^63 - 1");
    }
    if (state_ == State::kShape) {
      if (entry_.shape.size() == kMaxDimensions) {
        return Fail(absl::StrCat("gives ", Quoted(name_), " more than 8 dimensions"));
      }
      entry_.shape.push_back(static_cast<int64_t>(value));
      return true;
    }
    if (state_ == State::kOffsets) {
      if (offsets_.size() == 2) return Fail("has data_offsets that are not two numbers");
      offsets_.push_back(value);
      return true;
    }
    return Fail("has a number where none belongs");
  }

  bool string(string_t& value) override {
    if (state_ == State::kMetadata) {
      header_.metadata[key_] = value;
      return true;
    }
    if (state_ != State::kEntry || key_ != "dtype") return Fail("has a text where none belongs");
    const absl::StatusOr<DType> dtype = DTypeFromName(value);
    if (!dtype.ok()) {
      return Fail(absl::StrCat("gives ", Quoted(name_), " the type ", Quoted(value),
                               ", which is not supported"));
    }
    entry_.dtype = *dtype;
    return true;
  }

  bool key(string_t& value) override {
    if (state_ == State::kRoot) {
      if (!names_.insert(value).second) {
        return Fail(absl::StrCat("names ", Quoted(value), " twice"));
      }
      // One more for the metadata.
      if (names_.size() > kMaxTensors + 1) return Fail("names more than 65536 tensors");
      name_ = value;
      return true;
    }
    if (!keys_.insert(value).second) {
      return Fail(absl::StrCat("has ", Quoted(value), " twice in ", Quoted(name_)));
    }
    if (state_ == State::kEntry && value != "dtype" && value != "shape" &&
        value != "data_offsets") {
      return Fail(absl::StrCat("has the unknown field ", Quoted(value), " in ", Quoted(name_)));
    }
    key_ = value;
    return true;
  }

  bool start_object(std::size_t) override {
    switch (state_) {
      case State::kBefore:
        state_ = State::kRoot;
        return true;
      case State::kRoot:
        state_ = name_ == kMetadataName ? State::kMetadata : State::kEntry;
        keys_.clear();
        entry_ = {};
        offsets_.clear();
        return true;
      default:
        return Fail("has an object where none belongs");
    }
  }

  bool end_object() override {
    if (state_ == State::kRoot) {
      state_ = State::kAfter;
      return true;
    }
    if (state_ == State::kEntry && !FinishEntry()) return false;
    state_ = State::kRoot;
    return true;
  }

  bool start_array(std::size_t) override {
    if (state_ == State::kEntry && key_ == "shape") {
      state_ = State::kShape;
    } else if (state_ == State::kEntry && key_ == "data_offsets") {
      state_ = State::kOffsets;
    } else {
      return Fail("has a list where none belongs");
    }
    return true;
  }

  bool end_array() override {
    state_ = State::kEntry;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    return Fail(absl::StrCat("is no valid JSON at byte ", position));
  }

  Header& header() { return header_; }
  const std::string& problem() const { return problem_; }

 private:
  enum class State { kBefore, kRoot, kMetadata, kEntry, kShape, kOffsets, kAfter };

  bool FinishEntry() {
    if (keys_.size() != 3) {
      return Fail(
          absl::StrCat("does not give ", Quoted(name_), " a dtype, shape and data_offsets"));
    }
    const std::optional<uint64_t> size = ByteSizeOf(entry_.dtype, entry_.shape);
    if (!size.has_value()) {
      return Fail(absl::StrCat("gives ", Quoted(name_), " the impossible shape ",
                               ShapeString(entry_.shape)));
    }
    if (offsets_.size() != 2 || offsets_[0] > offsets_[1] || offsets_[1] - offsets_[0] != *size) {
      return Fail(absl::StrCat("gives ", Quoted(name_), " data_offsets that do not fit its ", *size,
                               " bytes"));
    }
    entry_.offset = offsets_[0];
    entry_.size = *size;
    header_.entries.emplace(std::move(name_), std::move(entry_));
    return true;
  }

  bool Fail(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }

  State state_ = State::kBefore;
  std::set<std::string> names_;  // Of tensors, and the metadata's.
  std::set<std::string> keys_;   // Seen in the object that is being read.
  std::string name_;
  std::string key_;
  SafetensorsFile::Entry entry_;
  std::vector<uint64_t> offsets_;
  Header header_;
  std::string problem_;
};

// Whether the tensors fill [0, data_bytes) without overlap or gap; otherwise the problem.
std::string LayoutProblem(const std::map<std::string, SafetensorsFile::Entry>& entries,
                          uint64_t data_bytes) {
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  ranges.reserve(entries.size());
  for (const auto& [name, entry] : entries) {
    ranges.emplace_back(entry.offset, entry.offset + entry.size);
  }
  std::sort(ranges.begin(), ranges.end());
  uint64_t end = 0;
  for (const auto& [begin, next] : ranges) {
    if (begin != end) {
      return absl::StrCat("has tensors that ", begin < end ? "overlap" : "leave a gap", " at byte ",
                          begin, " of the data");
    }
    end = next;
  }
  if (end == data_bytes) return "";
  return absl::StrCat("describes ", end, " bytes of data, but ", data_bytes, " follow it");
}

std::string JsonString(std::string_view text) {
  return nlohmann::json(std::string(text))
      .dump(-1, ' ', /*ensure_ascii=*/false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

absl::StatusOr<SafetensorsFile> SafetensorsFile::Open(FileSystem& file_system,
                                                      const std::string& path) {
  const auto damaged = [&path](const std::string& problem) {
    return absl::DataLossError(absl::StrCat(path, ": is no valid safetensors file: ", problem,
                                            "; copy or download it again"));
  };
  LANGEVIN_ASSIGN_OR_RETURN(std::unique_ptr<RandomAccessFile> file,
                            file_system.OpenForReading(path));
  uint64_t length = 0;
  if (file->size() < sizeof(length)) {
    return damaged(absl::StrCat("it has ", file->size(), " bytes"));
  }
  LANGEVIN_RETURN_IF_ERROR(file->ReadAt(0, std::as_writable_bytes(std::span(&length, 1))));
  if (length > kMaxHeaderBytes || length > file->size() - sizeof(length)) {
    return damaged(absl::StrCat("its header claims ", length, " bytes; ",
                                std::min(kMaxHeaderBytes, file->size() - sizeof(length)),
                                " are possible"));
  }
  std::string text(length, '\0');
  LANGEVIN_RETURN_IF_ERROR(file->ReadAt(sizeof(length), std::as_writable_bytes(std::span(text))));
  if (!text.starts_with('{')) return damaged("its header does not begin with '{'");

  HeaderHandler handler;
  if (!nlohmann::json::sax_parse(text, &handler)) {
    return damaged(absl::StrCat("its header ", handler.problem()));
  }
  Header& header = handler.header();
  const uint64_t data_begin = sizeof(length) + length;
  if (header.entries.size() > kMaxTensors) return damaged("its header names too many tensors");
  if (const std::string problem = LayoutProblem(header.entries, file->size() - data_begin);
      !problem.empty()) {
    return damaged(absl::StrCat("its header ", problem));
  }
  for (auto& [name, entry] : header.entries) entry.offset += data_begin;

  SafetensorsFile result;
  result.path_ = path;
  result.file_ = std::move(file);
  result.entries_ = std::move(header.entries);
  result.metadata_ = std::move(header.metadata);
  return result;
}

absl::Status SafetensorsFile::Read(const MutableTensorView& out) const {
  const auto found = entries_.find(out.name);
  if (found == entries_.end()) {
    return absl::DataLossError(absl::StrCat(path_, ": has no tensor ", Quoted(out.name)));
  }
  const Entry& entry = found->second;
  if (entry.dtype != out.dtype || entry.shape != out.shape) {
    return absl::DataLossError(
        absl::StrCat(path_, ": ", Quoted(out.name), " is ", std::string(NameOf(entry.dtype)),
                     ShapeString(entry.shape), ", but ", std::string(NameOf(out.dtype)),
                     ShapeString(out.shape), " is needed"));
  }
  if (out.bytes.size() != entry.size) {
    return absl::InternalError(absl::StrCat(path_, ": ", Quoted(out.name), " has ", entry.size,
                                            " bytes, the buffer for it ", out.bytes.size()));
  }
  return file_->ReadAt(entry.offset, out.bytes);
}

std::optional<uint64_t> ByteSizeOf(DType dtype, const std::vector<int64_t>& shape) {
  int64_t size = static_cast<int64_t>(SizeOf(dtype));
  for (const int64_t dimension : shape) {
    if (dimension < 0 || __builtin_mul_overflow(size, dimension, &size)) return std::nullopt;
  }
  return static_cast<uint64_t>(size);
}

absl::Status CheckTensorSchema(const std::vector<TensorView>& tensors) {
  if (tensors.size() > kMaxTensors) {
    return absl::InternalError(
        absl::StrCat(tensors.size(), " tensors are more than a file may hold: ", kMaxTensors));
  }
  std::set<std::string_view> names;
  for (const TensorView& tensor : tensors) {
    const std::string name = Quoted(tensor.name);
    if (tensor.name.empty() || tensor.name == kMetadataName || !names.insert(tensor.name).second) {
      return absl::InternalError(absl::StrCat("the tensor name ", name, " is reserved or taken"));
    }
    if (tensor.shape.size() > kMaxDimensions) {
      return absl::InternalError(absl::StrCat("tensor ", name, " has more than 8 dimensions"));
    }
    if (!ByteSizeOf(tensor.dtype, tensor.shape).has_value()) {
      return absl::InternalError(
          absl::StrCat("tensor ", name, " has the shape ", ShapeString(tensor.shape)));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTensorList(const std::vector<TensorView>& tensors) {
  LANGEVIN_RETURN_IF_ERROR(CheckTensorSchema(tensors));
  for (const TensorView& tensor : tensors) {
    if (ByteSizeOf(tensor.dtype, tensor.shape) == tensor.bytes.size()) continue;
    return absl::InternalError(absl::StrCat("tensor ", Quoted(tensor.name), " has the shape ",
                                            ShapeString(tensor.shape), " but ", tensor.bytes.size(),
                                            " bytes"));
  }
  return absl::OkStatus();
}

std::string SafetensorsHeader(const std::vector<TensorView>& tensors,
                              const std::map<std::string, std::string>& metadata) {
  std::string text = "{";
  if (!metadata.empty()) {
    absl::StrAppend(&text, JsonString(kMetadataName), ":");
    char separator = '{';
    for (const auto& [key, value] : metadata) {
      text += separator;
      absl::StrAppend(&text, JsonString(key), ":", JsonString(value));
      separator = ',';
    }
    text += '}';
  }
  uint64_t offset = 0;
  for (const TensorView& tensor : tensors) {
    if (text.size() > 1) text += ',';
    const uint64_t end = offset + tensor.bytes.size();
    absl::StrAppend(&text, JsonString(tensor.name), ":{\"dtype\":\"",
                    std::string(NameOf(tensor.dtype)), "\",\"shape\":", ShapeString(tensor.shape),
                    ",\"data_offsets\":[", offset, ",", end, "]}");
    offset = end;
  }
  text += '}';
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  std::string header(sizeof(length), '\0');
  std::memcpy(header.data(), &length, sizeof(length));
  return header + text;
}

absl::Status WriteSafetensors(FileSystem& file_system, const std::string& path,
                              const std::vector<TensorView>& tensors,
                              const std::map<std::string, std::string>& metadata) {
  LANGEVIN_RETURN_IF_ERROR(CheckTensorList(tensors));
  const std::string header = SafetensorsHeader(tensors, metadata);
  if (header.size() - sizeof(uint64_t) > kMaxHeaderBytes) {
    return absl::InternalError(absl::StrCat(path, ": its header would have ", header.size(),
                                            " bytes; 16 MiB are allowed"));
  }
  std::vector<std::span<const std::byte>> pieces = {std::as_bytes(std::span(header))};
  for (const TensorView& tensor : tensors) pieces.push_back(tensor.bytes);
  return file_system.WriteFileDurably(path, pieces);
}

}  // namespace langevin
