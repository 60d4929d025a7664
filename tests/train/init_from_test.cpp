// train.init_from: a run that goes on from a model.
#include "train/init_from.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "cria/exchange/load_model.h"
#include "cria/exchange/model_directory.h"
#include "cria/tokenizer_files/tokenizer_file.h"
#include "model/config_json.h"
#include "support/compare.h"
#include "support/tiny_model.h"
#include "support/tiny_run.h"

namespace cria {
namespace {

namespace fs = std::filesystem;

class StartingModel : public testing::Test {
 protected:
  using Overrides = std::vector<std::string>;

  static std::unique_ptr<Tokenizer> tokenizer(int characters) {
    std::vector<uint32_t> all;
    for (int i = 0; i < characters; ++i) all.push_back('0' + static_cast<uint32_t>(i));
    return make_char_tokenizer(all);
  }

  std::string path(const std::string& name) const { return run_.directory() / name; }

  // A model of other shapes than the defaults, all its weights at random.
  void write_model(ModelConfig config, const Tokenizer* tokenizer = nullptr,
                   NumberFormat format = NumberFormat::f32) {
    config.num_hidden_layers = 1;
    config.rms_norm_eps = 1e-6;
    config = resolved(config, 0, "test");
    Llama model(config);
    model.initialize(5);
    fs::remove_all(path("model"));
    fs::create_directory(path("model"));
    write_model_directory(path("model"), model, tokenizer, format);
  }

  RunConfig read(const Overrides& overrides = {}, bool resume = false) const {
    write_file(path("c.toml"), "[data]\ntrain = '" + path("train_*.bin") + "'\nval = '" +
                                   path("val_*.bin") +
                                   "'\nsequence_length = 12\n"
                                   "[train]\nsteps = 4\nbatch_size = 2\ncheckpoint_every = 2\n"
                                   "init_from = '" +
                                   path("model") + "'\noutput_dir = '" + path("run") + "'\n");
    return read_run_config(path("c.toml"), overrides, resume);
  }

  void expect_error(const Overrides& overrides, const std::vector<std::string>& parts) const {
    const std::string message = error_of([&] { read(overrides); });
    for (const std::string& part : parts) {
      EXPECT_NE(message.find(part), std::string::npos) << part << " is not in: " << message;
    }
  }

  TinyRun run_;
};

TEST_F(StartingModel, ConfigIsTheModels) {
  ModelConfig config = tiny_config();
  config.rope_scaling = {
      .rope_type = "yarn", .factor = 4.0, .original_max_position_embeddings = 30};
  config.attention_bias = true;
  write_model(config);
  const RunConfig read_config = read({"model.attention_dropout=0.25"});
  ModelConfig expected = read_model_config(path("model"));
  expected.attention_dropout = 0.25;
  EXPECT_EQ(to_json(resolved(read_config.model, 12, "test")), to_json(expected));
  EXPECT_EQ(read_config.start, path("model"));
}

TEST_F(StartingModel, WeightsDecideKeys) {
  write_model(tiny_config());
  const std::string model = ", as in " + path("model");
  expect_error(
      {"model.hidden_size=32"},
      {"override 'model.hidden_size=32': model.hidden_size: the weights of train.init_from "
       "are of another model",
       "expected: 24" + model, "got: 32"});
  expect_error({"model.vocab_size=38"}, {"model.vocab_size", "expected: 37" + model, "got: 38"});
  expect_error({"model.num_hidden_layers=2"}, {"num_hidden_layers", "expected: 1", "got: 2"});
  expect_error({"model.num_attention_heads=2"}, {"num_attention_heads", "expected: 4"});
  expect_error({"model.num_key_value_heads=4"}, {"num_key_value_heads", "expected: 2"});
  expect_error({"model.head_dim=8"}, {"head_dim", "expected: 6"});
  expect_error({"model.intermediate_size=8"}, {"intermediate_size", "expected: 40"});
  expect_error({"model.tie_word_embeddings=true"},
               {"tie_word_embeddings", "expected: false", "have grown apart: as one tensor"});
  expect_error({"model.attention_bias=true"}, {"attention_bias"});
  expect_error({"model.mlp_bias=true"}, {"mlp_bias"});
  expect_error({"model.embedding_norm=true"}, {"embedding_norm"});
  expect_error({"model.position='alibi'"}, {"model.position", "\"rope\"" + model, "\"alibi\""});
  // Said again, or left open.
  const RunConfig config = read({"model.hidden_size=24", "model.vocab_size=0", "model.head_dim=0",
                                 "model.num_key_value_heads=0", "model.intermediate_size=0",
                                 "model.max_position_embeddings=0", "model.rms_norm_eps=1e-5"});
  EXPECT_EQ(config.model.vocab_size, 37);
  EXPECT_EQ(config.model.num_key_value_heads, 2);
  EXPECT_EQ(config.model.intermediate_size, 40);
  EXPECT_EQ(config.model.max_position_embeddings, 120);
  EXPECT_EQ(config.model.rms_norm_eps, 1e-5);
  fs::remove_all(path("model"));
  expect_error({}, {path("model") + ": no model here"});
}

// A tied model, whose head becomes a tensor of its own: also when the run is resumed after that.
TEST_F(StartingModel, Untying) {
  ModelConfig config = tiny_config();
  config.tie_word_embeddings = true;
  write_model(config);
  expect_error({"model.tie_word_embeddings=false"},
               {"tie_word_embeddings", "expected: true", "train.untie_at_step = 1"});
  for (const Overrides& overrides :
       {Overrides{"train.untie_at_step=2"},
        Overrides{"train.untie_at_step=2", "model.tie_word_embeddings=true"}}) {
    Recorder whole, cut;
    run_training(read(overrides), whole);
    fs::rename(path("run"), path("whole"));
    for (const int64_t stop_after : {1, 2, 3}) {
      cut.stop = false;
      cut.stop_after = stop_after;
      EXPECT_FALSE(run_training(read(overrides), cut));
      cut.stop = false;
      EXPECT_TRUE(run_training(read(overrides, true), cut, true));
      for (const char* const name : {"model.safetensors", "optimizer.safetensors", "config.json"}) {
        EXPECT_TRUE(read_file(join_path(checkpoint_path(path("run"), 4), name)) ==
                    read_file(join_path(checkpoint_path(path("whole"), 4), name)))
            << name << ", stopped after " << stop_after;
      }
      fs::remove_all(path("run"));
    }
    fs::remove_all(path("whole"));
  }
}

TEST_F(StartingModel, LongerSequences) {
  write_model(tiny_config());
  expect_error({"data.sequence_length=121"},
               {"override 'data.sequence_length=121': data.sequence_length", "at most 120",
                "model.max_position_embeddings"});
  const RunConfig config =
      read({"data.sequence_length=200", "model.max_position_embeddings=240",
            "model.rope_scaling.rope_type='yarn'", "model.rope_scaling.factor=2.0"});
  EXPECT_EQ(config.model.max_position_embeddings, 240);
  EXPECT_EQ(config.model.rope_scaling.original_max_position_embeddings, 120);
  write_model(position_config("learned", 2, true));
  expect_error({"model.max_position_embeddings=240"},
               {"model.max_position_embeddings", "expected: 120", "got: 240"});
}

TEST_F(StartingModel, TrainsOnFromTheWeights) {
  for (const NumberFormat format : {NumberFormat::f32, NumberFormat::bf16}) {
    write_model(tiny_config(), nullptr, format);
    fs::remove_all(path("run"));
    Recorder recorder;
    RunConfig config = read();
    Trainer trainer(config, false, recorder);
    const LoadedModel model = read_model_directory(path("model"));
    for (const Parameter& slot : trainer.model().parameters().slots()) {
      const Parameter& from = *model.model->parameters().find(slot.name);
      EXPECT_EQ(std::memcmp(slot.value.data, from.value.data,
                            static_cast<size_t>(slot.value.size()) * sizeof(float)),
                0)
          << slot.name;
      EXPECT_EQ(slot.m.data[0], 0.0f);
    }
  }
}

// What the run needs of the model is in its checkpoints.
TEST_F(StartingModel, ResumesWithoutTheModel) {
  const auto own = tokenizer(30);  // fewer than the model's rows: those beyond are padding
  const auto train = [&](const std::string& run, int stop_after, bool resume,
                         const std::string& file = "") {
    const Overrides overrides = {"train.output_dir='" + path(run) + "'"};
    RunConfig config =
        file.empty() ? read(overrides, resume) : read_run_config(file, overrides, resume);
    Recorder recorder;
    recorder.stop_after = stop_after;
    run_training(config, recorder, resume);
  };
  write_model(tiny_config(), own.get());
  write_file(path("model/generation_config.json"), R"({"eos_token_id":[3,4]})");
  train("whole", -1, false);
  train("keys", 2, false);
  train("config", 2, false);
  fs::remove_all(path("model"));
  train("keys", -1, true);
  train("config", -1, true, path("config/config.toml"));
  const auto bytes = [&](const std::string& run, const char* name) {
    return read_file(join_path(checkpoint_path(path(run), 4), name));
  };
  for (const char* const name : {"model.safetensors", "optimizer.safetensors", "config.json",
                                 "generation_config.json", "tokenizer.json"}) {
    EXPECT_TRUE(bytes("keys", name) == bytes("whole", name)) << name;
    EXPECT_TRUE(bytes("config", name) == bytes("whole", name)) << name;
  }
  EXPECT_EQ(load_model(path("whole")).end_tokens, (std::vector<int32_t>{3, 4}));
  EXPECT_EQ(load_model(path("whole")).tokenizer->vocab_size(), 30);
  // A run is a model to start from.
  const RunConfig next = read({"train.init_from='" + path("whole") + "'"});
  EXPECT_EQ(next.start, checkpoint_path(path("whole"), 4));
}

TEST_F(StartingModel, TokenizerMustBeTheModels) {
  write_model(tiny_config(), tokenizer(30).get());
  RunConfig config = read();
  EXPECT_EQ(config.data.tokenizer, "");
  EXPECT_EQ(read_run_tokenizer(config)->vocab_size(), 30);
  // Beside the shards.
  write_tokenizer_files(run_.directory().path(), *tokenizer(30));
  config = read();
  EXPECT_EQ(config.data.tokenizer, path("tokenizer.json"));
  EXPECT_EQ(read_run_tokenizer(config)->vocab_size(), 30);
  write_tokenizer_files(run_.directory().path(), *tokenizer(31));
  const std::string message = error_of([&] { read_run_tokenizer(config); });
  for (const std::string& part :
       {path("tokenizer.json") + ": token 30: not the tokenizer of the model",
        "expected: no token, as in " + path("model"), std::string("got: 'N'")}) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }
  // A model without one takes the shards'.
  fs::remove(path("model/tokenizer.json"));
  EXPECT_EQ(read_run_tokenizer(read())->vocab_size(), 31);
}

}  // namespace
}  // namespace cria
