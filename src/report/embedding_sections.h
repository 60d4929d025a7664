// The tables of a model's tokens as charts, tables and sentences.
#pragma once

#include <string>
#include <vector>

#include "report/embedding_history.h"
#include "report/page.h"

namespace cria {

// "step-00000400: 4 layers, hidden size 128, 1024 tokens." and how far tokens of a kind are near.
std::vector<std::string> verdict_of_embeddings(const EmbeddingHistory& history);

void add_embeddings(Page& page, const EmbeddingHistory& history);

}  // namespace cria
