#include "core/monitor/metrics_file.h"

#include <limits>
#include <utility>

#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "core/monitor/json_lines.h"

namespace langevin::monitor {

absl::StatusOr<MetricsFile> MetricsFile::Open(FileSystem& file_system, const std::string& path,
                                              int64_t images_seen) {
  LANGEVIN_ASSIGN_OR_RETURN(std::unique_ptr<AppendFile> file,
                            OpenJsonLines(file_system, path, images_seen));
  return MetricsFile(std::move(file));
}

absl::Status MetricsFile::Append(const LogPoint& point, double unix_time) {
  return file_->Append(absl::StrFormat(
      "{\"images_seen\":%d,\"loss\":%s,\"gradient_norm\":%s,\"learning_rate\":%s,"
      "\"images_per_s\":%s,\"loader_wait_share\":%s,\"rank_spread\":%s,"
      "\"skipped_steps\":%d,\"loss_spikes\":%d,\"elapsed_s\":%s,\"time\":%.3f}\n",
      point.images_seen, JsonNumber(point.loss), JsonNumber(point.gradient_norm),
      JsonNumber(point.learning_rate), JsonNumber(point.images_per_s),
      JsonNumber(point.loader_wait_share), JsonNumber(point.rank_spread), point.skipped_steps,
      point.loss_spikes, JsonNumber(point.elapsed_s), unix_time));
}

absl::StatusOr<std::vector<LogPoint>> ReadMetrics(FileSystem& file_system,
                                                  const std::string& path) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<nlohmann::json> objects,
                            ReadJsonLines(file_system, path));
  std::vector<LogPoint> points;
  points.reserve(objects.size());
  for (const nlohmann::json& object : objects) {
    const auto number = [&object](const char* name) {
      const auto member = object.find(name);
      return member != object.end() && member->is_number()
                 ? member->get<double>()
                 : std::numeric_limits<double>::quiet_NaN();
    };
    const auto count = [&object](const char* name) {  // Older lines do not have it.
      const auto member = object.find(name);
      return member != object.end() && member->is_number_integer() ? member->get<int64_t>() : 0;
    };
    points.push_back({.images_seen = object["images_seen"].get<int64_t>(),
                      .loss = number("loss"),
                      .gradient_norm = number("gradient_norm"),
                      .learning_rate = number("learning_rate"),
                      .images_per_s = number("images_per_s"),
                      .loader_wait_share = number("loader_wait_share"),
                      .rank_spread = number("rank_spread"),
                      .skipped_steps = count("skipped_steps"),
                      .loss_spikes = count("loss_spikes"),
                      .elapsed_s = number("elapsed_s")});
  }
  return points;
}

}  // namespace langevin::monitor
