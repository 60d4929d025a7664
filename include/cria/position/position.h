// Where a token stands, told to the model. An encoding acts at three moments and nowhere else: on
// the embedded tokens, on queries and keys, and on the scores, by the offset of the key from the
// query. Each has its reverse, and all do nothing unless a family overrides them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cria/kernels/kernels.h"
#include "cria/position/rope_scaling.h"
#include "cria/tensor/arena.h"
#include "cria/tensor/parameters.h"
#include "cria/tensor/tensor.h"

namespace cria {

// Options of the encodings that learn something for each distance.
struct RelativePositionOptions {
  // t5
  int64_t num_buckets = 32;
  int64_t max_distance = 128;
  bool per_layer = false;  // a table for each layer instead of one for all

  // deberta
  int64_t max_relative_positions = 0;  // farther ones share a row; 0: max_positions, at most 512
  int64_t position_buckets = 0;        // rows of the table, when far distances share them
                                       // logarithmically; 0: a row for each distance

  bool operator==(const RelativePositionOptions&) const = default;
};

struct PositionConfig {
  std::string name;                               // one of position_names()
  int64_t hidden_size = 0, layers = 0;            // C, L
  int64_t heads = 0, kv_heads = 0, head_dim = 0;  // H, K, D
  int64_t max_positions = 0;                      // positions are 0 .. max_positions - 1
  double std = 0;                                 // of initial weights
  double rope_theta = 10000.0;
  RopeScaling rope_scaling = {};
  RelativePositionOptions relative = {};
};

// What an encoding adds to a layer's scores, as RelativeScores in kernels.h takes it, and the
// memory for the gradients. Null where the encoding has no such term. The last row is distance 0,
// the row before it distance 1, and so on.
struct RelativeTables {
  int64_t rows = 0;    // for all keys of the pass, a multiple of kRelativeRows
  Tensor keys;         // [rows, K, D]
  Tensor queries;      // [rows, H, D]
  Tensor bias;         // [H, rows]
  Tensor projected;    // scratch [rows, H D], with queries: before distances share their rows
  Tensor packed;       // scratch of the kernel
  Tensor dkeys;        // scratch [B, rows, K, D]: each sequence its own
  Tensor dqueries;     // scratch [B, rows, H, D]
  Tensor dbias;        // scratch [B, H, rows]
  int64_t filled = 0;  // distances below are there
  int64_t uniform_from = INT64_MAX;  // see RelativeScores
};

// Which of them an encoding has.
struct RelativeTerms {
  bool keys = false, queries = false, bias = false;
  bool learned = true;               // the terms have gradients
  int64_t uniform_from = INT64_MAX;  // see RelativeScores
};

class Position {
 public:
  explicit Position(const PositionConfig& config) : config_(config) {}
  virtual ~Position() = default;

  // Prepares for positions up to count - 1, as memory for passes of that length has to be: what a
  // config allows may be far more than is ever used.
  virtual void prepare(int64_t count) { reserve(count); }
  // The same beyond max_positions. Error, naming the key, when the encoding knows no more than it
  // was made for.
  virtual void reserve(int64_t /*count*/) {}

  // Registers what the encoding learns for this layer alone. name: "model.layers.0.self_attn".
  virtual void add_layer(Parameters& /*parameters*/, int64_t /*layer*/,
                         const std::string& /*name*/) {}

  // x [B,T,C], the embedded tokens at positions first .. first + T - 1. document_starts, [B,T] or
  // empty: x[b,t] stands document_starts[b,t] before that, where its document counts from.
  virtual void on_embedding(const Tensor& /*x*/, int64_t /*first*/,
                            const TokenIds& /*document_starts*/) const {}
  virtual void on_embedding_backward(const Tensor& /*dx*/, int64_t /*first*/,
                                     const TokenIds& /*document_starts*/) const {}

  // q [B,T,H,D] and k [B,T,K,D] of a layer, at positions first .. first + T - 1, in place.
  virtual void on_qk(int64_t /*layer*/, const Tensor& /*q*/, const Tensor& /*k*/,
                     int64_t /*first*/) const {}
  virtual void on_qk_backward(int64_t /*layer*/, const Tensor& /*dq*/, const Tensor& /*dk*/,
                              int64_t /*first*/) const {}

  // The scores are q.k times score_scale, and what the tables of a layer add.
  virtual float score_scale() const;  // 1 / sqrt(head_dim)
  virtual RelativeTerms relative_terms() const { return {}; }
  // Makes the rows of distances tables.filled .. keys - 1.
  virtual void on_scores(int64_t /*layer*/, const RelativeTables& /*tables*/,
                         int64_t /*keys*/) const {}
  // Takes the gradients of the tables (sequence 0's is the sum of all) back to the parameters.
  // Comes before on_qk_backward.
  virtual void on_scores_backward(int64_t /*layer*/, const RelativeTables& /*tables*/,
                                  int64_t /*keys*/) const {}

  // Memory for the tables of a pass with `keys` keys; in scratch that for the gradients of `batch`
  // sequences (0: none).
  RelativeTables plan_tables(Arena& saved, Arena& scratch, int64_t batch, int64_t keys) const;

 protected:
  // Error unless the positions first .. first + time - 1 are below count, those prepared.
  void require_prepared(int64_t first, int64_t time, int64_t count) const;

  PositionConfig config_;
};

// "rope", "learned", ...
const std::vector<std::string>& position_names();

// Registers what the encoding learns for all layers at once, before the first layer. Error, naming
// the nearest family, when config.name is unknown, and naming the key when the encoding cannot be
// made so, such as sines for an odd hidden_size.
std::unique_ptr<Position> make_position(Parameters& parameters, const PositionConfig& config);

}  // namespace cria
