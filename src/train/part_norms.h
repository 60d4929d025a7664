// How large the parts of a model are, and how far a step has moved them: the embedding, the head,
// the attention, the MLP and the norms of each layer, and what else has a name of its own.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cria/tensor/parameters.h"

namespace cria {

// "embed_tokens", "layers.0.self_attn", "layers.0.mlp", "layers.0.norms", "norm", "lm_head", ...
std::string part_name(const Parameter& parameter);

struct PartNorms {
  std::string part;
  double weight, update;  // 2-norms over all tensors of the part
};

// The parts in the order of the parameters. change_squares: see AdamWOptimizer::step.
std::vector<PartNorms> part_norms(const Parameters& parameters,
                                  std::span<const double> change_squares);

}  // namespace cria
