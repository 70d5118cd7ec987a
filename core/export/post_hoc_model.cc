#include "core/export/post_hoc_model.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "ATen/ATen.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "core/checkpoint/ema_snapshots.h"
#include "core/model/state_dict.h"
#include "core/optim/post_hoc_ema.h"
#include "core/optim/power_ema.h"

namespace langevin::exporting {
namespace {

using checkpoint::EmaSnapshot;
using checkpoint::EmaSnapshotFacts;

// The snapshots up to `images`, one of which is of that moment.
absl::StatusOr<std::vector<EmaSnapshot>> SnapshotsUpTo(FileSystem& file_system,
                                                       const std::string& run_folder,
                                                       std::optional<int64_t> images) {
  LANGEVIN_ASSIGN_OR_RETURN(std::vector<EmaSnapshot> snapshots,
                            checkpoint::ListEmaSnapshots(file_system, run_folder));
  if (snapshots.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(run_folder,
                     ": has no ema_snapshots to make an average of; give the folder of a run that "
                     "was trained with ema.power_std and ema.snapshot_every_images"));
  }
  if (!images.has_value()) return snapshots;
  const auto after =
      std::find_if(snapshots.begin(), snapshots.end(),
                   [&](const EmaSnapshot& snapshot) { return snapshot.images_seen > *images; });
  if (after == snapshots.begin() || (after - 1)->images_seen != *images) {
    const auto near = after == snapshots.begin() ? after : after - 1;
    return absl::FailedPreconditionError(absl::StrFormat(
        "%s: has no snapshot at images_seen %d; it has %d from %d to %d, next to it %d", run_folder,
        *images, snapshots.size(), snapshots.front().images_seen, snapshots.back().images_seen,
        near->images_seen));
  }
  snapshots.erase(after, snapshots.end());
  return snapshots;
}

// The stds of the averages in the snapshots, which all have the same and are of `fingerprint`'s
// data.
absl::StatusOr<std::vector<double>> CommonStds(FileSystem& file_system,
                                               const std::vector<EmaSnapshot>& snapshots,
                                               const std::string& fingerprint) {
  std::vector<double> stds;
  for (const EmaSnapshot& snapshot : snapshots) {
    LANGEVIN_ASSIGN_OR_RETURN(const EmaSnapshotFacts facts,
                              checkpoint::ReadEmaSnapshotFacts(file_system, snapshot));
    if (stds.empty()) stds = facts.stds;
    if (facts.stds != stds || facts.data_fingerprint != fingerprint) {
      return absl::DataLossError(absl::StrCat(
          snapshot.path, ": is of another run than this folder's checkpoint; move it away"));
    }
  }
  return stds;
}

std::string FactOf(const Facts& facts, const std::string& name) {
  for (const auto& [key, value] : facts) {
    if (key == name) return value;
  }
  return "";
}

void SetFact(Facts& facts, const std::string& name, std::string value) {
  for (auto& [key, old] : facts) {
    if (key == name) {
      old = std::move(value);
      return;
    }
  }
  facts.emplace_back(name, std::move(value));
}

// The sum over all averages of all snapshots, in double.
absl::StatusOr<at::Tensor> SumOfSnapshots(FileSystem& file_system,
                                          const model::ParameterStore& store,
                                          const std::vector<EmaSnapshot>& snapshots,
                                          const std::vector<double>& stds,
                                          const std::vector<double>& coefficients) {
  at::Tensor sum = at::zeros_like(store.master(), at::kDouble);
  at::Tensor average = at::zeros_like(store.master());
  size_t i = 0;  // In coefficients.
  for (const EmaSnapshot& snapshot : snapshots) {
    std::vector<std::vector<model::NamedTensor>> averages;
    std::vector<MutableTensorView> views;
    for (const double std : stds) {
      averages.push_back(model::EmptyStateDict(store, store.master(),
                                               absl::StrCat(optim::PowerEmaName(std), ".")));
      for (MutableTensorView& view : model::MutableViewsOf(averages.back())) {
        views.push_back(std::move(view));
      }
    }
    LANGEVIN_RETURN_IF_ERROR(checkpoint::ReadEmaSnapshot(file_system, snapshot, std::move(views)));
    for (const std::vector<model::NamedTensor>& tensors : averages) {
      model::FillFromStateDict(store, tensors, average);
      sum.add_(average.to(at::kDouble), coefficients[i++]);
    }
  }
  return sum;
}

}  // namespace

absl::StatusOr<PostHocModel> OpenPostHocModel(FileSystem& file_system,
                                              const std::string& run_folder, double std,
                                              std::optional<int64_t> images) {
  const at::NoGradGuard no_grad;
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<EmaSnapshot> snapshots,
                            SnapshotsUpTo(file_system, run_folder, images));
  // All but the weights is the newest checkpoint's.
  LANGEVIN_ASSIGN_OR_RETURN(Model model,
                            OpenModel(file_system, run_folder, Weights::kEma, at::kCPU));
  LANGEVIN_ASSIGN_OR_RETURN(
      const std::vector<double> stds,
      CommonStds(file_system, snapshots, FactOf(model.facts, "data_fingerprint")));

  std::vector<optim::PowerProfile> stored;
  for (const EmaSnapshot& snapshot : snapshots) {
    for (const double width : stds) {
      stored.push_back({static_cast<double>(snapshot.images_seen), width});
    }
  }
  const int64_t images_seen = snapshots.back().images_seen;
  const optim::PostHocEma post_hoc(std::move(stored), static_cast<double>(images_seen));
  const optim::PostHocSum sum = post_hoc.Solve(std);
  if (!(sum.error <= optim::kMostPostHocError)) {
    const auto [least, most] = post_hoc.RangeAround(stds.front());
    return absl::OutOfRangeError(absl::StrFormat(
        "%s: its %d snapshots up to images_seen %d give ema_std %.9g with an error of %.0f %%; "
        "from "
        "%.3f to %.3f it is at most %.0f %%. More snapshots (ema.snapshot_every_images) or other "
        "ema.power_std reach further",
        run_folder, snapshots.size(), images_seen, std, 100 * sum.error, least, most,
        100 * optim::kMostPostHocError));
  }
  model::ParameterStore& store = model.network->parameters();
  LANGEVIN_ASSIGN_OR_RETURN(const at::Tensor weights,
                            SumOfSnapshots(file_system, store, snapshots, stds, sum.coefficients));
  at::Tensor master = store.master();
  master.copy_(weights);
  store.RefreshComputeWeights();
  SetFact(model.facts, "weights", absl::StrFormat("ema_std %.9g", std));
  SetFact(model.facts, "images_seen", absl::StrCat(images_seen));
  SetFact(model.facts, "ema_profile_error", absl::StrFormat("%.3g", sum.error));
  model.origin = run_folder;
  return PostHocModel{.model = std::move(model),
                      .images_seen = images_seen,
                      .snapshots = static_cast<int>(snapshots.size()),
                      .error = sum.error};
}

}  // namespace langevin::exporting
