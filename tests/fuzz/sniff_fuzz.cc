// Picking a reader by content, and whatever reader that is.
#include "data/ingest/decoders.h"
#include "tests/fuzz/fuzz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  langevin::data::DecodeFile(langevin::FuzzFile("input", data, size),
                             langevin::data::DecodeOptions(),
                             [](const langevin::data::DecodedImage&) { return absl::OkStatus(); })
      .IgnoreError();
  return 0;
}
