#include "data/ingest/image_record.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>

#include "data/ingest/utf8.h"

namespace langevin::data {
namespace {

constexpr int kMaxNotes = 64;
constexpr size_t kMaxNoteBytes = 1000, kMaxUnitBytes = 32, kMaxModalityBytes = 16;

static_assert(std::is_trivially_copyable_v<Measures>, "Measures travel as bytes.");

ImageShape ShapeOf(const proto::SpoolShape& shape) {
  return {.height = shape.height(), .width = shape.width(), .channels = shape.channels()};
}

bool IsPossible(const ImageShape& shape) {
  constexpr int64_t kMost = kMaxDecodedBytes;
  return shape.height >= 1 && shape.width >= 1 && shape.channels >= 1 && shape.height <= kMost &&
         shape.width <= kMost && shape.channels <= kMost && shape.height * shape.width <= kMost &&
         shape.values() <= kMost;
}

template <typename Numbers>
bool AreFinite(const Numbers& numbers) {
  return std::all_of(numbers.begin(), numbers.end(),
                     [](double number) { return std::isfinite(number); });
}

// A salted hash as MedicalFacts has them: never a name in clear.
bool IsPseudonym(std::string_view text) {
  return text.empty() || (text.size() == 16 && std::all_of(text.begin(), text.end(), [](char c) {
                            return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                          }));
}

bool IsMask(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b <= std::byte{1}; });
}

bool IsPossible(const proto::SpoolMedical& medical) {
  return IsPseudonym(medical.group()) && IsPseudonym(medical.series()) &&
         (medical.position_mm_size() == 0 || medical.position_mm_size() == 3) &&
         (medical.normal_size() == 0 || medical.normal_size() == 3) &&
         medical.spacing_mm_size() <= 3 && AreFinite(medical.position_mm()) &&
         AreFinite(medical.normal()) && AreFinite(medical.spacing_mm());
}

MedicalFacts FactsOf(const proto::SpoolMedical& medical) {
  MedicalFacts facts;
  facts.modality = PrintableText(medical.modality(), kMaxModalityBytes);
  facts.group = medical.group();
  facts.series = medical.series();
  if (medical.position_mm_size() == 3) {
    facts.position_mm = {medical.position_mm(0), medical.position_mm(1), medical.position_mm(2)};
  }
  if (medical.normal_size() == 3) {
    facts.normal = {medical.normal(0), medical.normal(1), medical.normal(2)};
  }
  facts.spacing_mm.assign(medical.spacing_mm().begin(), medical.spacing_mm().end());
  facts.burned_in_annotation = medical.burned_in_annotation();
  facts.secondary_capture = medical.secondary_capture();
  return facts;
}

}  // namespace

bool IsPossible(const proto::SpoolImage& image, std::span<const std::byte> payload) {
  const ImageShape shape = ShapeOf(image.shape());
  if (!IsPossible(shape) || !IsPossible(ShapeOf(image.source_shape()))) return false;
  const DType dtype = static_cast<DType>(image.dtype());
  const bool integers = (dtype == DType::kUint8 && image.bits() >= 1 && image.bits() <= 8) ||
                        (dtype == DType::kUint16 && image.bits() >= 1 && image.bits() <= 16);
  if (!integers && dtype != DType::kFloat32) return false;
  const uint64_t pixels = static_cast<uint64_t>(shape.height * shape.width);
  return image.pixel_bytes() == static_cast<uint64_t>(shape.values()) * SizeOf(dtype) &&
         image.pixel_bytes() <= static_cast<uint64_t>(kMaxDecodedBytes) &&
         (image.mask_bytes() == 0 || image.mask_bytes() == pixels) &&
         payload.size() == image.pixel_bytes() + image.mask_bytes() &&
         IsMask(payload.subspan(image.pixel_bytes())) &&
         image.measures().size() == sizeof(Measures) && image.index() >= 0 && image.label() >= -1 &&
         image.label() <= kMaxLabel && image.bucket() >= 0 &&
         std::isfinite(image.physical_scale()) && image.physical_scale() != 0 &&
         std::isfinite(image.physical_offset()) && image.note_size() <= kMaxNotes &&
         IsPossible(image.medical());
}

ImageRecord RecordFromProto(const proto::SpoolImage& image) {
  ImageRecord record;
  record.item = image.item();
  record.index = image.index();
  record.source_shape = ShapeOf(image.source_shape());
  record.shape = ShapeOf(image.shape());
  record.dtype = static_cast<DType>(image.dtype());
  record.bits = image.bits();
  record.alpha_left_out = image.alpha_left_out();
  record.has_mask = image.mask_bytes() > 0;
  record.physical = {.scale = image.physical_scale(),
                     .offset = image.physical_offset(),
                     .unit = PrintableText(image.physical_unit(), kMaxUnitBytes)};
  record.label = image.label();
  std::memcpy(&record.measures, image.measures().data(), sizeof(record.measures));
  if (image.has_medical()) {
    record.medical = std::make_shared<const MedicalFacts>(FactsOf(image.medical()));
  }
  for (const std::string& note : image.note()) {
    record.notes.push_back(PrintableText(note, kMaxNoteBytes));
  }
  record.dataset = image.bucket();
  return record;
}

}  // namespace langevin::data
