#include "tools/evaluate_results.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/version.h"
#include "nlohmann/json.hpp"

namespace langevin::tools {
namespace {

constexpr int64_t kPairsInJson = 16;

}  // namespace

std::string ShownName(const EvaluationResults& results, const std::string& metric) {
  const metrics::MetricInfo* info = metrics::FindMetric(metric);
  const bool is_of_features = info == nullptr || !info->is_of_model;
  return results.features.are_pixels && is_of_features ? metric + "_pixels" : metric;
}

std::vector<std::pair<int64_t, int64_t>> ClosestPairs(const metrics::Memorisation& memorisation,
                                                      int64_t most) {
  const std::vector<double>& distances = memorisation.of_samples.distances;
  std::vector<int64_t> samples(distances.size());
  std::iota(samples.begin(), samples.end(), int64_t{0});
  std::stable_sort(samples.begin(), samples.end(), [&](int64_t a, int64_t b) {
    return distances[static_cast<size_t>(a)] < distances[static_cast<size_t>(b)];
  });
  std::vector<std::pair<int64_t, int64_t>> pairs;
  for (const int64_t sample : samples) {
    if (static_cast<int64_t>(pairs.size()) == most) break;
    pairs.emplace_back(sample, memorisation.of_samples.indices[static_cast<size_t>(sample)]);
  }
  return pairs;
}

std::vector<std::pair<std::string, std::string>> FactsOf(const EvaluationResults& results) {
  const SampleOrigin& origin = results.origin;
  std::vector<std::pair<std::string, std::string>> facts;
  facts.emplace_back(origin.is_model ? "model" : "samples", origin.path);
  if (!origin.weights.empty()) facts.emplace_back("weights", origin.weights);
  if (!origin.images_seen.empty()) facts.emplace_back("images seen", origin.images_seen);
  if (origin.is_model) {
    facts.emplace_back("sampler", absl::StrCat(origin.sampler, ", ", origin.steps, " steps"));
  } else {
    facts.emplace_back("samples' checksum", origin.checksum);
  }
  facts.emplace_back("seed", absl::StrCat(results.seed));
  facts.emplace_back("samples compared", absl::StrCat(results.count));
  facts.emplace_back("data", results.data);
  facts.emplace_back("compared with",
                     absl::StrCat(results.references, " images of split ", results.split));
  if (!results.floor.empty()) facts.emplace_back("real images", results.floor);
  facts.emplace_back("features", absl::StrCat(results.features.description, ", ",
                                              results.features.dimension, " numbers an image"));
  if (results.likelihood_images > 0) {
    facts.emplace_back("likelihood",
                       absl::StrCat(results.likelihood_images, " images, by ",
                                    results.likelihood_method == "bound" ? "the variational bound"
                                                                         : "the probability flow"));
  }
  if (!results.features.file.empty()) {
    facts.emplace_back("features' file", results.features.file);
    facts.emplace_back("features' checksum", results.features.checksum);
  }
  return facts;
}

std::string ResultsJson(const EvaluationResults& results) {
  using Json = nlohmann::ordered_json;
  const auto or_null = [](const std::string& text) { return text.empty() ? Json() : Json(text); };
  const SampleOrigin& origin = results.origin;
  Json json;
  json["format"] = 1;
  json["software"] = absl::StrCat("langevin ", kVersion);
  Json& samples = json["samples"];
  if (origin.is_model) {
    samples["model"] = origin.path;
    samples["weights"] = or_null(origin.weights);
    int64_t images_seen = 0;
    samples["images_seen"] =
        absl::SimpleAtoi(origin.images_seen, &images_seen) ? Json(images_seen) : Json();
    samples["sampler"] = origin.sampler;
    samples["steps"] = origin.steps;
  } else {
    samples["folder"] = origin.path;
    samples["checksum"] = origin.checksum;
  }
  samples["count"] = results.count;
  json["seed"] = results.seed;
  json["data"] = {{"folder", results.data},
                  {"fingerprint", results.fingerprint},
                  {"split", results.split},
                  {"images", results.references}};
  json["floor"] = results.floor.empty()
                      ? Json()
                      : Json{{"images", results.floor_images}, {"what", results.floor}};
  json["features"] = {{"kind", results.features.are_pixels ? "pixels" : "torchscript"},
                      {"description", results.features.description},
                      {"file", or_null(results.features.file)},
                      {"checksum", or_null(results.features.checksum)},
                      {"dimension", results.features.dimension},
                      {"classes", results.features.classes}};
  json["bootstrap_replicates"] = results.replicates;
  json["metrics"] = Json::object();
  for (const metrics::MetricValue& value : results.table.values) {
    json["metrics"][ShownName(results, value.name)] = {
        {"value", value.estimate.value},
        {"low", value.estimate.low},
        {"high", value.estimate.high},
        {"floor", value.floor.has_value() ? Json(*value.floor) : Json()},
        {"better", value.less_is_better ? "lower" : "higher"}};
  }
  if (results.likelihood_images > 0) {
    json["likelihood"] = {{"method", results.likelihood_method},
                          {"images", results.likelihood_images},
                          {"by_image", results.bits_by_image}};
    if (!results.bits_by_time.empty()) {
      // Of the bound: tenths of the time steps, least noise first, and what is left at the end.
      std::vector<double> by_time = results.bits_by_time;
      json["likelihood"]["prior"] = by_time.back();
      by_time.pop_back();
      json["likelihood"]["by_time"] = by_time;
    }
  }
  if (results.table.memorisation.has_value()) {
    const metrics::Memorisation& memorisation = *results.table.memorisation;
    const auto quantiles = [](const std::vector<double>& distances) {
      return Json{{"least", metrics::Percentile(distances, 0)},
                  {"median", metrics::Percentile(distances, 50)},
                  {"mean", std::accumulate(distances.begin(), distances.end(), 0.0) /
                               static_cast<double>(distances.size())}};
    };
    Json& out = json["nearest_training_image"];
    out["threshold"] = memorisation.threshold;
    out["of_samples"] = quantiles(memorisation.of_samples.distances);
    out["of_held_out"] = quantiles(memorisation.of_held_out.distances);
    out["closest"] = Json::array();
    for (const auto& [sample, training] : ClosestPairs(memorisation, kPairsInJson)) {
      out["closest"].push_back(
          {{"sample", sample},
           {"training_image", training},
           {"distance", memorisation.of_samples.distances[static_cast<size_t>(sample)]}});
    }
  }
  json["notes"] = results.notes;
  // Paths may be no UTF-8.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string ResultsText(const EvaluationResults& results) {
  std::string text;
  for (const auto& [name, value] : FactsOf(results)) {
    absl::StrAppend(&text, absl::StrFormat("%-20s %s\n", name, value));
  }
  absl::StrAppend(&text, absl::StrFormat("\n%-31s %12s  %-25s %12s\n", "metric", "value",
                                         "95 % interval", "real images"));
  for (const metrics::MetricValue& value : results.table.values) {
    const std::string interval =
        absl::StrFormat("%.5g to %.5g", value.estimate.low, value.estimate.high);
    absl::StrAppend(
        &text,
        absl::StrFormat("%-31s %12s  %-25s %12s  %s is better\n", ShownName(results, value.name),
                        absl::StrFormat("%.5g", value.estimate.value), interval,
                        value.floor.has_value() ? absl::StrFormat("%.5g", *value.floor) : "-",
                        value.less_is_better ? "lower" : "higher"));
  }
  return text;
}

}  // namespace langevin::tools
