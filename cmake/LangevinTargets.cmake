# How every folder declares its library and its tests.

add_library(langevin_options INTERFACE)
target_include_directories(langevin_options INTERFACE "${PROJECT_SOURCE_DIR}" "${PROJECT_BINARY_DIR}/generated")
target_compile_options(langevin_options INTERFACE -Wall -Wextra -Wno-sign-compare -Wno-missing-field-initializers)
if(LANGEVIN_WERROR)
  target_compile_options(langevin_options INTERFACE -Werror)
endif()
find_package(Threads REQUIRED)
target_link_libraries(langevin_options INTERFACE Threads::Threads)

# langevin_library(data SOURCES reader.cc ... DEPS langevin_base ... [TORCH])
# makes the static library langevin_data. TORCH: its sources use LibTorch's headers, which come
# precompiled (13 s a file otherwise).
function(langevin_library name)
  cmake_parse_arguments(ARG "TORCH" "" "SOURCES;DEPS" ${ARGN})
  add_library(langevin_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(langevin_${name} PUBLIC langevin_options ${ARG_DEPS})
  if(ARG_TORCH)
    target_link_libraries(langevin_${name} PUBLIC langevin_torch)
    target_precompile_headers(langevin_${name} REUSE_FROM langevin_torch_precompiled)
  endif()
endfunction()

# langevin_test(data SOURCES a_test.cc ... DEPS langevin_data ... [TORCH] [LABELS l ...])
# makes the program langevin_data_test and a ctest of the same name.
function(langevin_test name)
  cmake_parse_arguments(ARG "TORCH" "TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_executable(langevin_${name}_test ${ARG_SOURCES})
  target_link_libraries(langevin_${name}_test PRIVATE langevin_options ${ARG_DEPS} GTest::gtest_main GTest::gmock)
  if(ARG_TORCH)
    target_precompile_headers(langevin_${name}_test REUSE_FROM langevin_torch_precompiled)
  endif()
  add_test(NAME ${name} COMMAND langevin_${name}_test)
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "unit;${ARG_LABELS}")
endfunction()
