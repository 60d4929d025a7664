// The shape of a model; names and meanings are those of Hugging Face's config.json for Llama.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cria/nn/embedding.h"
#include "cria/position/position.h"

namespace cria {

struct ModelConfig {
  int64_t vocab_size = 0;               // V
  int64_t hidden_size = 128;            // C
  int64_t intermediate_size = 0;        // F; 0: 8/3 hidden_size, rounded up to a multiple of 8
  int64_t num_hidden_layers = 4;        // L
  int64_t num_attention_heads = 4;      // H
  int64_t num_key_value_heads = 0;      // K; 0: as many as query heads
  int64_t head_dim = 0;                 // D; 0: hidden_size / num_attention_heads
  int64_t max_position_embeddings = 0;  // 0: the sequence length trained on
  double rms_norm_eps = 1e-5;
  bool tie_word_embeddings = false;
  bool attention_bias = false;  // on q, k, v and o
  bool mlp_bias = false;        // on gate, up and down
  int64_t pad_token_id = -1;    // -1: none; the same as embedding.padding_idx once resolved
  double initializer_range = 0.02;
  // Of the token table (also a tied one) and of the head; none: initializer_range; 0: 1/sqrt(C).
  std::optional<double> embedding_initializer_range, head_initializer_range;
  // Residual projections (o_proj, down_proj) start at initializer_range / sqrt(2 L), as in GPT-2;
  // Hugging Face's Llama does not.
  bool scale_residual_init = false;
  double logit_scale = 1.0;  // the final norm's weights start at it, and so do the logits

  EmbeddingOptions embedding;        // of the token table
  std::string embedding_pretrained;  // file to start the token table from; "": none
  double embedding_scale = 1.0;      // what embeddings are multiplied by; 0: sqrt(hidden_size)
  bool embedding_norm = false;       // RMSNorm over embedding and added position
  double embedding_dropout = 0.0;    // of the sum of embedding and position
  double attention_dropout = 0.0;    // of attention's probabilities
  double residual_dropout = 0.0;     // of what attention and MLP add to the residual stream

  std::string position = "rope";
  double rope_theta = 10000.0;
  RopeScaling rope_scaling;
  RelativePositionOptions relative;
  int64_t memory_length = 0;  // transformer_xl: positions before the segment that it attends to

  bool operator==(const ModelConfig&) const = default;
};

// What its position encoding is told of a model.
PositionConfig position_config(const ModelConfig& config);

// Fills in what 0 left to be derived and checks that every number is in its range and that
// everything fits together; the Error names the key, behind `place` ("demo.toml: model."), and what
// would fit. Keys of an encoding or a rope_type that was not chosen are ignored. sequence_length >
// 0 is the length to train on: the default for max_position_embeddings, and not to exceed it.
ModelConfig resolved(ModelConfig config, int64_t sequence_length, const std::string& place);

// Floating-point operations of one training step (forward and backward) per token at sequence
// length T: matrix products and attention, a multiply-add counted as two.
//   linear layers:  6 * (all matrix parameters; the embedding's gather is no product, so its table
//                   counts only as the head of a model that ties them)
//   attention:      6 P H D ((T + 1) / 2 + memory_length) in each layer: a query sees (T + 1) / 2
//                   positions on average, and the whole memory. For each it takes part in P
//                   products, of 2 D operations per head in forward and 4 D in backward: scores and
//                   values, so P = 2; with what relative encodings add to the scores, q.r of
//                   transformer_xl makes it 3, q.r and k.r of deberta 4.
// Recomputing scores in backward is work that cria chose to do, so it is not counted. Neither is
// what a pass does once for all its tokens, or once for a segment: projections of relative tables
// and of the memory.
double training_flops_per_token(const ModelConfig& config, int64_t sequence_length);

}  // namespace cria
