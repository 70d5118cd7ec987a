#include "data/ingest/medical/grayscale.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"

namespace langevin::data {
namespace {

constexpr double kVoiMax = 65535;

bool IsWhole(double number) { return std::abs(number) < 1e9 && number == std::floor(number); }

template <typename T>
T* Allocate(size_t count, DecodedImage& image) {
  image.pixels.resize(count * sizeof(T));
  return reinterpret_cast<T*>(image.pixels.data());
}

// Writes function(i) for each pixel as bytes or words, by image.bits.
template <typename Function>
void WriteIntegers(size_t count, const Function& function, DecodedImage& image) {
  if (image.bits <= 8) {
    image.dtype = DType::kUint8;
    auto* const out = Allocate<uint8_t>(count, image);
    for (size_t i = 0; i < count; ++i) out[i] = static_cast<uint8_t>(function(i));
  } else {
    image.dtype = DType::kUint16;
    auto* const out = Allocate<uint16_t>(count, image);
    for (size_t i = 0; i < count; ++i) out[i] = static_cast<uint16_t>(function(i));
  }
}

template <typename Function>
void WriteReals(size_t count, const Function& function, DecodedImage& image) {
  image.dtype = DType::kFloat32;
  image.bits = 32;
  auto* const out = Allocate<float>(count, image);
  for (size_t i = 0; i < count; ++i) out[i] = static_cast<float>(function(i));
}

// A window as the physical values at its two ends.
struct Range {
  double low = 0, width = 0;
};

Range RangeOf(const VoiWindow& window, VoiFunction function) {
  const bool exact = function == VoiFunction::kLinearExact;
  const double width = exact ? window.width : window.width - 1;
  const double center = exact ? window.center : window.center - 0.5;
  return {center - width / 2, width};
}

struct Voi {
  const LookupTable* table = nullptr;
  VoiWindow window;
  VoiFunction function = VoiFunction::kLinear;
  bool is_range = false;  // The file has none.
};

absl::StatusOr<Voi> Choose(const VoiChoices& voi, const configs::MedicalConfig& config) {
  Voi chosen = {.function = voi.function};
  if (config.voi == configs::VoiMode::kFixed) {
    chosen.function = VoiFunction::kLinear;
    chosen.window = {.center = config.voi_center, .width = config.voi_width};
  } else if (!config.voi_name.empty()) {
    for (const LookupTable& table : voi.tables) {
      if (chosen.table == nullptr && table.explanation == config.voi_name) chosen.table = &table;
    }
    const auto named = std::find_if(
        voi.windows.begin(), voi.windows.end(),
        [&](const VoiWindow& window) { return window.explanation == config.voi_name; });
    if (named != voi.windows.end()) chosen.window = *named;
    if (named == voi.windows.end() && chosen.table == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrFormat("has no window named %s (medical.voi_name)", config.voi_name));
    }
  } else if (voi.tables.empty() && voi.windows.empty()) {
    chosen.is_range = true;
    return chosen;
  } else {
    const auto index = static_cast<size_t>(std::max(config.voi_index, 0));
    if (index < voi.tables.size()) {
      chosen.table = &voi.tables[index];
    } else if (index < voi.windows.size()) {
      chosen.window = voi.windows[index];
    } else {
      return absl::InvalidArgumentError(
          absl::StrFormat("has %d windows; medical.voi_index is %d",
                          std::max(voi.tables.size(), voi.windows.size()), config.voi_index));
    }
  }
  const bool linear = chosen.function == VoiFunction::kLinear;
  const double width = chosen.window.width;
  if (chosen.table == nullptr && (linear ? !(width >= 1) : !(width > 0))) {
    return absl::InvalidArgumentError(absl::StrFormat("has a window of width %g", width));
  }
  return chosen;
}

// The physical value of each pixel.
class Physical {
 public:
  Physical(const StoredPixels& stored, const ModalityTransform& modality)
      : stored_(stored), modality_(modality) {}
  size_t size() const { return std::max(stored_.integers.size(), stored_.reals.size()); }
  double operator()(size_t i) const {
    const double value = stored_.reals.empty() ? stored_.integers[i] : stored_.reals[i];
    if (modality_.table.has_value()) return modality_.table->At(value);
    return value * modality_.slope + modality_.intercept;
  }

 private:
  const StoredPixels& stored_;
  const ModalityTransform& modality_;
};

// Smallest and largest number of so many bits.
int32_t LowestOf(const StoredPixels& stored) {
  return stored.is_signed ? -(1 << (stored.bits - 1)) : 0;
}

void RenderModality(const StoredPixels& stored, const ModalityTransform& modality,
                    DecodedImage& image) {
  const Physical physical(stored, modality);
  image.physical = {.scale = 1, .offset = 0, .unit = modality.unit};
  if (modality.table.has_value()) {
    image.bits = modality.table->bits;
    WriteIntegers(
        physical.size(), [&](size_t i) { return physical(i); }, image);
    return;
  }
  // Whole-numbered results keep the stored number: shifted to begin at 0, which loses nothing.
  if (stored.reals.empty() && IsWhole(modality.slope) && modality.slope != 0 &&
      IsWhole(modality.intercept)) {
    const int32_t lowest = LowestOf(stored);
    image.bits = stored.bits;
    image.physical.scale = modality.slope;
    image.physical.offset = modality.slope * lowest + modality.intercept;
    WriteIntegers(
        physical.size(), [&](size_t i) { return stored.integers[i] - lowest; }, image);
    return;
  }
  WriteReals(physical.size(), physical, image);
}

void RenderVoi(const StoredPixels& stored, const ModalityTransform& modality, const Voi& voi,
               bool is_fixed, DecodedImage& image) {
  const Physical physical(stored, modality);
  image.physical = {};
  if (voi.table != nullptr) {
    image.bits = voi.table->bits;
    WriteIntegers(
        physical.size(), [&](size_t i) { return voi.table->At(physical(i)); }, image);
    return;
  }
  image.bits = 16;
  if (voi.function == VoiFunction::kSigmoid && !voi.is_range) {
    const auto value = [&](size_t i) {
      const double x = (physical(i) - voi.window.center) / voi.window.width;
      return std::lround(kVoiMax / (1 + std::exp(-4 * x)));
    };
    WriteIntegers(physical.size(), value, image);
    return;
  }
  Range range = RangeOf(voi.window, voi.function);
  if (voi.is_range) {
    image.notes.push_back("has no VOI window; its own range was taken");
    double low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < physical.size(); ++i) {
      if (!std::isfinite(physical(i))) continue;
      low = std::min(low, physical(i));
      high = std::max(high, physical(i));
    }
    range = low <= high ? Range{low, high - low} : Range{};
  }
  // Windows of files differ from image to image: what comes out are shares of a window, without
  // unit.
  if (is_fixed && range.width > 0) {
    image.physical = {.scale = range.width / kVoiMax, .offset = range.low, .unit = modality.unit};
  }
  const auto value = [&](size_t i) -> long {
    const double x = physical(i);
    if (!(x > range.low)) return 0;  // Also NaN.
    if (x >= range.low + range.width) return 65535;
    return std::lround((x - range.low) / range.width * kVoiMax);
  };
  WriteIntegers(physical.size(), value, image);
}

// So that larger numbers are brighter. The physical values stay.
void Invert(const StoredPixels& stored, const ModalityTransform& modality, DecodedImage& image) {
  double end = std::ldexp(1, image.bits) - 1;  // What 0 becomes.
  if (image.dtype == DType::kFloat32) {
    if (!stored.reals.empty()) {
      image.notes.push_back("MONOCHROME1 of 32 bits is not inverted");
      return;
    }
    const double lowest = LowestOf(stored);
    end = (2 * lowest + std::ldexp(1, stored.bits) - 1) * modality.slope + 2 * modality.intercept;
    auto* const values = reinterpret_cast<float*>(image.pixels.data());
    for (size_t i = 0; i < image.pixels.size() / sizeof(float); ++i) {
      values[i] = static_cast<float>(end - values[i]);
    }
  } else if (image.dtype == DType::kUint16) {
    auto* const values = reinterpret_cast<uint16_t*>(image.pixels.data());
    for (size_t i = 0; i < image.pixels.size() / sizeof(uint16_t); ++i) {
      values[i] = static_cast<uint16_t>(static_cast<int>(end) - values[i]);
    }
  } else {
    for (std::byte& pixel : image.pixels) {
      pixel = static_cast<std::byte>(static_cast<int>(end) - static_cast<int>(pixel));
    }
  }
  image.physical.offset += image.physical.scale * end;
  image.physical.scale = -image.physical.scale;
}

}  // namespace

uint16_t LookupTable::At(double value) const {
  const double index = std::floor(value) - static_cast<double>(first);
  if (!(index > 0)) return entries.front();
  return index < static_cast<double>(entries.size()) ? entries[static_cast<size_t>(index)]
                                                     : entries.back();
}

absl::Status RenderGray(const StoredPixels& stored, const ModalityTransform& modality,
                        const VoiChoices& voi, bool monochrome1,
                        const configs::MedicalConfig& config, DecodedImage& image) {
  if (config.voi == configs::VoiMode::kNone) {
    RenderModality(stored, modality, image);
  } else {
    LANGEVIN_ASSIGN_OR_RETURN(const Voi chosen, Choose(voi, config));
    const bool is_fixed = config.voi == configs::VoiMode::kFixed;
    RenderVoi(stored, modality, chosen, is_fixed, image);
    if (monochrome1 && !is_fixed) {
      Invert(stored, modality, image);
      image.physical = {};
      return absl::OkStatus();
    }
  }
  if (monochrome1) Invert(stored, modality, image);
  return absl::OkStatus();
}

}  // namespace langevin::data
