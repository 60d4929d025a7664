// A model's weights as plain arrays, for NumPy and for the Embedding Projector: what every model
// has, whatever its architecture.
#pragma once

#include <string>

#include "cria/model/llama.h"
#include "cria/text/tokenizer.h"

namespace cria {

// One NAME.npy for each tensor, NAME as in a checkpoint; tied weights once. The directory appears
// whole or not at all; Error when the path exists.
void write_npy_directory(const std::string& path, const Llama& model);

// The same arrays in one file.
void write_npz(const std::string& path, const Llama& model);

// The rows of a matrix as points: vectors.tsv, metadata.tsv, projector_config.pbtxt, in a new
// directory. tensor is a name or a tied name. Where it has a row for each token, tokenizer (may be
// null) says what they are: columns token and id; a row behind the vocabulary has none. Otherwise
// a label is the row's number. Error when there is no such matrix, naming the nearest.
void write_projector_directory(const std::string& path, const Llama& model,
                               const Tokenizer* tokenizer, const std::string& tensor);

}  // namespace cria
