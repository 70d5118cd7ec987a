// Text of unknown origin, made fit for logs, tables and reports.
#ifndef LANGEVIN_DATA_INGEST_UTF8_H_
#define LANGEVIN_DATA_INGEST_UTF8_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace langevin::data {

// Whether `text` is UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool IsUtf8(std::string_view text);

// The first `limit` bytes with '?' for control characters (also those above U+007F, and the ones
// that turn the direction of writing) and for bytes that are no UTF-8.
std::string PrintableText(std::string_view text, size_t limit);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_UTF8_H_
