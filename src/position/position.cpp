#include "cria/position/position.h"

#include <cmath>

#include "cria/position/disentangled.h"
#include "cria/position/distance_bias.h"
#include "cria/position/rope.h"
#include "cria/position/transformer_xl.h"

namespace cria {

float Position::score_scale() const {
  return static_cast<float>(1.0 / std::sqrt(static_cast<double>(config_.head_dim)));
}

const std::vector<std::string>& position_names() {
  static const std::vector<std::string> names = {"rope",           "alibi",   "t5",
                                                 "transformer_xl", "deberta", "none"};
  return names;
}

RelativeTables Position::plan_tables(Arena& saved, Arena& scratch, int64_t batch,
                                     int64_t keys) const {
  const RelativeTerms terms = relative_terms();
  RelativeTables tables;
  if (!terms.keys && !terms.queries && !terms.bias) return tables;
  const int64_t rows = (keys + kRelativeRows - 1) / kRelativeRows * kRelativeRows;
  const int64_t heads = config_.heads, kv_heads = config_.kv_heads, dim = config_.head_dim;
  const bool gradients = terms.learned && batch > 0;
  tables.rows = rows;
  if (terms.keys) tables.keys = saved.take({rows, kv_heads, dim});
  if (terms.queries) tables.queries = saved.take({rows, heads, dim});
  if (terms.bias) tables.bias = saved.take({heads, rows});
  if (terms.keys && gradients) tables.dkeys = scratch.take({batch, rows, kv_heads, dim});
  if (terms.queries && gradients) tables.dqueries = scratch.take({batch, rows, heads, dim});
  if (terms.bias && gradients) tables.dbias = scratch.take({batch, heads, rows});
  if (terms.keys || terms.queries) {
    tables.inputs = scratch.take({rows, config_.hidden_size});
    Attention sizes{};
    sizes.heads = heads;
    sizes.kv_heads = kv_heads;
    sizes.head_dim = dim;
    sizes.relative.rows = rows;
    tables.packed = scratch.take({relative_packed_floats(sizes)});
  }
  return tables;
}

std::unique_ptr<Position> make_position(Parameters& parameters, const PositionConfig& config) {
  if (config.name == "rope") return std::make_unique<Rope>(config);
  if (config.name == "alibi") return std::make_unique<Alibi>(config);
  if (config.name == "t5") return std::make_unique<T5Bias>(parameters, config);
  if (config.name == "transformer_xl") return std::make_unique<TransformerXl>(parameters, config);
  if (config.name == "deberta") return std::make_unique<Disentangled>(parameters, config);
  if (config.name == "none") return std::make_unique<Position>(config);
  std::string names;
  for (const std::string& name : position_names()) {
    names += (names.empty() ? "\"" : ", \"") + name + "\"";
  }
  throw Error("unknown position encoding", {.where = "model.position",
                                            .expected = "one of " + names,
                                            .got = "\"" + config.name + "\"",
                                            .hint = did_you_mean(config.name, position_names())});
}

}  // namespace cria
