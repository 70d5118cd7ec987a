// The subcommands that langevin-tensors runs (launch/program_files.h): `langevin` knows them by
// name, and by what its --help says of them.
#ifndef LANGEVIN_LAUNCH_TENSOR_SUBCOMMANDS_H_
#define LANGEVIN_LAUNCH_TENSOR_SUBCOMMANDS_H_

#include <array>

namespace langevin::launch {

struct Subcommand {
  const char* name;
  const char* description;
};

inline constexpr Subcommand kTrain = {
    "train", "Train a diffusion model, or go on with a run; also under mpirun or srun"};
inline constexpr Subcommand kSample = {"sample",
                                       "Draw images from a model; also under mpirun or srun"};
inline constexpr Subcommand kEvaluate = {
    "evaluate", "Measure how good and how new a model's images are; also under mpirun or srun"};
inline constexpr Subcommand kExport = {"export",
                                       "Write a run's model as a folder that diffusers loads"};
// Has no tensors, but is to find what training will find: its program, LibTorch on every node.
inline constexpr Subcommand kPreflight = {
    "preflight",
    "Checks launcher, ranks, memory, network and disks, and says what to fix. Start it just as "
    "training will be started: mpirun -n N langevin preflight, or srun --mpi=pmix langevin "
    "preflight."};
inline constexpr Subcommand kBench = {
    "bench", "Measure this machine: JSON lines on stdout; also under mpirun or srun"};

inline constexpr std::array kTensorSubcommands = {kTrain,  kSample,    kEvaluate,
                                                  kExport, kPreflight, kBench};

}  // namespace langevin::launch

#endif  // LANGEVIN_LAUNCH_TENSOR_SUBCOMMANDS_H_
