#include "data/hdf5.h"

#include <pthread.h>

namespace langevin::data {
namespace {

// Never destroyed: a session may be open on another thread while the process ends. A fork waits for
// the session to end: the child, which may decode HDF5 files, has no thread that would end it.
std::mutex& Hdf5Mutex() {
  static auto& mutex = *new std::mutex;
  [[maybe_unused]] static const int registered =
      pthread_atfork([] { mutex.lock(); }, [] { mutex.unlock(); }, [] { mutex.unlock(); });
  return mutex;
}

}  // namespace

Hdf5Session::Hdf5Session() : lock_(Hdf5Mutex()) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);  // Per thread in thread-safe builds.
  // No filter or driver is ever loaded from HDF5_PLUGIN_PATH.
  H5PLset_loading_state(0);
}

}  // namespace langevin::data
