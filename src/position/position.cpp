#include "cria/position/position.h"

#include <cmath>
#include <type_traits>

#include "cria/base/error.h"
#include "position/absolute.h"
#include "position/disentangled.h"
#include "position/distance_bias.h"
#include "position/rope.h"
#include "position/settled.h"
#include "position/transformer_xl.h"

namespace cria {
namespace {

using Made = std::unique_ptr<Position>;

template <class P>
Made make(Parameters& parameters, const PositionConfig& config) {
  if constexpr (std::is_constructible_v<P, Parameters&, const PositionConfig&>) {
    return std::make_unique<P>(parameters, config);
  } else {
    return std::make_unique<P>(config);
  }
}

struct Family {
  const char* name;
  Made (*make)(Parameters&, const PositionConfig&);
};

constexpr Family kFamilies[] = {{"rope", make<Rope>},
                                {"learned", make<LearnedPositions>},
                                {"sinusoidal", make<SinusoidalPositions>},
                                {"alibi", make<Alibi>},
                                {"t5", make<T5Bias>},
                                {"transformer_xl", make<TransformerXl>},
                                {"deberta", make<Disentangled>},
                                {"none", make<Position>}};

}  // namespace

void Position::require_prepared(int64_t first, int64_t time, int64_t count) const {
  if (first >= 0 && first + time <= count) return;
  throw Error("position beyond those the model knows",
              {.where = "model.position = \"" + config_.name + "\"",
               .expected = "positions below " + std::to_string(count),
               .got = std::to_string(first + time - 1),
               .hint = "raise model.max_position_embeddings or shorten the sequence"});
}

float Position::score_scale() const {
  return static_cast<float>(1.0 / std::sqrt(static_cast<double>(config_.head_dim)));
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
  tables.uniform_from = terms.uniform_from;
  if (terms.keys) tables.keys = saved.take({rows, kv_heads, dim});
  if (terms.queries) tables.queries = saved.take({rows, heads, dim});
  if (terms.bias) tables.bias = saved.take({heads, rows});
  if (terms.keys && gradients) tables.dkeys = scratch.take({batch, rows, kv_heads, dim});
  if (terms.queries && gradients) tables.dqueries = scratch.take({batch, rows, heads, dim});
  if (terms.bias && gradients) tables.dbias = scratch.take({batch, heads, rows});
  if (terms.keys || terms.queries) {
    if (terms.queries) tables.projected = scratch.take({rows, heads * dim});
    Attention sizes{};
    sizes.heads = heads;
    sizes.kv_heads = kv_heads;
    sizes.head_dim = dim;
    sizes.relative.rows = rows;
    tables.packed = scratch.take({relative_packed_floats(sizes)});
  }
  return tables;
}

const std::vector<std::string>& position_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Family& family : kFamilies) all.push_back(family.name);
    return all;
  }();
  return names;
}

std::unique_ptr<Position> make_position(Parameters& parameters, const PositionConfig& config) {
  for (const Family& family : kFamilies) {
    if (config.name == family.name) {
      return family.make(parameters, settled(config, "make_position: "));
    }
  }
  throw Error("unknown position encoding", {.where = "model.position",
                                            .expected = one_of(position_names()),
                                            .got = "\"" + config.name + "\"",
                                            .hint = did_you_mean(config.name, position_names())});
}

}  // namespace cria
