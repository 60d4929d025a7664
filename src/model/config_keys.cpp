#include "model/config_keys.h"

#include <limits>

namespace cria {
namespace {

// What has to be positive: not a tenth of what anyone uses, and far from fp32's smallest number.
constexpr double kTiny = 1e-30;

class ModelKeys : public KeyList {
 public:
  explicit ModelKeys(ModelConfig& config) : c_(config) {
    shape();
    embedding();
    position();
  }

 private:
  void shape() {
    derivable("model.vocab_size", &c_.vocab_size, 1, kMostTokens, "tokens; 0: the tokenizer's");
    number("model.hidden_size", &c_.hidden_size, 1, 1 << 20, "width of the residual stream");
    derivable("model.intermediate_size", &c_.intermediate_size, 1, kMostTokens,
              "width of the MLP; 0: 8/3 hidden_size, rounded up to a multiple of 8");
    number("model.num_hidden_layers", &c_.num_hidden_layers, 1, 1024, "decoder blocks");
    number("model.num_attention_heads", &c_.num_attention_heads, 1, 1 << 16, "query heads");
    derivable("model.num_key_value_heads", &c_.num_key_value_heads, 1, 1 << 16,
              "key/value heads, a divisor of the query heads; 0: as many");
    derivable("model.head_dim", &c_.head_dim, 1, 1 << 16,
              "width of a head; 0: hidden_size / num_attention_heads");
    derivable("model.max_position_embeddings", &c_.max_position_embeddings, 1, kMostTokens,
              "positions the model knows; 0: data.sequence_length");
    number("model.rms_norm_eps", &c_.rms_norm_eps, kTiny, 1.0, "inside RMSNorm's root");
    flag("model.tie_word_embeddings", &c_.tie_word_embeddings,
         "the output head is the embedding table");
    flag("model.attention_bias", &c_.attention_bias, "biases on q, k, v and o");
    flag("model.mlp_bias", &c_.mlp_bias, "biases on gate, up and down");
    number("model.pad_token_id", &c_.pad_token_id, -1, kMostTokens,
           "the same as embedding.padding_idx, as Hugging Face has it; -1: none");
    number("model.initializer_range", &c_.initializer_range, kTiny, 1e6,
           "standard deviation of initial weights");
    const std::vector<Word> by_width = {{"1/sqrt(hidden_size)", 0.0}};
    derivable("model.embedding_initializer_range", &c_.embedding_initializer_range, kTiny, 1e6,
              "the same of the embedding table; \"none\": initializer_range", by_width);
    derivable("model.head_initializer_range", &c_.head_initializer_range, kTiny, 1e6,
              "the same of an untied output head; \"none\": initializer_range", by_width);
    flag("model.scale_residual_init", &c_.scale_residual_init,
         "o_proj and down_proj start smaller by 1/sqrt(2 num_hidden_layers)");
    number("model.logit_scale", &c_.logit_scale, kTiny, 1e6,
           "initial value of the last norm's weights, by which the logits then are scaled");
  }

  void embedding() {
    EmbeddingOptions& table = c_.embedding;
    number("model.embedding.padding_idx", &table.padding_idx, -kMostTokens, kMostTokens,
           "this row starts at zero and learns from a tied head only; negative: from the end");
    number("model.embedding.max_norm", &table.max_norm, 0.0, kHuge,
           "rows used are first scaled down to this norm, for good");
    number("model.embedding.norm_type", &table.norm_type, 1e-3, kHuge, "p of that norm",
           {{"inf", std::numeric_limits<double>::infinity()}});
    flag("model.embedding.scale_grad_by_freq", &table.scale_grad_by_freq,
         "a row's gradient is the mean over its uses in a batch, not the sum");
    flag("model.embedding.sparse", &table.sparse,
         "only rows used in a step are updated, decayed or looked at; untied tables only");
    text("model.embedding.pretrained", &c_.embedding_pretrained, {},
         "start from FILE.npy, FILE.safetensors or FILE.safetensors:TENSOR");
    flag("model.embedding.freeze", &table.freeze, "the table is not trained");
    number("model.embedding.gradient_scale", &table.gradient_scale, 0.0, 1e6,
           "factor of the gradient that comes from looking up, not of a tied head's");
    derivable("model.embedding_scale", &c_.embedding_scale, kTiny, kHuge,
              "factor of the embeddings: \"none\", \"sqrt_hidden_size\" or a number",
              {{"none", 1.0}, {"sqrt_hidden_size", 0.0}});
    flag("model.embedding_norm", &c_.embedding_norm,
         "RMSNorm over the sum of embedding and position");
    number("model.embedding_dropout", &c_.embedding_dropout, 0.0, 0.9999,
           "of the sum of embedding and position");
    number("model.attention_dropout", &c_.attention_dropout, 0.0, 0.9999,
           "of attention's probabilities");
    number("model.residual_dropout", &c_.residual_dropout, 0.0, 0.9999,
           "of what attention and MLP add to the residual stream");
  }

  void position() {
    text("model.position", &c_.position, position_names(), "position encoding");
    number("model.rope_theta", &c_.rope_theta, 1.0, kHuge, "base of the rotary frequencies");
    RopeScaling& rope = c_.rope_scaling;
    text("model.rope_scaling.rope_type", &rope.rope_type, rope_types(),
         "rope: how frequencies change for longer sequences");
    number("model.rope_scaling.factor", &rope.factor, 1.0, 1e6, "how many times as long");
    derivable("model.rope_scaling.original_max_position_embeddings",
              &rope.original_max_position_embeddings, 1, kMostTokens,
              "yarn, llama3: length trained on before; 0: max_position_embeddings");
    number("model.rope_scaling.low_freq_factor", &rope.low_freq_factor, 1e-6, 1e6, "llama3");
    number("model.rope_scaling.high_freq_factor", &rope.high_freq_factor, 1e-6, 1e6, "llama3");
    number("model.rope_scaling.beta_fast", &rope.beta_fast, 1e-6, 1e6, "yarn");
    number("model.rope_scaling.beta_slow", &rope.beta_slow, 1e-6, 1e6, "yarn");
    flag("model.rope_scaling.truncate", &rope.truncate, "yarn: whole bounds of the ramp");
    derivable("model.rope_scaling.attention_factor", &rope.attention_factor, 1e-6, 1e6,
              "yarn: of cosines and sines; 0: from factor, or from mscale and mscale_all_dim");
    number("model.rope_scaling.mscale", &rope.mscale, 0.0, 1e6, "yarn");
    number("model.rope_scaling.mscale_all_dim", &rope.mscale_all_dim, 0.0, 1e6, "yarn");
    RelativePositionOptions& relative = c_.relative;
    number("model.relative_attention_num_buckets", &relative.num_buckets, 2, 1 << 16,
           "t5: rows of the table, half of them for single distances");
    number("model.relative_attention_max_distance", &relative.max_distance, 2, kMostTokens,
           "t5: distances beyond share the last row");
    flag("model.relative_attention_per_layer", &relative.per_layer,
         "t5: a table for each layer, not one for all");
    derivable("model.max_relative_positions", &relative.max_relative_positions, 1, kMostTokens,
              "deberta: farther ones share a row; 0: max_position_embeddings, at most 512");
    number("model.position_buckets", &relative.position_buckets, 0, kMostTokens,
           "deberta: rows of the table if far distances share them; 0: one for each distance");
    number("model.memory_length", &c_.memory_length, 0, kMostTokens,
           "transformer_xl: earlier positions kept as memory");
  }

  ModelConfig& c_;
};

}  // namespace

std::vector<Key> model_keys(ModelConfig& config) {
  return ModelKeys(config).keys;
}

}  // namespace cria
