// A number for each head and distance, added to the scores.
#pragma once

#include "cria/position/position.h"

namespace cria {

// The slopes of `heads` heads: 2^(-8h/n), h = 1 .. n, for a power of two n; otherwise those of the
// largest power of two p below, then every other one of 2p. Source: ALiBi (Press et al., 2022).
std::vector<double> alibi_slopes(int64_t heads);

// bias(h, d) = -slope(h) d
class Alibi : public Position {
 public:
  explicit Alibi(const PositionConfig& config);

  RelativeTerms relative_terms() const override { return {.bias = true, .learned = false}; }
  void on_scores(int64_t layer, const RelativeTables& tables, int64_t keys) const override;

 private:
  std::vector<double> slopes_;  // [H]
};

// The bucket of a distance: the first half of the buckets are single distances, the others grow
// logarithmically up to max_distance. Source: T5 (Raffel et al., 2020), the causal form.
int64_t t5_bucket(int64_t distance, int64_t buckets, int64_t max_distance);

// bias(h, d) = table[bucket(d), h], one table for all layers or one for each. As in T5, scores are
// not divided by sqrt(D).
class T5Bias : public Position {
 public:
  T5Bias(Parameters& parameters, const PositionConfig& config);

  void add_layer(Parameters& parameters, int64_t layer, const std::string& name) override;
  float score_scale() const override { return 1.0f; }
  RelativeTerms relative_terms() const override { return {.bias = true}; }
  void on_scores(int64_t layer, const RelativeTables& tables, int64_t keys) const override;
  void on_scores_backward(int64_t layer, const RelativeTables& tables, int64_t keys) const override;

 private:
  void add_table(Parameters& parameters, const std::string& name);
  const Parameter& table(int64_t layer) const { return *tables_[tables_.size() > 1 ? layer : 0]; }
  int64_t bucket(int64_t distance) const;

  std::vector<Parameter*> tables_;  // [num_buckets, H]: of all layers, or of each
};

}  // namespace cria
