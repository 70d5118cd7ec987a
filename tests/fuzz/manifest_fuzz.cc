// Manifests of data sets.
#include "data/manifest.h"
#include "tests/fuzz/fuzz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  langevin::FuzzFile("manifest.textproto", data, size);
  langevin::data::ReadManifest(langevin::PosixFileSystem(), langevin::FuzzFolder()).IgnoreError();
  return 0;
}
