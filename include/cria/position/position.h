// Where a token stands, told to the model. An encoding acts at three moments and nowhere else; each
// has its reverse, and all do nothing unless a family overrides them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cria/kernels/kernels.h"
#include "cria/tensor/tensor.h"

namespace cria {

struct PositionConfig {
  std::string name;       // one of position_names()
  int64_t head_dim;       // D
  int64_t max_positions;  // positions are 0 .. max_positions - 1
  double rope_theta;
};

class Position {
 public:
  virtual ~Position() = default;

  // x [B,T,C], the embedded tokens at positions first .. first + T - 1.
  virtual void on_embedding(const Tensor& /*x*/, int64_t /*first*/) const {}
  virtual void on_embedding_backward(const Tensor& /*dx*/, int64_t /*first*/) const {}

  // q [B,T,H,D] and k [B,T,K,D] of a layer, at positions first .. first + T - 1, in place.
  virtual void on_qk(int64_t /*layer*/, const Tensor& /*q*/, const Tensor& /*k*/,
                     int64_t /*first*/) const {}
  virtual void on_qk_backward(int64_t /*layer*/, const Tensor& /*dq*/, const Tensor& /*dk*/,
                              int64_t /*first*/) const {}

  // Acts on tiles of scaled scores; the scores are q.k times score_scale.
  virtual ScoreHook on_scores(int64_t /*layer*/) const { return {}; }
  virtual float score_scale(int64_t head_dim) const;  // 1 / sqrt(head_dim)
};

// "none", "rope"
const std::vector<std::string>& position_names();

// Error, naming the nearest family, when config.name is unknown.
std::unique_ptr<Position> make_position(const PositionConfig& config);

}  // namespace cria
