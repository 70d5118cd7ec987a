// From stored numbers of one gray frame to an image: modality, VOI and MONOCHROME1, in this order
// (PS3.3 C.11, PS3.4 N.2).
#ifndef LANGEVIN_DATA_INGEST_MEDICAL_GRAYSCALE_H_
#define LANGEVIN_DATA_INGEST_MEDICAL_GRAYSCALE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "configs/prepare_config.h"
#include "data/ingest/decoded_image.h"

namespace langevin::data {

// Stored numbers, channels interleaved: whole numbers of up to 16 bits in `integers`, all others in
// `reals`; one of the two is empty.
struct StoredPixels {
  std::vector<int32_t> integers;
  std::vector<double> reals;
  int32_t bits = 8;  // Of `integers`: they are in the range of so many bits.
  bool is_signed = false;
};

// A table of PS3.3 C.11.1 or C.11.2: numbers below `first` take the first entry, numbers behind its
// end the last.
struct LookupTable {
  int64_t first = 0;
  int32_t bits = 16;              // 1 to 16.
  std::vector<uint16_t> entries;  // At least one.
  std::string explanation;        // Free text: stays in the reader.

  uint16_t At(double value) const;
};

struct ModalityTransform {
  std::optional<LookupTable> table;  // Wins over slope and intercept.
  double slope = 1, intercept = 0;
  std::string unit;
};

enum class VoiFunction { kLinear, kLinearExact, kSigmoid };

struct VoiWindow {
  double center = 0, width = 1;
  std::string explanation;  // Free text: stays in the reader.
};

// What a file offers. Tables come before windows, as in pydicom.
struct VoiChoices {
  std::vector<LookupTable> tables;
  std::vector<VoiWindow> windows;
  VoiFunction function = VoiFunction::kLinear;
};

// Fills shape-independent fields of `image` (dtype, bits, physical, pixels; appends to notes).
// InvalidArgument: the chosen window is not there or has no width.
absl::Status RenderGray(const StoredPixels& stored, const ModalityTransform& modality,
                        const VoiChoices& voi, bool monochrome1,
                        const configs::MedicalConfig& config, DecodedImage& image);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_MEDICAL_GRAYSCALE_H_
