// The parts that every HTML report of Langevin shares: escaping, embedded pictures, the page around
// the content. A report is one file that needs nothing else: it can be mailed, and opens offline.
//
// Pure functions; any thread.
#ifndef LANGEVIN_CORE_BASE_HTML_H_
#define LANGEVIN_CORE_BASE_HTML_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace langevin {

// `text` with & < > " ' replaced, so that it stands as text between tags or inside a quoted
// attribute whatever it holds. Control characters that HTML does not allow and bytes that are not
// UTF-8 become U+FFFD.
std::string HtmlEscape(std::string_view text);

// RFC 4648 base64 with padding, without line breaks.
std::string Base64(std::string_view bytes);

// An <img> whose file, the bytes of a PNG, is inside the page. `alt` is plain text.
std::string HtmlPng(std::string_view png, std::string_view alt);

// A table of two columns, name and value, both plain text.
std::string HtmlFactTable(const std::vector<std::pair<std::string, std::string>>& rows);

// The whole page. `title` and `subtitle` are plain text, `body` is HTML. The style sheet gives
// colours that follow the reader's light or dark setting and knows: h2, p, p.note, table, th, td,
// td.number, pre, figure and figcaption, div.stats (<div><b>value</b><span>name</span></div>, the
// numbers that matter most), div.tiles (charts, two in a row), div.pictures (figures side by side),
// div.strip (thumbnails in rows), div.pairs of figures with a div.pair (two thumbnails), span.bar
// and span.bar.second (lengths in a table), and the variables --text --muted --line --panel and
// --series-1 to --series-4.
std::string HtmlPage(std::string_view title, std::string_view subtitle, std::string_view body);

}  // namespace langevin

#endif  // LANGEVIN_CORE_BASE_HTML_H_
