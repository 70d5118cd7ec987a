#include "core/monitor/status_line.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_format.h"
#include "core/base/clock.h"

namespace langevin::monitor {
namespace {

std::string Loss(double loss) {
  const double size = std::abs(loss);
  return size >= 0.001 && size < 1000 ? absl::StrFormat("%.4f", loss)
                                      : absl::StrFormat("%.3g", loss);
}

std::string Speed(double images_per_s) {
  const int decimals = images_per_s >= 100 ? 0 : images_per_s >= 10 ? 1 : 2;
  return absl::StrFormat("%.*f", decimals, images_per_s);
}

}  // namespace

void ProgressEstimate::Add(const LogPoint& point) {
  recent_.emplace_back(point.images_seen, point.elapsed_s);
  if (recent_.size() > kPoints) recent_.pop_front();
  newest_images_per_s_ = point.images_per_s;
}

double ProgressEstimate::SecondsLeft(int64_t total_images) const {
  if (recent_.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto& [first_images, first_s] = recent_.front();
  const auto& [last_images, last_s] = recent_.back();
  const double images_left = static_cast<double>(std::max<int64_t>(0, total_images - last_images));
  if (images_left == 0) return 0;
  double images_per_s = newest_images_per_s_;
  if (last_images > first_images && last_s > first_s) {
    images_per_s = static_cast<double>(last_images - first_images) / (last_s - first_s);
  }
  return images_per_s > 0 ? images_left / images_per_s : std::numeric_limits<double>::quiet_NaN();
}

std::string StatusLine(const LogPoint& point, int64_t total_images, double seconds_left) {
  const int64_t percent = total_images > 0 ? 100 * point.images_seen / total_images : 100;
  return absl::StrFormat("%d%% %d/%d images  loss %s  %s img/s  lr %.3g  elapsed %s  left %s",
                         percent, point.images_seen, total_images, Loss(point.loss),
                         Speed(point.images_per_s), point.learning_rate,
                         FormatDuration(point.elapsed_s),
                         seconds_left == 0 ? "0 s" : FormatDuration(seconds_left));
}

}  // namespace langevin::monitor
