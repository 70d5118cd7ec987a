// The elements of a DICOM file that Langevin looks at (PS3.5): an allow-list. Whatever else is in
// the file, private elements and free text above all, is stepped over and never held.
//
// Parsed here rather than by GDCM because every length is checked against the file before memory is
// taken, pixels stay on disk until their frame is wanted, and elements that are wrong in ways that
// occur (VR UN, no meta information, another syntax than declared) are read all the same.
#ifndef LANGEVIN_DATA_INGEST_READERS_DICOM_DATASET_H_
#define LANGEVIN_DATA_INGEST_READERS_DICOM_DATASET_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/file_system.h"

namespace langevin::data {

// (group << 16) | element, by the keywords of PS3.6.
enum DicomTag : uint32_t {
  kMediaStorageSopClassUid = 0x00020002,
  kTransferSyntaxUid = 0x00020010,
  kDirectoryRecordSequence = 0x00041220,
  kImageType = 0x00080008,
  kSopClassUid = 0x00080016,
  kModality = 0x00080060,
  kConversionType = 0x00080064,
  kPatientId = 0x00100020,
  kSliceThickness = 0x00180050,
  kSpacingBetweenSlices = 0x00180088,
  kImagerPixelSpacing = 0x00181164,
  kStudyInstanceUid = 0x0020000d,
  kSeriesInstanceUid = 0x0020000e,
  kInstanceNumber = 0x00200013,
  kImagePositionPatient = 0x00200032,
  kImageOrientationPatient = 0x00200037,
  kPlanePositionSequence = 0x00209113,
  kPlaneOrientationSequence = 0x00209116,
  kSamplesPerPixel = 0x00280002,
  kPhotometricInterpretation = 0x00280004,
  kPlanarConfiguration = 0x00280006,
  kNumberOfFrames = 0x00280008,
  kRows = 0x00280010,
  kColumns = 0x00280011,
  kPixelSpacing = 0x00280030,
  kBitsAllocated = 0x00280100,
  kBitsStored = 0x00280101,
  kHighBit = 0x00280102,
  kPixelRepresentation = 0x00280103,
  kPixelPaddingValue = 0x00280120,
  kPixelPaddingRangeLimit = 0x00280121,
  kBurnedInAnnotation = 0x00280301,
  kWindowCenter = 0x00281050,
  kWindowWidth = 0x00281051,
  kRescaleIntercept = 0x00281052,
  kRescaleSlope = 0x00281053,
  kRescaleType = 0x00281054,
  kWindowCenterWidthExplanation = 0x00281055,
  kVoiLutFunction = 0x00281056,
  kRedPaletteDescriptor = 0x00281101,  // Green and blue follow.
  kRedPaletteData = 0x00281201,
  kSegmentedRedPaletteData = 0x00281221,
  kModalityLutSequence = 0x00283000,
  kLutDescriptor = 0x00283002,
  kLutExplanation = 0x00283003,
  kModalityLutType = 0x00283004,
  kLutData = 0x00283006,
  kVoiLutSequence = 0x00283010,
  kPixelMeasuresSequence = 0x00289110,
  kFrameVoiLutSequence = 0x00289132,
  kPixelValueTransformationSequence = 0x00289145,
  kUnits = 0x00541001,
  kGridFrameOffsetVector = 0x3004000c,
  kSharedFunctionalGroupsSequence = 0x52009229,
  kPerFrameFunctionalGroupsSequence = 0x52009230,
  kExtendedOffsetTable = 0x7fe00001,
  kExtendedOffsetTableLengths = 0x7fe00002,
  kFloatPixelData = 0x7fe00008,
  kDoubleFloatPixelData = 0x7fe00009,
  kPixelData = 0x7fe00010,
};

struct ByteRange {
  uint64_t offset = 0;
  uint64_t length = 0;
};

class DicomDataset;

struct DicomElement {
  uint32_t tag = 0;
  std::array<char, 2> vr = {};  // Zeros where the syntax has none.
  bool big_endian = false;
  std::string value;                // Of all but sequences and pixels.
  std::vector<DicomDataset> items;  // Of sequences.
  ByteRange pixels;                 // Of native pixel data: where in the file.
  bool encapsulated = false;
  ByteRange offset_table;            // Of encapsulated pixel data: the basic offset table,
  std::vector<ByteRange> fragments;  // and its fragments.
};

class DicomDataset {
 public:
  const DicomElement* Find(uint32_t tag) const;
  // The `index`th value of a text element, without the spaces around it; empty if there is none.
  std::string Text(uint32_t tag, size_t index = 0) const;
  // All numbers of a text element (VR DS, IS); empty if one of them is not a finite number.
  std::vector<double> Decimals(uint32_t tag) const;
  std::optional<double> Decimal(uint32_t tag) const;
  // Numbers of 16 bits (VR US, SS, OW) as unsigned ones.
  std::vector<uint16_t> Words(uint32_t tag) const;
  std::optional<uint16_t> Word(uint32_t tag) const;
  // The first item of a sequence, or null.
  const DicomDataset* FirstItem(uint32_t tag) const;
  const std::vector<DicomDataset>& Items(uint32_t tag) const;  // Empty where it is missing.

  void Add(DicomElement element) { elements_.push_back(std::move(element)); }
  // A file that names an element twice: the first counts.
  void Sort();

 private:
  std::vector<DicomElement> elements_;
};

// An open file. Moves; does not copy.
struct DicomFile {
  std::unique_ptr<RandomAccessFile> bytes;  // Of the data set: where deflated, inflated.
  DicomDataset dataset;
  std::string transfer_syntax;  // The UID; empty where the file names none.
  bool big_endian = false;
  bool truncated = false;  // An element claims bytes behind the end of the file.
  bool has_preamble = false;
};

// DataLoss: no DICOM file, or one whose structure is damaged. `with_fragments`: also follow the
// fragments of encapsulated pixels, which a probe does not need.
absl::StatusOr<DicomFile> OpenDicom(const std::string& path, bool with_fragments);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_READERS_DICOM_DATASET_H_
