#include "data/ingest/readers/dicom_dataset.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace langevin::data {
namespace {

// "a\b\c" as its parts; backslashes that are halves of characters do not occur in what is kept.
std::vector<absl::string_view> Parts(const std::string& value) {
  return absl::StrSplit(absl::string_view(value), '\\');
}

absl::string_view Stripped(absl::string_view text) {
  while (!text.empty() && (text.back() == '\0' || absl::ascii_isspace(text.back()))) {
    text.remove_suffix(1);
  }
  return absl::StripLeadingAsciiWhitespace(text);
}

}  // namespace

const DicomElement* DicomDataset::Find(uint32_t tag) const {
  const auto found =
      std::lower_bound(elements_.begin(), elements_.end(), tag,
                       [](const DicomElement& e, uint32_t wanted) { return e.tag < wanted; });
  return found != elements_.end() && found->tag == tag ? &*found : nullptr;
}

void DicomDataset::Sort() {
  std::stable_sort(elements_.begin(), elements_.end(),
                   [](const DicomElement& a, const DicomElement& b) { return a.tag < b.tag; });
}

std::string DicomDataset::Text(uint32_t tag, size_t index) const {
  const DicomElement* const element = Find(tag);
  if (element == nullptr) return "";
  const std::vector<absl::string_view> parts = Parts(element->value);
  return index < parts.size() ? std::string(Stripped(parts[index])) : "";
}

std::vector<double> DicomDataset::Decimals(uint32_t tag) const {
  const DicomElement* const element = Find(tag);
  std::vector<double> numbers;
  if (element == nullptr || Stripped(element->value).empty()) return numbers;
  for (const absl::string_view part : Parts(element->value)) {
    double number = 0;
    if (!absl::SimpleAtod(Stripped(part), &number) || !std::isfinite(number)) return {};
    numbers.push_back(number);
  }
  return numbers;
}

std::optional<double> DicomDataset::Decimal(uint32_t tag) const {
  const std::vector<double> numbers = Decimals(tag);
  return numbers.empty() ? std::nullopt : std::optional(numbers.front());
}

std::vector<uint16_t> DicomDataset::Words(uint32_t tag) const {
  const DicomElement* const element = Find(tag);
  if (element == nullptr) return {};
  std::vector<uint16_t> words(element->value.size() / 2);
  for (size_t i = 0; i < words.size(); ++i) {
    const auto first = static_cast<uint8_t>(element->value[2 * i]);
    const auto second = static_cast<uint8_t>(element->value[2 * i + 1]);
    words[i] =
        static_cast<uint16_t>(element->big_endian ? first << 8 | second : second << 8 | first);
  }
  return words;
}

std::optional<uint16_t> DicomDataset::Word(uint32_t tag) const {
  const std::vector<uint16_t> words = Words(tag);
  return words.empty() ? std::nullopt : std::optional(words.front());
}

const std::vector<DicomDataset>& DicomDataset::Items(uint32_t tag) const {
  static const auto* const kNone = new std::vector<DicomDataset>();
  const DicomElement* const element = Find(tag);
  return element == nullptr ? *kNone : element->items;
}

const DicomDataset* DicomDataset::FirstItem(uint32_t tag) const {
  const std::vector<DicomDataset>& items = Items(tag);
  return items.empty() ? nullptr : &items.front();
}

}  // namespace langevin::data
