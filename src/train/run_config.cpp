#include "cria/train/run_config.h"

#include <algorithm>
#include <filesystem>
#include <type_traits>
#include <variant>

#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/base/number.h"
#include "cria/base/toml.h"
#include "cria/data/shard.h"
#include "cria/position/position.h"

namespace cria {
namespace {

constexpr double kMost = 2147483647;  // of int32
constexpr double kMostTokens = 1 << 24;
constexpr double kMostSteps = 1e12;
constexpr double kHuge = 1e300;

using Field = std::variant<bool*, int64_t*, double*, std::string*>;

struct Key {
  const char* name;  // "table.key"
  Field field;
  double least, most;                // numbers
  std::vector<std::string> choices;  // strings; empty: any
  const char* meaning;
};

// The one list of keys. Everything that reads, writes or explains a config walks it.
std::vector<Key> keys_of(RunConfig& c) {
  std::vector<Key> keys;
  const auto flag = [&](const char* name, bool* field, const char* meaning) {
    keys.push_back({name, field, 0, 0, {}, meaning});
  };
  const auto number = [&](const char* name, auto* field, double least, double most,
                          const char* meaning) {
    keys.push_back({name, field, least, most, {}, meaning});
  };
  const auto text = [&](const char* name, std::string* field,
                        const std::vector<std::string>& choices, const char* meaning) {
    keys.push_back({name, field, 0, 0, choices, meaning});
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
         "this row of the embedding starts at zero and gets no gradient; -1: none");
  number("model.initializer_range", &c.model.initializer_range, 1e-12, 10.0,
         "standard deviation of initial weights");
  flag("model.scale_residual_init", &c.model.scale_residual_init,
       "o_proj and down_proj start smaller by 1/sqrt(2 num_hidden_layers)");
  text("model.position", &c.model.position, position_names(), "position encoding");
  number("model.rope_theta", &c.model.rope_theta, 1.0, kHuge, "base of the rotary frequencies");

  text("data.train", &c.data.train, any, "shards to train on: a file or a glob");
  text("data.val", &c.data.val, any, "shards to evaluate on; \"\": none");
  text("data.tokenizer", &c.data.tokenizer, any,
       "tokenizer.json; \"\": the one beside the training shards");
  text("data.shard_format", &c.data.shard_format, shard_format_names(),
       "raw_uint16: nanoGPT's files without a header");
  number("data.sequence_length", &c.data.sequence_length, 1, kMost, "tokens per sequence");

  number("train.steps", &c.train.steps, 1, kMostSteps, "optimizer steps");
  number("train.batch_size", &c.train.batch_size, 1, kMost, "sequences per micro-batch");
  number("train.gradient_accumulation_steps", &c.train.gradient_accumulation_steps, 1, kMost,
         "micro-batches per step");
  text("train.precision", &c.train.precision, {"fp32", "bf16"},
       "of the factors in the linear layers' products; all else is fp32");
  number("train.seed", &c.train.seed, 0, 9e15, "of weights, order and samples");
  number("train.max_grad_norm", &c.train.max_grad_norm, 0.0, kHuge,
         "gradients are scaled down to this norm; 0: never");
  number("train.eval_every", &c.train.eval_every, 0, kMostSteps, "steps; 0: only at the end");
  number("train.eval_batches", &c.train.eval_batches, 0, kMost, "0: the whole validation set");
  number("train.checkpoint_every", &c.train.checkpoint_every, 0, kMostSteps,
         "steps; 0: only at the end");
  number("train.keep_checkpoints", &c.train.keep_checkpoints, 0, kMost,
         "older ones are removed; 0: keep all");
  number("train.sample_every", &c.train.sample_every, 0, kMostSteps, "steps; 0: never");
  text("train.sample_prompt", &c.train.sample_prompt, any, "what samples begin with");
  number("train.sample_tokens", &c.train.sample_tokens, 1, kMost, "length of a sample");
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
  return keys;
}

std::string quoted_list(const std::vector<std::string>& choices) {
  std::string text;
  for (const std::string& choice : choices) text += (text.empty() ? "\"" : ", \"") + choice + "\"";
  return text;
}

// What a key takes, for errors.
std::string expectation(const Key& key) {
  if (std::holds_alternative<bool*>(key.field)) return "true or false";
  if (std::holds_alternative<std::string*>(key.field)) {
    return key.choices.empty() ? "a string in quotes" : "one of " + quoted_list(key.choices);
  }
  if (std::holds_alternative<int64_t*>(key.field)) {
    return "an integer, " + std::to_string(static_cast<int64_t>(key.least)) + " to " +
           std::to_string(static_cast<int64_t>(key.most));
  }
  return "a number, " + shortest_double(key.least) + " to " + shortest_double(key.most);
}

// Assigns a TOML value to a key's field.
void assign(const Key& key, const TomlValue& value, const std::string& where) {
  const auto fail = [&](const std::string& summary, const std::string& hint = {}) {
    throw Error(std::string(key.name) + ": " + summary,
                {.where = where,
                 .expected = expectation(key),
                 .got = dump_toml(value),
                 .hint = hint.empty() ? std::string("meaning of the key: ") + key.meaning : hint});
  };
  std::visit(
      [&](auto* field) {
        using T = std::remove_pointer_t<decltype(field)>;
        const T* held = std::get_if<T>(&value.value);
        T converted{};
        if constexpr (std::is_same_v<T, double>) {
          // An integer is a fine real number.
          if (const int64_t* whole = std::get_if<int64_t>(&value.value)) {
            converted = static_cast<double>(*whole);
            held = &converted;
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
      },
      key.field);
}

void set_key(RunConfig& config, const std::string& name, const TomlValue& value,
             const std::string& where) {
  std::vector<std::string> names;
  for (const Key& key : keys_of(config)) {
    if (name == key.name) return assign(key, value, where);
    names.push_back(key.name);
  }
  // The right key in another table, or in none, is not near by edit distance.
  const std::string last = name.substr(name.rfind('.') + 1);
  const auto same = std::ranges::find_if(
      names, [&](const std::string& key) { return key.substr(key.find('.') + 1) == last; });
  std::string hint =
      same != names.end() ? "did you mean '" + *same + "'?" : did_you_mean(name, names);
  if (hint.empty()) hint = "a key stands below its [table], or is written table.key";
  throw Error("unknown key '" + name + "'", {.where = where,
                                             .expected = "a key that 'cria train --help' lists",
                                             .got = "'" + name + "'",
                                             .hint = hint});
}

// Calls line(table, key, value as TOML, meaning) for every key.
template <class Line>
void list_keys(RunConfig config, Line&& line) {
  for (const Key& key : keys_of(config)) {
    const std::string name = key.name;
    const size_t dot = name.find('.');
    const TomlValue value = std::visit([](auto* field) { return TomlValue{*field}; }, key.field);
    line(name.substr(0, dot), name.substr(dot + 1), dump_toml(value), key.meaning);
  }
}

}  // namespace

RunConfig read_run_config(const std::string& path, std::span<const std::string> overrides) {
  RunConfig config;
  config.source = path;
  for (const TomlEntry& entry : parse_toml(read_file(path), path)) {
    set_key(config, entry.key, entry.value,
            path + ":" + std::to_string(entry.line) + ":" + std::to_string(entry.column));
  }
  for (const std::string& text : overrides) {
    const size_t equals = text.find('=');
    const std::string where = "override '" + text + "'";
    if (equals == std::string::npos) {
      throw UsageError("not an override", {.where = where, .expected = "table.key=value"});
    }
    set_key(config, text.substr(0, equals), parse_toml_value(text.substr(equals + 1), where),
            where);
  }
  if (config.data.train.empty()) {
    throw Error("data.train is missing", {.where = path,
                                          .expected = "the token shards to train on",
                                          .hint = "'cria prepare' makes them from text"});
  }
  if (config.train.output_dir.empty()) {
    config.train.output_dir = "runs/" + std::filesystem::path(path).stem().string();
  }
  if (config.data.tokenizer.empty()) {
    const std::string beside =
        (std::filesystem::path(config.data.train).parent_path() / "tokenizer.json").string();
    if (exists(beside)) config.data.tokenizer = beside;
  }
  if (config.schedule.decay_steps == 0) config.schedule.decay_steps = config.train.steps;
  return config;
}

Precision precision_of(const TrainConfig& train) {
  return train.precision == "bf16" ? Precision::bf16 : Precision::fp32;
}

std::string to_toml(const RunConfig& config) {
  std::string text, open_table;
  list_keys(config, [&](const std::string& table, const std::string& key, const std::string& value,
                        const char*) {
    if (table != open_table) text += (text.empty() ? "[" : "\n[") + table + "]\n";
    open_table = table;
    text += key + " = " + value + "\n";
  });
  return text;
}

std::string describe_keys() {
  std::string text, open_table;
  list_keys(RunConfig{}, [&](const std::string& table, const std::string& key,
                             const std::string& value, const char* meaning) {
    if (table != open_table) text += (text.empty() ? "[" : "\n[") + table + "]\n";
    open_table = table;
    std::string assignment = key + " = " + value;
    assignment.resize(std::max<size_t>(assignment.size() + 1, 35), ' ');
    text += assignment + "# " + meaning + "\n";
  });
  return text;
}

}  // namespace cria
