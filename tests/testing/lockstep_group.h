// Ranks as threads that run one at a time, for tests of what ranks do together.
//
// Rank 0 runs until it waits for the others in AllGather, then rank 1, and so on round the circle.
// A test that counts operations therefore sees the same order in every run.
#ifndef LANGEVIN_TESTS_TESTING_LOCKSTEP_GROUP_H_
#define LANGEVIN_TESTS_TESTING_LOCKSTEP_GROUP_H_

#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "core/base/group.h"

namespace langevin {

// Calls `work` once for each of `ranks` ranks and gives what they returned, in rank order. A rank
// that returns while others wait for it in AllGather is gone: they get Unavailable.
std::vector<absl::Status> RunInLockstep(int ranks,
                                        const std::function<absl::Status(Group& group)>& work);

}  // namespace langevin

#endif  // LANGEVIN_TESTS_TESTING_LOCKSTEP_GROUP_H_
