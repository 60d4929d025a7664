// The contract of a layer.
//
// A layer is a plain struct: its parameters and sizes, no memory. What backward needs from forward
// goes into its Saved, beside the scratch it uses while it runs; all are views carved before
// training starts.
//   forward(in, out, saved)
//   backward(dout, in, saved, din)   weight gradients accumulate (+=), din is overwritten (=);
//                                    what saved holds is used up
// Where dropout or documents matter, both take the PassContext as well, after saved.
// The formula of the gradient stands above each backward.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>

#include "cria/tensor/arena.h"
#include "cria/tensor/tensor.h"

namespace cria {

// The random numbers of a pass (of a forward and its backward, which share them): a function of
// seed and pass, so a pass can be repeated. Not active: nothing is dropped, as in evaluation.
struct PassRandomness {
  uint64_t seed = 0;
  uint64_t pass = 0;
  bool active = false;
};

// What the layers are told of one pass; its forward and its backward are told the same.
struct PassContext {
  PassRandomness randomness = {};
  // [B,T]: where the document of each position begins. Empty: a sequence is one document.
  TokenIds document_starts = {};
};

// Memory of a pass: `saved` holds what lives from forward to backward, `scratch` what a layer needs
// only while it runs. Layers that run one after another share scratch (the planner rewinds it).
struct Plan {
  Arena saved;
  Arena scratch;
  bool backward = true;          // whether a backward pass will follow
  bool repeats_weights = false;  // whether several passes see the same weights
};

template <class L>
concept Layer = requires(const L& layer, Plan& plan, typename L::Saved& saved,
                         const PassContext& pass, ConstTensor in, Tensor out) {
  { layer.plan(plan, int64_t{}, int64_t{}) } -> std::same_as<typename L::Saved>;  // at most [B,T]
  requires requires {
    layer.forward(in, out, saved);
    layer.backward(in, in, saved, out);
  } || requires {
    layer.forward(in, out, saved, pass);
    layer.backward(in, in, saved, pass, out);
  };
};

// The beginning of planned memory as a tensor of a pass that may be smaller than planned.
Tensor within(const Tensor& memory, std::initializer_list<int64_t> shape);

}  // namespace cria
