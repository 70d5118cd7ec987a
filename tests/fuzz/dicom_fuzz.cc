// DICOM: what the scan asks of a file, and the whole of it.
#include "data/ingest/readers/dicom_decoder.h"
#include "tests/fuzz/fuzz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace langevin::data;  // NOLINT(google-build-using-namespace)
  static const Privacy privacy("a secret of sixteen bytes");
  const std::string path = langevin::FuzzFile("input", data, size);
  if (const auto probe = ProbeDicom(path, privacy); probe.ok()) {
    if (!ProbeFromText(ProbeToText(*probe)).ok()) __builtin_trap();
  }
  DecodeDicom(path, {}, privacy, [](const DecodedImage&) {
    return absl::OkStatus();
  }).IgnoreError();
  return 0;
}
