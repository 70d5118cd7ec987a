#include "core/train/guard.h"

#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/file_system.h"

namespace langevin::train {
namespace {

// The mean forgets over so many steps, is not trusted before some have been seen, and not at all
// while there are next to none.
constexpr int64_t kWindowSteps = 128;
constexpr int64_t kLeastSteps = 32;
constexpr int64_t kFirstSteps = 8;
// A spike is so many deviations of the logarithm above its mean, and at least a factor of 1.5: a
// loss that hardly varies is not one that spikes.
constexpr double kDeviations = 5;
const double kLeastLogRatio = std::log(1.5);

// Whether a NaN has a sign is of no meaning.
std::string Shown(double value) {
  return std::isnan(value) ? "nan" : absl::StrFormat("%.4g", value);
}

}  // namespace

Guard::Verdict Guard::Judge(double loss, double gradient_norm) {
  if (!std::isfinite(loss) || !std::isfinite(gradient_norm)) {
    ++skipped_;
    return ++skipped_in_a_row_ < kMostSkippedInARow ? Verdict::kSkip : Verdict::kGiveUp;
  }
  skipped_in_a_row_ = 0;
  const bool was_in_spike = in_spike_;
  in_spike_ = IsOutOfRange(loss);
  if (!in_spike_ || was_in_spike) return Verdict::kApply;
  ++spikes_;
  return Verdict::kSpike;
}

bool Guard::IsOutOfRange(double loss) {
  if (loss <= 0) return false;  // Its logarithm says nothing.
  const double value = std::log(loss);
  const double reach = std::max(kDeviations * std::sqrt(log_variance_), kLeastLogRatio);
  // Half-way back is back, so that a noisy loss does not cross the border again and again.
  const bool is_out = steps_ >= kLeastSteps && value > log_mean_ + (in_spike_ ? reach / 2 : reach);
  // What is beyond the border counts as no more than the border, so that the next spike is found
  // too; if the loss stays up there, that becomes usual.
  const double counted = steps_ >= kFirstSteps ? std::min(value, log_mean_ + reach) : value;
  const double share = 1 / static_cast<double>(std::min(++steps_, kWindowSteps));
  const double step = counted - log_mean_;
  log_mean_ += share * step;
  log_variance_ = (1 - share) * (log_variance_ + share * step * step);
  return is_out;
}

double Guard::usual_loss() const { return steps_ > 0 ? std::exp(log_mean_) : 0; }

std::string Guard::ToText() const {
  return absl::StrFormat("%d %d %d %d %d %a %a", skipped_, skipped_in_a_row_, spikes_, in_spike_,
                         steps_, log_mean_, log_variance_);
}

absl::StatusOr<Guard> Guard::FromText(const std::string& text) {
  Guard guard;
  int in_spike = 0;
  if (std::sscanf(text.c_str(), "%" SCNd64 " %" SCNd64 " %" SCNd64 " %d %" SCNd64 " %la %la",
                  &guard.skipped_, &guard.skipped_in_a_row_, &guard.spikes_, &in_spike,
                  &guard.steps_, &guard.log_mean_, &guard.log_variance_) != 7 ||
      guard.skipped_ < guard.skipped_in_a_row_ || guard.skipped_in_a_row_ < 0 ||
      guard.spikes_ < 0 || guard.steps_ < 0 || !std::isfinite(guard.log_mean_) ||
      !(guard.log_variance_ >= 0)) {
    return absl::DataLossError(absl::StrCat("\"", text, "\" is no guard's memory"));
  }
  guard.in_spike_ = in_spike != 0;
  return guard;
}

std::string SkipMessage(double loss, double gradient_norm) {
  return absl::StrFormat("loss %s, gradient norm %s: step skipped, the weights stay", Shown(loss),
                         Shown(gradient_norm));
}

std::string SpikeMessage(double loss, double usual_loss) {
  return absl::StrFormat(
      "loss %s is %.3g times the usual %s; if this comes again, lower optimizer.learning_rate or "
      "clip_norm",
      Shown(loss), loss / usual_loss, Shown(usual_loss));
}

absl::Status DivergedError(const Guard& guard, const std::string& run_folder, int64_t images_seen,
                           const std::string& checkpoint_name) {
  const std::string checkpoint = JoinPath(JoinPath(run_folder, "checkpoints"), checkpoint_name);
  const std::string what = absl::StrFormat(
      "%s: diverged: loss or gradient was not finite in %d steps in a row, up to images_seen %d",
      run_folder, guard.skipped_in_a_row(), images_seen);
  constexpr char kAdvice[] = "lower optimizer.learning_rate, more warmup_images or precision FP32";
  if (checkpoint_name.empty()) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "%s; it has no checkpoint. Begin again in another --output with a %s", what, kAdvice));
  }
  return absl::FailedPreconditionError(absl::StrFormat(
      "%s; its last good checkpoint is %s. Run again it would diverge again: begin another run "
      "with "
      "a %s, from these weights if you like (langevin export --run %s --output MODEL, then train "
      "--init MODEL)",
      what, checkpoint, kAdvice, checkpoint));
}

}  // namespace langevin::train
