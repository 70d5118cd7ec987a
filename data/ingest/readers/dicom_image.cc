#include "data/ingest/readers/dicom_image.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "core/base/status_macros.h"
#include "data/ingest/readers/dicom_palette.h"

namespace langevin::data {
namespace {

constexpr absl::string_view kStandardUids = "1.2.840.10008.";
constexpr absl::string_view kSecondaryCapture = "1.2.840.10008.5.1.4.1.1.7";

// A code as it may leave the reader: capital letters, digits and spaces.
std::string CodeOf(const DicomDataset& dataset, uint32_t tag, size_t index = 0) {
  std::string code = dataset.Text(tag, index);
  const bool plain = std::all_of(code.begin(), code.end(), [](char c) {
    return absl::ascii_isupper(c) || absl::ascii_isdigit(c) || c == ' ' || c == '_';
  });
  return plain && code.size() <= 16 ? code : "";
}

// The data set that says `tag` of a frame, where `tag` belongs to the functional group `sequence`.
const DicomDataset* GroupWith(const DicomDataset& top, uint32_t sequence, uint32_t tag,
                              int64_t frame) {
  const std::vector<DicomDataset>& frames = top.Items(kPerFrameFunctionalGroupsSequence);
  if (frame < static_cast<int64_t>(frames.size())) {
    const DicomDataset* const own = frames[static_cast<size_t>(frame)].FirstItem(sequence);
    if (own != nullptr && own->Find(tag) != nullptr) return own;
  }
  if (const DicomDataset* const shared = top.FirstItem(kSharedFunctionalGroupsSequence)) {
    const DicomDataset* const item = shared->FirstItem(sequence);
    if (item != nullptr && item->Find(tag) != nullptr) return item;
  }
  return &top;
}

absl::StatusOr<PixelEncoding> EncodingOf(const std::string& syntax) {
  constexpr absl::string_view kTransfer = "1.2.840.10008.1.2";
  absl::string_view rest = syntax;
  if (syntax.empty()) return PixelEncoding::kNative;
  if (absl::StartsWith(rest, kTransfer)) {
    rest.remove_prefix(kTransfer.size());
    for (const char* const native : {"", ".1", ".2", ".1.99"}) {
      if (rest == native) return PixelEncoding::kNative;
    }
    for (const char* const jpeg : {".4.50", ".4.51", ".4.57", ".4.70"}) {
      if (rest == jpeg) return PixelEncoding::kJpeg;
    }
    if (rest == ".5") return PixelEncoding::kRle;
    if (rest == ".4.80" || rest == ".4.81") return PixelEncoding::kJpegLs;
    if (rest == ".4.90" || rest == ".4.91") return PixelEncoding::kJpeg2000;
    // Anything else that stands there is no code, and so may be anything.
    if (std::all_of(syntax.begin(), syntax.end(),
                    [](char c) { return absl::ascii_isdigit(c) || c == '.'; })) {
      return absl::UnimplementedError(
          absl::StrFormat("has pixels of transfer syntax %s, which is not read", syntax));
    }
  }
  return absl::UnimplementedError("has pixels of an unknown transfer syntax");
}

bool HasSignedVr(const DicomElement& element, bool is_signed) {
  if (element.vr[0] == 'S' && element.vr[1] == 'S') return true;
  if (element.vr[0] == 'U' && element.vr[1] == 'S') return false;
  return is_signed;
}

absl::StatusOr<LookupTable> TableOf(const DicomDataset& item, bool is_signed) {
  const std::vector<uint16_t> descriptor = item.Words(kLutDescriptor);
  const DicomElement* const data = item.Find(kLutData);
  if (descriptor.size() != 3 || data == nullptr || descriptor[2] < 1 || descriptor[2] > 16) {
    return absl::DataLossError("has a damaged lookup table");
  }
  LookupTable table = {.first = descriptor[1], .bits = descriptor[2]};
  if (HasSignedVr(*item.Find(kLutDescriptor), is_signed)) {
    table.first = static_cast<int16_t>(descriptor[1]);
  }
  const size_t count = descriptor[0] == 0 ? 65536 : descriptor[0];
  if (table.bits <= 8 && data->value.size() < 2 * count) {
    for (const char c : data->value) table.entries.push_back(static_cast<uint8_t>(c));
  } else {
    table.entries = item.Words(kLutData);
  }
  if (table.entries.size() < count) return absl::DataLossError("has a truncated lookup table");
  table.entries.resize(count);
  const uint16_t largest = *std::max_element(table.entries.begin(), table.entries.end());
  table.bits = std::max<int32_t>(table.bits, std::bit_width(largest));
  table.explanation = item.Text(kLutExplanation);
  return table;
}

// Units that may be named; others are free text.
std::string UnitOf(const DicomDataset& top, const DicomDataset& rescale) {
  static constexpr const char* kKnown[] = {"HU",   "OD",  "MGML", "Z_EFF", "ED",  "EDW",
                                           "BQML", "PCT", "CNTS", "GML",   "1CM", "CPS"};
  std::string unit = CodeOf(rescale, kRescaleType);
  if (unit.empty()) unit = CodeOf(rescale, kModalityLutType);
  if (unit.empty()) unit = CodeOf(top, kUnits);
  if (unit.empty() || unit == "US") unit = CodeOf(top, kModality) == "CT" ? "HU" : "";
  const bool known = std::any_of(std::begin(kKnown), std::end(kKnown),
                                 [&](const char* name) { return unit == name; });
  return known ? unit : "";
}

bool IsScreenshot(const DicomDataset& dataset) {
  const std::string uid = dataset.Text(kSopClassUid);
  if (uid == kSecondaryCapture || absl::StartsWith(uid, absl::StrCat(kSecondaryCapture, "."))) {
    return true;
  }
  for (size_t i = 0; i < 8; ++i) {
    const std::string type = dataset.Text(kImageType, i);
    if (type == "SCREEN SAVE" || type == "SCREENSHOT" || type == "SCREEN_CAPTURE") return true;
  }
  return dataset.Text(kConversionType) == "WSD";
}

std::string KindWithoutPixels(absl::string_view uid) {
  struct Kind {
    const char* suffix;
    const char* name;
  };
  // By the prefixes of PS3.4 B.5.
  static constexpr Kind kKinds[] = {
      {"1.3.10", "a DICOMDIR"},
      {"5.1.4.1.1.88.", "a structured report"},
      {"5.1.4.1.1.9.", "a waveform"},
      {"5.1.4.1.1.11.", "a presentation state"},
      {"5.1.4.1.1.104.", "an encapsulated document"},
      {"5.1.4.1.1.66", "raw data or a registration"},
      {"5.1.4.1.1.481.3", "a radiotherapy structure set"},
      {"5.1.4.1.1.481.5", "a radiotherapy plan"},
      {"5.1.4.39.", "a palette"},
  };
  if (!absl::ConsumePrefix(&uid, kStandardUids)) return "";
  for (const Kind& kind : kKinds) {
    if (absl::StartsWith(uid, kind.suffix)) return kind.name;
  }
  return "";
}

}  // namespace

int64_t NumberOfFrames(const DicomDataset& dataset) {
  if (dataset.Text(kNumberOfFrames).empty()) return 1;
  const double frames = dataset.Decimal(kNumberOfFrames).value_or(-1);
  if (frames < 0 || frames > 1e9 || frames != std::floor(frames)) return 0;
  return std::max<int64_t>(1, static_cast<int64_t>(frames));
}

std::string WhyNoImage(const DicomFile& file) {
  const DicomDataset& dataset = file.dataset;
  for (const uint32_t tag : {kPixelData, kFloatPixelData, kDoubleFloatPixelData}) {
    if (dataset.Find(tag) != nullptr) return "";
  }
  if (dataset.Find(kDirectoryRecordSequence) != nullptr) return "is a DICOMDIR";
  std::string uid = dataset.Text(kSopClassUid);
  if (uid.empty()) uid = dataset.Text(kMediaStorageSopClassUid);
  const std::string kind = KindWithoutPixels(uid);
  if (!kind.empty()) return absl::StrFormat("is %s without pixels", kind);
  if (file.truncated) return "is truncated before its pixels";
  const std::string modality = CodeOf(dataset, kModality);
  return modality.empty() ? "is DICOM without pixels"
                          : absl::StrFormat("is DICOM without pixels (modality %s)", modality);
}

std::string WhySetAside(const MedicalFacts& facts, const configs::PrivacyConfig& privacy) {
  if (facts.burned_in_annotation && !privacy.keep_burned_in) {
    return facts.modality == "US"
               ? "is set aside: ultrasound that does not say that no annotation is burned in "
                 "(privacy.keep_burned_in takes it)"
               : "is set aside: annotation is burned in (privacy.keep_burned_in takes it)";
  }
  if (facts.secondary_capture && !privacy.keep_secondary_capture) {
    return "is set aside: a secondary capture or screenshot (privacy.keep_secondary_capture takes "
           "it)";
  }
  return "";
}

absl::StatusOr<DicomImage> DescribeImage(const DicomFile& file) {
  const DicomDataset& dataset = file.dataset;
  DicomImage image = {.transfer_syntax = file.transfer_syntax};
  for (const auto& [tag, number] : {std::pair(kPixelData, PixelNumber::kInteger),
                                    std::pair(kFloatPixelData, PixelNumber::kFloat),
                                    std::pair(kDoubleFloatPixelData, PixelNumber::kDouble)}) {
    if (image.pixels != nullptr) break;
    image.pixels = dataset.Find(tag);
    image.number = number;
  }
  if (image.pixels == nullptr) return absl::NotFoundError(WhyNoImage(file));
  LANGEVIN_ASSIGN_OR_RETURN(image.encoding, EncodingOf(file.transfer_syntax));
  if (image.pixels->encapsulated != (image.encoding != PixelEncoding::kNative)) {
    return absl::DataLossError("has pixels that are not as its transfer syntax says");
  }
  image.rows = dataset.Word(kRows).value_or(0);
  image.columns = dataset.Word(kColumns).value_or(0);
  image.frames = NumberOfFrames(dataset);
  image.samples = dataset.Word(kSamplesPerPixel).value_or(1);
  const bool integers = image.number == PixelNumber::kInteger;
  const int real_bits = image.number == PixelNumber::kFloat ? 32 : 64;
  image.bits_allocated = dataset.Word(kBitsAllocated).value_or(integers ? 0 : real_bits);
  image.bits_stored = dataset.Word(kBitsStored).value_or(image.bits_allocated);
  image.high_bit = dataset.Word(kHighBit).value_or(image.bits_stored - 1);
  image.is_signed = dataset.Word(kPixelRepresentation).value_or(0) == 1;
  image.planar = dataset.Word(kPlanarConfiguration).value_or(0) == 1 && image.samples > 1;
  image.photometric = CodeOf(dataset, kPhotometricInterpretation);
  if (image.rows == 0 || image.columns == 0 || image.frames == 0) {
    return absl::DataLossError("does not say its rows, columns or number of frames");
  }
  if (image.samples != 1 && image.samples != 3) {
    return absl::UnimplementedError(
        absl::StrFormat("has %d samples a pixel; 1 and 3 are read", image.samples));
  }
  if (integers && image.bits_allocated != 1 && image.bits_allocated != 8 &&
      image.bits_allocated != 16 && image.bits_allocated != 32 && image.bits_allocated != 64) {
    return absl::UnimplementedError(absl::StrFormat(
        "has pixels of %d bits; 1, 8, 16, 32 and 64 are read", image.bits_allocated));
  }
  if (!integers) image.bits_allocated = image.bits_stored = real_bits;
  if (image.bits_stored < 1 || image.bits_stored > image.bits_allocated) {
    return absl::DataLossError("stores more bits than it allocates");
  }
  if (image.rows * image.columns * image.samples > kMaxDecodedBytes / 8) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("has too many pixels (%d x %d)", image.rows, image.columns));
  }
  if (const std::optional<uint16_t> value = dataset.Word(kPixelPaddingValue); value.has_value()) {
    const auto number = [&](uint16_t word) -> int64_t {
      return image.is_signed ? static_cast<int16_t>(word) : word;
    };
    const int64_t first = number(*value);
    const int64_t last = number(dataset.Word(kPixelPaddingRangeLimit).value_or(*value));
    if (image.samples == 1) image.padding = {std::min(first, last), std::max(first, last)};
  }
  if (image.photometric == "PALETTE COLOR") {
    LANGEVIN_ASSIGN_OR_RETURN(image.palette, PaletteOf(dataset, image.is_signed));
    image.padding.reset();
  }
  return image;
}

std::optional<SliceGeometry> GeometryOf(const DicomFile& file, int64_t frame) {
  const DicomDataset& top = file.dataset;
  const std::vector<double> position =
      GroupWith(top, kPlanePositionSequence, kImagePositionPatient, frame)
          ->Decimals(kImagePositionPatient);
  const std::vector<double> cosines =
      GroupWith(top, kPlaneOrientationSequence, kImageOrientationPatient, frame)
          ->Decimals(kImageOrientationPatient);
  if (position.size() != 3 || cosines.size() != 6) return std::nullopt;
  SliceGeometry geometry = {.position = {position[0], position[1], position[2]},
                            .along_row = {cosines[0], cosines[1], cosines[2]},
                            .along_column = {cosines[3], cosines[4], cosines[5]}};
  const double row = Length(geometry.along_row), column = Length(geometry.along_column);
  if (std::abs(row - 1) > 0.01 || std::abs(column - 1) > 0.01 ||
      std::abs(Dot(geometry.along_row, geometry.along_column)) > 0.01) {
    return std::nullopt;
  }
  geometry.along_row = Scaled(geometry.along_row, 1 / row);
  geometry.along_column = Scaled(geometry.along_column, 1 / column);
  const std::vector<double> spacing =
      GroupWith(top, kPixelMeasuresSequence, kPixelSpacing, frame)->Decimals(kPixelSpacing);
  if (spacing.size() == 2 && spacing[0] > 0 && spacing[1] > 0) {
    geometry.row_spacing = spacing[0];
    geometry.column_spacing = spacing[1];
  }
  // Radiotherapy doses: one position, and the frames' offsets along the normal.
  const std::vector<double> offsets = top.Decimals(kGridFrameOffsetVector);
  if (frame < static_cast<int64_t>(offsets.size())) {
    geometry.position =
        Sum(geometry.position,
            Scaled(geometry.normal(), offsets[static_cast<size_t>(frame)] - offsets.front()));
  }
  return geometry;
}

MedicalFacts FactsOf(const DicomFile& file, int64_t frame, const Privacy& privacy) {
  const DicomDataset& top = file.dataset;
  MedicalFacts facts;
  facts.modality = CodeOf(top, kModality);
  const std::string patient = top.Text(kPatientId);
  // Without a patient's number the study is what must not be split.
  facts.group =
      privacy.Pseudonym(kPatientPurpose, patient.empty() ? top.Text(kStudyInstanceUid) : patient);
  facts.series = privacy.Pseudonym(kSeriesPurpose, top.Text(kSeriesInstanceUid));
  if (const std::optional<SliceGeometry> geometry = GeometryOf(file, frame)) {
    facts.position_mm = geometry->position;
    facts.normal = geometry->normal();
  }
  const DicomDataset& measures = *GroupWith(top, kPixelMeasuresSequence, kPixelSpacing, frame);
  std::vector<double> spacing = measures.Decimals(kPixelSpacing);
  if (spacing.size() != 2) spacing = top.Decimals(kImagerPixelSpacing);
  if (spacing.size() == 2 && spacing[0] > 0 && spacing[1] > 0) {
    const std::optional<double> between =
        GroupWith(top, kPixelMeasuresSequence, kSpacingBetweenSlices, frame)
            ->Decimal(kSpacingBetweenSlices);
    if (between.has_value() && *between != 0) spacing.push_back(std::abs(*between));
    facts.spacing_mm = std::move(spacing);
  }
  const std::string burned_in = top.Text(kBurnedInAnnotation);
  // Ultrasound machines write names and dates into the picture.
  facts.burned_in_annotation = burned_in == "YES" || (facts.modality == "US" && burned_in != "NO");
  facts.secondary_capture = IsScreenshot(top);
  return facts;
}

absl::StatusOr<ModalityTransform> ModalityOf(const DicomFile& file, int64_t frame, bool is_signed) {
  const DicomDataset& top = file.dataset;
  ModalityTransform transform;
  if (const DicomDataset* const item = top.FirstItem(kModalityLutSequence)) {
    LANGEVIN_ASSIGN_OR_RETURN(transform.table, TableOf(*item, is_signed));
    transform.unit = UnitOf(top, *item);
    return transform;
  }
  const DicomDataset& rescale =
      *GroupWith(top, kPixelValueTransformationSequence, kRescaleSlope, frame);
  const std::optional<double> slope = rescale.Decimal(kRescaleSlope);
  const std::optional<double> intercept = rescale.Decimal(kRescaleIntercept);
  if (slope.has_value() || intercept.has_value()) transform.unit = UnitOf(top, rescale);
  transform.slope = slope.value_or(1);
  transform.intercept = intercept.value_or(0);
  return transform;
}

absl::StatusOr<VoiChoices> VoiOf(const DicomFile& file, int64_t frame, bool is_signed) {
  const DicomDataset& top = file.dataset;
  VoiChoices choices;
  for (const DicomDataset& item : top.Items(kVoiLutSequence)) {
    LANGEVIN_ASSIGN_OR_RETURN(LookupTable table, TableOf(item, is_signed));
    choices.tables.push_back(std::move(table));
  }
  const DicomDataset& voi = *GroupWith(top, kFrameVoiLutSequence, kWindowCenter, frame);
  const std::vector<double> centers = voi.Decimals(kWindowCenter);
  const std::vector<double> widths = voi.Decimals(kWindowWidth);
  for (size_t i = 0; i < std::min(centers.size(), widths.size()); ++i) {
    choices.windows.push_back({.center = centers[i],
                               .width = widths[i],
                               .explanation = voi.Text(kWindowCenterWidthExplanation, i)});
  }
  const std::string function = voi.Text(kVoiLutFunction);
  if (function == "LINEAR_EXACT") choices.function = VoiFunction::kLinearExact;
  if (function == "SIGMOID") choices.function = VoiFunction::kSigmoid;
  return choices;
}

}  // namespace langevin::data
