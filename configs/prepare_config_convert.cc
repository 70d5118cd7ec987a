#include "configs/prepare_config_convert.h"

namespace langevin::configs {
namespace {

// Enums have the same numbers on both sides.
static_assert(static_cast<int>(ColorMode::kRgb) == proto::ReadConfig::RGB);
static_assert(static_cast<int>(AlphaMode::kMask) == proto::ReadConfig::MASK);
static_assert(static_cast<int>(VoiMode::kFixed) == proto::MedicalConfig::FIXED);
static_assert(static_cast<int>(SliceAxis::kSagittal) == proto::MedicalConfig::SAGITTAL);
static_assert(static_cast<int>(FitMode::kStretch) == proto::GeometryConfig::STRETCH);
static_assert(static_cast<int>(ResizeFilter::kTriangle) == proto::GeometryConfig::TRIANGLE);
static_assert(static_cast<int>(IntensityMode::kCt) == proto::IntensityConfig::CT);
static_assert(static_cast<int>(QualityProfile::kNone) == proto::QualityConfig::NO_PROFILE);
static_assert(static_cast<int>(ImputeMode::kLocalMean) == proto::MissingConfig::LOCAL_MEAN);
static_assert(static_cast<int>(GroupBy::kTable) == proto::SplitConfig::TABLE);
static_assert(static_cast<int>(ShardLayout::kCompressed) == proto::ShardsConfig::COMPRESSED);

void Convert(const proto::ReadConfig& from, ReadConfig& to) {
  to.hdf5_images = from.hdf5_images();
  to.hdf5_labels = from.hdf5_labels();
  to.color = static_cast<ColorMode>(from.color());
  to.alpha = static_cast<AlphaMode>(from.alpha());
  to.exif_orientation = from.exif_orientation();
}

void Convert(const ReadConfig& from, proto::ReadConfig& to) {
  to.set_hdf5_images(from.hdf5_images);
  to.set_hdf5_labels(from.hdf5_labels);
  to.set_color(static_cast<proto::ReadConfig::Color>(from.color));
  to.set_alpha(static_cast<proto::ReadConfig::Alpha>(from.alpha));
  to.set_exif_orientation(from.exif_orientation);
}

void Convert(const proto::MedicalConfig& from, MedicalConfig& to) {
  to.voi = static_cast<VoiMode>(from.voi());
  to.voi_index = from.voi_index();
  to.voi_name = from.voi_name();
  to.voi_center = from.voi_center();
  to.voi_width = from.voi_width();
  to.axis = static_cast<SliceAxis>(from.axis());
  to.spacing_mm.assign(from.spacing_mm().begin(), from.spacing_mm().end());
  to.skip_empty = from.skip_empty();
}

void Convert(const MedicalConfig& from, proto::MedicalConfig& to) {
  to.set_voi(static_cast<proto::MedicalConfig::Voi>(from.voi));
  to.set_voi_index(from.voi_index);
  to.set_voi_name(from.voi_name);
  to.set_voi_center(from.voi_center);
  to.set_voi_width(from.voi_width);
  to.set_axis(static_cast<proto::MedicalConfig::Axis>(from.axis));
  to.mutable_spacing_mm()->Assign(from.spacing_mm.begin(), from.spacing_mm.end());
  to.set_skip_empty(from.skip_empty);
}

void Convert(const proto::GeometryConfig& from, GeometryConfig& to) {
  to.height = from.height();
  to.width = from.width();
  to.fit = static_cast<FitMode>(from.fit());
  to.filter = static_cast<ResizeFilter>(from.filter());
  to.pad_value = from.pad_value();
  to.tile_stride = from.tile_stride();
  to.buckets.assign(from.buckets().begin(), from.buckets().end());
}

void Convert(const GeometryConfig& from, proto::GeometryConfig& to) {
  to.set_height(from.height);
  to.set_width(from.width);
  to.set_fit(static_cast<proto::GeometryConfig::Fit>(from.fit));
  to.set_filter(static_cast<proto::GeometryConfig::Filter>(from.filter));
  to.set_pad_value(from.pad_value);
  to.set_tile_stride(from.tile_stride);
  to.mutable_buckets()->Assign(from.buckets.begin(), from.buckets.end());
}

void Convert(const proto::IntensityConfig& from, IntensityConfig& to) {
  to.mode = static_cast<IntensityMode>(from.mode());
  to.low = from.low();
  to.high = from.high();
  to.low_percentile = from.low_percentile();
  to.high_percentile = from.high_percentile();
  to.foreground_above = from.foreground_above();
}

void Convert(const IntensityConfig& from, proto::IntensityConfig& to) {
  to.set_mode(static_cast<proto::IntensityConfig::Mode>(from.mode));
  to.set_low(from.low);
  to.set_high(from.high);
  to.set_low_percentile(from.low_percentile);
  to.set_high_percentile(from.high_percentile);
  to.set_foreground_above(from.foreground_above);
}

void Convert(const proto::QualityConfig& from, QualityConfig& to) {
  to.profile = static_cast<QualityProfile>(from.profile());
  to.apply_profile = from.apply_profile();
  to.reject_exact_duplicates = from.reject_exact_duplicates();
  if (from.has_near_duplicate_radius()) to.near_duplicate_radius = from.near_duplicate_radius();
  if (from.has_max_dark()) to.max_dark = from.max_dark();
  if (from.has_max_light()) to.max_light = from.max_light();
  if (from.has_max_blur()) to.max_blur = from.max_blur();
  if (from.has_max_low_information()) to.max_low_information = from.max_low_information();
  if (from.has_max_saturated()) to.max_saturated = from.max_saturated();
  if (from.has_max_padding()) to.max_padding = from.max_padding();
  to.reject_constant = from.reject_constant();
  to.reject_non_finite = from.reject_non_finite();
  if (from.has_max_outlier_score()) to.max_outlier_score = from.max_outlier_score();
}

void Convert(const QualityConfig& from, proto::QualityConfig& to) {
  to.set_profile(static_cast<proto::QualityConfig::Profile>(from.profile));
  to.set_apply_profile(from.apply_profile);
  to.set_reject_exact_duplicates(from.reject_exact_duplicates);
  if (from.near_duplicate_radius.has_value())
    to.set_near_duplicate_radius(*from.near_duplicate_radius);
  if (from.max_dark.has_value()) to.set_max_dark(*from.max_dark);
  if (from.max_light.has_value()) to.set_max_light(*from.max_light);
  if (from.max_blur.has_value()) to.set_max_blur(*from.max_blur);
  if (from.max_low_information.has_value()) to.set_max_low_information(*from.max_low_information);
  if (from.max_saturated.has_value()) to.set_max_saturated(*from.max_saturated);
  if (from.max_padding.has_value()) to.set_max_padding(*from.max_padding);
  to.set_reject_constant(from.reject_constant);
  to.set_reject_non_finite(from.reject_non_finite);
  if (from.max_outlier_score.has_value()) to.set_max_outlier_score(*from.max_outlier_score);
}

void Convert(const proto::MissingConfig& from, MissingConfig& to) {
  to.impute = static_cast<ImputeMode>(from.impute());
  to.constant = from.constant();
  to.keep_mask = from.keep_mask();
}

void Convert(const MissingConfig& from, proto::MissingConfig& to) {
  to.set_impute(static_cast<proto::MissingConfig::Impute>(from.impute));
  to.set_constant(from.constant);
  to.set_keep_mask(from.keep_mask);
}

void Convert(const proto::SplitConfig& from, SplitConfig& to) {
  to.validation_fraction = from.validation_fraction();
  to.group_by = static_cast<GroupBy>(from.group_by());
}

void Convert(const SplitConfig& from, proto::SplitConfig& to) {
  to.set_validation_fraction(from.validation_fraction);
  to.set_group_by(static_cast<proto::SplitConfig::GroupBy>(from.group_by));
}

void Convert(const proto::PrivacyConfig& from, PrivacyConfig& to) {
  to.salt_file = from.salt_file();
  to.keep_burned_in = from.keep_burned_in();
  to.keep_secondary_capture = from.keep_secondary_capture();
}

void Convert(const PrivacyConfig& from, proto::PrivacyConfig& to) {
  to.set_salt_file(from.salt_file);
  to.set_keep_burned_in(from.keep_burned_in);
  to.set_keep_secondary_capture(from.keep_secondary_capture);
}

void Convert(const proto::ShardsConfig& from, ShardsConfig& to) {
  to.shard_mib = from.shard_mib();
  to.layout = static_cast<ShardLayout>(from.layout());
}

void Convert(const ShardsConfig& from, proto::ShardsConfig& to) {
  to.set_shard_mib(from.shard_mib);
  to.set_layout(static_cast<proto::ShardsConfig::Layout>(from.layout));
}

}  // namespace

PrepareConfig FromProto(const proto::PrepareConfig& from) {
  PrepareConfig to;
  to.seed = from.seed();
  Convert(from.read(), to.read);
  Convert(from.medical(), to.medical);
  Convert(from.geometry(), to.geometry);
  Convert(from.intensity(), to.intensity);
  Convert(from.quality(), to.quality);
  Convert(from.missing(), to.missing);
  Convert(from.split(), to.split);
  Convert(from.privacy(), to.privacy);
  Convert(from.shards(), to.shards);
  return to;
}

proto::PrepareConfig ToProto(const PrepareConfig& from) {
  proto::PrepareConfig to;
  to.set_seed(from.seed);
  Convert(from.read, *to.mutable_read());
  Convert(from.medical, *to.mutable_medical());
  Convert(from.geometry, *to.mutable_geometry());
  Convert(from.intensity, *to.mutable_intensity());
  Convert(from.quality, *to.mutable_quality());
  Convert(from.missing, *to.mutable_missing());
  Convert(from.split, *to.mutable_split());
  Convert(from.privacy, *to.mutable_privacy());
  Convert(from.shards, *to.mutable_shards());
  return to;
}

}  // namespace langevin::configs
