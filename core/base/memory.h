// How much memory this process has used. For people: nothing that a run computes depends on it.
#ifndef LANGEVIN_CORE_BASE_MEMORY_H_
#define LANGEVIN_CORE_BASE_MEMORY_H_

#include <cstdint>
#include <string>

namespace langevin {

// The most that was in physical memory at once since the process began, in bytes.
int64_t PeakMemoryBytes();

// "312 MiB", "4.2 GiB".
std::string FormatBytes(int64_t bytes);

}  // namespace langevin

#endif  // LANGEVIN_CORE_BASE_MEMORY_H_
