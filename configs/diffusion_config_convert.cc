#include <variant>

#include "configs/run_config_convert.h"

namespace langevin::configs {
namespace {

// Enums have the same numbers on both sides.
static_assert(static_cast<int>(BetaSchedule::kScaledLinear) == proto::SCALED_LINEAR);
static_assert(static_cast<int>(BetaSchedule::kCosine) == proto::COSINE);
static_assert(static_cast<int>(BetaSchedule::kSigmoid) == proto::SIGMOID);
static_assert(static_cast<int>(Prediction::kSample) == proto::SAMPLE);
static_assert(static_cast<int>(Prediction::kVPrediction) == proto::V_PREDICTION);
static_assert(static_cast<int>(Prediction::kScore) == proto::SCORE);
static_assert(static_cast<int>(Prediction::kVelocity) == proto::VELOCITY);
static_assert(static_cast<int>(Prediction::kPreconditioned) == proto::PRECONDITIONED);
static_assert(static_cast<int>(Variance::kLearnedRange) == proto::LEARNED_RANGE);
static_assert(static_cast<int>(FlowPath::kTrigonometric) == proto::FlowConfig::TRIGONOMETRIC);
static_assert(static_cast<int>(SdeKind::kSubVp) == proto::SdeConfig::SUB_VP);
static_assert(static_cast<int>(SdeKind::kVe) == proto::SdeConfig::VE);
static_assert(static_cast<int>(Weighting::kMinSnr) == proto::LossConfig::MIN_SNR);
static_assert(static_cast<int>(Weighting::kSoftMinSnr) == proto::LossConfig::SOFT_MIN_SNR);
static_assert(static_cast<int>(Weighting::kP2) == proto::LossConfig::P2);
static_assert(static_cast<int>(Weighting::kEdm) == proto::LossConfig::EDM);
static_assert(static_cast<int>(Weighting::kLikelihood) == proto::LossConfig::LIKELIHOOD);
static_assert(static_cast<int>(TimeDistribution::kLogNormal) == proto::TimesConfig::LOG_NORMAL);
static_assert(static_cast<int>(TimeDistribution::kLogitNormal) == proto::TimesConfig::LOGIT_NORMAL);
static_assert(static_cast<int>(TimeDistribution::kImportance) == proto::TimesConfig::IMPORTANCE);

DdpmConfig FromProto(const proto::DdpmConfig& from) {
  return {.num_train_timesteps = from.num_train_timesteps(),
          .beta_schedule = static_cast<BetaSchedule>(from.beta_schedule()),
          .beta_start = from.beta_start(),
          .beta_end = from.beta_end(),
          .prediction = static_cast<Prediction>(from.prediction()),
          .clip_sample = from.clip_sample(),
          .rescale_betas_zero_snr = from.rescale_betas_zero_snr(),
          .variance = static_cast<Variance>(from.variance())};
}

EdmConfig FromProto(const proto::EdmConfig& from) {
  return {.sigma_min = from.sigma_min(),
          .sigma_max = from.sigma_max(),
          .rho = from.rho(),
          .prediction = static_cast<Prediction>(from.prediction())};
}

FlowConfig FromProto(const proto::FlowConfig& from) {
  return {.path = static_cast<FlowPath>(from.path()),
          .prediction = static_cast<Prediction>(from.prediction()),
          .shift = from.shift()};
}

SdeConfig FromProto(const proto::SdeConfig& from) {
  return {.kind = static_cast<SdeKind>(from.kind()),
          .beta_min = from.beta_min(),
          .beta_max = from.beta_max(),
          .sigma_min = from.sigma_min(),
          .sigma_max = from.sigma_max(),
          .prediction = static_cast<Prediction>(from.prediction())};
}

// Writes a process into the oneof.
struct ProcessToProto {
  proto::DiffusionConfig& to;

  void operator()(const DdpmConfig& from) const {
    proto::DdpmConfig& ddpm = *to.mutable_ddpm();
    ddpm.set_num_train_timesteps(from.num_train_timesteps);
    ddpm.set_beta_schedule(static_cast<proto::BetaSchedule>(from.beta_schedule));
    ddpm.set_beta_start(from.beta_start);
    ddpm.set_beta_end(from.beta_end);
    ddpm.set_prediction(static_cast<proto::Prediction>(from.prediction));
    ddpm.set_clip_sample(from.clip_sample);
    ddpm.set_rescale_betas_zero_snr(from.rescale_betas_zero_snr);
    ddpm.set_variance(static_cast<proto::Variance>(from.variance));
  }

  void operator()(const EdmConfig& from) const {
    proto::EdmConfig& edm = *to.mutable_edm();
    edm.set_sigma_min(from.sigma_min);
    edm.set_sigma_max(from.sigma_max);
    edm.set_rho(from.rho);
    edm.set_prediction(static_cast<proto::Prediction>(from.prediction));
  }

  void operator()(const FlowConfig& from) const {
    proto::FlowConfig& flow = *to.mutable_flow();
    flow.set_path(static_cast<proto::FlowConfig::Path>(from.path));
    flow.set_prediction(static_cast<proto::Prediction>(from.prediction));
    flow.set_shift(from.shift);
  }

  void operator()(const SdeConfig& from) const {
    proto::SdeConfig& sde = *to.mutable_sde();
    sde.set_kind(static_cast<proto::SdeConfig::Kind>(from.kind));
    sde.set_beta_min(from.beta_min);
    sde.set_beta_max(from.beta_max);
    sde.set_sigma_min(from.sigma_min);
    sde.set_sigma_max(from.sigma_max);
    sde.set_prediction(static_cast<proto::Prediction>(from.prediction));
  }
};

}  // namespace

DiffusionConfig FromProto(const proto::DiffusionConfig& from) {
  DiffusionConfig to;
  if (from.has_ddpm()) to.process = FromProto(from.ddpm());
  if (from.has_edm()) to.process = FromProto(from.edm());
  if (from.has_flow()) to.process = FromProto(from.flow());
  if (from.has_sde()) to.process = FromProto(from.sde());
  to.loss = {.weighting = static_cast<Weighting>(from.loss().weighting()),
             .k = from.loss().k(),
             .uncertainty = from.loss().uncertainty()};
  if (from.loss().has_gamma()) to.loss.gamma = from.loss().gamma();
  const proto::TimesConfig& times = from.times();
  to.times = {.stratified = times.stratified(), .smallest = times.smallest()};
  if (times.has_distribution()) {
    to.times.distribution = static_cast<TimeDistribution>(times.distribution());
  }
  if (times.has_mean()) to.times.mean = times.mean();
  if (times.has_deviation()) to.times.deviation = times.deviation();
  if (from.has_data_sigma()) to.data_sigma = from.data_sigma();
  return to;
}

void ToProto(const DiffusionConfig& from, proto::DiffusionConfig& to) {
  if (from.process.has_value()) std::visit(ProcessToProto{to}, *from.process);
  to.mutable_loss()->set_weighting(static_cast<proto::LossConfig::Weighting>(from.loss.weighting));
  if (from.loss.gamma.has_value()) to.mutable_loss()->set_gamma(*from.loss.gamma);
  to.mutable_loss()->set_k(from.loss.k);
  to.mutable_loss()->set_uncertainty(from.loss.uncertainty);
  proto::TimesConfig& times = *to.mutable_times();
  if (from.times.distribution.has_value()) {
    times.set_distribution(static_cast<proto::TimesConfig::Distribution>(*from.times.distribution));
  }
  if (from.times.mean.has_value()) times.set_mean(*from.times.mean);
  if (from.times.deviation.has_value()) times.set_deviation(*from.times.deviation);
  times.set_stratified(from.times.stratified);
  times.set_smallest(from.times.smallest);
  if (from.data_sigma.has_value()) to.set_data_sigma(*from.data_sigma);
}

}  // namespace langevin::configs
