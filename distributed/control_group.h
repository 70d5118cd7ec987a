// Lets ranks agree over the control channel.
#ifndef LANGEVIN_DISTRIBUTED_CONTROL_GROUP_H_
#define LANGEVIN_DISTRIBUTED_CONTROL_GROUP_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/group.h"
#include "distributed/control.h"

namespace langevin::distributed {

// The channel must outlive it.
class ControlGroup : public Group {
 public:
  explicit ControlGroup(ControlChannel& control) : control_(control) {}
  int rank() const override { return control_.rank(); }
  int size() const override { return control_.size(); }
  absl::StatusOr<std::vector<std::string>> AllGather(const std::string& text) override {
    return control_.AllGather(text);
  }

 private:
  ControlChannel& control_;
};

}  // namespace langevin::distributed

#endif  // LANGEVIN_DISTRIBUTED_CONTROL_GROUP_H_
