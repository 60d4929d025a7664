#include "train/run_config_keys.h"

#include <algorithm>
#include <limits>

#include "base/number.h"
#include "cria/base/error.h"
#include "cria/data/shard.h"
#include "cria/position/position.h"

namespace cria {
namespace {

constexpr double kMostInt32 = 2147483647;
constexpr double kMostTokens = 1 << 24;
constexpr double kMostSteps = 1e12;
constexpr double kHuge = 1e300;

// What a key takes, for errors.
std::string expectation(const Key& key) {
  if (std::holds_alternative<bool*>(key.field)) return "true or false";
  if (std::holds_alternative<std::string*>(key.field)) {
    return key.choices.empty() ? "a string in quotes" : one_of(key.choices);
  }
  std::string words = std::visit(
      [](auto* field) {
        return kIsOptional<std::remove_pointer_t<decltype(field)>> ? ", or \"none\"" : "";
      },
      key.field);
  for (const Word& word : key.words) words += ", or \"" + word.word + "\"";
  if (std::holds_alternative<int64_t*>(key.field) ||
      std::holds_alternative<std::optional<int64_t>*>(key.field)) {
    return "an integer, " + std::to_string(static_cast<int64_t>(key.least)) + " to " +
           std::to_string(static_cast<int64_t>(key.most)) + words;
  }
  return "a number, " + shortest_double(key.least) + " to " + shortest_double(key.most) + words;
}

}  // namespace

std::vector<Key> keys_of(RunConfig& c) {
  std::vector<Key> keys;
  const auto flag = [&](const std::string& name, bool* field, const char* meaning) {
    keys.push_back({name, field, 0, 0, {}, {}, meaning});
  };
  const auto number = [&](const std::string& name, auto* field, double least, double most,
                          const char* meaning, const std::vector<Word>& words = {}) {
    keys.push_back({name, field, least, most, {}, words, meaning});
  };
  const auto text = [&](const std::string& name, std::string* field,
                        const std::vector<std::string>& choices, const char* meaning) {
    keys.push_back({name, field, 0, 0, choices, {}, meaning});
  };
  const std::vector<std::string> any = {};
  number("model.vocab_size", &c.model.vocab_size, 0, kMostTokens, "tokens; 0: the tokenizer's");
  number("model.hidden_size", &c.model.hidden_size, 1, 1 << 20, "width of the residual stream");
  number("model.intermediate_size", &c.model.intermediate_size, 0, kMostTokens,
         "width of the MLP; 0: 8/3 hidden_size, rounded up to a multiple of 8");
  number("model.num_hidden_layers", &c.model.num_hidden_layers, 1, 1024, "decoder blocks");
  number("model.num_attention_heads", &c.model.num_attention_heads, 1, 1 << 16, "query heads");
  number("model.num_key_value_heads", &c.model.num_key_value_heads, 0, 1 << 16,
         "key/value heads, a divisor of the query heads; 0: as many");
  number("model.head_dim", &c.model.head_dim, 0, 1 << 16,
         "width of a head; 0: hidden_size / num_attention_heads");
  number("model.max_position_embeddings", &c.model.max_position_embeddings, 0, kMostTokens,
         "positions the model knows; 0: data.sequence_length");
  number("model.rms_norm_eps", &c.model.rms_norm_eps, 1e-12, 1.0, "inside RMSNorm's root");
  flag("model.tie_word_embeddings", &c.model.tie_word_embeddings,
       "the output head is the embedding table");
  flag("model.attention_bias", &c.model.attention_bias, "biases on q, k, v and o");
  flag("model.mlp_bias", &c.model.mlp_bias, "biases on gate, up and down");
  number("model.pad_token_id", &c.model.pad_token_id, -1, kMostTokens,
         "the same as embedding.padding_idx, as Hugging Face has it; -1: none");
  number("model.initializer_range", &c.model.initializer_range, 1e-12, 10.0,
         "standard deviation of initial weights");
  flag("model.scale_residual_init", &c.model.scale_residual_init,
       "o_proj and down_proj start smaller by 1/sqrt(2 num_hidden_layers)");
  EmbeddingOptions& embedding = c.model.embedding;
  number("model.embedding.padding_idx", &embedding.padding_idx, -kMostTokens, kMostTokens,
         "this row starts at zero and gets no gradient; negative: from the end");
  number("model.embedding.max_norm", &embedding.max_norm, 0.0, kHuge,
         "rows used are first scaled down to this norm, for good");
  number("model.embedding.norm_type", &embedding.norm_type, 1e-3, kHuge, "p of that norm",
         {{"inf", std::numeric_limits<double>::infinity()}});
  flag("model.embedding.scale_grad_by_freq", &embedding.scale_grad_by_freq,
       "a row's gradient is the mean over its uses in a batch, not the sum");
  flag("model.embedding.sparse", &embedding.sparse,
       "only rows used in a step are updated, decayed or looked at; untied tables only");
  text("model.embedding.pretrained", &c.model.embedding_pretrained, any,
       "start from FILE.npy, FILE.safetensors or FILE.safetensors:TENSOR");
  flag("model.embedding.freeze", &embedding.freeze, "the table is not trained");
  number("model.embedding_scale", &c.model.embedding_scale, 0.0, kHuge,
         "factor of the embeddings: \"none\", \"sqrt_hidden_size\" or a number",
         {{"none", 1.0}, {"sqrt_hidden_size", 0.0}});
  flag("model.embedding_norm", &c.model.embedding_norm,
       "RMSNorm over the sum of embedding and position");
  number("model.embedding_dropout", &c.model.embedding_dropout, 0.0, 0.99,
         "of the sum of embedding and position");
  number("model.attention_dropout", &c.model.attention_dropout, 0.0, 0.99,
         "of attention's probabilities");
  number("model.residual_dropout", &c.model.residual_dropout, 0.0, 0.99,
         "of what attention and MLP add to the residual stream");

  text("model.position", &c.model.position, position_names(), "position encoding");
  number("model.rope_theta", &c.model.rope_theta, 1.0, kHuge, "base of the rotary frequencies");
  RopeScaling& rope = c.model.rope_scaling;
  text("model.rope_scaling.rope_type", &rope.rope_type, rope_types(),
       "rope: how frequencies change for longer sequences");
  number("model.rope_scaling.factor", &rope.factor, 1.0, 1e6, "how many times as long");
  number("model.rope_scaling.original_max_position_embeddings",
         &rope.original_max_position_embeddings, 0, kMostTokens,
         "yarn, llama3: length trained on before; 0: max_position_embeddings");
  number("model.rope_scaling.low_freq_factor", &rope.low_freq_factor, 1e-6, 1e6, "llama3");
  number("model.rope_scaling.high_freq_factor", &rope.high_freq_factor, 1e-6, 1e6, "llama3");
  number("model.rope_scaling.beta_fast", &rope.beta_fast, 1e-6, 1e6, "yarn");
  number("model.rope_scaling.beta_slow", &rope.beta_slow, 1e-6, 1e6, "yarn");
  flag("model.rope_scaling.truncate", &rope.truncate, "yarn: whole bounds of the ramp");
  number("model.rope_scaling.attention_factor", &rope.attention_factor, 0.0, 1e6,
         "yarn: of cosines and sines; 0: from factor, or from mscale and mscale_all_dim");
  number("model.rope_scaling.mscale", &rope.mscale, 0.0, 1e6, "yarn");
  number("model.rope_scaling.mscale_all_dim", &rope.mscale_all_dim, 0.0, 1e6, "yarn");
  RelativePositionOptions& relative = c.model.relative;
  number("model.relative_attention_num_buckets", &relative.num_buckets, 2, 1 << 16,
         "t5: rows of the table, half of them for single distances");
  number("model.relative_attention_max_distance", &relative.max_distance, 2, kMostTokens,
         "t5: distances beyond share the last row");
  flag("model.relative_attention_per_layer", &relative.per_layer,
       "t5: a table for each layer, not one for all");
  number("model.max_relative_positions", &relative.max_relative_positions, 0, kMostTokens,
         "deberta: farther ones share a row; 0: max_position_embeddings, at most 512");
  number("model.position_buckets", &relative.position_buckets, 0, kMostTokens,
         "deberta: rows of the table if far distances share them; 0: one for each distance");
  number("model.memory_length", &c.model.memory_length, 0, kMostTokens,
         "transformer_xl: earlier positions kept as memory");

  text("data.train", &c.data.train, any, "shards to train on: a file or a glob");
  for (SourceConfig& source : c.data.sources) {
    text(kSources + source.name + ".train", &source.train, any,
         "instead of data.train: shards of one of several sources");
    number(kSources + source.name + ".weight", &source.weight, 1e-9, 1e9,
           "how often it is read, in proportion to the other sources");
  }
  text("data.val", &c.data.val, any, "shards to evaluate on; \"\": none");
  text("data.tokenizer", &c.data.tokenizer, any,
       "tokenizer.json; \"\": the one beside the training shards");
  text("data.shard_format", &c.data.shard_format, shard_format_names(),
       "raw_uint16: nanoGPT's files without a header");
  number("data.sequence_length", &c.data.sequence_length, 1, kMostInt32, "tokens per sequence");
  flag("data.mask_documents", &c.data.mask_documents,
       "attention, positions and targets stay inside a document");
  number("data.bos_token_id", &c.data.bos_token_id, -1, kMostTokens,
         "begins a document; -1: as dataset.json beside the shards says");
  number("data.eos_token_id", &c.data.eos_token_id, -1, kMostTokens,
         "ends a document; -1: as dataset.json beside the shards says");

  number("train.steps", &c.train.steps, 1, kMostSteps, "optimizer steps");
  number("train.batch_size", &c.train.batch_size, 1, kMostInt32, "sequences per micro-batch");
  number("train.gradient_accumulation_steps", &c.train.gradient_accumulation_steps, 1, kMostInt32,
         "micro-batches per step");
  text("train.init_from", &c.train.init_from, any,
       "model to go on from, its config.json being what [model] leaves open; \"\": new weights");
  text("train.precision", &c.train.precision, {"fp32", "bf16"},
       "of the factors in the linear layers' products; all else is fp32");
  number("train.seed", &c.train.seed, 0, 9e15, "of weights, order and samples");
  number("train.max_grad_norm", &c.train.max_grad_norm, 0.0, kHuge,
         "gradients are scaled down to this norm; 0: never");
  number("train.eval_every", &c.train.eval_every, 0, kMostSteps, "steps; 0: only at the end");
  number("train.eval_batches", &c.train.eval_batches, 0, kMostInt32, "0: the whole validation set");
  number("train.checkpoint_every", &c.train.checkpoint_every, 0, kMostSteps,
         "steps; 0: only at the end");
  number("train.keep_checkpoints", &c.train.keep_checkpoints, 0, kMostInt32,
         "older ones are removed; 0: keep all");
  number("train.sample_every", &c.train.sample_every, 0, kMostSteps, "steps; 0: never");
  text("train.sample_prompt", &c.train.sample_prompt, any, "what samples begin with");
  number("train.sample_tokens", &c.train.sample_tokens, 1, kMostInt32, "length of a sample");
  text("train.output_dir", &c.train.output_dir, any,
       "run directory; \"\": runs/NAME for a config NAME.toml");

  number("optimizer.learning_rate", &c.optimizer.learning_rate, 0.0, kHuge, "at its peak");
  number("optimizer.beta1", &c.optimizer.beta1, 0.0, 0.99999999, "AdamW: decay of the mean");
  number("optimizer.beta2", &c.optimizer.beta2, 0.0, 0.99999999, "AdamW: decay of the square");
  number("optimizer.eps", &c.optimizer.eps, 0.0, 1.0, "AdamW: added to the root");
  number("optimizer.weight_decay", &c.optimizer.weight_decay, 0.0, kHuge, "decoupled, on matrices");
  flag("optimizer.decay_embeddings", &c.optimizer.decay_embeddings,
       "weight decay on the embedding table too");

  text("schedule.name", &c.schedule.name, schedule_names(), "shape of the learning rate");
  number("schedule.warmup_steps", &c.schedule.warmup_steps, 0, kMostSteps,
         "linear rise at the start");
  number("schedule.decay_steps", &c.schedule.decay_steps, 0, kMostSteps,
         "step at which the minimum is reached; 0: train.steps");
  number("schedule.cooldown_steps", &c.schedule.cooldown_steps, 0, kMostSteps,
         "wsd: length of the final decay; 0: a fifth of decay_steps");
  number("schedule.min_lr_ratio", &c.schedule.min_lr_ratio, 0.0, 1.0, "minimum / peak");

  flag("log.tensorboard", &c.log.tensorboard,
       "event files in the run directory, and its embedding");
  number("log.norms_every", &c.log.norms_every, 0, kMostSteps,
         "steps; tensorboard: norms of weights and updates; 0: never");
  return keys;
}

TomlValue value_of(const Key& key) {
  return std::visit(
      [&](auto* field) {
        using T = std::remove_pointer_t<decltype(field)>;
        if constexpr (kIsOptional<T>) {
          return *field ? TomlValue{**field} : TomlValue{std::string("none")};
        } else {
          if constexpr (std::is_same_v<T, double>) {
            for (const Word& word : key.words) {
              if (*field == word.number) return TomlValue{word.word};
            }
          }
          return TomlValue{*field};
        }
      },
      key.field);
}

void assign(const Key& key, const TomlValue& value, const std::string& where) {
  const auto fail = [&](const std::string& summary, const std::string& hint = {}) {
    throw Error(key.name + ": " + summary,
                {.where = where,
                 .expected = expectation(key),
                 .got = dump_toml(value),
                 .hint = hint.empty() ? std::string("meaning of the key: ") + key.meaning : hint});
  };
  const std::string* const text = std::get_if<std::string>(&value.value);
  const auto set = [&]<class T>(T* field) {
    const T* held = std::get_if<T>(&value.value);
    T converted{};
    if constexpr (std::is_same_v<T, double>) {
      // An integer is a fine real number.
      if (const int64_t* whole = std::get_if<int64_t>(&value.value)) {
        converted = static_cast<double>(*whole);
        held = &converted;
      }
      for (const Word& word : key.words) {
        if (text && *text == word.word) return void(*field = word.number);
      }
    }
    if (!held) fail(std::string("wrong type: ") + value.kind_name());
    if constexpr (std::is_same_v<T, double> || std::is_same_v<T, int64_t>) {
      const double number = static_cast<double>(*held);
      if (number < key.least || number > key.most) fail("out of range");
    }
    if constexpr (std::is_same_v<T, std::string>) {
      const bool known = std::ranges::find(key.choices, *held) != key.choices.end();
      if (!key.choices.empty() && !known) {
        fail("not one of the choices", did_you_mean(*held, key.choices));
      }
    }
    *field = *held;
  };
  std::visit(
      [&](auto* field) {
        using T = std::remove_pointer_t<decltype(field)>;
        if constexpr (kIsOptional<T>) {
          field->reset();
          if (!text || *text != "none") set(&field->emplace());
        } else {
          set(field);
        }
      },
      key.field);
}

}  // namespace cria
