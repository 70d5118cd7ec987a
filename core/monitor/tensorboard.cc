#include "core/monitor/tensorboard.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "core/base/clock.h"
#include "core/base/crc32c.h"
#include "core/base/status_macros.h"
#include "event.pb.h"

namespace langevin::monitor {
namespace {

constexpr std::string_view kFilePrefix = "events.out.tfevents.";

// Little endian, as the format demands.
template <typename Integer>
void AppendInteger(Integer value, std::string* out) {
  static_assert(std::endian::native == std::endian::little);
  std::array<char, sizeof(value)> bytes;
  std::memcpy(bytes.data(), &value, sizeof(value));
  out->append(bytes.data(), bytes.size());
}

// TFRecord masks its checksums, since CRCs of data that hold CRCs are weak:
// tensorflow/core/lib/hash/crc32c.h.
uint32_t MaskedCrc(std::string_view bytes) {
  return std::rotr(Crc32c(bytes.data(), bytes.size()), 15) + 0xa282ead8;
}

std::string HostName() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
  return name.data();
}

// A time for the name of a new file: now, or later if a file in `folder` claims to be newer.
absl::StatusOr<int64_t> TimeForName(FileSystem& file_system, const std::string& folder) {
  auto time = static_cast<int64_t>(UnixSeconds());
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> names, file_system.List(folder));
  for (const std::string& name : names) {
    if (!name.starts_with(kFilePrefix)) continue;
    const std::string digits =
        name.substr(kFilePrefix.size(), name.find('.', kFilePrefix.size()) - kFilePrefix.size());
    int64_t other = 0;
    if (digits.size() == 10 && absl::SimpleAtoi(digits, &other)) time = std::max(time, other + 1);
  }
  return time;
}

tensorboard::Event NewEvent(int64_t step) {
  tensorboard::Event event;
  event.set_wall_time(UnixSeconds());
  event.set_step(step);
  return event;
}

}  // namespace

std::string TensorBoardRecord(std::string_view data) {
  std::string record;
  record.reserve(data.size() + 16);
  AppendInteger(uint64_t{data.size()}, &record);
  AppendInteger(MaskedCrc(record), &record);
  record.append(data);
  AppendInteger(MaskedCrc(data), &record);
  return record;
}

absl::StatusOr<std::unique_ptr<TensorBoardWriter>> TensorBoardWriter::Open(
    FileSystem& file_system, const std::string& folder, int64_t step) {
  LANGEVIN_ASSIGN_OR_RETURN(const int64_t time, TimeForName(file_system, folder));
  const std::string name =
      absl::StrFormat("%s%010d.%s.%d.0", kFilePrefix, time, HostName(), getpid());
  LANGEVIN_ASSIGN_OR_RETURN(std::unique_ptr<AppendFile> file,
                            AppendFile::Open(file_system, JoinPath(folder, name)));
  tensorboard::Event version = NewEvent(0);
  version.set_file_version("brain.Event:2");
  // Readers void events at the step of a START and above; the one at `step` itself shall stay.
  tensorboard::Event start = NewEvent(step + 1);
  start.mutable_session_log()->set_status(tensorboard::SessionLog::START);
  LANGEVIN_RETURN_IF_ERROR(file->Append(TensorBoardRecord(version.SerializeAsString()) +
                                        TensorBoardRecord(start.SerializeAsString())));
  return std::unique_ptr<TensorBoardWriter>(new TensorBoardWriter(std::move(file)));
}

absl::Status TensorBoardWriter::Scalars(int64_t step,
                                        const std::vector<std::pair<std::string, double>>& values) {
  tensorboard::Event event = NewEvent(step);
  for (const auto& [tag, number] : values) {
    tensorboard::Summary::Value* value = event.mutable_summary()->add_value();
    value->set_tag(tag);
    value->set_simple_value(static_cast<float>(number));
  }
  return file_->Append(TensorBoardRecord(event.SerializeAsString()));
}

absl::Status TensorBoardWriter::Image(int64_t step, const std::string& tag, const Picture& picture,
                                      const std::string& png) {
  tensorboard::Event event = NewEvent(step);
  tensorboard::Summary::Value* value = event.mutable_summary()->add_value();
  value->set_tag(tag);
  value->mutable_image()->set_height(static_cast<int32_t>(picture.height));
  value->mutable_image()->set_width(static_cast<int32_t>(picture.width));
  value->mutable_image()->set_colorspace(picture.channels);
  value->mutable_image()->set_encoded_image_string(png);
  return file_->Append(TensorBoardRecord(event.SerializeAsString()));
}

}  // namespace langevin::monitor
