// The tables of a model's tokens, at one point of its training or at several.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cria/model/config.h"
#include "cria/text/tokenizer.h"
#include "inspect/nearest_rows.h"
#include "inspect/plane_map.h"
#include "inspect/table_statistics.h"

namespace cria {

// The rows of the tokens shown, at a point of the training.
struct EmbeddingState {
  std::string name;  // "step 200"
  Vectors rows;      // [shown, C]
};

// What a token's vector is near to.
struct TokenNeighbors {
  int32_t id;
  std::vector<NearRow> embedding, head;  // the nearest first; head: empty if it is tied
};

struct EmbeddingHistory {
  std::string directory;  // of the newest model
  ModelConfig config;
  std::unique_ptr<Tokenizer> tokenizer;  // null when there is none
  std::vector<int64_t> counts;  // of each id in the run's training data; empty: it is not there
  std::vector<int32_t> shown;   // at most kMostShown ids: the most frequent first, or the lowest
  std::vector<EmbeddingState> states;   // oldest first, the last is the newest
  std::vector<double> norms;            // of all rows, newest [V]
  TableStatistics embedding;            // newest
  std::optional<TableStatistics> head;  // newest, if it is not tied
  std::vector<TokenNeighbors> neighbors;
};

inline constexpr size_t kMostShown = 160;

// path: a MODEL, see find_model_directory; of a run at most four checkpoints, evenly spread over
// the logarithm of steps. Error naming the file for a model that lacks a table, and for its broken
// data.
EmbeddingHistory read_embedding_history(const std::string& path);

// Of a token's nearest ten among these rows, by cosine, the share that is of its own kind (see
// token_kind), and the share that would be by chance; of at most a quarter of the rows, if they are
// few.
struct Gathering {
  double share = 0, by_chance = 0;
};
Gathering gathering(const EmbeddingHistory& history, const EmbeddingState& state);

}  // namespace cria
