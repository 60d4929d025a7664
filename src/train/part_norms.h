// How large the parts of a model are, their gradients, and how far a step has moved them: the
// embedding, the head, the attention, the MLP and the norms of each layer, and what else has a name
// of its own.
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
  double weight, gradient, update;  // 2-norms over all tensors of the part
};

// Sums of squares in one plane, of values or gradients, for each slot of the parameters.
std::vector<double> slot_squares(const Parameters& parameters, const float* plane);

// The parts in the order of the parameters, by the sums of squares of their slots. No gradient
// squares: 0. change_squares: see AdamWOptimizer::step.
std::vector<PartNorms> part_norms(const Parameters& parameters,
                                  std::span<const double> weight_squares,
                                  std::span<const double> gradient_squares,
                                  std::span<const double> change_squares);

}  // namespace cria
