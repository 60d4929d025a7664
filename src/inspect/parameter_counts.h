// How many numbers a file of weights holds, and where.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "exchange/tensor_file.h"

namespace cria {

struct ParameterCounts {
  int64_t total = 0;                      // each once, tied ones too
  int64_t embedding = 0;                  // the token table
  int64_t head = 0;                       // when it is not tied
  int64_t saved_by_tying = 0;             // what a head of its own would add
  uint64_t bytes = 0;                     // of all tensors, as stored
  std::map<std::string, int64_t> dtypes;  // how many tensors have each
};

// tied: whether the head is the embedding, as the model's config says; the file's own word, if it
// has one, where nothing does. Tables that are computed and not trained (frequencies of the rotary
// embedding) are no parameters.
ParameterCounts parameter_counts(const TensorFile& file, std::optional<bool> tied = {});

}  // namespace cria
