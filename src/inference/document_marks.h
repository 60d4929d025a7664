// What separates the documents in token shards: what the caller says, or dataset.json beside them.
#pragma once

#include <span>
#include <string>

#include "cria/data/documents.h"
#include "cria/model/config.h"

namespace cria {

// A mark that `given` leaves open (-1) is the one that dataset.json beside the shards of every
// glob names ("bos_token_id", "eos_token_id"; null or absent: none was written). Error when some
// shards have neither mark, two files name different ones, an id is not below the vocabulary, or
// the model has a segment memory, which reaches across documents.
DocumentMarks document_marks(const ModelConfig& model, std::span<const std::string> globs,
                             const DocumentMarks& given);

}  // namespace cria
