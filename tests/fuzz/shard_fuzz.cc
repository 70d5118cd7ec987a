// Opening a shard and reading the first and the last image of it.
#include <vector>

#include "data/shard_reader.h"
#include "tests/fuzz/fuzz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto shard = langevin::data::ShardReader::Open(langevin::PosixFileSystem(),
                                                       langevin::FuzzFile("input", data, size));
  if (!shard.ok() || (*shard)->count() == 0) return 0;
  std::vector<std::byte> pixels(static_cast<size_t>((*shard)->spec().image_bytes()));
  (*shard)->ReadImage(0, /*verify=*/true, pixels).IgnoreError();
  (*shard)->ReadImage((*shard)->count() - 1, /*verify=*/false, pixels).IgnoreError();
  return 0;
}
