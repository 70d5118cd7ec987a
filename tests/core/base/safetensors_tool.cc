// For safetensors_python_test.py, which compares our reader and writer with Python's.
//
//     safetensors_tool copy IN OUT     reads all of IN and writes it again
//     safetensors_tool check FILE...   prints "good" or "bad" and the reason, a line for each
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/file_system.h"
#include "core/base/safetensors.h"
#include "core/base/status_macros.h"

namespace langevin {
namespace {

absl::Status Copy(const std::string& from, const std::string& to) {
  LANGEVIN_ASSIGN_OR_RETURN(const SafetensorsFile file,
                            SafetensorsFile::Open(PosixFileSystem(), from));
  std::vector<std::string> buffers;
  buffers.reserve(file.entries().size());  // The views below point into it.
  std::vector<TensorView> tensors;
  for (const auto& [name, entry] : file.entries()) {
    std::string& buffer = buffers.emplace_back(entry.size, '\0');
    LANGEVIN_RETURN_IF_ERROR(
        file.Read({name, entry.dtype, entry.shape, std::as_writable_bytes(std::span(buffer))}));
    tensors.push_back({name, entry.dtype, entry.shape, std::as_bytes(std::span(buffer))});
  }
  return WriteSafetensors(PosixFileSystem(), to, tensors, file.metadata());
}

}  // namespace
}  // namespace langevin

int main(int count, char** arguments) {
  const std::vector<std::string> words(arguments + 1, arguments + count);
  if (words.size() == 3 && words[0] == "copy") {
    const absl::Status status = langevin::Copy(words[1], words[2]);
    if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
    return status.ok() ? 0 : 4;
  }
  if (words.empty() || words[0] != "check") return 2;
  for (size_t i = 1; i < words.size(); ++i) {
    const absl::Status status =
        langevin::SafetensorsFile::Open(langevin::PosixFileSystem(), words[i]).status();
    std::printf("%s %s\n", status.ok() ? "good" : "bad", status.ToString().c_str());
  }
  return 0;
}
