// AdamW over the parameter planes, with the gradient norm and clipping.
#pragma once

#include <vector>

#include "cria/tensor/parameters.h"

namespace cria {

struct AdamWConfig {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double weight_decay = 0.1;
  bool decay_embeddings = true;  // norms and biases never decay
};

// Source: Loshchilov & Hutter, 2019; the arithmetic is PyTorch's (see AdamW in kernels.h).
class AdamWOptimizer {
 public:
  AdamWOptimizer(Parameters& parameters, const AdamWConfig& config);

  // The 2-norm of all gradients together, each parameter once.
  double gradient_norm();

  // One update with the gradients times gradient_scale; the gradients are zero afterwards.
  void step(double learning_rate, double gradient_scale);

  void set_steps(int64_t steps) { steps_ = steps; }  // after loading m and v

 private:
  // A stretch of one parameter: the unit of parallel work, and of summation for the norm.
  struct Piece {
    int64_t offset, count;
    bool decays;
  };

  Parameters* parameters_;
  AdamWConfig config_;
  std::vector<Piece> pieces_;
  std::vector<double> squares_;  // one sum per piece
  int64_t steps_ = 0;
};

// clip_grad_norm_'s factor: min(1, max_norm / (norm + 1e-6)); 1 when max_norm is 0 (no clipping).
double clip_factor(double norm, double max_norm);

}  // namespace cria
