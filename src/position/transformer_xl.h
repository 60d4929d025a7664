// Relative attention with a content and a position term, each with a bias of its own:
//   score = ((q_i + u) . k_j + (q_i + v) . r_d) / sqrt(D),  r_d = W_r R_d,  d = i - j
// R_d = [sin(d f_0), ..., cos(d f_0), ...], f_i = 10000^(-2i/C); u, v [H,D] shared by all layers,
// W_r [K D, C] for each. Source: Transformer-XL (Dai et al., 2019).
#pragma once

#include <array>

#include "cria/position/position.h"

namespace cria {

// What the attention kernel sees: queries q + u, relative keys r, and, for what is left of v, the
// bias (v - u) . r_d / sqrt(D).
class TransformerXl : public Position {
 public:
  TransformerXl(Parameters& parameters, const PositionConfig& config);

  void reserve(int64_t count) override;
  void add_layer(Parameters& parameters, int64_t layer, const std::string& name) override;
  void on_qk(int64_t layer, const Tensor& q, const Tensor& k, int64_t first) const override;
  void on_qk_backward(int64_t layer, const Tensor& dq, const Tensor& dk,
                      int64_t first) const override;
  RelativeTerms relative_terms() const override { return {.keys = true, .bias = true}; }
  void on_scores(int64_t layer, const RelativeTables& tables, int64_t keys) const override;
  void on_scores_backward(int64_t layer, const RelativeTables& tables, int64_t keys) const override;

 private:
  // R of distances [from, to), [to - from, C], the farthest first.
  ConstTensor sinusoids(int64_t from, int64_t to) const;
  std::array<float, kMaxHeadDim> difference(int64_t head) const;  // v - u

  Parameter* content_bias_;         // u
  Parameter* position_bias_;        // v
  std::vector<Parameter*> r_proj_;  // of each layer
  int64_t distances_ = 0;
  std::vector<float> sinusoids_;  // [distances_, C], distance 0 last
};

}  // namespace cria
