#include "data/hdf5.h"

namespace langevin::data {
namespace {

// Never destroyed: a session may be open on another thread while the process ends.
std::mutex& Hdf5Mutex() {
  static auto& mutex = *new std::mutex;
  return mutex;
}

}  // namespace

Hdf5Session::Hdf5Session() : lock_(Hdf5Mutex()) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);  // Per thread in thread-safe builds.
  // No filter or driver is ever loaded from HDF5_PLUGIN_PATH.
  H5PLset_loading_state(0);
}

}  // namespace langevin::data
