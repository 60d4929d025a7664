// Model directories, cria's and other people's: the same model comes back, or an Error that says
// what is in the way.
#include "cria/exchange/model_directory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <limits>

#include "base/bf16.h"
#include "base/mutations.h"
#include "cria/base/file.h"
#include "cria/tokenizer_files/tokenizer_file.h"
#include "io/safetensors.h"
#include "model/config_json.h"
#include "support/compare.h"
#include "support/errors.h"
#include "support/files.h"
#include "support/tiny_model.h"

namespace cria {
namespace {

namespace fs = std::filesystem;
using enum NumberFormat;

std::vector<float> weights(const Llama& model) {
  std::vector<float> all;
  for (const Parameter& slot : model.parameters().slots()) {
    all.insert(all.end(), slot.value.data, slot.value.data + slot.value.size());
  }
  return all;
}

// A tensor of a file, for a test to change and write again.
struct Stored {
  std::string name;
  std::vector<int64_t> shape;
  std::vector<float> values;
};

class ModelDirectory : public testing::Test {
 protected:
  // Random weights, norms and biases included.
  static Llama make(const ModelConfig& config) {
    Llama model(resolved(config, 0, "test"));
    for (Parameter& slot : model.parameters().slots()) {
      fill_normal(slot.mutable_value().data, 0, slot.value.size(), 0.3, 1, slot.name);
    }
    return model;
  }

  static ModelConfig tied() {
    ModelConfig config = tiny_config();
    config.tie_word_embeddings = true;
    return config;
  }

  std::string save(const Llama& model, NumberFormat format = f32,
                   const Tokenizer* tokenizer = nullptr) {
    const std::string path = directory_ / ("model" + std::to_string(saved_++));
    fs::create_directory(path);
    write_model_directory(path, model, tokenizer, format);
    return path;
  }

  static std::vector<Stored> stored(const std::string& path) {
    const SafetensorsFile file(path);
    std::vector<Stored> all;
    for (const StoredTensor& entry : file.entries()) {
      Stored& each = all.emplace_back(Stored{entry.name, entry.shape, {}});
      each.values.resize(static_cast<size_t>(row_count(entry.shape) * row_size(entry.shape)));
      entry.read_rows(0, row_count(entry.shape), each.values.data());
    }
    return all;
  }

  static void write(const std::string& path, const std::vector<Stored>& tensors) {
    std::vector<TensorSource> sources;
    for (const Stored& each : tensors) {
      sources.emplace_back(each.name, each.shape, f32,
                           [&each](int64_t first, int64_t count, float* out) {
                             const int64_t size = row_size(each.shape);
                             std::copy_n(each.values.data() + first * size, count * size, out);
                           });
    }
    write_safetensors(path, sources);
  }

  static std::string file(const std::string& path, const char* name = "model.safetensors") {
    return join_path(path, name);
  }

  static void replace(const std::string& path, const std::string& from, const std::string& to) {
    std::string text = read_file(path);
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    write_file(path, text.replace(at, from.size(), to));
  }

  static void expect_error(const std::string& path, const std::vector<std::string>& parts) {
    const std::string message = error_of([&] { read_model_directory(path); });
    for (const std::string& part : parts) {
      EXPECT_NE(message.find(part), std::string::npos) << part << " is not in: " << message;
    }
  }

  TemporaryDirectory directory_;
  int saved_ = 0;
};

std::vector<ModelConfig> shapes() {
  std::vector<ModelConfig> all(9, tiny_config());
  all[1].tie_word_embeddings = true;
  all[2].attention_bias = all[2].mlp_bias = true;
  all[3].head_dim = 10;
  all[4].num_key_value_heads = 1;
  const char* const types[] = {"linear", "dynamic", "yarn", "llama3"};
  for (size_t i = 0; i < 4; ++i) {
    all[5 + i].rope_scaling = {
        .rope_type = types[i], .factor = 4.0, .original_max_position_embeddings = i < 2 ? 0 : 30};
  }
  for (const char* const position : {"alibi", "learned", "deberta", "transformer_xl", "t5"}) {
    all.push_back(position_config(position, 2, true));
  }
  for (ModelConfig& config : all) config = resolved(config, 0, "test");
  return all;
}

TEST_F(ModelDirectory, RoundTripIsExact) {
  for (const ModelConfig& config : shapes()) {
    const Llama model = make(config);
    const LoadedModel loaded = read_model_directory(save(model));
    EXPECT_EQ(to_json(loaded.model->config()), to_json(config)) << config.position;
    EXPECT_TRUE(same_bits(weights(*loaded.model), weights(model))) << config.position;
  }
}

TEST_F(ModelDirectory, HalvesAreRoundedOnce) {
  const Llama model = make(tied());
  for (const NumberFormat format : {f16, bf16}) {
    const std::string path = save(model, format);
    const SafetensorsFile stored(path);
    for (const StoredTensor& entry : stored.entries()) {
      EXPECT_EQ(entry.format, format) << entry.name;
    }
    EXPECT_NE(
        read_file(file(path, "config.json"))
            .find(format == f16 ? "\"torch_dtype\": \"float16\"" : "\"torch_dtype\": \"bfloat16\""),
        std::string::npos);
    std::vector<float> wanted = weights(model);
    for (float& value : wanted) {
      value = format == f16 ? from_f16(to_f16(value)) : from_bf16(to_bf16(value));
    }
    const LoadedModel loaded = read_model_directory(path);
    EXPECT_TRUE(same_bits(weights(*loaded.model), wanted));
    const std::string again = save(*loaded.model, format);
    EXPECT_TRUE(read_file(file(path)) == read_file(file(again)));
  }
}

TEST_F(ModelDirectory, WhatF16CannotHoldIsSaid) {
  Llama model = make(tied());
  float* const weight = model.parameters().find("model.norm.weight")->mutable_value().data;
  weight[3] = std::numeric_limits<float>::infinity();  // as it is
  weight[4] = 65519.0f;                                // rounds to the largest, 65504
  save(model, f16);
  weight[5] = -65520.0f;
  const std::string message = error_of([&] { save(model, f16); });
  EXPECT_NE(message.find("tensor 'model.norm.weight'"), std::string::npos) << message;
  EXPECT_NE(message.find("-65520"), std::string::npos) << message;
  save(model, bf16);
}

TEST_F(ModelDirectory, HasNoMemoryForTraining) {
  const LoadedModel loaded = read_model_directory(save(make(tied())));
  EXPECT_NE(loaded.model->parameters().value(), nullptr);
  EXPECT_EQ(loaded.model->parameters().grad(), nullptr);
  EXPECT_EQ(loaded.model->parameters().m(), nullptr);
  const TokenBatch tokens(1, 4, 37);
  Activations activations(*loaded.model, Purpose::training, 1, 4);
  EXPECT_GT(loaded.model->loss_sum(activations, tokens.inputs(), tokens.targets()), 0.0);
  EXPECT_NE(error_of([&] {
              loaded.model->loss_and_gradient(activations, tokens.inputs(), tokens.targets(), {});
            }).find("no gradients"),
            std::string::npos);
}

// The index decides, whatever lies beside it.
TEST_F(ModelDirectory, ShardedFiles) {
  const Llama model = make(tiny_config());
  const std::string path = save(model);
  const std::vector<Stored> all = stored(path);
  const std::vector<Stored> first(all.begin(), all.begin() + 7), second(all.begin() + 7, all.end());
  write(file(path, "model-00001-of-00002.safetensors"), first);
  write(file(path, "model-00002-of-00002.safetensors"), second);
  fs::remove(file(path));
  Json map;
  for (size_t i = 0; i < all.size(); ++i) {
    map.set(all[i].name,
            i < 7 ? "model-00001-of-00002.safetensors" : "model-00002-of-00002.safetensors");
  }
  const Json index =
      Json::Object{{"metadata", Json::Object{{"total_size", 1}}}, {"weight_map", std::move(map)}};
  write_file(file(path, "model.safetensors.index.json"), index.dump());
  EXPECT_TRUE(same_bits(weights(*read_model_directory(path).model), weights(model)));
  fs::remove(file(path, "model-00002-of-00002.safetensors"));
  expect_error(path, {"model-00002-of-00002.safetensors"});
}

// The config is one that transformers 4 wrote, with what was in such files besides.
TEST_F(ModelDirectory, OldFormOfConfig) {
  ModelConfig config = tiny_config();
  config.rms_norm_eps = 1e-6;
  config.rope_scaling = {.rope_type = "linear", .factor = 2.0};
  const Llama model = make(config);
  const std::string path = save(model);
  write_file(file(path, "config.json"), R"({
    "_name_or_path": "somebody/something", "architectures": ["LlamaForCausalLM"],
    "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 24,
    "initializer_range": 0.02, "intermediate_size": 40, "max_position_embeddings": 120,
    "model_type": "llama", "num_attention_heads": 4, "num_hidden_layers": 2,
    "num_key_value_heads": 2, "pad_token_id": -1, "pretraining_tp": 1,
    "rope_scaling": {"type": "linear", "factor": 2.0}, "rope_theta": 10000,
    "tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.31.0",
    "use_cache": true, "vocab_size": 37})");
  fs::remove(file(path, "generation_config.json"));
  std::vector<Stored> tensors = stored(path);
  tensors.push_back({"model.layers.0.self_attn.rotary_emb.inv_freq", {3}, {1.0f, 0.1f, 0.01f}});
  write(file(path), tensors);
  const LoadedModel loaded = read_model_directory(path);
  EXPECT_EQ(loaded.model->config(), model.config());
  EXPECT_TRUE(same_bits(weights(*loaded.model), weights(model)));
  EXPECT_EQ(loaded.end_tokens, std::vector<int32_t>{2});
  EXPECT_EQ(loaded.generation.dump(), R"({"bos_token_id":1,"eos_token_id":2})");
}

TEST_F(ModelDirectory, TiedAndNot) {
  const Llama model = make(tied());
  const std::string path = save(model);
  std::vector<Stored> tensors = stored(path);
  Stored head = *std::ranges::find(tensors, "model.embed_tokens.weight", &Stored::name);
  head.name = "lm_head.weight";
  tensors.push_back(head);
  write(file(path), tensors);
  const LoadedModel loaded = read_model_directory(path);
  EXPECT_TRUE(same_bits(weights(*loaded.model), weights(model)));
  EXPECT_EQ(loaded.model->parameters().find("lm_head.weight")->name, "model.embed_tokens.weight");
  // Some programs would use this head, others the table.
  tensors.back().values[30] += 1.0f;
  write(file(path), tensors);
  expect_error(path, {"tensor 'lm_head.weight': tied tensors differ", "other values in row 1"});

  const std::string untied = save(make(tiny_config()));
  tensors = stored(untied);
  std::erase_if(tensors, [](const Stored& each) { return each.name == "lm_head.weight"; });
  write(file(untied), tensors);
  expect_error(untied, {"model.safetensors: missing tensor 'lm_head.weight'"});
}

TEST_F(ModelDirectory, TensorsThatAreNotTheModels) {
  const std::string path = save(make(tiny_config()));
  const std::vector<Stored> right = stored(path);
  std::vector<Stored> tensors = right;
  tensors.push_back({"model.layers.0.self_attn.q_norm.weight", {6}, std::vector<float>(6)});
  write(file(path), tensors);
  expect_error(path, {"unexpected tensor 'model.layers.0.self_attn.q_norm.weight'"});
  // A name that only GGUF gives to a tensor.
  tensors = right;
  tensors.push_back({"rope_freqs.weight", {3}, std::vector<float>(3)});
  write(file(path), tensors);
  expect_error(path, {"unexpected tensor 'rope_freqs.weight'"});
  tensors = right;
  const auto q =
      std::ranges::find(tensors, "model.layers.1.self_attn.q_proj.weight", &Stored::name);
  q->shape = {12, 48};
  write(file(path), tensors);
  expect_error(path, {"model.safetensors: tensor 'model.layers.1.self_attn.q_proj.weight'",
                      "expected: [24, 24]", "got: [12, 48]"});
}

// No memory is asked for before the file is known to hold as much.
TEST_F(ModelDirectory, ASmallFileAsksForLittle) {
  const std::string path = save(make(tiny_config()));
  replace(file(path, "config.json"), "\"vocab_size\": 37", "\"vocab_size\": 16777216");
  replace(file(path, "config.json"), "\"intermediate_size\": 40",
          "\"intermediate_size\": 16777216");
  expect_error(path, {"tensor 'model.embed_tokens.weight': wrong shape", "[37, 24]"});
}

TEST_F(ModelDirectory, RefusesAPickle) {
  const std::string path = save(make(tiny_config()));
  fs::rename(file(path), file(path, "pytorch_model.bin"));
  expect_error(path, {"pytorch_model.bin: weights as a pickle", "expected: " + file(path)});
  fs::rename(file(path, "pytorch_model.bin"), file(path, "pytorch_model.bin.index.json"));
  expect_error(path, {"weights as a pickle"});
}

// No id, or one that no token can have, ends nothing.
TEST_F(ModelDirectory, EndTokensThatAreNone) {
  const std::string path = save(make(tiny_config()));
  const auto end_tokens = [&](const std::string& generation) {
    write_file(file(path, "generation_config.json"), generation);
    return read_model_directory(path).end_tokens;
  };
  EXPECT_EQ(end_tokens(R"({"eos_token_id": [2, 4294967298]})"), std::vector<int32_t>{2});
  EXPECT_EQ(end_tokens(R"({"eos_token_id": null})"), std::vector<int32_t>{});
}

TEST_F(ModelDirectory, RefusesAnotherArchitecture) {
  const std::string path = save(make(tiny_config()));
  const std::string config = file(path, "config.json"), right = read_file(config);
  replace(config, "\"llama\"", "\"mistral\"");
  expect_error(path, {"config.json: model_type", "\"llama\"", "\"mistral\""});
  write_file(config, right);
  replace(config, "\"rope_type\": \"default\"", "\"rope_type\": \"longrope\"");
  expect_error(path, {"config.json: rope_parameters: rope_type", "\"longrope\""});
}

// Damaged files are refused, or they are those of a model.
TEST_F(ModelDirectory, DamagedFiles) {
  const std::string path = save(make(tied()));
  for (const char* const name : {"config.json", "generation_config.json", "model.safetensors"}) {
    const std::vector<std::string> seed = {read_file(file(path, name))};
    Rng rng(1, name);
    int refused = 0;
    for (int trial = 0; trial < 300; ++trial) {
      write_quickly(file(path, name), mutated(seed, rng));
      refused += !error_of([&] { read_model_directory(path); }).empty();
    }
    EXPECT_GT(refused, 50) << name;
    write_file(file(path, name), seed.front());
  }
  read_model_directory(path);
}

// What others say of generation stays as it is; a tokenizer adds what they do not say.
TEST_F(ModelDirectory, KeepsWhatIsSaidOfGeneration) {
  const auto tokenizer =
      with_special_tokens(make_char_tokenizer({'a', 'b'}), {"<pad>"}, "<s>", "</s>");
  const Llama model = make(tied());
  const std::string path = save(model, f32, tokenizer.get());
  EXPECT_EQ(read_model_directory(path).end_tokens, std::vector<int32_t>{4});
  const std::string said = R"({"temperature":0.6,"eos_token_id":[4,2]})";
  write_file(file(path, "generation_config.json"), said);
  const LoadedModel loaded = read_model_directory(path);
  EXPECT_EQ(loaded.end_tokens, (std::vector<int32_t>{4, 2}));
  const std::string copy = directory_ / "copy";
  fs::create_directory(copy);
  write_model_directory(copy, *loaded.model, loaded.tokenizer.get(), f32, loaded.generation);
  const auto json = [&](const char* name) {
    return Json::parse(read_file(file(copy, name)), name);
  };
  EXPECT_EQ(json("generation_config.json").dump(),
            R"({"temperature":0.6,"eos_token_id":[4,2],"bos_token_id":3})");
  EXPECT_EQ(json("config.json").find("eos_token_id")->dump(), "[4,2]");
  EXPECT_EQ(json("config.json").find("bos_token_id")->dump(), "3");
  EXPECT_EQ(read_model_directory(copy).end_tokens, loaded.end_tokens);
}

TEST(RequireLlama, NamesWhatOtherProgramsDoNotKnow) {
  require_llama(tiny_config(), "m");
  std::vector<std::pair<std::string, ModelConfig>> others(5, {"", tiny_config()});
  others[0].first = "m: model.position";
  others[0].second.position = "alibi";
  others[1].first = "m: model.embedding_scale";
  others[1].second.embedding_scale = 2.0;
  others[2].first = "m: model.embedding_norm";
  others[2].second.embedding_norm = true;
  others[3].first = "m: model.embedding.max_norm";
  others[3].second.embedding.max_norm = 1.0;
  others[4].first = "m: model.num_attention_heads";
  others[4].second.num_attention_heads = 5;
  for (const auto& other : others) {
    const std::string message = error_of([&] { require_llama(other.second, "m"); });
    EXPECT_TRUE(message.starts_with(other.first + ": ")) << message;
    EXPECT_NE(message.find("npy, npz and tsv"), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace cria
