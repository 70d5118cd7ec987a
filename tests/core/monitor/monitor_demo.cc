// Writes the run folder argv[1] as a run that is stopped once and resumed would: what the Python
// tests look at. The numbers are known to monitor_files_test.py.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "core/monitor/run_monitor.h"

namespace langevin::monitor {
namespace {

constexpr int64_t kTotalImages = 64000;
constexpr int64_t kSide = 16;

// Points of a run in whose loss the process that logged them can be seen.
LogPoint Point(int64_t images_seen, int64_t first, int process) {
  const double x = static_cast<double>(images_seen);
  LogPoint point;
  point.images_seen = images_seen;
  point.loss = process + 0.03 + std::exp(-x / 4000) + 0.004 * std::sin(x);
  point.gradient_norm = 0.2 + 2 * std::exp(-x / 3000) + 0.1 * std::abs(std::sin(3 * x));
  point.learning_rate = 1e-3 * std::min(1.0, x / 6400);
  point.images_per_s = 310 + 8 * std::sin(x / 5000);
  point.loader_wait_share = 0.01;
  point.elapsed_s = static_cast<double>(images_seen - first) / 310;
  return point;
}

// 20 discs on gradients, less noisy the longer the run.
void WriteSamples(RunMonitor& monitor, int64_t images_seen) {
  constexpr int64_t kCount = 20;
  std::vector<float> values;
  for (int64_t image = 0; image < kCount; ++image) {
    for (int64_t channel = 0; channel < 3; ++channel) {
      for (int64_t y = 0; y < kSide; ++y) {
        for (int64_t x = 0; x < kSide; ++x) {
          const double distance = std::hypot(x - 7.5, y - 7.5);
          const double disc = distance < 3 + image % 4 ? 0.8 - 0.4 * channel : -1 + 0.06 * y;
          const double noise = std::sin(12.9898 * x + 78.233 * y + 37.7 * image + channel) *
                               std::exp(-static_cast<double>(images_seen) / 15000);
          values.push_back(static_cast<float>(disc + noise));
        }
      }
    }
  }
  monitor.Samples(images_seen, {kCount, 3, kSide, kSide, values});
}

// Steps of 640 images from `first` to `last`, samples each 6,400.
bool RunProcess(const std::string& folder, int64_t first, int64_t last, int process) {
  RunFacts facts;
  facts.title = "garments <first try>";
  facts.total_images = kTotalImages;
  facts.table = {{"Model", "UNet2DModel, 1.6 million parameters"},
                 {"Data", "fashion_mnist: 60,000 images of 28 x 28, 1 channel"},
                 {"Ranks", "2, with 1 thread each"},
                 {"Batch", "64 images in 4 microbatches"},
                 {"Precision", "fp32"}};
  facts.config_text = "seed: 1\nmodel {\n  unet {\n    act_fn: \"silu\"\n  }\n}\n";
  auto monitor = RunMonitor::Open(PosixFileSystem(), folder, facts, first);
  if (!monitor.ok()) {
    std::fprintf(stderr, "%s\n", std::string(monitor.status().message()).c_str());
    return false;
  }
  (*monitor)->Event(first, first == 0 ? "start" : "resumed from a checkpoint");
  for (int64_t images_seen = first + 640; images_seen <= last; images_seen += 640) {
    LogPoint point = Point(images_seen, first, process);
    if (images_seen == 19200) point.loss = std::nan("");
    (*monitor)->Log(point);
    if (images_seen % 6400 != 0) continue;
    WriteSamples(**monitor, images_seen);
    (*monitor)->Event(images_seen, "checkpoint written");
  }
  (*monitor)->WriteReport();
  return true;
}

}  // namespace
}  // namespace langevin::monitor

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  // The first process comes to 35,840 and is killed; its newest checkpoint is at 32,000.
  return langevin::monitor::RunProcess(argv[1], 0, 35840, /*process=*/0) &&
                 langevin::monitor::RunProcess(argv[1], 32000, 64000, /*process=*/1)
             ? 0
             : 1;
}
