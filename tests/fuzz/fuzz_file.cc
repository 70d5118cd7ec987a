#include "tests/fuzz/fuzz_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

namespace langevin {
namespace {

struct Folder {
  std::string path = "/dev/shm/langevin_fuzz_" + std::to_string(getpid());
  Folder() { mkdir(path.c_str(), 0700); }
};

}  // namespace

const std::string& FuzzFolder() {
  static const Folder folder;
  static const bool registered = [] {
    // Nothing else is in it but what FuzzFile wrote.
    std::atexit([] {
      for (const char* name : {"input", "input.npz", "manifest.textproto", "table.csv"}) {
        unlink((FuzzFolder() + "/" + name).c_str());
      }
      rmdir(FuzzFolder().c_str());
    });
    return true;
  }();
  static_cast<void>(registered);
  return folder.path;
}

std::string FuzzFile(const std::string& name, const uint8_t* data, size_t size) {
  std::string path = FuzzFolder() + "/" + name;
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, data, size) != static_cast<ssize_t>(size)) std::abort();
  close(fd);
  return path;
}

}  // namespace langevin
