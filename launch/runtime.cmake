# The parts of launch/ that other programs than langevin itself (tests, benchmarks) also need.

# This process as one of several: no LibTorch.
set(ranks_sources
  deadline.cc fault_injection.cc launch_environment.cc mpi_runtime.cc program_files.cc
  stop_signals.cc)
list(TRANSFORM ranks_sources PREPEND "${CMAKE_CURRENT_LIST_DIR}/")
langevin_library(ranks
  SOURCES ${ranks_sources}
  DEPS langevin_control langevin_base MPI::MPI_CXX absl::status absl::statusor absl::strings
       absl::str_format absl::time)

set(launch_runtime_sources
  make_communicator.cc preflight.cc preflight_facts.cc preflight_findings.cc
  preflight_interfaces.cc preflight_network.cc)
set(launch_runtime_plain
  preflight_facts.cc preflight_findings.cc preflight_interfaces.cc preflight_network.cc)
list(TRANSFORM launch_runtime_sources PREPEND "${CMAKE_CURRENT_LIST_DIR}/")
list(TRANSFORM launch_runtime_plain PREPEND "${CMAKE_CURRENT_LIST_DIR}/")
langevin_library(launch_runtime
  SOURCES ${launch_runtime_sources}
  DEPS langevin_ranks langevin_distributed langevin_base MPI::MPI_CXX CLI11::CLI11
       nlohmann_json::nlohmann_json absl::status absl::statusor absl::strings absl::str_format TORCH
  PLAIN ${launch_runtime_plain})
