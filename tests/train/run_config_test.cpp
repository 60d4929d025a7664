// Config files: every key there and back, and errors that say where and what.
#include "cria/train/run_config.h"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <optional>

#include "base/toml.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "model/config_json.h"
#include "model/config_keys.h"
#include "support/files.h"

namespace cria {
namespace {

using Overrides = std::vector<std::string>;

class RunConfigTest : public ::testing::Test {
 protected:
  std::string file() const { return directory_ / "small.toml"; }

  RunConfig read(const std::string& text, const Overrides& overrides = {}) const {
    std::ofstream(file()) << text;  // unlike write_file, without waiting for the disk
    return read_run_config(file(), overrides);
  }

  // The file has the one key without a default.
  RunConfig with(const Overrides& overrides) const { return read(kData, overrides); }

  std::string error(const std::string& text, const Overrides& overrides = {}) const {
    try {
      read(text, overrides);
    } catch (const Error& problem) {
      return problem.what();
    }
    return "no error";
  }

  void expect_error(const std::string& text, const Overrides& overrides,
                    const std::vector<std::string>& parts) const {
    const std::string message = error(text, overrides);
    for (const std::string& part : parts) {
      EXPECT_NE(message.find(part), std::string::npos) << part << " is not in: " << message;
    }
  }

  static constexpr char kData[] = "[data]\ntrain = 'x.bin'\n";
  TemporaryDirectory directory_;
};

// A value that the key accepts and that is not its default.
std::string another(const TomlEntry& entry) {
  const auto& value = entry.value.value;
  if (const bool* flag = std::get_if<bool>(&value)) return *flag ? "false" : "true";
  if (const int64_t* whole = std::get_if<int64_t>(&value)) return std::to_string(*whole + 3);
  if (const double* real = std::get_if<double>(&value)) {
    return dump_toml({*real == 0.5 ? 0.25 : *real < 1 ? 0.5 : *real + 2});
  }
  if (std::holds_alternative<std::vector<TomlValue>>(value)) return "[\"a\", \"b \\\"c\\\"\"]";
  if (entry.key == "train.on_spike") return "\"return\"";
  if (entry.key == "train.on_nonfinite") return "\"skip\"";
  if (entry.key == "model.embedding.padding_idx") return "-3";
  if (entry.key == "model.embedding.max_norm") return "0.5";
  if (entry.key == "model.embedding_scale") return "\"sqrt_hidden_size\"";
  if (entry.key == "model.embedding_initializer_range") return "\"1/sqrt(hidden_size)\"";
  if (entry.key == "model.head_initializer_range") return "0.5";
  if (entry.key == "model.position") return "\"none\"";
  if (entry.key == "model.rope_scaling.rope_type") return "\"yarn\"";
  if (entry.key == "data.shard_format") return "\"raw_uint16\"";
  if (entry.key == "train.precision") return "\"bf16\"";
  if (entry.key == "train.reduce_dtype") return "\"bf16\"";
  if (entry.key == "schedule.name") return "\"wsd\"";
  return "\"a \\\"b\\\"\\n\\u00e9\"";
}

TEST_F(RunConfigTest, EveryKeyRoundTrips) {
  const std::string defaults = to_toml(with({}));
  const std::vector<TomlEntry> entries = parse_toml(defaults, "defaults");
  EXPECT_GT(entries.size(), 40u);
  Overrides all;
  for (const TomlEntry& entry : entries) {
    if (entry.key == "train.init_from") continue;  // must be there, see init_from_test.cpp
    all.push_back(entry.key + "=" + another(entry));
    const std::string text = to_toml(with({all.back()}));
    EXPECT_EQ(to_toml(read(text)), text) << entry.key;
    int changed = 0;
    const std::vector<TomlEntry> now = parse_toml(text, "changed");
    ASSERT_EQ(now.size(), entries.size());
    for (size_t i = 0; i < now.size(); ++i) {
      if (now[i].value == entries[i].value) continue;
      ++changed;
      // decay_steps is train.steps unless given.
      EXPECT_TRUE(now[i].key == entry.key || now[i].key == "schedule.decay_steps") << now[i].key;
    }
    EXPECT_EQ(changed, entry.key == "train.steps" ? 2 : 1) << entry.key;
  }
  const std::string text = to_toml(with(all));
  EXPECT_EQ(to_toml(read(text)), text);
}

// Each key sets the field of its name, not another's.
TEST_F(RunConfigTest, KeysReachTheirFields) {
  const RunConfig c = with({"model.vocab_size=11",
                            "model.hidden_size=12",
                            "model.intermediate_size=13",
                            "model.num_hidden_layers=14",
                            "model.num_attention_heads=15",
                            "model.num_key_value_heads=16",
                            "model.head_dim=17",
                            "model.max_position_embeddings=18",
                            "model.rms_norm_eps=0.19",
                            "model.tie_word_embeddings=true",
                            "model.pad_token_id=20",
                            "model.initializer_range=0.21",
                            "model.embedding_initializer_range=67",
                            "model.head_initializer_range=68",
                            "model.scale_residual_init=false",
                            "model.logit_scale=69",
                            "model.embedding.gradient_scale=70",
                            "model.embedding.padding_idx=-44",
                            "model.embedding.max_norm=45",
                            "model.embedding.norm_type=46",
                            "model.embedding.scale_grad_by_freq=true",
                            "model.embedding.pretrained='e'",
                            "model.embedding_scale=47",
                            "model.embedding_dropout=0.48",
                            "model.attention_dropout=0.49",
                            "model.residual_dropout=0.50",
                            "model.position='none'",
                            "model.rope_theta=22.0",
                            "model.rope_scaling.rope_type='llama3'",
                            "model.rope_scaling.factor=51",
                            "model.rope_scaling.original_max_position_embeddings=52",
                            "model.rope_scaling.low_freq_factor=53",
                            "model.rope_scaling.high_freq_factor=54",
                            "model.rope_scaling.beta_fast=55",
                            "model.rope_scaling.beta_slow=56",
                            "model.rope_scaling.truncate=false",
                            "model.rope_scaling.attention_factor=57",
                            "model.rope_scaling.mscale=58",
                            "model.rope_scaling.mscale_all_dim=59",
                            "model.relative_attention_num_buckets=60",
                            "model.relative_attention_max_distance=61",
                            "model.relative_attention_per_layer=true",
                            "model.max_relative_positions=62",
                            "model.position_buckets=63",
                            "model.memory_length=64",
                            "data.train='t'",
                            "data.val='v'",
                            "data.tokenizer='k'",
                            "data.shard_format='raw_uint16'",
                            "data.sequence_length=23",
                            "data.mask_documents=true",
                            "data.bos_token_id=65",
                            "data.eos_token_id=66",
                            "train.steps=24",
                            "train.batch_size=25",
                            "train.gradient_accumulation_steps=26",
                            "train.data_parallel=74",
                            "train.reduce_dtype='bf16'",
                            "train.peer_timeout=75.0",
                            "train.precision='bf16'",
                            "train.seed=27",
                            "train.max_grad_norm=28.0",
                            "train.z_loss=71",
                            "train.untie_at_step=72",
                            "data.loss_mask=true",
                            "train.freeze=['f', 'g']",
                            "train.on_nonfinite='skip'",
                            "train.on_spike='return'",
                            "train.patience=73",
                            "train.eval_every=29",
                            "train.eval_batches=30",
                            "train.checkpoint_every=31",
                            "train.keep_checkpoints=32",
                            "train.sample_every=33",
                            "train.sample_prompt='p'",
                            "train.sample_tokens=34",
                            "train.output_dir='o'",
                            "optimizer.learning_rate=35.0",
                            "optimizer.beta1=0.36",
                            "optimizer.beta2=0.37",
                            "optimizer.eps=0.38",
                            "optimizer.weight_decay=0.39",
                            "optimizer.decay_embeddings=false",
                            "schedule.name='linear'",
                            "schedule.warmup_steps=40",
                            "schedule.decay_steps=41",
                            "schedule.cooldown_steps=42",
                            "schedule.min_lr_ratio=0.43"});
  EXPECT_EQ(c.model.vocab_size, 11);
  EXPECT_EQ(c.model.hidden_size, 12);
  EXPECT_EQ(c.model.intermediate_size, 13);
  EXPECT_EQ(c.model.num_hidden_layers, 14);
  EXPECT_EQ(c.model.num_attention_heads, 15);
  EXPECT_EQ(c.model.num_key_value_heads, 16);
  EXPECT_EQ(c.model.head_dim, 17);
  EXPECT_EQ(c.model.max_position_embeddings, 18);
  EXPECT_EQ(c.model.rms_norm_eps, 0.19);
  EXPECT_TRUE(c.model.tie_word_embeddings);
  EXPECT_FALSE(c.model.attention_bias);
  EXPECT_FALSE(c.model.mlp_bias);
  EXPECT_TRUE(with({"model.attention_bias=true"}).model.attention_bias);
  EXPECT_TRUE(with({"model.mlp_bias=true"}).model.mlp_bias);
  EXPECT_EQ(c.model.pad_token_id, 20);
  EXPECT_EQ(c.model.initializer_range, 0.21);
  EXPECT_EQ(c.model.embedding_initializer_range, 67.0);
  EXPECT_EQ(c.model.head_initializer_range, 68.0);
  EXPECT_EQ(c.model.logit_scale, 69.0);
  EXPECT_EQ(c.model.embedding.gradient_scale, 70.0);
  EXPECT_FALSE(c.model.scale_residual_init);
  EXPECT_EQ(c.model.embedding.padding_idx, -44);
  EXPECT_EQ(c.model.embedding.max_norm, 45.0);
  EXPECT_EQ(c.model.embedding.norm_type, 46.0);
  EXPECT_TRUE(c.model.embedding.scale_grad_by_freq);
  EXPECT_FALSE(c.model.embedding.sparse);
  EXPECT_FALSE(c.model.embedding.freeze);
  EXPECT_TRUE(with({"model.embedding.sparse=true"}).model.embedding.sparse);
  EXPECT_TRUE(with({"model.embedding.freeze=true"}).model.embedding.freeze);
  EXPECT_EQ(c.model.embedding_pretrained, "e");
  EXPECT_EQ(c.model.embedding_scale, 47.0);
  EXPECT_FALSE(c.model.embedding_norm);
  EXPECT_TRUE(with({"model.embedding_norm=true"}).model.embedding_norm);
  EXPECT_EQ(c.model.embedding_dropout, 0.48);
  EXPECT_EQ(c.model.attention_dropout, 0.49);
  EXPECT_EQ(c.model.residual_dropout, 0.50);
  EXPECT_EQ(c.model.position, "none");
  EXPECT_EQ(c.model.rope_theta, 22.0);
  EXPECT_TRUE(c.model.rope_scaling == (RopeScaling{.rope_type = "llama3",
                                                   .factor = 51,
                                                   .original_max_position_embeddings = 52,
                                                   .low_freq_factor = 53,
                                                   .high_freq_factor = 54,
                                                   .beta_fast = 55,
                                                   .beta_slow = 56,
                                                   .truncate = false,
                                                   .attention_factor = 57,
                                                   .mscale = 58,
                                                   .mscale_all_dim = 59}));
  EXPECT_TRUE(c.model.relative == (RelativePositionOptions{.num_buckets = 60,
                                                           .max_distance = 61,
                                                           .per_layer = true,
                                                           .max_relative_positions = 62,
                                                           .position_buckets = 63}));
  EXPECT_EQ(c.model.memory_length, 64);
  EXPECT_EQ(c.data.train, "t");
  EXPECT_EQ(c.data.val, "v");
  EXPECT_EQ(c.data.tokenizer, "k");
  EXPECT_EQ(c.data.shard_format, "raw_uint16");
  EXPECT_EQ(c.data.sequence_length, 23);
  EXPECT_TRUE(c.data.mask_documents);
  EXPECT_TRUE(c.data.loss_mask);
  EXPECT_EQ(c.data.bos_token_id, 65);
  EXPECT_EQ(c.data.eos_token_id, 66);
  EXPECT_EQ(c.train.steps, 24);
  EXPECT_EQ(c.train.batch_size, 25);
  EXPECT_EQ(c.train.gradient_accumulation_steps, 26);
  EXPECT_EQ(c.train.data_parallel, 74);
  EXPECT_EQ(c.train.reduce_dtype, "bf16");
  EXPECT_EQ(c.train.peer_timeout, 75.0);
  EXPECT_EQ(c.train.precision, "bf16");
  EXPECT_TRUE(precision_of(c.train) == Precision::bf16);
  EXPECT_EQ(c.train.seed, 27);
  EXPECT_EQ(c.train.max_grad_norm, 28.0);
  EXPECT_EQ(c.train.z_loss, 71.0);
  EXPECT_EQ(c.train.untie_at_step, 72);
  EXPECT_EQ(c.train.freeze, (std::vector<std::string>{"f", "g"}));
  EXPECT_EQ(c.train.on_nonfinite, "skip");
  EXPECT_EQ(c.train.on_spike, "return");
  EXPECT_EQ(c.train.patience, 73);
  EXPECT_EQ(c.train.eval_every, 29);
  EXPECT_EQ(c.train.eval_batches, 30);
  EXPECT_EQ(c.train.checkpoint_every, 31);
  EXPECT_EQ(c.train.keep_checkpoints, 32);
  EXPECT_EQ(c.train.sample_every, 33);
  EXPECT_EQ(c.train.sample_prompt, "p");
  EXPECT_EQ(c.train.sample_tokens, 34);
  EXPECT_EQ(c.train.output_dir, "o");
  EXPECT_EQ(c.optimizer.learning_rate, 35.0);
  EXPECT_EQ(c.optimizer.beta1, 0.36);
  EXPECT_EQ(c.optimizer.beta2, 0.37);
  EXPECT_EQ(c.optimizer.eps, 0.38);
  EXPECT_EQ(c.optimizer.weight_decay, 0.39);
  EXPECT_FALSE(c.optimizer.decay_embeddings);
  EXPECT_EQ(c.schedule.name, "linear");
  EXPECT_EQ(c.schedule.warmup_steps, 40);
  EXPECT_EQ(c.schedule.decay_steps, 41);
  EXPECT_EQ(c.schedule.cooldown_steps, 42);
  EXPECT_EQ(c.schedule.min_lr_ratio, 0.43);
}

TEST_F(RunConfigTest, DefaultsAreTheStructs) {
  const RunConfig c = with({});
  EXPECT_EQ(c.source, file());
  EXPECT_EQ(c.model, ModelConfig{});
  EXPECT_EQ(c.data.train, "x.bin");
  EXPECT_EQ(c.data.val, "");
  EXPECT_EQ(c.data.tokenizer, "");
  EXPECT_EQ(c.train.steps, TrainConfig{}.steps);
  EXPECT_TRUE(precision_of(c.train) == Precision::fp32);
  EXPECT_EQ(c.train.output_dir, "runs/small");
  EXPECT_EQ(c.schedule.decay_steps, c.train.steps);
  EXPECT_EQ(with({"train.steps=77"}).schedule.decay_steps, 77);
  EXPECT_EQ(with({"train.steps=77", "schedule.decay_steps=5"}).schedule.decay_steps, 5);
}

TEST_F(RunConfigTest, TheTokenizerBesideTheShards) {
  const std::string beside = directory_ / "tokenizer.json";
  const Overrides here = {"data.train='" + (directory_ / "train_*.bin") + "'"};
  EXPECT_EQ(with(here).data.tokenizer, "");
  write_file(beside, "{}");
  EXPECT_EQ(with(here).data.tokenizer, beside);
  EXPECT_EQ(with({here[0], "data.tokenizer='other.json'"}).data.tokenizer, "other.json");
}

TEST_F(RunConfigTest, OverridesWinAndTheLastOneMost) {
  const std::string text = "[train]\nsteps = 5\n" + std::string(kData);
  EXPECT_EQ(read(text).train.steps, 5);
  EXPECT_EQ(read(text, {"train.steps=6", "train.steps=7"}).train.steps, 7);
  EXPECT_EQ(read(text, {"train.sample_prompt=\"a=b\""}).train.sample_prompt, "a=b");
}

TEST_F(RunConfigTest, AnIntegerIsARealNumber) {
  EXPECT_EQ(with({"optimizer.learning_rate=1"}).optimizer.learning_rate, 1.0);
  EXPECT_EQ(read("[model]\nrope_theta = 500000\n" + std::string(kData)).model.rope_theta, 5e5);
}

TEST_F(RunConfigTest, NumbersThatMayBeNone) {
  EXPECT_EQ(with({}).model.embedding.padding_idx, std::nullopt);
  EXPECT_EQ(with({"model.embedding.padding_idx=0"}).model.embedding.padding_idx, 0);
  EXPECT_EQ(with({"model.embedding.max_norm=1"}).model.embedding.max_norm, 1.0);
  const std::string text = "[model]\nembedding.padding_idx = 7\nembedding.max_norm = 2.5\n";
  const RunConfig given = read(text + kData);
  EXPECT_EQ(given.model.embedding.padding_idx, 7);
  EXPECT_EQ(given.model.embedding.max_norm, 2.5);
  const RunConfig none =
      read(text + kData, {"model.embedding.padding_idx='none'", "model.embedding.max_norm='none'"});
  EXPECT_EQ(none.model.embedding.padding_idx, std::nullopt);
  EXPECT_EQ(none.model.embedding.max_norm, std::nullopt);
}

TEST_F(RunConfigTest, NumbersWithAName) {
  const auto scale = [&](const std::string& value) {
    return with({"model.embedding_scale=" + value}).model.embedding_scale;
  };
  EXPECT_EQ(scale("'none'"), 1.0);
  EXPECT_EQ(scale("'sqrt_hidden_size'"), 0.0);
  EXPECT_EQ(scale("2"), 2.0);
  const auto norm_type = [&](const std::string& value) {
    return with({"model.embedding.norm_type=" + value}).model.embedding.norm_type;
  };
  EXPECT_EQ(norm_type("'inf'"), std::numeric_limits<double>::infinity());
  EXPECT_EQ(norm_type("0.5"), 0.5);
  const auto head = [&](const std::string& value) {
    return with({"model.head_initializer_range=" + value}).model.head_initializer_range;
  };
  EXPECT_EQ(head("'none'"), std::nullopt);
  EXPECT_EQ(head("'1/sqrt(hidden_size)'"), 0.0);
  EXPECT_EQ(head("0.3"), 0.3);
  const std::string text =
      to_toml(with({"model.embedding.norm_type='inf'", "model.embedding_scale='sqrt_hidden_size'",
                    "model.embedding_initializer_range='1/sqrt(hidden_size)'"}));
  EXPECT_NE(text.find("\nembedding_initializer_range = \"1/sqrt(hidden_size)\"\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("\nembedding.norm_type = \"inf\"\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\nembedding_scale = \"sqrt_hidden_size\"\n"), std::string::npos) << text;
  EXPECT_EQ(to_toml(read(text)), text);
}

TEST_F(RunConfigTest, AWordForAnInteger) {
  RunConfig config = with({"log.diagnostics='log'"});
  EXPECT_EQ(config.log.diagnostics, LogConfig::kLogarithmic);
  EXPECT_NE(to_toml(config).find("\ndiagnostics = \"log\"\n"), std::string::npos);
  EXPECT_EQ(read(to_toml(config)).log.diagnostics, LogConfig::kLogarithmic);
  EXPECT_EQ(with({"log.diagnostics=50"}).log.diagnostics, 50);
  expect_error(kData, {"log.diagnostics='never'"},
               {"log.diagnostics: wrong type: string", "an integer, 0 to", ", or \"log\""});
  expect_error(kData, {"log.diagnostics=-1"}, {"log.diagnostics: out of range"});
}

TEST_F(RunConfigTest, WordsAndNumbersThatAreNot) {
  expect_error("[model]\nembedding.padding_idx = \"nine\"\n", {},
               {file() + ":2:1: model.embedding.padding_idx: wrong type: string",
                "an integer, -16777216 to 16777216, or \"none\"", "got: \"nine\""});
  expect_error(kData, {"model.embedding.padding_idx=1.0"}, {"wrong type: float", "or \"none\""});
  expect_error(kData, {"model.embedding.padding_idx=99999999"}, {"out of range", "99999999"});
  expect_error(kData, {"model.embedding.max_norm=-1"},
               {"model.embedding.max_norm: out of range", "a number, 0.0 to 1e+300, or \"none\""});
  expect_error(kData, {"model.embedding.max_norm='inf'"}, {"wrong type: string"});
  expect_error(kData, {"model.embedding.norm_type=0"},
               {"model.embedding.norm_type: out of range", "0.001 to 1e+300, or \"inf\""});
  expect_error(kData, {"model.embedding.norm_type='none'"}, {"wrong type: string", "or \"inf\""});
  expect_error(kData, {"model.embedding_scale='sqrt'"},
               {"model.embedding_scale: wrong type: string",
                "a number, 1e-30 to 1e+300, or \"none\", or \"sqrt_hidden_size\", or 0"});
  expect_error(kData, {"model.head_initializer_range='1/sqrt'"},
               {"model.head_initializer_range: wrong type: string",
                "a number, 1e-30 to 1e+06, or \"none\", or \"1/sqrt(hidden_size)\", or 0"});
  expect_error(kData, {"model.attention_dropout=1"},
               {"model.attention_dropout: out of range", "a number, 0.0 to 0.9999\n"});
  expect_error(kData, {"model.rope_scaling.rope_type='longrope'"},
               {"model.rope_scaling.rope_type: not one of the choices",
                "one of \"default\", \"linear\", \"dynamic\", \"yarn\", \"llama3\""});
  expect_error(kData, {"model.rope_scaling.factor=0.5"}, {"out of range", "1.0 to"});
  expect_error(kData, {"model.padding_idx=3"}, {"did you mean 'model.embedding.padding_idx'?"});
  expect_error(kData, {"model.embedding=3"}, {"unknown key 'model.embedding'"});
}

TEST_F(RunConfigTest, UnknownKeys) {
  expect_error(
      "# first\n[model]\n  hiden_size = 3\n", {},
      {file() + ":3:3: unknown key 'model.hiden_size'", "did you mean 'model.hidden_size'?"});
  expect_error("steps = 3\n", {}, {file() + ":1:1", "unknown key 'steps'"});
  expect_error(kData, {"train.step=3"},
               {"override 'train.step=3'", "unknown key 'train.step'", "'train.steps'"});
  expect_error("[model]\nzzzzzzzzzzzzzzzz = 1\n", {}, {":2:1", "'cria train --help' lists"});
}

TEST_F(RunConfigTest, WrongTypes) {
  expect_error("[model]\nhidden_size = \"128\"\n", {},
               {file() + ":2:1", "model.hidden_size", "wrong type", "string", "an integer, 1 to",
                "\"128\""});
  expect_error("[model]\nhidden_size = 128.0\n", {}, {":2:1", "float", "an integer", "128.0"});
  expect_error("[model]\nmlp_bias = 1\n", {}, {"model.mlp_bias", "integer", "true or false"});
  expect_error("[optimizer]\nlearning_rate = true\n", {},
               {"optimizer.learning_rate", "boolean", "a number, 0.0 to"});
  expect_error("[data]\ntrain = [1]\n", {}, {"data.train", "array", "a string in quotes"});
}

// What one types in a shell, whose own quotes are gone when it gets here.
TEST_F(RunConfigTest, OverridesTakeBareWords) {
  const auto value = [&](const std::string& text) { return with({"data.val=" + text}).data.val; };
  for (const char* text :
       {"val.bin", "data/val_*.bin", "3", "true", "[1]", "a b", "a=b", "", "\n", "it's", "C:\\x"}) {
    EXPECT_EQ(value(text), text);
  }
  // TOML's own quotes are still taken, and must be closed.
  EXPECT_EQ(value("\"val.bin\""), "val.bin");
  EXPECT_EQ(value(" 'val.bin'"), "val.bin");
  EXPECT_EQ(value("'true'"), "true");
  expect_error(kData, {"data.val=\"val.bin"}, {"override", "without a closing"});
  expect_error(kData, {"data.val=\xFF"}, {"invalid UTF-8"});
  const RunConfig config = with(
      {"model.position=alibi", "model.embedding.padding_idx=none", "log.diagnostics=log",
       "model.embedding_scale=sqrt_hidden_size", "model.head_initializer_range=1/sqrt(hidden_size)",
       "model.mlp_bias=true", "train.precision=bf16", "optimizer.groups.a.pattern=model.norm.*"});
  EXPECT_EQ(config.model.position, "alibi");
  EXPECT_EQ(config.model.embedding.padding_idx, std::nullopt);
  EXPECT_EQ(config.log.diagnostics, LogConfig::kLogarithmic);
  EXPECT_EQ(config.model.embedding_scale, 0.0);
  EXPECT_EQ(config.model.head_initializer_range, 0.0);
  EXPECT_TRUE(config.model.mlp_bias);
  EXPECT_EQ(config.train.precision, "bf16");
  EXPECT_EQ(config.optimizer.groups.front().pattern, "model.norm.*");
  // Words where numbers are wanted name what is wanted.
  expect_error(kData, {"train.steps=many"}, {"wrong type: string", "an integer, 0 to", "\"many\""});
  expect_error(kData, {"model.mlp_bias=True"}, {"true or false", "did you mean 'true'?"});
  expect_error("[model]\nmlp_bias = True\n", {}, {":2:12", "did you mean 'true'?"});
  expect_error(kData, {"train.precision=fp16"},
               {"one of \"fp32\", \"bf16\"", "meaning of the key"});
}

TEST_F(RunConfigTest, KeysByTheirNamesElsewhere) {
  for (const auto& [name, key] : std::vector<std::pair<std::string, std::string>>{
           {"lr", "optimizer.learning_rate"},
           {"optimizer.lr", "optimizer.learning_rate"},
           {"train.epochs", "train.steps"},
           {"model.n_layer", "model.num_hidden_layers"},
           {"n_head", "model.num_attention_heads"},
           {"model.n_embd", "model.hidden_size"},
           {"d_model", "model.hidden_size"},
           {"model.dropout", "model.residual_dropout"},
           {"block_size", "data.sequence_length"},
           {"batch-size", "train.batch_size"},
           {"train.Batch_Size", "train.batch_size"},
           {"schedule.warmup", "schedule.warmup_steps"},
           {"warmup_iters", "schedule.warmup_steps"},
           {"grad_clip", "train.max_grad_norm"},
           {"out_dir", "train.output_dir"},
           {"optimiser.weight_decay", "optimizer.weight_decay"},
           {"modle.hiden_size", "model.hidden_size"}}) {
    expect_error(kData, {name + "=1"},
                 {"unknown key '" + name + "'", "did you mean '" + key + "'?"});
  }
  expect_error(kData, {"epochs=3"},
               {"A step is batch_size * gradient_accumulation_steps sequences"});
  for (const char* const far : {"optimizer.xy", "train.qqq", "zzzzzzzz"}) {
    EXPECT_EQ(error(kData, {std::string(far) + "=1"}).find("did you mean"), std::string::npos)
        << far;
  }
}

TEST_F(RunConfigTest, ArraysOfStrings) {
  EXPECT_TRUE(with({}).train.freeze.empty());
  EXPECT_EQ(with({"train.freeze=[]"}).train.freeze, std::vector<std::string>{});
  for (const char* const wrong : {"'a'", "['a', 1]", "3", "[['a']]"}) {
    expect_error(kData, {std::string("train.freeze=") + wrong},
                 {"train.freeze: wrong type", "expected: an array of strings",
                  wrong[0] == '3' ? "got: 3" : "got: "});
  }
}

TEST_F(RunConfigTest, OutOfRange) {
  expect_error("[train]\nbatch_size = 0\n", {},
               {file() + ":2:1", "train.batch_size: out of range", "an integer, 1 to", "got: 0"});
  expect_error("[optimizer]\nbeta1 = 1.0\n", {}, {"optimizer.beta1", "out of range", "got: 1.0"});
  expect_error("[schedule]\nmin_lr_ratio = -0.1\n", {}, {"0.0 to 1.0", "-0.1"});
  // What config.json could not say again.
  expect_error(kData, {"model.rms_norm_eps=0.0"}, {"model.rms_norm_eps", "out of range"});
  expect_error(kData, {"model.initializer_range=0"}, {"model.initializer_range", "out of range"});
  expect_error(kData, {"model.max_position_embeddings=2147483647"}, {"out of range"});
}

TEST_F(RunConfigTest, Choices) {
  expect_error("[schedule]\nname = \"cosin\"\n", {},
               {file() + ":2:1", "schedule.name: not one of the choices",
                "\"cosine\", \"linear\", \"constant\", \"wsd\"", "did you mean 'cosine'?"});
  expect_error(kData, {"model.position='rop'"}, {"model.position", "'rope'"});
  expect_error(kData, {"data.shard_format='llm.c'"}, {"data.shard_format", "'llmc'"});
  expect_error("[train]\nprecision = \"bf61\"\n", {},
               {file() + ":2:1", "train.precision: not one of the choices", "\"fp32\", \"bf16\"",
                "did you mean 'bf16'?"});
  expect_error(kData, {"train.precision=16"}, {"train.precision", "one of \"fp32\", \"bf16\""});
}

TEST_F(RunConfigTest, NoData) {
  expect_error("[model]\nhidden_size = 8\n", {}, {file() + ": data.train is missing"});
  expect_error(kData, {"data.train=''"}, {"data.train is missing"});
}

TEST_F(RunConfigTest, Sources) {
  const std::string text =
      "[data.sources.web]\ntrain = 'w.bin'\nweight = 3\n"
      "[data.sources.\"my \\\"own\\\"\"]\ntrain = 'm.bin'\n[data]\nval = 'v.bin'\n"
      "[data.sources.'']\ntrain = 'e.bin'\n";
  const RunConfig c = read(text, {"data.sources.web.weight=0.25", "data.sources.2-b.train='b'",
                                  "data.sources.'my \"own\"'.weight=7"});
  ASSERT_EQ(c.data.sources.size(), 4u);
  const auto expect_source = [&](size_t i, const char* name, const char* train, double weight) {
    EXPECT_EQ(c.data.sources[i].name, name);
    EXPECT_EQ(c.data.sources[i].train, train);
    EXPECT_EQ(c.data.sources[i].weight, weight);
  };
  expect_source(0, "web", "w.bin", 0.25);
  expect_source(1, "my \"own\"", "m.bin", 7);
  expect_source(2, "", "e.bin", 1);
  expect_source(3, "2-b", "b", 1);
  EXPECT_EQ(c.data.val, "v.bin");
  const std::string written = to_toml(c);
  EXPECT_NE(written.find("\nsources.web.weight = 0.25\n"), std::string::npos) << written;
  EXPECT_EQ(to_toml(read(written)), written);
  ASSERT_EQ(c.data.training_sources().size(), 4u);
  ASSERT_EQ(with({}).data.training_sources().size(), 1u);
  EXPECT_EQ(with({}).data.training_sources()[0].train, "x.bin");
}

TEST_F(RunConfigTest, SourcesThatAreNot) {
  const std::string web = "[data.sources.web]\ntrain = 'w.bin'\n";
  expect_error(web, {"data.train='x.bin'"},
               {file() + ": data.train and data.sources.web both say what to train on",
                "expected: one of them"});
  expect_error(web + "[data.sources.b]\nweight = 2\n", {},
               {file() + ": data.sources.b.train is missing"});
  expect_error(web + "wieght = 2\n", {},
               {file() + ":3:1: unknown key 'data.sources.web.wieght'",
                "did you mean 'data.sources.web.weight'?"});
  expect_error("[data.sources]\nb = 'x.bin'\n", {},
               {":2:1: unknown key 'data.sources.b'", "[data.sources.NAME]"});
  expect_error("[data]\nsources = ['x.bin']\n", {},
               {"unknown key 'data.sources'", "[data.sources.NAME]"});
  expect_error("[data.sources.a.b]\ntrain = 'x'\n", {}, {"unknown key 'data.sources.a.b.train'"});
  for (const char* weight : {"0", "-1", "0.0"}) {
    expect_error(web, {std::string("data.sources.web.weight=") + weight},
                 {"data.sources.web.weight: out of range"});
  }
  expect_error(web, {"data.sources.'web.weight=2"}, {"override 'data.sources.'web.weight=2'"});
  expect_error(web, {"a=1\nb=2"}, {"override"});
}

TEST_F(RunConfigTest, Groups) {
  const std::string text =
      "[optimizer.groups.table]\npattern = 'model.embed_tokens.*'\nlearning_rate_factor = 3\n"
      "[optimizer.groups.\"my mlp\"]\npattern = '*.mlp.*'\nbeta1 = 0.5\n[optimizer]\nbeta2 = "
      "0.7\n" +
      std::string(kData);
  const RunConfig c = read(text, {"optimizer.groups.table.weight_decay_factor=0",
                                  "optimizer.groups.head.pattern='lm_head.weight'",
                                  "optimizer.groups.'my mlp'.beta2=0.25"});
  const std::vector<ParameterGroup>& groups = c.optimizer.groups;
  ASSERT_EQ(groups.size(), 3u);
  EXPECT_EQ(groups[0].name, "table");
  EXPECT_EQ(groups[0].pattern, "model.embed_tokens.*");
  EXPECT_EQ(groups[0].learning_rate_factor, 3.0);
  EXPECT_EQ(groups[0].weight_decay_factor, 0.0);
  EXPECT_EQ(groups[0].beta1, std::nullopt);
  EXPECT_EQ(groups[1].name, "my mlp");
  EXPECT_EQ(groups[1].learning_rate_factor, 1.0);
  EXPECT_EQ(groups[1].weight_decay_factor, 1.0);
  EXPECT_EQ(groups[1].beta1, 0.5);
  EXPECT_EQ(groups[1].beta2, 0.25);
  EXPECT_EQ(groups[2].pattern, "lm_head.weight");
  EXPECT_EQ(c.optimizer.beta2, 0.7);
  const std::string written = to_toml(c);
  EXPECT_NE(written.find("\ngroups.table.learning_rate_factor = 3.0\n"), std::string::npos)
      << written;
  EXPECT_EQ(to_toml(read(written)), written);
}

TEST_F(RunConfigTest, GroupsThatAreNot) {
  const std::string table = std::string(kData) + "[optimizer.groups.a]\nlearning_rate_factor = 2\n";
  expect_error(table, {}, {file() + ": optimizer.groups.a.pattern is missing", "model.embed_tok"});
  expect_error(table + "learning_rate = 2\n", {},
               {"unknown key 'optimizer.groups.a.learning_rate'",
                "did you mean 'optimizer.learning_rate'?"});
  expect_error(table + "patern = '*'\n", {}, {"did you mean 'optimizer.groups.a.pattern'?"});
  expect_error(std::string(kData) + "[optimizer]\ngroups = ['*']\n", {},
               {"unknown key 'optimizer.groups'", "[optimizer.groups.NAME]"});
  for (const char* wrong :
       {"learning_rate_factor=-1", "weight_decay_factor=-1", "beta1=1", "beta2=-0.1"}) {
    expect_error(table, {std::string("optimizer.groups.a.") + wrong}, {"out of range"});
  }
}

TEST_F(RunConfigTest, TheTokenizerBesideTheFirstSource) {
  const auto source = [&](const char* name) {
    return std::string("data.sources.") + name + ".train='" + (directory_ / name) + "/*/t_*.bin'";
  };
  for (const char* name : {"b/en", "a/en"}) {
    std::filesystem::create_directories(directory_ / name);
    std::ofstream((directory_ / name) + "/t_0.bin");
    std::ofstream((directory_ / name) + "/tokenizer.json");
  }
  EXPECT_EQ(read("", {source("b"), source("a")}).data.tokenizer,
            directory_ / "b/en/tokenizer.json");
  std::filesystem::remove(directory_ / "b/en/tokenizer.json");
  EXPECT_EQ(read("", {source("b"), source("a")}).data.tokenizer, "");
}

// config.json with one of the keys of [model], where that has a place for it.
Json config_json(const std::string& key, const Json& value) {
  const auto begins = [&](const char* part) { return key.starts_with(part); };
  Json json = Json::Object{{"model_type", "cria"}};
  json.set("position", begins("relative_")                                     ? "t5"
                       : begins("memory_length")                               ? "transformer_xl"
                       : begins("max_relative_") || begins("position_buckets") ? "deberta"
                                                                               : "rope");
  const std::string scaling = "rope_scaling.";
  if (begins(scaling.c_str())) {
    Json object = Json::Object{{"rope_type", key.ends_with("_freq_factor") ? "llama3" : "yarn"}};
    for (const char* needed :
         {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"}) {
      object.set(needed, 4);
    }
    object.set(key.substr(scaling.size()), value);
    json.set("rope_scaling", object);
    return json;
  }
  json.set("embedding_max_norm", 1);
  std::string name = key;
  std::ranges::replace(name, '.', '_');
  json.set(name, value);
  return json;
}

TEST_F(RunConfigTest, ConfigJsonHasTheSameRanges) {
  ModelConfig config;
  int checked = 0;
  for (const Key& key : model_keys(config)) {
    const std::string name = key.name.substr(key.name.find('.') + 1);
    if (key.most == 0 || name == "embedding.padding_idx") continue;
    const bool is_whole = std::holds_alternative<int64_t*>(key.field);
    for (const double number : {key.least - 2, 2 * key.most}) {
      const int64_t whole = static_cast<int64_t>(is_whole ? number : 0);
      const TomlValue value = is_whole ? TomlValue{whole} : TomlValue{number};
      const Json json = config_json(name, is_whole ? Json(whole) : Json(number));
      const std::string toml_error = error(kData, {key.name + "=" + dump_toml(value)});
      std::string json_error = "no error";
      try {
        model_config_from_json(json, "config.json");
      } catch (const Error& problem) {
        json_error = problem.what();
      }
      const size_t begin = json_error.find("\n  expected: a");
      ASSERT_NE(begin, std::string::npos) << key.name << ": " << json_error;
      const std::string range = json_error.substr(begin, json_error.find("\n", begin + 1) - begin);
      EXPECT_NE(json_error.find(": out of range\n"), std::string::npos) << json_error;
      EXPECT_NE(toml_error.find(key.name + ": out of range" + range), std::string::npos)
          << toml_error << '\n'
          << json_error;
      ++checked;
    }
  }
  EXPECT_EQ(checked, 2 * 36);
}

TEST_F(RunConfigTest, NotAnOverride) {
  EXPECT_THROW(with({"train.steps"}), UsageError);
  expect_error(kData, {"train.steps"}, {"override 'train.steps'", "table.key=value"});
  expect_error(kData, {"train.steps="}, {"override 'train.steps='"});
}

TEST_F(RunConfigTest, TheFileIsMissingOrNoToml) {
  EXPECT_THROW(read_run_config(directory_ / "missing.toml", {}), Error);
  expect_error("[model\n", {}, {file() + ":1:"});
  expect_error("[data]\ntrain = 'a'\ntrain = 'b'\n", {}, {file() + ":3:1"});
}

TEST_F(RunConfigTest, HelpIsACommentedConfigOfTheDefaults) {
  const std::string help = describe_keys();
  auto explained = parse_toml(help, "help");
  const auto defaults = parse_toml(to_toml({}), "defaults");
  // Those of a source and of a group, of which there are none by default.
  const auto named = [](const TomlEntry& e) { return e.key.find(".NAME.") != std::string::npos; };
  EXPECT_EQ(std::erase_if(explained, named), 2u + 5u);
  ASSERT_EQ(explained.size(), defaults.size());
  for (size_t i = 0; i < defaults.size(); ++i) {
    EXPECT_EQ(explained[i].key, defaults[i].key);
    EXPECT_TRUE(explained[i].value == defaults[i].value) << defaults[i].key;
  }
  // A meaning behind each.
  size_t lines = 0;
  for (size_t at = 0; (at = help.find(" # ", at)) != std::string::npos; ++at) {
    EXPECT_GT(help.find('\n', at) - at, 6u);
    ++lines;
  }
  EXPECT_EQ(lines, defaults.size() + 2 + 5);
}

TEST_F(RunConfigTest, TheConfigsOfTheRepository) {
  int found = 0;
  for (const std::string& path : glob_files(CRIA_SOURCE_DIR "/configs/*.toml")) {
    const RunConfig config = read_run_config(path, {});
    const std::string text = to_toml(config);
    EXPECT_EQ(to_toml(read(text)), text) << path;
    ModelConfig model = config.model;
    if (model.vocab_size == 0) model.vocab_size = 100;  // the tokenizer's
    EXPECT_NO_THROW(resolved(model, config.data.sequence_length, path)) << path;
    ++found;
  }
  EXPECT_GE(found, 3);
}

}  // namespace
}  // namespace cria
