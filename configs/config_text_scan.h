// Which field of a config stands at a place of its text, also where the text is wrong.
#ifndef LANGEVIN_CONFIGS_CONFIG_TEXT_SCAN_H_
#define LANGEVIN_CONFIGS_CONFIG_TEXT_SCAN_H_

#include <compare>
#include <string>
#include <string_view>
#include <vector>

namespace langevin::configs {

struct TextPosition {
  int line = 0;  // From 0, as protobuf counts.
  int column = 0;

  friend auto operator<=>(const TextPosition&, const TextPosition&) = default;
};

struct ScannedField {
  std::string parent;  // Path of the message it stands in: "optimizer".
  std::string name;    // As written, whether there is such a field or not.
  std::string value;   // As written, without comments; "" for a message.
  TextPosition position;
};

// The fields whose names begin no later than `end`, in the text's order. Takes any bytes. Reads no
// further than the value of the last of them, and not below the depth a config can have.
std::vector<ScannedField> ScanFields(std::string_view text, TextPosition end);

}  // namespace langevin::configs

#endif  // LANGEVIN_CONFIGS_CONFIG_TEXT_SCAN_H_
