// Lets ranks agree over the control channel.
#ifndef LANGEVIN_CORE_TRAIN_CONTROL_GROUP_H_
#define LANGEVIN_CORE_TRAIN_CONTROL_GROUP_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/group.h"
#include "distributed/control.h"

namespace langevin::train {

// The channel must outlive it.
class ControlGroup : public Group {
 public:
  explicit ControlGroup(distributed::ControlChannel& control) : control_(control) {}
  int rank() const override { return control_.rank(); }
  int size() const override { return control_.size(); }
  absl::StatusOr<std::vector<std::string>> AllGather(const std::string& text) override {
    return control_.AllGather(text);
  }

 private:
  distributed::ControlChannel& control_;
};

}  // namespace langevin::train

#endif  // LANGEVIN_CORE_TRAIN_CONTROL_GROUP_H_
