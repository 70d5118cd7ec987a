// Large buffers, and how much memory this process has used (for people: nothing that a run computes
// depends on it).
#ifndef LANGEVIN_CORE_BASE_MEMORY_H_
#define LANGEVIN_CORE_BASE_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <string>

namespace langevin {

// Memory for a buffer that lives long, aligned to 64 bytes; std::free takes it back. From 4 MiB on
// it lies on huge pages where the system has some: fewer page faults, and where MPI copies it to
// another process (which looks up every page) half the time. Throws std::bad_alloc where there is
// no memory.
void* AllocateBuffer(size_t bytes);

// The most that was in physical memory at once since the process began, in bytes.
int64_t PeakMemoryBytes();

// "312 MiB", "4.2 GiB".
std::string FormatBytes(int64_t bytes);

}  // namespace langevin

#endif  // LANGEVIN_CORE_BASE_MEMORY_H_
