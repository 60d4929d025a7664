// AdamW over the parameter planes, with the gradient norm and clipping.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cria/kernels/kernels.h"
#include "cria/tensor/parameters.h"

namespace cria {

class Slices;

// What is different for the parameters whose names match a pattern.
struct ParameterGroup {
  std::string name;
  std::string pattern;  // as of files: "model.layers.*.mlp.*"
  double learning_rate_factor = 1.0;
  double weight_decay_factor = 1.0;
  std::optional<double> beta1 = {}, beta2 = {};  // none: the optimizer's
};

// The first of the groups that a parameter of this name matches, or null.
const ParameterGroup* group_of(std::span<const ParameterGroup> groups, const std::string& name);

struct AdamWConfig {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double weight_decay = 0.1;
  bool decay_embeddings = true;  // norms and biases never decay
  std::vector<ParameterGroup> groups = {};
};

// Source: Loshchilov & Hutter, 2019; the arithmetic is PyTorch's (see AdamW in kernels.h).
//
// A parameter's group multiplies learning rate and weight decay, as PyTorch's parameter groups with
// such an lr and weight_decay do: the decay of a step is their product.
//
// A frozen parameter is left out: no decay, no moments, no part in the norm.
//
// A parameter that records its touched rows (nn/embedding's `sparse`) is updated lazily. A row with
// a gradient since the last step gets exactly AdamW's update, with the count of all steps in the
// bias corrections. The other rows keep weight and moments, where dense AdamW would shrink their
// weights by 1 - lr weight_decay, their moments by beta1 and beta2, and still move the weights by
// what is left in m. So the two agree on a row until the first step without it; when it comes back,
// its moments are as if the steps between had not been, but the bias corrections count these.
// PyTorch's SparseAdam (no decay) skips the same rows; its AdamW has no sparse gradients. Norm,
// step and zeroing cost in proportion to the rows touched.
class AdamWOptimizer {
 public:
  // slices: of several processes that share the work (see optim/slices), if any: each updates its
  // own and gets the others' weights; the bits are those of one process. Error naming what is out
  // of range (betas below 1, nothing negative), and when the parameters have no gradients.
  AdamWOptimizer(Parameters& parameters, const AdamWConfig& config, const Slices* slices = nullptr);

  // The 2-norm of all gradients together, each parameter once.
  double gradient_norm();

  // One update with the gradients times gradient_scale; the gradients are zero afterwards, and no
  // row is touched. change_squares, unless empty: one for each slot of the parameters, becomes the
  // sum of the squares of what the step has changed in it; the weights are the same either way.
  void step(double learning_rate, double gradient_scale, std::span<double> change_squares = {});

  void set_steps(int64_t steps) { steps_ = steps; }  // after loading m and v

 private:
  // What a step does to one parameter.
  struct Rule {
    double learning_rate_factor, weight_decay, beta1, beta2;
  };

  // A stretch of one parameter: the unit of parallel work, and of summation for the norm.
  struct Piece {
    int64_t offset, count;
    size_t slot;  // whose piece it is
  };

  // A parameter with a sparse gradient, of which a touched row is a piece.
  struct Table {
    Parameter* parameter;
    size_t slot;
  };

  // Calls body(index, piece) for every piece there is now, in parallel; returns their number. The
  // order of the indices depends on the gradients only.
  template <class Body>
  int64_t for_pieces(Body&& body) const;

  bool is_own(const Piece& piece) const;
  void add_up(std::span<double> by_slot) const;

  Parameters* parameters_;
  const Slices* slices_;
  AdamWConfig config_;
  std::vector<Rule> rules_;      // by slot
  std::vector<AdamW> settings_;  // the same of the step under way
  std::vector<Piece> pieces_;    // of the dense parameters
  std::vector<Table> tables_;
  std::vector<double> squares_;  // one sum per piece, of gradients or of changes
  int64_t steps_ = 0;
};

// clip_grad_norm_'s factor: min(1, max_norm / (norm + 1e-6)); 1 when max_norm is 0 (no clipping).
double clip_factor(double norm, double max_norm);

}  // namespace cria
