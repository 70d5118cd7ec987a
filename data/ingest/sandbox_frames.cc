#include "data/ingest/sandbox_frames.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <optional>
#include <type_traits>

#include "core/base/clock.h"
#include "data/ingest/utf8.h"

namespace langevin::data {
namespace {

static_assert(std::is_trivially_copyable_v<ImageFrame>);

constexpr size_t kSendBufferBytes = 256 << 10;
constexpr size_t kReceiveBufferBytes = 256 << 10;
constexpr size_t kMaxNotes = 64;
constexpr size_t kMaxNoteBytes = 1000, kMaxUnitBytes = 32, kMaxModalityBytes = 16;
constexpr int64_t kMaxImages = int64_t{1} << 40;

void AddText(std::string_view text, std::string& out) {
  const uint32_t size = static_cast<uint32_t>(std::min<size_t>(text.size(), kMaxNoteBytes));
  out.append(reinterpret_cast<const char*>(&size), sizeof(size));
  out.append(text.substr(0, size));
}

std::optional<std::string_view> TakeText(std::string_view& texts) {
  uint32_t size = 0;
  if (texts.size() < sizeof(size)) return std::nullopt;
  std::memcpy(&size, texts.data(), sizeof(size));
  texts.remove_prefix(sizeof(size));
  if (size > texts.size() || size > kMaxNoteBytes) return std::nullopt;
  const std::string_view text = texts.substr(0, size);
  texts.remove_prefix(size);
  return text;
}

// A salted hash as MedicalFacts has them: never a name in clear.
bool IsPseudonym(std::string_view text) {
  return text.empty() || (text.size() == 16 && std::all_of(text.begin(), text.end(), [](char c) {
                            return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                          }));
}

template <typename Numbers>
bool AreFinite(const Numbers& numbers) {
  return std::all_of(numbers.begin(), numbers.end(), [](double v) { return std::isfinite(v); });
}

}  // namespace

ImageFrame FrameOf(const DecodedImage& image, std::string& texts) {
  const MedicalFacts& medical = image.medical;
  ImageFrame frame = {
      .kind = ImageFrame::kImage,
      .dtype = image.dtype,
      .bits = image.bits,
      .shape = image.shape,
      .images_in_file = image.images_in_file,
      .label = image.label.value_or(0),
      .scale = image.physical.scale,
      .offset = image.physical.offset,
      .position = medical.position_mm.value_or(std::array<double, 3>{}),
      .normal = medical.normal.value_or(std::array<double, 3>{}),
      .spacing_count = static_cast<uint32_t>(std::min<size_t>(medical.spacing_mm.size(), 3))};
  std::copy_n(medical.spacing_mm.begin(), frame.spacing_count, frame.spacing.begin());
  frame.flags = (image.alpha_left_out ? ImageFrame::kAlphaLeftOut : 0U) |
                (image.label.has_value() ? ImageFrame::kHasLabel : 0U) |
                (medical.position_mm.has_value() ? ImageFrame::kHasPosition : 0U) |
                (medical.normal.has_value() ? ImageFrame::kHasNormal : 0U) |
                (medical.burned_in_annotation ? ImageFrame::kBurnedIn : 0U) |
                (medical.secondary_capture ? ImageFrame::kSecondaryCapture : 0U);
  texts.clear();
  if (!image.physical.unit.empty() || !medical.modality.empty() || !medical.group.empty() ||
      !medical.series.empty() || !image.notes.empty()) {
    AddText(image.physical.unit, texts);
    AddText(medical.modality, texts);
    AddText(medical.group, texts);
    AddText(medical.series, texts);
    for (size_t i = 0; i < std::min(image.notes.size(), kMaxNotes); ++i) {
      if (texts.size() + image.notes[i].size() + sizeof(uint32_t) > kMaxTextBytes) break;
      AddText(image.notes[i], texts);
    }
  }
  frame.pixel_bytes = image.pixels.size();
  frame.mask_bytes = image.mask.size();
  frame.extra_bytes = image.extra.size();
  return frame;
}

bool IsPossible(const ImageFrame& frame) {
  if (frame.text_bytes > kMaxTextBytes) return false;
  if (frame.kind != ImageFrame::kImage) {
    return (frame.kind == ImageFrame::kDone || frame.kind == ImageFrame::kUnreadable) &&
           frame.pixel_bytes == 0 && frame.mask_bytes == 0 && frame.extra_bytes == 0;
  }
  const ImageShape& shape = frame.shape;
  const bool in_range = shape.height >= 1 && shape.width >= 1 && shape.channels >= 1 &&
                        shape.height <= kMaxDecodedBytes && shape.width <= kMaxDecodedBytes &&
                        shape.channels <= kMaxDecodedBytes &&
                        shape.height * shape.width <= kMaxDecodedBytes &&
                        shape.values() <= kMaxDecodedBytes;
  if (!in_range) return false;
  const bool numbers = (frame.dtype == DType::kUint8 && frame.bits >= 1 && frame.bits <= 8) ||
                       (frame.dtype == DType::kUint16 && frame.bits >= 1 && frame.bits <= 16) ||
                       frame.dtype == DType::kFloat32;
  const uint64_t pixels = static_cast<uint64_t>(shape.height * shape.width);
  return numbers && (frame.flags & ~uint32_t{ImageFrame::kAllFlags}) == 0 &&
         frame.images_in_file >= 0 && frame.images_in_file <= kMaxImages && frame.label >= 0 &&
         frame.label <= kMaxLabel && std::isfinite(frame.scale) && frame.scale != 0 &&
         std::isfinite(frame.offset) && AreFinite(frame.position) && AreFinite(frame.normal) &&
         AreFinite(frame.spacing) && frame.spacing_count <= 3 &&
         frame.pixel_bytes == static_cast<uint64_t>(shape.values()) * SizeOf(frame.dtype) &&
         frame.pixel_bytes <= static_cast<uint64_t>(kMaxDecodedBytes) &&
         (frame.mask_bytes == 0 || frame.mask_bytes == pixels) &&
         frame.extra_bytes <= kMaxExtraBytes;
}

bool FillImage(const ImageFrame& frame, std::string_view texts, DecodedImage& image) {
  image.shape = frame.shape;
  image.dtype = frame.dtype;
  image.bits = frame.bits;
  image.alpha_left_out = (frame.flags & ImageFrame::kAlphaLeftOut) != 0;
  image.images_in_file = frame.images_in_file;
  image.physical.scale = frame.scale;
  image.physical.offset = frame.offset;
  image.label.reset();
  if ((frame.flags & ImageFrame::kHasLabel) != 0) image.label = frame.label;
  MedicalFacts& medical = image.medical;
  medical.position_mm.reset();
  medical.normal.reset();
  if ((frame.flags & ImageFrame::kHasPosition) != 0) medical.position_mm = frame.position;
  if ((frame.flags & ImageFrame::kHasNormal) != 0) medical.normal = frame.normal;
  medical.spacing_mm.assign(frame.spacing.begin(), frame.spacing.begin() + frame.spacing_count);
  medical.burned_in_annotation = (frame.flags & ImageFrame::kBurnedIn) != 0;
  medical.secondary_capture = (frame.flags & ImageFrame::kSecondaryCapture) != 0;
  image.notes.clear();
  image.physical.unit.clear();
  medical.modality.clear();
  medical.group.clear();
  medical.series.clear();
  if (texts.empty()) return true;
  const auto unit = TakeText(texts), modality = TakeText(texts);
  const auto group = TakeText(texts), series = TakeText(texts);
  if (!unit || !modality || !group || !series || !IsPseudonym(*group) || !IsPseudonym(*series)) {
    return false;
  }
  image.physical.unit = PrintableText(*unit, kMaxUnitBytes);
  medical.modality = PrintableText(*modality, kMaxModalityBytes);
  medical.group = *group;
  medical.series = *series;
  while (!texts.empty()) {
    const auto note = TakeText(texts);
    if (!note || image.notes.size() == kMaxNotes) return false;
    image.notes.push_back(PrintableText(*note, kMaxNoteBytes));
  }
  return true;
}

bool SendAll(int socket, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    // MSG_NOSIGNAL: a dead peer is an error here, not a SIGPIPE.
    const ssize_t sent = send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(sent));
  }
  return true;
}

FrameSender::FrameSender(int socket) : socket_(socket) { buffer_.reserve(kSendBufferBytes); }

bool FrameSender::Send(const ImageFrame& frame, std::string_view texts, const DecodedImage* image) {
  ImageFrame announced = frame;
  announced.text_bytes = texts.size();
  if (!Put(std::as_bytes(std::span(&announced, 1))) || !Put(std::as_bytes(std::span(texts)))) {
    return false;
  }
  return image == nullptr ||
         (Put(image->pixels) && Put(std::as_bytes(std::span(image->mask))) && Put(image->extra));
}

bool FrameSender::Flush() {
  const bool sent = SendAll(socket_, buffer_);
  buffer_.clear();
  return sent;
}

bool FrameSender::Put(std::span<const std::byte> bytes) {
  if (buffer_.size() + bytes.size() > kSendBufferBytes && !Flush()) return false;
  if (bytes.size() > kSendBufferBytes) return SendAll(socket_, bytes);
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  return true;
}

FrameReceiver::FrameReceiver() : buffer_(kReceiveBufferBytes) {}

void FrameReceiver::Attach(int socket) {
  socket_ = socket;
  begin_ = end_ = 0;
}

FrameReceiver::Result FrameReceiver::Read(std::span<std::byte> out) {
  while (!out.empty()) {
    if (begin_ == end_ && out.size() < buffer_.size()) {
      begin_ = end_ = 0;
      if (const Result result = Receive(buffer_, end_); result != Result::kOk) return result;
    }
    size_t count = std::min(out.size(), end_ - begin_);
    if (count > 0) {
      std::memcpy(out.data(), buffer_.data() + begin_, count);
      begin_ += count;
    } else if (const Result result = Receive(out, count); result != Result::kOk) {
      return result;
    }
    out = out.subspan(count);
  }
  return Result::kOk;
}

FrameReceiver::Result FrameReceiver::Receive(std::span<std::byte> out, size_t& count) {
  while (true) {
    const ssize_t received = recv(socket_, out.data(), out.size(), MSG_DONTWAIT);
    if (received > 0) {
      count = static_cast<size_t>(received);
      return Result::kOk;
    }
    if (received < 0 && errno == EINTR) continue;
    if (received == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) return Result::kClosed;
    if (seconds_left_ <= 0) return Result::kSilent;
    const double start = MonotonicSeconds();
    struct pollfd wanted = {.fd = socket_, .events = POLLIN, .revents = 0};
    poll(&wanted, 1, static_cast<int>(std::ceil(std::min(seconds_left_, 1e6) * 1000)));
    seconds_left_ -= MonotonicSeconds() - start;
  }
}

}  // namespace langevin::data
