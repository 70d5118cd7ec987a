// The flags of `langevin sample` that choose sampler, steps and noise levels.
#ifndef LANGEVIN_TOOLS_SAMPLER_FLAGS_H_
#define LANGEVIN_TOOLS_SAMPLER_FLAGS_H_

#include "CLI/CLI.hpp"
#include "core/diffusion/sampler.h"

namespace langevin::tools {

// They fill `sampler`, which must outlive the parsing.
void AddSamplerFlags(CLI::App& command, diffusion::SamplerOptions& sampler);

}  // namespace langevin::tools

#endif  // LANGEVIN_TOOLS_SAMPLER_FLAGS_H_
