# The part of launch/ that other programs than langevin itself (tests, benchmarks) also need.
set(launch_runtime_sources
  deadline.cc fault_injection.cc launch_environment.cc mpi_runtime.cc preflight.cc preflight_facts.cc
  preflight_findings.cc preflight_interfaces.cc preflight_network.cc stop_signals.cc)
set(launch_runtime_plain
  deadline.cc fault_injection.cc launch_environment.cc preflight_facts.cc preflight_findings.cc
  preflight_interfaces.cc preflight_network.cc stop_signals.cc)
list(TRANSFORM launch_runtime_sources PREPEND "${CMAKE_CURRENT_LIST_DIR}/")
list(TRANSFORM launch_runtime_plain PREPEND "${CMAKE_CURRENT_LIST_DIR}/")
langevin_library(launch_runtime
  SOURCES ${launch_runtime_sources}
  DEPS langevin_distributed langevin_base MPI::MPI_CXX CLI11::CLI11 nlohmann_json::nlohmann_json
       absl::status absl::statusor absl::strings absl::str_format absl::time TORCH
  PLAIN ${launch_runtime_plain})
