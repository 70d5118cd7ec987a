// Processes that do something together: what they need of each other to agree on it.
//
// Training's control channel implements it over MPI; code that only shares work over files needs no
// more, and stays free of MPI and LibTorch.
#ifndef LANGEVIN_CORE_BASE_GROUP_H_
#define LANGEVIN_CORE_BASE_GROUP_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace langevin {

// Every call is made by all ranks in the same order, each by one thread.
class Group {
 public:
  virtual ~Group() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  // Every rank's text (any bytes, of any length on each rank), in rank order, on all ranks. Errors
  // mean that a rank is gone.
  virtual absl::StatusOr<std::vector<std::string>> AllGather(const std::string& text) = 0;
};

// A world of one.
Group& SingleProcess();

// Sends `status` and `text` to all ranks; called by all together. Gives the texts in rank order if
// every rank's status is OK, and otherwise, on every rank, the error of the first that failed, with
// its number where there are several.
absl::StatusOr<std::vector<std::string>> GatherIfAllOk(Group& group, const absl::Status& status,
                                                       const std::string& text);

}  // namespace langevin

#endif  // LANGEVIN_CORE_BASE_GROUP_H_
