#include "data/ingest/readers/tiff_file.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "data/ingest/decoded_image.h"

namespace langevin::data {
namespace {

tmsize_t ReadMemory(thandle_t handle, void* out, tmsize_t size) {
  TiffMemory* const memory = static_cast<TiffMemory*>(handle);
  if (size <= 0 || memory->at >= memory->contents.size()) return 0;
  const size_t count =
      std::min<size_t>(static_cast<size_t>(size), memory->contents.size() - memory->at);
  std::memcpy(out, memory->contents.data() + memory->at, count);
  memory->at += count;
  return static_cast<tmsize_t>(count);
}

toff_t SeekMemory(thandle_t handle, toff_t offset, int whence) {
  TiffMemory* const memory = static_cast<TiffMemory*>(handle);
  uint64_t base = 0;
  if (whence == SEEK_CUR) base = memory->at;
  if (whence == SEEK_END) base = memory->contents.size();
  memory->at = base + offset;  // Wraps as libtiff means it; reading checks it.
  return memory->at;
}

int MapMemory(thandle_t handle, void** base, toff_t* size) {
  const TiffMemory* const memory = static_cast<const TiffMemory*>(handle);
  *base = const_cast<char*>(memory->contents.data());  // Opened "r": never written to.
  *size = memory->contents.size();
  return 1;
}

int OnError(TIFF*, void* data, const char*, const char* format, va_list arguments) {
  TiffMemory* const memory = static_cast<TiffMemory*>(data);
  if (memory->error.empty()) {
    char text[256];
    std::vsnprintf(text, sizeof(text), format, arguments);
    memory->error = text;
  }
  return 1;  // Nobody else need say it.
}

int OnWarning(TIFF*, void*, const char*, const char*, va_list) { return 1; }

}  // namespace

TiffHandle OpenTiff(TiffMemory& memory) {
  const std::unique_ptr<TIFFOpenOptions, void (*)(TIFFOpenOptions*)> options(TIFFOpenOptionsAlloc(),
                                                                             TIFFOpenOptionsFree);
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), kMaxDecodedBytes);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), OnError, &memory);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), OnWarning, nullptr);
  return {TIFFClientOpenExt(
              "the file", "r", &memory, ReadMemory,
              [](thandle_t, void*, tmsize_t) -> tmsize_t { return -1; }, SeekMemory,
              [](thandle_t) { return 0; },
              [](thandle_t handle) -> toff_t {
                return static_cast<TiffMemory*>(handle)->contents.size();
              },
              MapMemory, [](thandle_t, void*, toff_t) {}, options.get()),
          TIFFClose};
}

}  // namespace langevin::data
