// Disentangled attention, causal:
//   score = (q_i . k_j + q_i . kr_d + k_j . qr_d) / sqrt(3D),  d = i - j
//   kr_d = W_kr P[row(d)],  qr_d = W_qr P[row(d)]
// content to content, content to position, position to content. P [S,C] is shared by all layers,
// and holds the rows of the causal half of the paper's table only; W_kr [K D, C] and W_qr [H D, C]
// are each layer's own. Source: DeBERTa (He et al., 2021); the divisor covers three terms.
#pragma once

#include "cria/position/position.h"

namespace cria {

// The bucket of a distance: itself up to buckets / 2, then growing logarithmically, so that
// max_position - 1 falls into buckets - 1. Source: DeBERTa-v2's log buckets.
int64_t deberta_bucket(int64_t distance, int64_t buckets, int64_t max_position);

class Disentangled : public Position {
 public:
  Disentangled(Parameters& parameters, const PositionConfig& config);

  void reserve(int64_t count) override;
  void add_layer(Parameters& parameters, int64_t layer, const std::string& name) override;
  float score_scale() const override;
  RelativeTerms relative_terms() const override {
    return {.keys = true, .queries = true, .uniform_from = uniform_from_};
  }
  void on_scores(int64_t layer, const RelativeTables& tables, int64_t keys) const override;
  void on_scores_backward(int64_t layer, const RelativeTables& tables, int64_t keys) const override;

 private:
  struct Layer {
    Parameter *pos_key_proj, *pos_query_proj;
  };

  int64_t row_of(int64_t distance) const;
  // row(d) of that many distances, the farthest first.
  const int32_t* rows_from(int64_t distances) const;

  Parameter* embeddings_;     // P
  int64_t uniform_from_ = 0;  // the first distance with the last row of P
  std::vector<Layer> layers_;
  std::vector<int32_t> rows_;  // row(d) of the distances, distance 0 last
};

}  // namespace cria
