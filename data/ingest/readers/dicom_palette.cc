#include "data/ingest/readers/dicom_palette.h"

#include <span>

#include "core/base/status_macros.h"

namespace langevin::data {
namespace {

using Words = std::vector<uint16_t>;

absl::Status Damaged() { return absl::DataLossError("has a damaged palette"); }

// Numbers of an element, of one or two bytes each.
Words NumbersOf(const DicomDataset& dataset, uint32_t tag, bool bytes) {
  if (!bytes) return dataset.Words(tag);
  Words numbers;
  const DicomElement* const element = dataset.Find(tag);
  for (const char c : element == nullptr ? std::string() : element->value) {
    numbers.push_back(static_cast<uint8_t>(c));
  }
  return numbers;
}

// Segments, each an opcode, a length and what the opcode needs: 0 discrete values, 1 a straight
// line to a value, 2 segments that were there before, by their number and a byte offset.
class SegmentReader {
 public:
  SegmentReader(const Words& data, size_t count, bool bytes)
      : data_(data), count_(count), unit_(bytes ? 1 : 2) {}

  absl::StatusOr<Words> Expand() {
    LANGEVIN_RETURN_IF_ERROR(Segments(0, data_.size(), /*nested=*/false).status());
    if (out_.size() != count_) return Damaged();
    return std::move(out_);
  }

 private:
  // Up to `limit` segments from `at` on.
  absl::StatusOr<size_t> Segments(size_t at, size_t limit, bool nested) {
    for (size_t segment = 0; segment < limit && at + 1 < data_.size(); ++segment) {
      const size_t length = data_[at + 1];
      if (data_[at] == 0) {
        if (length > data_.size() - at - 2 || length > count_ - out_.size()) return Damaged();
        for (size_t i = 0; i < length; ++i) out_.push_back(data_[at + 2 + i]);
        at += 2 + length;
      } else if (data_[at] == 1) {
        if (at + 2 >= data_.size() || out_.empty() || length > count_ - out_.size()) {
          return Damaged();
        }
        const double from = out_.back(), to = data_[at + 2];
        for (size_t i = 1; i <= length; ++i) {
          const double value =
              from + (to - from) * static_cast<double>(i) / static_cast<double>(length);
          out_.push_back(static_cast<uint16_t>(value + 0.5));
        }
        at += 3;
      } else if (data_[at] == 2 && !nested) {
        // The offset has 32 bits: two words, or four bytes.
        const size_t numbers = 4 / unit_;
        if (at + 1 + numbers >= data_.size()) return Damaged();
        size_t offset = 0;
        for (size_t i = numbers; i > 0; --i) {
          offset = offset << (8 * unit_) | data_[at + 1 + i];
        }
        if (offset / unit_ >= at) return Damaged();
        LANGEVIN_RETURN_IF_ERROR(Segments(offset / unit_, length, /*nested=*/true).status());
        at += 2 + numbers;
      } else {
        return Damaged();
      }
    }
    return at;
  }

  const Words& data_;
  const size_t count_;
  const size_t unit_;
  Words out_;
};

}  // namespace

absl::StatusOr<Palette> PaletteOf(const DicomDataset& dataset, bool is_signed) {
  const Words descriptor = dataset.Words(kRedPaletteDescriptor);
  if (descriptor.size() != 3) return Damaged();
  const size_t count = descriptor[0] == 0 ? 65536 : descriptor[0];
  Palette palette = {.first = is_signed ? static_cast<int16_t>(descriptor[1]) : descriptor[1]};
  const bool segmented = dataset.Find(kRedPaletteData) == nullptr;
  for (uint32_t channel = 0; channel < 3; ++channel) {
    Words& entries = palette.entries[channel];
    if (segmented) {
      const bool bytes = descriptor[2] == 8;
      const Words data = NumbersOf(dataset, kSegmentedRedPaletteData + channel, bytes);
      LANGEVIN_ASSIGN_OR_RETURN(entries, SegmentReader(data, count, bytes).Expand());
      palette.bits = bytes ? 8 : 16;
      continue;
    }
    const DicomElement* const element = dataset.Find(kRedPaletteData + channel);
    // Entries of 8 bits come in bytes or in words: by the length, whatever the descriptor says.
    const bool bytes = element != nullptr && element->value.size() < 2 * count;
    entries = NumbersOf(dataset, kRedPaletteData + channel, bytes);
    if (entries.size() < count) return Damaged();
    entries.resize(count);
    palette.bits = bytes ? 8 : 16;
  }
  return palette;
}

}  // namespace langevin::data
