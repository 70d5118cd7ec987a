// What a preparation is: the plain structs behind `langevin prepare --config FILE --set a.b=v`.
//
// prepare_config.proto has the same fields in the same groups and documents them for people; this
// is what the program uses. Every default leaves the images as they are: nothing is rejected,
// resized or normalised beyond its depth unless asked.
#ifndef LANGEVIN_CONFIGS_PREPARE_CONFIG_H_
#define LANGEVIN_CONFIGS_PREPARE_CONFIG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace langevin::configs {

enum class ColorMode { kAsIs, kGray, kRgb };
enum class AlphaMode { kDrop, kWhite, kBlack, kMask };  // kWhite, kBlack: composed onto it.

// How files become images.
struct ReadConfig {
  std::string hdf5_images = "images";  // Paths of datasets in foreign HDF5 files: (N, H, W, C),
                                       // (N, H, W) or one image (H, W).
  std::string hdf5_labels;             // (N), integers; empty: none.
  ColorMode color = ColorMode::kAsIs;  // Rec. 601 luma; gray copied into three channels.
  AlphaMode alpha = AlphaMode::kDrop;  // kMask: becomes the image's mask.
  bool exif_orientation = true;        // JPEG, TIFF: turn the pixels as the tag says.
};

enum class VoiMode { kNone, kFile, kFixed };  // kFile: the file's window (voi_index or voi_name).
enum class SliceAxis { kAcquired, kAxial, kCoronal, kSagittal };

// DICOM and NIfTI.
struct MedicalConfig {
  VoiMode voi = VoiMode::kNone;
  int voi_index = 0;                        // Which of several windows in the file.
  std::string voi_name;                     // Or by WindowCenterWidthExplanation.
  double voi_center = 40, voi_width = 400;  // kFixed: in units after the modality step (HU for CT).
  SliceAxis axis = SliceAxis::kAcquired;    // Slices of a volume; other axes assemble the series.
  std::vector<double> spacing_mm;           // Empty: as it is. 2 (in plane) or 3 numbers: resample.
  double skip_empty = 0;  // Slices with a smaller share of pixels that differ from the slice's
                          // lowest value are left out and counted. 0: none.
};

enum class FitMode { kNone, kCrop, kPad, kStretch };
enum class ResizeFilter { kLanczos, kTriangle };  // Pillow's LANCZOS and BILINEAR.

// What size images get. `height` 0: the size stays.
struct GeometryConfig {
  int64_t height = 0, width = 0;
  // kCrop: shorter side to the size, centre cut out. kPad: longer side to the size, the rest is
  // padding (masked). kStretch: both sides. kNone: images of another size are an error.
  FitMode fit = FitMode::kNone;
  ResizeFilter filter = ResizeFilter::kLanczos;
  double pad_value = 0;  // In stored units.
  // Patches of height x width every `tile_stride` pixels, of the image at its own size; the last
  // ones are moved inwards so that nothing is lost. 0: no tiles.
  int64_t tile_stride = 0;
  // Several sizes, "HxW" each: an image goes to the one whose aspect is nearest (by ratio, in log),
  // and each size becomes a data set of its own in a subfolder HxW of the output.
  std::vector<std::string> buckets;
};

enum class IntensityMode {
  kDepth,          // 0 .. 2^bits - 1 to [-1, 1]; float32 as it is.
  kRange,          // The training split's smallest and largest value to [-1, 1].
  kWindow,         // [low, high] in physical units (HU) to [-1, 1], clipped.
  kPercentile,     // The training split's low and high percentile to [-1, 1], clipped.
  kImageZScore,    // (x - mean) / std of each image, inside its mask; stored as float32.
  kDatasetZScore,  // (x - mean) / std of the training split, inside the masks.
  kCt,             // nnU-Net: clip to the 0.5 and 99.5 percentile of the foreground, then z-score.
};

struct IntensityConfig {
  IntensityMode mode = IntensityMode::kDepth;
  double low = 0, high = 0;                             // kWindow.
  double low_percentile = 0.5, high_percentile = 99.5;  // kPercentile, kCt.
  double foreground_above = 0;  // kCt: physical values above it are foreground.
};

enum class QualityProfile { kAuto, kPhoto, kMedical, kNone };  // kAuto: by modality of the source.

// A filter acts where its bound is set; measures are always taken and reported. Rejections are rows
// of rejected.csv with reason and score.
struct QualityConfig {
  QualityProfile profile = QualityProfile::kAuto;  // Sets the bounds that the report warns about.
  bool apply_profile = false;                      // Also rejects by them.
  bool reject_exact_duplicates = false;
  std::optional<int> near_duplicate_radius;  // Bits of Hamming distance of the perceptual hash.
  std::optional<double> max_dark, max_light, max_blur, max_low_information;  // Scores in [0, 1].
  std::optional<double> max_saturated, max_padding;  // Shares of pixels in [0, 1].
  bool reject_constant = false;
  bool reject_non_finite = false;
  std::optional<double> max_outlier_score;  // Robust distance in feature space, see quality/.
};

enum class ImputeMode { kNone, kConstant, kLocalMean };

// NaN, infinities and padding become a mask; the mask is stored when it is not all ones.
struct MissingConfig {
  ImputeMode impute = ImputeMode::kNone;  // kNone: NaN in an integer or float image is reported and
                                          // stored as 0 under the mask.
  double constant = 0;                    // In physical units.
  bool keep_mask = true;
};

enum class GroupBy { kNone, kPatient, kSeries, kFile, kTable };

struct SplitConfig {
  double validation_fraction = 0;        // By hash of the group (of the name where there is none).
  GroupBy group_by = GroupBy::kPatient;  // Falls back to kFile where files name no patient.
};

struct PrivacyConfig {
  std::string salt_file;        // Secret bytes for hashes of patients; empty: made at random and
                                // kept beside the output as OUTPUT.salt with mode 0600.
  bool keep_burned_in = false;  // BurnedInAnnotation YES is set aside unless kept.
  bool keep_secondary_capture = false;
};

enum class ShardLayout { kPlain, kCompressed };

struct ShardsConfig {
  int64_t shard_mib = 256;
  ShardLayout layout = ShardLayout::kPlain;  // kCompressed: PNG/JPEG bytes of untouched images as
                                             // they are, else zlib over byte-shuffled rows.
};

struct PrepareConfig {
  uint64_t seed = 0;  // Of the validation split's hash.
  ReadConfig read;
  MedicalConfig medical;
  GeometryConfig geometry;
  IntensityConfig intensity;
  QualityConfig quality;
  MissingConfig missing;
  SplitConfig split;
  PrivacyConfig privacy;
  ShardsConfig shards;
};

}  // namespace langevin::configs

#endif  // LANGEVIN_CONFIGS_PREPARE_CONFIG_H_
