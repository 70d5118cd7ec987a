#include "configs/config_text_parser.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "configs/config_fields.h"
#include "configs/config_message.h"
#include "configs/config_text_scan.h"
#include "google/protobuf/io/tokenizer.h"

namespace langevin::configs {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::TextFormat;

constexpr size_t kLargestText = 1 << 20;
constexpr int kDeepestNesting = 16;  // The schema has four levels.

struct ParserError {
  TextPosition position;
  std::string message;
};

// Keeps the first error, which is the one that the others follow from.
class FirstError final : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, google::protobuf::io::ColumnNumber column,
                const std::string& message) override {
    if (!error_.has_value()) error_ = ParserError{{line, column}, message};
  }
  const std::optional<ParserError>& error() const { return error_; }

 private:
  std::optional<ParserError> error_;
};

std::string WithoutLastPeriod(std::string text) {
  if (absl::EndsWith(text, ".")) text.pop_back();
  return text;
}

// Whether `value`, as written, can stand in `field` when nothing else is around it.
bool Fits(const FieldDescriptor& field, const std::string& value) {
  const google::protobuf::Message* const prototype =
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(field.containing_type());
  const std::unique_ptr<google::protobuf::Message> message(prototype->New());
  FirstError ignored;
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&ignored);
  parser.AllowPartialMessage(true);
  return parser.ParseFromString(absl::StrCat(field.name(), ": ", value), message.get());
}

// The field that `error` is about. protobuf reports some errors at the token behind the value,
// which may be the next field's name; those name the field in quotes.
const ScannedField* FieldFor(const ParserError& error, const std::vector<ScannedField>& fields) {
  const auto named = std::find_if(fields.rbegin(), fields.rend(), [&](const ScannedField& field) {
    return absl::StrContains(error.message, absl::StrCat("\"", field.name, "\""));
  });
  if (named != fields.rend()) return &*named;
  return fields.empty() ? nullptr : &fields.back();
}

// What is wrong with `field`, or nothing where the error is one of syntax.
std::optional<std::string> Explain(const google::protobuf::Descriptor& root,
                                   const ParserError& error, const ScannedField& field,
                                   const std::vector<ScannedField>& fields) {
  const FieldDescriptor* const descriptor = FieldAt(root, JoinField(field.parent, field.name));
  if (descriptor == nullptr) {
    if (MessageAt(root, field.parent) == nullptr) return std::nullopt;
    return NoSuchField(root, field.parent, field.name);
  }
  if (absl::StrContains(error.message, "specified multiple times")) {
    const auto first = std::find_if(fields.begin(), fields.end(), [&](const ScannedField& other) {
      return other.parent == field.parent && other.name == field.name;
    });
    return absl::StrFormat("is given twice, first in line %d; keep one", first->position.line + 1);
  }
  if (const auto* oneof = descriptor->containing_oneof();
      oneof != nullptr && absl::StrContains(error.message, "another member of oneof")) {
    std::vector<std::string> members;
    for (int i = 0; i < oneof->field_count(); ++i) members.push_back(oneof->field(i)->name());
    return absl::StrCat("only one can be given of ", absl::StrJoin(members, ", "));
  }
  if (!field.value.empty() && !Fits(*descriptor, field.value)) {
    return absl::StrFormat("value %s: must be %s", Shown(field.value), AllowedValues(*descriptor));
  }
  return std::nullopt;
}

std::string Syntax(const ParserError& error) {
  const bool at_end =
      absl::EndsWith(error.message, "got: ") || absl::EndsWith(error.message, "found \"\".");
  if (at_end) return "the text ends too early; is a closing brace missing?";
  return WithoutLastPeriod(Shown(error.message, 200));
}

absl::Status Describe(const google::protobuf::Descriptor& root, const ParserError& error,
                      std::string_view text, std::string_view file) {
  if (error.position.line < 0) {
    return absl::InvalidArgumentError(absl::StrFormat("%s: %s", file, Syntax(error)));
  }
  const std::vector<ScannedField> fields = ScanFields(text, error.position);
  const ScannedField* const field = FieldFor(error, fields);
  if (field == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s:%d: %s", file, error.position.line + 1, Syntax(error)));
  }
  const std::string path = Shown(JoinField(field->parent, field->name));
  if (const std::optional<std::string> explanation = Explain(root, error, *field, fields)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s:%d: field %s: %s", file, field->position.line + 1, path, *explanation));
  }
  return absl::InvalidArgumentError(absl::StrFormat("%s:%d: at or behind field %s: %s", file,
                                                    error.position.line + 1, path, Syntax(error)));
}

// The number of bytes at the beginning of `text` that are whole UTF-8 characters (RFC 3629: no
// overlong forms, no surrogates, nothing above U+10FFFF).
size_t ValidUtf8Length(std::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    const auto byte = [&](size_t offset) -> unsigned {
      return i + offset < text.size() ? static_cast<unsigned char>(text[i + offset]) : 0;
    };
    const unsigned lead = byte(0);
    size_t length = 1;
    if (lead >= 0x80) {
      if (lead < 0xc2 || lead > 0xf4) return i;
      length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
      for (size_t k = 1; k < length; ++k) {
        if ((byte(k) & 0xc0) != 0x80) return i;
      }
      const bool overlong = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xf0 && byte(1) < 0x90);
      const bool outside = (lead == 0xed && byte(1) >= 0xa0) || (lead == 0xf4 && byte(1) >= 0x90);
      if (overlong || outside) return i;
    }
    i += length;
  }
  return i;
}

}  // namespace

absl::Status ParseConfigText(std::string_view text, std::string_view file,
                             google::protobuf::Message& config,
                             TextFormat::ParseInfoTree& locations) {
  if (text.size() > kLargestText) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s: is %d bytes long; a config has at most %d", file, text.size(), kLargestText));
  }
  if (const size_t valid = ValidUtf8Length(text); valid < text.size()) {
    const auto line = 1 + std::count(text.begin(), text.begin() + valid, '\n');
    return absl::InvalidArgumentError(
        absl::StrFormat("%s:%d: byte 0x%02x is not UTF-8: write the config as plain UTF-8 text",
                        file, line, static_cast<unsigned char>(text[valid])));
  }
  FirstError errors;
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  parser.WriteLocationsTo(&locations);
  parser.SetRecursionLimit(kDeepestNesting);
  if (parser.ParseFromString(std::string(text), &config)) return absl::OkStatus();
  return Describe(*config.GetDescriptor(),
                  errors.error().value_or(ParserError{{-1, 0}, "is no text format"}), text, file);
}

int LineOf(const google::protobuf::Descriptor& root, std::string_view path,
           const TextFormat::ParseInfoTree& locations) {
  const TextFormat::ParseInfoTree* tree = &locations;
  const google::protobuf::Descriptor* message = &root;
  int line = 0;
  for (const std::string& name :
       std::vector<std::string>(absl::StrSplit(absl::string_view(path.data(), path.size()), '.'))) {
    if (tree == nullptr || message == nullptr) break;
    const FieldDescriptor* const field = message->FindFieldByName(name);
    if (field == nullptr) break;
    const int index = field->is_repeated() ? 0 : -1;  // The first one's.
    const int found = tree->GetLocation(field, index).line;
    if (found < 0) break;
    line = found + 1;
    message = field->message_type();
    if (message != nullptr) tree = tree->GetTreeForNested(field, index);
  }
  return line;
}

}  // namespace langevin::configs
