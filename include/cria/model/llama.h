// The decoder: input, L blocks, final norm, head. Start reading here.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "cria/model/config.h"
#include "cria/model/segment_memory.h"
#include "cria/nn/block.h"
#include "cria/nn/head_loss.h"
#include "cria/nn/input.h"
#include "cria/nn/rms_norm.h"
#include "cria/position/position.h"
#include "cria/tensor/parameters.h"

namespace cria {

// What a pass is for decides what is kept in memory.
enum class Purpose {
  training,    // every block keeps its own Saved; backward is possible
  evaluation,  // the blocks share one
  generation,  // as evaluation, with a key/value cache and logits
};

class Llama;

// What a pass is told.
struct Pass {
  // [B,T], contiguous: for each position the one in its sequence where its document begins. A token
  // sees its own document only, whose positions count from 0. Empty: a sequence is one document.
  // Error unless 0 <= document_starts[b,t] <= t, not decreasing in t. Error with a
  // segment memory or a cache: nothing comes before a document.
  TokenIds document_starts = {};
  PassRandomness randomness = {};  // for dropout; by default nothing is dropped
  // What earlier segments left, and this one leaves, if model.memory_length > 0. Null: nothing.
  SegmentMemory* segments = nullptr;
  float gradient_scale = 1.0f;  // see Llama::loss_and_gradient
  double z_loss = 0;            // the same
  // Hears of loss_and_gradient's way down: the gradients at this offset of the plane and beyond are
  // complete. Ever smaller offsets, the last is 0. May be empty.
  std::function<void(int64_t offset)> complete_from = {};
};

// What passes of at most [B,T] compute; its memory is allocated here, none during a pass.
class Activations {
 public:
  // Error unless batch, time and micro_batches are at least 1. Several micro-batches in a step
  // share packed weights: these are packed again only when they have changed (see
  // Parameter::mutable_value).
  Activations(const Llama& model, Purpose purpose, int64_t batch, int64_t time,
              int64_t micro_batches = 1);

  // What such activations would take; nothing is allocated, and the model needs no memory either.
  static int64_t bytes_for(const Llama& model, Purpose purpose, int64_t batch, int64_t time,
                           int64_t micro_batches = 1);

  Purpose purpose() const { return purpose_; }
  int64_t bytes() const { return plan_.saved.bytes() + plan_.scratch.bytes(); }
  int64_t cached() const { return caches_.empty() ? 0 : caches_.front().length; }
  void clear_cache();

  // What the last pass left here, in the shapes planned: when training, of every block; otherwise
  // the blocks share one.
  const Input::Saved& input() const { return input_; }
  const std::vector<Tensor>& residual() const { return residual_; }
  const std::vector<Block::Saved>& blocks() const { return blocks_; }
  const Tensor& losses() const { return head_.losses; }  // [N]: of each target, ignored ones 0
  // [B,T,C]: the gradient of the rows looked up, scaled, as they came out of the table.
  const Tensor& embedded_gradient() const { return dx_; }

 private:
  friend class Llama;
  Activations(Purpose purpose, int64_t batch, int64_t time, int64_t micro_batches);
  void carve(const Llama& model);

  Purpose purpose_;
  int64_t batch_, time_;
  Plan plan_;
  Input::Saved input_;
  std::vector<Tensor> residual_;  // x before each block and after the last: L + 1, or 1 shared
  std::vector<Block::Saved> blocks_;
  std::vector<KvCache> caches_;  // generation only, one per block
  RmsNorm::Saved norm_;
  Tensor normed_;  // [B,T,C]: the final norm's output, then its gradient
  Tensor dx_;      // [B,T,C]: the gradient on its way down
  HeadLoss::Saved head_;
  Tensor logits_;  // [B,V], generation only
};

class Llama {
 public:
  // Registers and allocates all parameters; they are zero until initialize() or a file sets them.
  // Error as resolved() throws; what 0 leaves open there is derived here too, but for
  // max_position_embeddings. precision: of the matrix products of the linear layers. planes:
  // all of them to train, values to use the model; none leaves parameters().allocate() to the
  // caller, who then knows what the model would take.
  explicit Llama(const ModelConfig& config, Precision precision = Precision::fp32,
                 Planes planes = Planes::all);

  void initialize(uint64_t seed) { parameters_.initialize(seed); }

  // Allows passes longer than max_position_embeddings: see Position::reserve.
  void reserve_positions(int64_t count) const { position_->reserve(count + config_.memory_length); }

  // Tables of positions for passes of that length within max_position_embeddings, which planned
  // Activations have made already.
  void prepare_positions(int64_t count) const;

  const ModelConfig& config() const { return config_; }
  Parameters& parameters() { return parameters_; }
  const Parameters& parameters() const { return parameters_; }
  const std::vector<Block>& layers() const { return layers_; }

  const Input& input() const { return input_; }
  const Embedding& embed_tokens() const { return input_.embed_tokens; }
  const RmsNorm& norm() const { return norm_; }  // between the last block and the head
  const HeadLoss& lm_head() const { return lm_head_; }

  // tokens [B,T], after those in the cache -> the final norm's output [B,T,C], in activations.
  Tensor forward(Activations& activations, const TokenIds& tokens, const Pass& pass = {}) const;

  // tokens and targets [B,T] -> the sum over all B*T positions of -log p(target), natural log; a
  // target of kIgnoredTarget adds nothing.
  // Dropout is off by default; the randomness of a pass of loss_and_gradient repeats that pass.
  double loss_sum(Activations& activations, const TokenIds& tokens, const TokenIds& targets,
                  const Pass& pass = {}) const;

  // The same, and the backward of pass.gradient_scale times that sum, to which z_loss (log Z)^2 of
  // each position with a target is added first, Z being the sum of exp(logit): gradients accumulate
  // in the parameters. Error when activations are not for training, or the parameters have no
  // gradients.
  double loss_and_gradient(Activations& activations, const TokenIds& tokens,
                           const TokenIds& targets, const Pass& pass) const;

  // Appends tokens [B,T] to what the cache holds; the logits [B,V] of the last position.
  ConstTensor next_logits(Activations& activations, const TokenIds& tokens) const;

 private:
  friend class Activations;

  void backward(Activations& activations, const TokenIds& tokens, const Pass& pass) const;

  ModelConfig config_;
  Parameters parameters_;
  std::unique_ptr<Position> position_;
  Input input_;
  std::vector<Block> layers_;
  std::vector<int64_t> ends_;  // in the plane of parameters: of the input, each block and the norm
  RmsNorm norm_;
  HeadLoss lm_head_;
};

// The same model with a head of its own, which starts as a copy of the table that was both: of its
// values and of the optimizer's m and v, with which training goes on. Gradients are zero.
std::unique_ptr<Llama> untied(const Llama& tied, Planes planes = Planes::all);

}  // namespace cria
