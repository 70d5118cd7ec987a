# How every folder declares its library and its tests.

set(LANGEVIN_PYTHON "${PROJECT_SOURCE_DIR}/.deps/venv/bin/python" CACHE FILEPATH
    "Python with what the tests compare with (tests/python/requirements.txt)")

add_library(langevin_options INTERFACE)
target_include_directories(langevin_options INTERFACE "${PROJECT_SOURCE_DIR}" "${PROJECT_BINARY_DIR}/generated")
target_compile_options(langevin_options INTERFACE -Wall -Wextra -Wno-sign-compare -Wno-missing-field-initializers)
if(LANGEVIN_WERROR)
  target_compile_options(langevin_options INTERFACE -Werror)
endif()
find_package(Threads REQUIRED)
target_link_libraries(langevin_options INTERFACE Threads::Threads)

# langevin_library(data SOURCES reader.cc ... DEPS langevin_base ... [TORCH [PLAIN clock.cc ...]])
# makes the static library langevin_data. TORCH: its sources use LibTorch's headers, which come
# precompiled (13 s a file otherwise, still some seconds with). PLAIN: those of SOURCES that do not.
function(langevin_library name)
  cmake_parse_arguments(ARG "TORCH" "" "SOURCES;DEPS;PLAIN" ${ARGN})
  add_library(langevin_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(langevin_${name} PUBLIC langevin_options ${ARG_DEPS})
  if(ARG_TORCH)
    target_link_libraries(langevin_${name} PUBLIC langevin_torch)
    target_precompile_headers(langevin_${name} REUSE_FROM langevin_torch_precompiled)
    set_source_files_properties(${ARG_PLAIN} PROPERTIES
      SKIP_PRECOMPILE_HEADERS ON SKIP_UNITY_BUILD_INCLUSION ON)
    # Loading the precompiled header takes longer than most of the files: some at a time.
    set_target_properties(langevin_${name} PROPERTIES
      UNITY_BUILD ${LANGEVIN_UNITY} UNITY_BUILD_MODE BATCH UNITY_BUILD_BATCH_SIZE 4)
  endif()
endfunction()

# Tests without LibTorch share a precompiled header too, and are compiled for build time: what they
# test is optimised, they need not be.
# GCC 12 sees bounds broken inside std::string at -O1 where none are (bug 105329).
set(LANGEVIN_TEST_OPTIONS -O1 -Wno-array-bounds -Wno-stringop-overflow -Wno-restrict)
if(LANGEVIN_BUILD_TESTS)
  find_package(GTest REQUIRED)
  find_package(absl REQUIRED)
  file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/test_precompiled.cc"
       CONTENT "// Exists to own the precompiled header.\n")
  add_library(langevin_test_precompiled OBJECT "${PROJECT_BINARY_DIR}/test_precompiled.cc")
  target_link_libraries(langevin_test_precompiled PUBLIC langevin_options GTest::gtest_main GTest::gmock
                        absl::status absl::statusor)
  target_compile_options(langevin_test_precompiled PRIVATE ${LANGEVIN_TEST_OPTIONS})
  target_precompile_headers(langevin_test_precompiled PRIVATE
    <gtest/gtest.h> <gmock/gmock.h> <absl/status/status.h> <absl/status/statusor.h>
    <absl/strings/str_cat.h> <string> <vector> <memory>)
endif()

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
    set_target_properties(langevin_${name}_test PROPERTIES
      UNITY_BUILD ${LANGEVIN_UNITY} UNITY_BUILD_MODE BATCH UNITY_BUILD_BATCH_SIZE 3)
  else()
    target_compile_options(langevin_${name}_test PRIVATE ${LANGEVIN_TEST_OPTIONS})
    target_precompile_headers(langevin_${name}_test REUSE_FROM langevin_test_precompiled)
  endif()
  add_test(NAME ${name} COMMAND langevin_${name}_test)
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "unit;${ARG_LABELS}")
endfunction()

# langevin_python_test(resume FILE resume_test.py [TIMEOUT s] [ENVIRONMENT A=b ...] [RUN_SERIAL]
#                      [LONG] [ISOLATED])
# makes a ctest python_resume of a pytest file. Where Python lacks a package it fails, never skips.
# LONG: only run by ctest -C long.
# ISOLATED: as root on a machine of its own (tests/testing/isolated.sh), for tests with daemons.
function(langevin_python_test name)
  cmake_parse_arguments(ARG "RUN_SERIAL;LONG;ISOLATED" "FILE;TIMEOUT" "ENVIRONMENT" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  set(configurations "")
  if(ARG_LONG)
    set(configurations CONFIGURATIONS long)
  endif()
  set(isolated "")
  if(ARG_ISOLATED)
    set(isolated "${PROJECT_SOURCE_DIR}/tests/testing/isolated.sh")
  endif()
  add_test(NAME python_${name} ${configurations}
           COMMAND ${isolated} "${LANGEVIN_PYTHON}" -m pytest -q --durations=3 -p no:cacheprovider
                   "${CMAKE_CURRENT_SOURCE_DIR}/${ARG_FILE}")
  set_tests_properties(python_${name} PROPERTIES
    TIMEOUT ${ARG_TIMEOUT} LABELS "python" RUN_SERIAL ${ARG_RUN_SERIAL}
    ENVIRONMENT "HF_HUB_OFFLINE=1;${ARG_ENVIRONMENT}")
endfunction()
