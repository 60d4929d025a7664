#include "report/embedding_history.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "base/first_error.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/exchange/load_model.h"
#include "cria/exchange/model_directory.h"
#include "cria/tokenizer_files/tokenizer_file.h"
#include "cria/train/run_config.h"
#include "exchange/tensor_file.h"
#include "report/token_label.h"
#include "train/diagnostics.h"

namespace cria {
namespace {

constexpr size_t kMostStates = 4;

const FileTensor& table_of(const TensorFile& file, const char* name) {
  const FileTensor* const table = file.find_hugging_face(name);
  if (table) return *table;
  throw Error("no table of tokens in this file", {.where = file.path(), .expected = name});
}

// config.toml of the run that the model, at path or in a run's checkpoints, is of; "": none.
std::string run_config_of(const std::string& path) {
  namespace fs = std::filesystem;
  const fs::path directory = fs::absolute(path).lexically_normal() / "";
  for (const fs::path& run : {directory, directory.parent_path().parent_path().parent_path()}) {
    if (exists((run / "config.toml").string())) return (run / "config.toml").string();
  }
  return "";
}

// How often each id occurs in what the run was trained on; empty where that is no more.
std::vector<int64_t> counts_of(const std::string& path, int64_t vocabulary) {
  const std::string file = run_config_of(path);
  std::vector<int64_t> counts;
  if (file.empty()) return counts;
  message_of_error([&] {
    const DataConfig data = read_run_config(file, {}, /*resume=*/true).data;
    std::vector<std::unique_ptr<Dataset>> training;
    for (const SourceConfig& source : data.training_sources()) {
      training.push_back(
          std::make_unique<Dataset>(source.train, shard_format(data.shard_format), vocabulary));
    }
    counts = count_tokens(training, vocabulary);
  });
  return counts;
}

std::vector<int32_t> shown_of(const std::vector<int64_t>& counts, int64_t vocabulary) {
  std::vector<int32_t> ids = FrequencyDeciles(counts).ranked();
  if (counts.empty()) {
    ids.resize(static_cast<size_t>(vocabulary));
    std::iota(ids.begin(), ids.end(), 0);
  }
  ids.resize(std::min(ids.size(), kMostShown));
  return ids;
}

// The checkpoints to show, oldest first; the model alone, where it is no run.
std::vector<std::string> states_of(const std::string& path) {
  const std::vector<std::string> all = list_checkpoints(path);
  if (is_model_directory(path) || all.size() <= 1) return {find_model_directory(path)};
  const auto at = [&](size_t i) {
    return std::log(static_cast<double>(std::max<int64_t>(1, steps_of(all[i]))));
  };
  constexpr double kRounding = 1e-9;  // of logarithms of steps, which differ by far more
  std::vector<std::string> chosen;
  for (size_t i = 0, next = 0; i < kMostStates && next < all.size(); ++i) {
    const double wanted = at(0) + (at(all.size() - 1) - at(0)) * static_cast<double>(i) /
                                      static_cast<double>(kMostStates - 1);
    size_t best = next;
    while (best + 1 < all.size() && at(best) < wanted - kRounding) ++best;
    chosen.push_back(all[best]);
    next = best + 1;
  }
  return chosen;
}

std::string name_of_state(const std::string& model) {
  if (!exists(join_path(model, kTrainerFile))) return "the model";
  return "step " + std::to_string(steps_of(model));
}

Vectors rows_of(const FileTensor& table, const std::vector<int32_t>& ids) {
  Vectors rows = {.rows = std::ssize(ids), .columns = table.shape[1]};
  std::vector<float> row(static_cast<size_t>(rows.columns));
  for (const int32_t id : ids) {
    table.read(id * rows.columns, rows.columns, row.data());
    rows.values.insert(rows.values.end(), row.begin(), row.end());
  }
  return rows;
}

TableStatistics statistics_of(const FileTensor& table, const FrequencyDeciles& deciles,
                              std::vector<double>* norms) {
  std::vector<float> numbers(static_cast<size_t>(table.size()));
  table.read(0, table.size(), numbers.data());
  const ConstTensor tensor(numbers.data(), {table.shape[0], table.shape[1]});
  if (norms) *norms = row_norms(tensor);
  return table_statistics(tensor, deciles);
}

// Some of each kind, frequent ones and others.
std::vector<int32_t> to_look_up(const EmbeddingHistory& history) {
  constexpr std::array<size_t, kTokenKinds.size()> kOfKind = {5, 4, 3, 2, 2};
  std::vector<int32_t> ids;
  for (size_t kind = 0; kind < kOfKind.size(); ++kind) {
    std::vector<int32_t> all;
    for (const int32_t id : history.shown) {
      const auto own = static_cast<size_t>(token_kind(history.tokenizer.get(), id));
      if (own == kind && history.norms[static_cast<size_t>(id)] > 0) all.push_back(id);
    }
    const size_t count = std::min(kOfKind[kind], all.size());
    for (size_t i = 0; i < count; ++i) ids.push_back(all[i * all.size() / count]);
  }
  return ids;
}

}  // namespace

EmbeddingHistory read_embedding_history(const std::string& path) {
  EmbeddingHistory history;
  const std::vector<std::string> models = states_of(path);
  history.directory = models.back();
  history.config = read_model_config(history.directory);
  if (has_tokenizer(history.directory)) history.tokenizer = read_tokenizer(history.directory);
  history.counts = counts_of(path, history.config.vocab_size);
  history.shown = shown_of(history.counts, history.config.vocab_size);
  constexpr const char *kEmbedding = "model.embed_tokens.weight", *kHead = "lm_head.weight";
  for (const std::string& model : models) {
    const TensorFile file(model);
    history.states.push_back(
        {name_of_state(model), rows_of(table_of(file, kEmbedding), history.shown)});
  }
  const TensorFile file(history.directory);
  std::vector<int64_t> counts = history.counts;
  counts.resize(static_cast<size_t>(history.config.vocab_size));
  const FrequencyDeciles deciles(counts);
  const FileTensor& embedding = table_of(file, kEmbedding);
  history.embedding = statistics_of(embedding, deciles, &history.norms);
  const bool tied = history.config.tie_word_embeddings;
  if (!tied) history.head = statistics_of(table_of(file, kHead), deciles, nullptr);
  constexpr size_t kNearest = 6;
  for (const int32_t id : to_look_up(history)) {
    history.neighbors.push_back({id, nearest_rows(embedding, id, kNearest), {}});
    if (!tied) history.neighbors.back().head = nearest_rows(table_of(file, kHead), id, kNearest);
  }
  return history;
}

Gathering gathering(const EmbeddingHistory& history, const EmbeddingState& state) {
  const size_t n = history.shown.size(), near = std::min<size_t>(10, n / 4);
  const Vectors unit = unit_rows(state.rows);
  const std::vector<double> cosines = products(unit, unit);
  std::vector<TokenKind> kinds;
  for (const int32_t id : history.shown) kinds.push_back(token_kind(history.tokenizer.get(), id));
  Gathering result;
  for (size_t i = 0; i < n && near > 0; ++i) {
    std::vector<size_t> others;
    for (size_t j = 0; j < n; ++j) {
      if (j == i) continue;
      others.push_back(j);
      result.by_chance += kinds[i] == kinds[j] ? 1.0 / static_cast<double>(n * (n - 1)) : 0;
    }
    std::ranges::partial_sort(others, others.begin() + static_cast<int64_t>(near), std::greater<>(),
                              [&](size_t j) { return std::pair(cosines[i * n + j], n - j); });
    for (size_t j = 0; j < near; ++j) {
      result.share += kinds[i] == kinds[others[j]] ? 1.0 / static_cast<double>(n * near) : 0;
    }
  }
  return result;
}

}  // namespace cria
