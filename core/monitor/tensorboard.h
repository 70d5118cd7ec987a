// TensorBoard event files: scalars and pictures for `tensorboard --logdir RUN`.
//
// A file is a sequence of TFRecords, each an Event message (event.proto) with its length and masked
// CRC32Cs. TensorBoard reads the files of a folder in the order of their names.
#ifndef LANGEVIN_CORE_MONITOR_TENSORBOARD_H_
#define LANGEVIN_CORE_MONITOR_TENSORBOARD_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/file_system.h"
#include "core/base/png.h"
#include "core/monitor/append_file.h"

namespace langevin::monitor {

// The bytes of a TFRecord that holds `data`.
std::string TensorBoardRecord(std::string_view data);

// One thread. `file_system` must outlive it. After an error of one of the calls the file holds all
// earlier events, and the next call tries again.
class TensorBoardWriter {
 public:
  // Starts a new file events.out.tfevents.TIME.HOST.PID.0 in `folder`. Its first events void what
  // earlier files in the folder have at steps above `step`. TIME is the present in seconds since
  // 1970, or the second after the newest file's if a clock goes wrong, so that its name sorts last.
  static absl::StatusOr<std::unique_ptr<TensorBoardWriter>> Open(FileSystem& file_system,
                                                                 const std::string& folder,
                                                                 int64_t step);

  // Values under their tags. TensorBoard holds float32.
  absl::Status Scalars(int64_t step, const std::vector<std::pair<std::string, double>>& values);

  // `png` is `picture` encoded.
  absl::Status Image(int64_t step, const std::string& tag, const Picture& picture,
                     const std::string& png);

 private:
  explicit TensorBoardWriter(std::unique_ptr<AppendFile> file) : file_(std::move(file)) {}

  std::unique_ptr<AppendFile> file_;
};

}  // namespace langevin::monitor

#endif  // LANGEVIN_CORE_MONITOR_TENSORBOARD_H_
