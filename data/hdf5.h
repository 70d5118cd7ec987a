// The few things every use of HDF5's C interface here needs: one caller at a time, no error stack
// on stderr, no plugins, and identifiers that close themselves.
//
// Only data/shard_writer.cc and data/shard_reader.cc include this.
#ifndef LANGEVIN_DATA_HDF5_H_
#define LANGEVIN_DATA_HDF5_H_

#include <hdf5.h>

#include <mutex>
#include <utility>

namespace langevin::data {

// Hold one while calling HDF5, and let all Hdf5Ids go before it. The library is not thread-safe in
// every build, and what HDF5 prints by itself is of no use to a person: its callers say what is
// wrong.
class Hdf5Session {
 public:
  Hdf5Session();

 private:
  std::unique_lock<std::mutex> lock_;
};

// An open HDF5 object of any kind, closed on destruction.
class Hdf5Id {
 public:
  explicit Hdf5Id(hid_t id) : id_(id) {}
  Hdf5Id(Hdf5Id&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)) {}
  Hdf5Id& operator=(Hdf5Id&&) = delete;
  ~Hdf5Id() {
    if (id_ >= 0) H5Idec_ref(id_);
  }

  bool ok() const { return id_ >= 0; }
  hid_t get() const { return id_; }

 private:
  hid_t id_;
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_HDF5_H_
