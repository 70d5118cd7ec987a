# `langevin prepare` needs no LibTorch: tests of it build without.
langevin_library(prepare SOURCES "${CMAKE_CURRENT_LIST_DIR}/prepare.cc"
                 DEPS langevin_ingest CLI11::CLI11)
