#include "core/base/html.h"

#include <cstddef>
#include <cstdint>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace langevin {
namespace {

constexpr std::string_view kReplacementCharacter = "\xef\xbf\xbd";

// The bytes of the well-formed UTF-8 sequence (Unicode 15, table 3-7) that `text` begins with, or
// 0.
size_t SequenceLength(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool is_overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool is_surrogate = first == 0xed && byte(1) > 0x9f;
  const bool is_beyond_unicode = first == 0xf4 && byte(1) > 0x8f;
  return is_overlong || is_surrogate || is_beyond_unicode ? 0 : length;
}

constexpr std::string_view kStyle = R"css(
:root { color-scheme: light dark; --page: #ffffff; --text: #1c2024; --muted: #646b73;
  --line: #dfe3e8; --panel: #f6f7f9; --series-1: #2563c9; --series-2: #c2570c; --series-3: #15803d;
  --series-4: #8b3fc4; }
@media (prefers-color-scheme: dark) { :root { --page: #14171a; --text: #e6e8ea; --muted: #99a1a9;
  --line: #31363c; --panel: #1c2024; --series-1: #6ea8ff; --series-2: #f59e55; --series-3: #5fc982;
  --series-4: #c995f5; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { font-size: 26px; line-height: 1.25; margin: 0; overflow-wrap: anywhere; }
.subtitle { color: var(--muted); margin: 4px 0 28px; }
h2 { font-size: 18px; margin: 36px 0 12px; }
.note { color: var(--muted); }
table { border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: 6px 24px 6px 0;
  border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
th { color: var(--muted); font-weight: 500; white-space: nowrap; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr));
  gap: 16px; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(260px, 1fr));
  gap: 24px 16px; }
.stats { display: flex; flex-wrap: wrap; gap: 8px 40px; margin-bottom: 8px; }
.stats b { display: block; font-size: 24px; font-weight: 600; font-variant-numeric: tabular-nums; }
.stats span { color: var(--muted); font-size: 13px; }
figure { margin: 0; }
figcaption { color: var(--muted); font-size: 13px; margin-top: 6px;
  font-variant-numeric: tabular-nums; }
img { image-rendering: pixelated; display: block; max-width: 100%; }
.pictures img { width: 100%; max-width: 320px; border-radius: 4px; }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: 6px;
  padding: 14px 16px; overflow-x: auto;
  font: 13px/1.45 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
.strip { display: flex; flex-wrap: wrap; gap: 6px; margin: 4px 0 16px; }
.strip img, .pair img, td img { width: 64px; height: auto; border-radius: 3px; }
.strip figure { width: 92px; }
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(230px, 1fr)); gap: 16px; }
.pair { display: flex; gap: 6px; }
.bar { display: inline-block; height: 9px; border-radius: 2px; background: var(--series-1); }
.bar.second { background: var(--series-3); }
.tiles svg { background: var(--panel); border: 1px solid var(--line); border-radius: 6px;
  width: 100%; height: auto; display: block; }
)css";

}  // namespace

std::string HtmlEscape(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  while (!text.empty()) {
    const size_t length = SequenceLength(text);
    const char first = text.front();
    const bool is_control =
        (static_cast<uint8_t>(first) < 0x20 && first != '\n' && first != '\t') || first == '\x7f';
    if (length == 0 || is_control) {
      escaped += kReplacementCharacter;
    } else if (first == '&') {
      escaped += "&amp;";
    } else if (first == '<') {
      escaped += "&lt;";
    } else if (first == '>') {
      escaped += "&gt;";
    } else if (first == '"') {
      escaped += "&quot;";
    } else if (first == '\'') {
      escaped += "&#39;";
    } else {
      escaped += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return escaped;
}

std::string Base64(std::string_view bytes) {
  return absl::Base64Escape(absl::string_view(bytes.data(), bytes.size()));
}

std::string HtmlPng(std::string_view png, std::string_view alt) {
  return absl::StrCat("<img alt=\"", HtmlEscape(alt), "\" src=\"data:image/png;base64,",
                      Base64(png), "\">");
}

std::string HtmlFactTable(const std::vector<std::pair<std::string, std::string>>& rows) {
  std::string table = "<table>\n";
  for (const auto& [name, value] : rows) {
    absl::StrAppend(&table, "<tr><th>", HtmlEscape(name), "</th><td>", HtmlEscape(value),
                    "</td></tr>\n");
  }
  return table + "</table>\n";
}

std::string HtmlPage(std::string_view title, std::string_view subtitle, std::string_view body) {
  return absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
      HtmlEscape(title), "</title>\n<style>", std::string(kStyle),
      "</style>\n</head>\n<body>\n<main>\n<h1>", HtmlEscape(title), "</h1>\n<p class=\"subtitle\">",
      HtmlEscape(subtitle), "</p>\n", std::string(body), "</main>\n</body>\n</html>\n");
}

}  // namespace langevin
