// What frozen parameters spare: how far down backward goes, and its products.
#pragma once

#include <cstdint>

#include "cria/model/config.h"
#include "cria/tensor/parameters.h"

namespace cria {

// The lowest block whose backward a gradient needs, the model having `blocks` of them; -1: all of
// them and the input too; `blocks`: none of them.
int64_t lowest_trained_block(const Parameters& parameters, int64_t blocks);

// As training_flops_per_token, less what is not computed: the gradient of frozen weights, and
// backward below the lowest block that is trained.
double training_flops_per_token(const ModelConfig& config, const Parameters& parameters,
                                int64_t sequence_length);

}  // namespace cria
