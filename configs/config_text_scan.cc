#include "configs/config_text_scan.h"

#include <cstddef>

#include "configs/config_fields.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

namespace langevin::configs {
namespace {

using google::protobuf::io::Tokenizer;

constexpr size_t kDeepest = 16;  // The schema has four levels.

class IgnoreErrors final : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int, google::protobuf::io::ColumnNumber, const std::string&) override {}
};

class Scanner {
 public:
  Scanner(std::string_view text, TextPosition end)
      : stream_(text.data(), static_cast<int>(text.size())),
        tokens_(&stream_, &errors_),
        end_(end) {
    // As TextFormat::Parser has it.
    tokens_.set_comment_style(Tokenizer::SH_COMMENT_STYLE);
    tokens_.set_require_space_after_number(false);
    tokens_.set_allow_f_after_float(true);
    tokens_.set_allow_multiline_strings(true);
  }

  std::vector<ScannedField> Run() {
    tokens_.Next();
    while (tokens_.current().type != Tokenizer::TYPE_END && Here() <= end_) {
      if (tokens_.current().type == Tokenizer::TYPE_IDENTIFIER) {
        if (!ScanField()) break;
        continue;
      }
      if ((Is("}") || Is(">")) && !parents_.empty()) parents_.pop_back();
      tokens_.Next();
    }
    return std::move(fields_);
  }

 private:
  TextPosition Here() { return {tokens_.current().line, tokens_.current().column}; }
  bool Is(std::string_view text) { return tokens_.current().text == text; }

  // Stands on a field's name; ends behind its value, or inside its message.
  bool ScanField() {
    ScannedField field = {.parent = parents_.empty() ? "" : parents_.back(),
                          .name = tokens_.current().text,
                          .position = Here()};
    const std::string path = JoinField(field.parent, field.name);
    tokens_.Next();
    const bool colon = Is(":");
    if (colon) tokens_.Next();
    if (Is("{") || Is("<")) {
      if (parents_.size() >= kDeepest) return false;
      parents_.push_back(path);
      tokens_.Next();
    } else if (colon) {
      field.value = ScanValue();
    }
    fields_.push_back(std::move(field));
    return true;
  }

  std::string ScanValue() {
    std::string value;
    if (Is("[")) {
      // To the bracket that closes it, but not into fields behind a list that nothing closes.
      while (tokens_.current().type != Tokenizer::TYPE_END && !Is("]") && !Is(":") && !Is("{") &&
             !Is("}")) {
        Take(value);
        if (value.back() == ',') value += ' ';
      }
      if (Is("]")) Take(value);
      return value;
    }
    if (Is("-")) Take(value);
    if (tokens_.current().type == Tokenizer::TYPE_STRING) {
      while (tokens_.current().type == Tokenizer::TYPE_STRING) Take(value);
    } else if (tokens_.current().type != Tokenizer::TYPE_SYMBOL &&
               tokens_.current().type != Tokenizer::TYPE_END) {
      Take(value);
    }
    return value;
  }

  void Take(std::string& value) {
    value += tokens_.current().text;
    tokens_.Next();
  }

  IgnoreErrors errors_;
  google::protobuf::io::ArrayInputStream stream_;
  Tokenizer tokens_;
  const TextPosition end_;
  std::vector<std::string> parents_;
  std::vector<ScannedField> fields_;
};

}  // namespace

std::vector<ScannedField> ScanFields(std::string_view text, TextPosition end) {
  return Scanner(text, end).Run();
}

}  // namespace langevin::configs
