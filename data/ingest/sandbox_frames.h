// What a sandboxed decoder and its parent say to each other: fixed frames, each followed by the
// bytes that it announces. Both are the same program, so the struct's layout is shared; but the
// parent believes nothing of it before IsPossible and FillImage have.
#ifndef LANGEVIN_DATA_INGEST_SANDBOX_FRAMES_H_
#define LANGEVIN_DATA_INGEST_SANDBOX_FRAMES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/ingest/decoded_image.h"

namespace langevin::data {

inline constexpr uint64_t kMaxTextBytes = 64 << 10;

struct ImageFrame {
  // kFile goes to the child, followed by the path; for each come back kImage any number of times
  // and one of kDone and kUnreadable.
  enum Kind : uint32_t { kFile, kImage, kDone, kUnreadable };
  enum Flag : uint32_t {
    kAlphaLeftOut = 1,
    kHasLabel = 2,
    kHasPosition = 4,
    kHasNormal = 8,
    kBurnedIn = 16,
    kSecondaryCapture = 32,
    kAllFlags = 63,
  };

  uint32_t kind = kDone;
  uint32_t flags = 0;
  DType dtype = DType::kUint8;
  int32_t bits = 0;
  ImageShape shape;
  int64_t images_in_file = 0;
  int64_t label = 0;
  double scale = 1, offset = 0;
  std::array<double, 3> position = {}, normal = {}, spacing = {};
  uint32_t spacing_count = 0;
  // What follows, in this order. `texts`: the path or the reason as it is; of an image unit,
  // modality, group, series and notes, each with its length before it.
  uint64_t text_bytes = 0, pixel_bytes = 0, mask_bytes = 0, extra_bytes = 0;
};

// Child: the frame of an image, and its texts (none where all are empty).
ImageFrame FrameOf(const DecodedImage& image, std::string& texts);

// Parent: whether `frame` is one that an honest child sends: known values, sizes that fit each
// other and the limits, finite numbers.
bool IsPossible(const ImageFrame& frame);

// Parent: what `frame` and `texts` say besides the pixels, mask and extra bytes. Texts become
// printable. False: nonsense.
bool FillImage(const ImageFrame& frame, std::string_view texts, DecodedImage& image);

// Child: collects small frames and sends many at a time.
class FrameSender {
 public:
  explicit FrameSender(int socket);

  // False: the parent is gone.
  bool Send(const ImageFrame& frame, std::string_view texts, const DecodedImage* image = nullptr);
  bool Flush();

 private:
  bool Put(std::span<const std::byte> bytes);

  const int socket_;
  std::vector<std::byte> buffer_;
};

// Parent: reads ahead, and waits no longer than allowed.
class FrameReceiver {
 public:
  enum class Result { kOk, kClosed, kSilent };

  FrameReceiver();
  // Forgets what came from another socket.
  void Attach(int socket);
  // How long the calls of Read from now on may wait for the child, all together.
  void AllowWaiting(double seconds) { seconds_left_ = seconds; }
  Result Read(std::span<std::byte> out);

 private:
  Result Receive(std::span<std::byte> out, size_t& count);

  int socket_ = -1;
  double seconds_left_ = 0;
  std::vector<std::byte> buffer_;
  size_t begin_ = 0, end_ = 0;  // What of the buffer has not been taken.
};

// All of it, without SIGPIPE. False: the peer is gone.
bool SendAll(int socket, std::span<const std::byte> bytes);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_SANDBOX_FRAMES_H_
