// The file that a fuzz target's input becomes: readers take paths.
#ifndef LANGEVIN_TESTS_FUZZ_FUZZ_FILE_H_
#define LANGEVIN_TESTS_FUZZ_FUZZ_FILE_H_

#include <cstddef>
#include <cstdint>
#include <string>

namespace langevin {

// A folder in memory, of this process alone.
const std::string& FuzzFolder();

// Replaces the file `name` in it; returns its path.
std::string FuzzFile(const std::string& name, const uint8_t* data, size_t size);

}  // namespace langevin

#endif  // LANGEVIN_TESTS_FUZZ_FUZZ_FILE_H_
