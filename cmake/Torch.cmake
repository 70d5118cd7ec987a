# LibTorch out of the PyPI wheel. TorchConfig.cmake of a CUDA wheel stops where there is no CUDA
# toolkit, and the wheel's include folder carries an old protobuf and fmt that shadow the system's,
# so the targets are written here, over a folder of links to just the headers that are needed.
#
# LANGEVIN_TORCH_DIR  the wheel's torch folder. Default: the full install of the tests where it is,
#                     else the light one of tools/setup.sh.
if(NOT LANGEVIN_TORCH_DIR)
  file(GLOB candidates
       "${PROJECT_SOURCE_DIR}/.deps/venv/lib/python3*/site-packages/torch"
       "${PROJECT_SOURCE_DIR}/.deps/libtorch/torch")
  if(NOT candidates)
    message(FATAL_ERROR "No LibTorch found: run tools/setup.sh, or pass -DLANGEVIN_TORCH_DIR=.../torch")
  endif()
  list(GET candidates 0 torch_dir)
  set(LANGEVIN_TORCH_DIR "${torch_dir}" CACHE PATH "The torch folder of the wheel")
endif()
if(NOT EXISTS "${LANGEVIN_TORCH_DIR}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "${LANGEVIN_TORCH_DIR}/lib/libtorch_cpu.so is missing: run tools/setup.sh")
endif()
message(STATUS "LibTorch: ${LANGEVIN_TORCH_DIR}")

set(torch_include "${PROJECT_BINARY_DIR}/torch_include")
file(MAKE_DIRECTORY "${torch_include}")
foreach(folder ATen c10 caffe2 torch)
  file(CREATE_LINK "${LANGEVIN_TORCH_DIR}/include/${folder}" "${torch_include}/${folder}" SYMBOLIC)
endforeach()

get_filename_component(site_packages "${LANGEVIN_TORCH_DIR}" DIRECTORY)
file(GLOB nvidia_lib_dirs "${site_packages}/nvidia/*/lib")
set(rpath "${LANGEVIN_TORCH_DIR}/lib" ${nvidia_lib_dirs})

add_library(langevin_torch INTERFACE)
target_include_directories(langevin_torch SYSTEM INTERFACE "${torch_include}")
# libtorch brings its own libgomp; with -fopenmp ours would be linked beside it. The rpath makes both
# one: the same soname, found first in the wheel.
target_compile_options(langevin_torch INTERFACE -fopenmp)
# --disable-new-dtags: an rpath that also holds for the libraries' own libraries.
target_link_options(langevin_torch INTERFACE "LINKER:--disable-new-dtags" "LINKER:--no-as-needed")
target_link_libraries(langevin_torch INTERFACE
  "${LANGEVIN_TORCH_DIR}/lib/libtorch_cpu.so" "${LANGEVIN_TORCH_DIR}/lib/libc10.so"
  "${LANGEVIN_TORCH_DIR}/lib/libgomp.so.1")
foreach(dir ${rpath})
  target_link_options(langevin_torch INTERFACE "LINKER:-rpath,${dir}" "LINKER:-rpath-link,${dir}")
endforeach()

# CUDA and NCCL where the toolkit is. The program starts on machines without a GPU all the same.
include(CheckLanguage)
find_package(CUDAToolkit QUIET)
set(langevin_cuda_default OFF)
# The light install has libtorch_cuda.so too, but not the libraries that it needs.
if(CUDAToolkit_FOUND AND EXISTS "${site_packages}/nvidia/cudnn")
  find_path(NCCL_INCLUDE_DIR nccl.h HINTS ${CUDAToolkit_INCLUDE_DIRS} "${site_packages}/nvidia/nccl/include")
  find_library(NCCL_LIBRARY NAMES nccl libnccl.so.2 HINTS "${site_packages}/nvidia/nccl/lib" ${CUDAToolkit_LIBRARY_DIR})
  if(NCCL_INCLUDE_DIR AND NCCL_LIBRARY)
    set(langevin_cuda_default ON)
  endif()
endif()
option(LANGEVIN_CUDA "Compile and link the CUDA and NCCL code" ${langevin_cuda_default})
message(STATUS "CUDA and NCCL: ${LANGEVIN_CUDA}")
if(LANGEVIN_CUDA)
  target_include_directories(langevin_torch SYSTEM INTERFACE ${CUDAToolkit_INCLUDE_DIRS} "${NCCL_INCLUDE_DIR}")
  target_compile_definitions(langevin_torch INTERFACE LANGEVIN_CUDA USE_C10D_NCCL)
  target_link_libraries(langevin_torch INTERFACE
    "${LANGEVIN_TORCH_DIR}/lib/libtorch_cuda.so" "${LANGEVIN_TORCH_DIR}/lib/libc10_cuda.so"
    "${NCCL_LIBRARY}" CUDA::cudart)
endif()

# One precompiled header for every target that uses LibTorch; also what is slow to compile besides.
file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/torch_precompiled.cc"
     CONTENT "// Exists to own the precompiled header.\n")
add_library(langevin_torch_precompiled OBJECT "${PROJECT_BINARY_DIR}/torch_precompiled.cc")
target_link_libraries(langevin_torch_precompiled PUBLIC langevin_options langevin_torch)
target_precompile_headers(langevin_torch_precompiled PRIVATE
  <ATen/ATen.h> <ATen/Parallel.h> <torch/csrc/autograd/custom_function.h>
  <torch/csrc/autograd/variable.h> <string> <vector> <memory> <functional>
  <absl/status/status.h> <absl/status/statusor.h> <absl/strings/str_format.h>
  <nlohmann/json.hpp> <CLI/CLI.hpp>)
