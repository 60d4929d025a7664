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

// The rows of a matrix as points: projector_config.pbtxt in a directory that is there, vectors.tsv
// and metadata.tsv in `folder` below it ("": beside it). tokens may be null: what the rows stand
// for, columns token and id; a row behind the vocabulary has none. Without it a label is the row's
// number. Error for a number that is not finite.
void write_projector(const std::string& directory, const std::string& folder,
                     const std::string& name, const ConstTensor& matrix, const Tokenizer* tokens);

// The same in a new directory, of a tensor of the model by its name or a tied name; tokenizer (may
// be null) counts where the matrix has a row for each token. Error when there is no such matrix,
// naming the nearest.
void write_projector_directory(const std::string& path, const Llama& model,
                               const Tokenizer* tokenizer, const std::string& tensor);

}  // namespace cria
