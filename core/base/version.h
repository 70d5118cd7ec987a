// The program's version, as checkpoints, exports and `langevin --version` say it.
#ifndef LANGEVIN_CORE_BASE_VERSION_H_
#define LANGEVIN_CORE_BASE_VERSION_H_

namespace langevin {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace langevin

#endif  // LANGEVIN_CORE_BASE_VERSION_H_
