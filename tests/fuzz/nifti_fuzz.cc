// NIfTI and ANALYZE: the header by itself, and the whole file.
#include "data/ingest/readers/nifti_decoder.h"
#include "tests/fuzz/fuzz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace langevin::data;  // NOLINT(google-build-using-namespace)
  static const Privacy privacy("a secret of sixteen bytes");
  const auto header = ParseNiftiHeader({reinterpret_cast<const std::byte*>(data), size});
  if (!header.ok()) return 0;
  DecodeNifti(langevin::FuzzFile("input", data, size), {}, privacy, [](const DecodedImage&) {
    return absl::OkStatus();
  }).IgnoreError();
  return 0;
}
