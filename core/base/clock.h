// Wall time for people: how long something took, how long it will take. Nothing that a run computes
// may depend on it; images_seen is the clock of training.
#ifndef LANGEVIN_CORE_BASE_CLOCK_H_
#define LANGEVIN_CORE_BASE_CLOCK_H_

#include <string>

namespace langevin {

// Seconds on a clock that only goes forward, from an arbitrary origin.
double MonotonicSeconds();

// Seconds since the kernel started this process, program loading included.
double SecondsSinceProcessStart();

// Seconds since 1970, for time stamps that other programs read.
double UnixSeconds();

// "850 ms", "2.4 s", "12 s", "4 min 05 s", "3 h 20 min", "2 d 4 h". Negative or non-finite: "?".
std::string FormatDuration(double seconds);

}  // namespace langevin

#endif  // LANGEVIN_CORE_BASE_CLOCK_H_
