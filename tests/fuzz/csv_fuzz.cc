// Tables of files.
#include "data/ingest/source_table.h"
#include "tests/fuzz/fuzz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  langevin::data::ReadSourceTable(langevin::PosixFileSystem(),
                                  langevin::FuzzFile("table.csv", data, size))
      .IgnoreError();
  return 0;
}
