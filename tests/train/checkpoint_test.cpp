// Checkpoints: exactly what was saved comes back, or an Error and nothing.
#include "cria/train/checkpoint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <limits>

#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/exchange/load_model.h"
#include "cria/tokenizer_files/tokenizer_file.h"
#include "support/compare.h"
#include "support/errors.h"
#include "support/files.h"
#include "support/tiny_model.h"

namespace cria {
namespace {

namespace fs = std::filesystem;

class CheckpointTest : public ::testing::Test {
 protected:
  static ModelConfig config(bool tied = false) {
    ModelConfig config = tiny_config();
    config.tie_word_embeddings = tied;
    config.attention_bias = true;
    config.rms_norm_eps = 3e-6;
    return config;
  }

  // Weights, m and v as training leaves them, and numbers that only exact files keep.
  static void fill(Llama& model) {
    model.initialize(1);
    Parameters& parameters = model.parameters();
    for (Parameter& slot : parameters.slots()) {
      fill_normal(slot.m.data, 0, slot.m.size(), 1.0, 2, slot.name);
      fill_normal(slot.v.data, 0, slot.v.size(), 1.0, 3, slot.name);
    }
    Parameter& first = parameters.slots().front();
    first.mutable_value().data[0] = -0.0f;
    first.mutable_value().data[1] = std::numeric_limits<float>::denorm_min();
    first.m.data[0] = std::numeric_limits<float>::max();
  }

  static std::vector<float> planes(Llama& model) {
    Parameters& p = model.parameters();
    std::vector<float> all;
    for (const float* plane : std::array<const float*, 3>{p.value(), p.m(), p.v()}) {
      all.insert(all.end(), plane, plane + p.plane_size());
    }
    return all;
  }

  static TrainingState state() {
    TrainingState state{.step = 12, .tokens = int64_t{1} << 40, .windows = 345, .seconds = 0.1};
    state.data.set("tokens", 99);
    return state;
  }

  std::string save(const Llama& model, const std::string& name = "checkpoint",
                   const Tokenizer* tokenizer = nullptr) const {
    const std::string path = directory_ / name;
    save_checkpoint(path, model, tokenizer, state());
    return path;
  }

  TemporaryDirectory directory_;
};

TEST_F(CheckpointTest, RoundTripIsExact) {
  for (const bool tied : {false, true}) {
    Llama model(config(tied)), copy(config(tied));
    fill(model);
    const std::string path = save(model, tied ? "tied" : "untied");
    const TrainingState got = load_checkpoint(path, copy);
    EXPECT_TRUE(same_bits(planes(copy), planes(model)));
    EXPECT_EQ(got.step, 12);
    EXPECT_EQ(got.tokens, int64_t{1} << 40);
    EXPECT_EQ(got.windows, 345u);
    EXPECT_EQ(got.seconds, 0.1);
    EXPECT_TRUE(got.data == state().data);
  }
}

TEST_F(CheckpointTest, IsAModelDirectory) {
  Llama model(config());
  fill(model);
  const auto tokenizer = make_char_tokenizer({'a', 0xE9, 0x20AC});
  const std::string with = save(model, "with", tokenizer.get()), without = save(model, "without");
  const auto names = [](const std::string& path) {
    std::vector<std::string> all;
    for (const auto& entry : fs::directory_iterator(path)) {
      all.push_back(entry.path().filename().string());
    }
    std::ranges::sort(all);
    return all;
  };
  EXPECT_EQ(names(with),
            (std::vector<std::string>{"config.json", "generation_config.json", "model.safetensors",
                                      "optimizer.safetensors", "special_tokens_map.json",
                                      "tokenizer.json", "tokenizer_config.json", "trainer.json"}));
  EXPECT_EQ(names(without),
            (std::vector<std::string>{"config.json", "generation_config.json", "model.safetensors",
                                      "optimizer.safetensors", "trainer.json"}));
  const Json json = Json::parse(read_file(join_path(with, "config.json")), "config.json");
  EXPECT_TRUE(*json.find("architectures") == Json(Json::Array{"LlamaForCausalLM"}));
  EXPECT_TRUE(*json.find("model_type") == Json("llama"));
  const auto number = [&](const char* key) { return json.find(key)->as_int(key); };
  EXPECT_EQ(number("vocab_size"), 37);
  EXPECT_EQ(number("hidden_size"), 24);
  EXPECT_EQ(number("intermediate_size"), 40);
  EXPECT_EQ(number("num_hidden_layers"), 2);
  EXPECT_EQ(number("num_attention_heads"), 4);
  EXPECT_EQ(number("num_key_value_heads"), 2);
  EXPECT_EQ(number("head_dim"), 6);
  EXPECT_EQ(number("max_position_embeddings"), 120);
  EXPECT_EQ(json.find("rms_norm_eps")->as_double("eps"), 3e-6);
  EXPECT_FALSE(json.find("tie_word_embeddings")->as_bool("tie"));
  EXPECT_TRUE(json.find("attention_bias")->as_bool("bias"));
  const Json trainer = Json::parse(read_file(join_path(with, "trainer.json")), "trainer.json");
  EXPECT_EQ(trainer.find("step")->as_int("step"), 12);
}

TEST_F(CheckpointTest, CarriesTheRolesOfTokens) {
  Llama model(config());
  fill(model);
  const auto tokenizer =
      with_special_tokens(make_char_tokenizer({'a', 'b'}), {"<pad>"}, "<s>", "</s>");
  tokenizer->set_special_tokens({.bos = 3, .eos = 4, .pad = 2});
  const std::string path = save(model, "roles", tokenizer.get());
  const auto json = [&](const char* name) {
    return Json::parse(read_file(join_path(path, name)), name);
  };
  EXPECT_EQ(*json("config.json").find("bos_token_id"), Json(3));
  EXPECT_EQ(*json("config.json").find("eos_token_id"), Json(4));
  // There it would be a row of the table that is not trained.
  EXPECT_TRUE(json("config.json").find("pad_token_id")->is_null());
  EXPECT_EQ(json("generation_config.json").dump(),
            R"({"_from_model_config":true,"bos_token_id":3,"eos_token_id":4,"pad_token_id":2})");
  EXPECT_EQ(*json("tokenizer_config.json").find("model_max_length"), Json(120));
  Llama copy(config());
  load_checkpoint(path, copy);
  EXPECT_TRUE(same_bits(planes(copy), planes(model)));
  const LoadedModel loaded = load_model(path);
  EXPECT_EQ(loaded.tokenizer->special_tokens(), tokenizer->special_tokens());
  EXPECT_EQ(loaded.tokenizer->ends(), tokenizer->ends());
  EXPECT_EQ(loaded.end_tokens, (std::vector<int32_t>{4}));
  // Others write a list; config.json counts when the other file says nothing.
  write_file(join_path(path, "generation_config.json"), R"({"eos_token_id":[7,9]})");
  EXPECT_EQ(load_model(path).end_tokens, (std::vector<int32_t>{7, 9}));
  write_file(join_path(path, "generation_config.json"), R"({"eos_token_id":null})");
  EXPECT_EQ(load_model(path).end_tokens, (std::vector<int32_t>{4}));
  write_file(join_path(path, "generation_config.json"), R"({"eos_token_id":"x"})");
  EXPECT_NE(error_of([&] { load_model(path); }).find("generation_config.json: eos_token_id"),
            std::string::npos);
}

TEST_F(CheckpointTest, LoadModel) {
  Llama model(config());
  fill(model);
  const auto tokenizer = make_char_tokenizer({'a', 0xE9, 0x20AC});
  const std::string run = directory_ / "run";
  save_checkpoint(checkpoint_path(run, 7), Llama(config()), nullptr, {});
  save_checkpoint(checkpoint_path(run, 12), model, tokenizer.get(), {});
  const auto weights = [](const Llama& m) {
    Parameters& p = const_cast<Llama&>(m).parameters();
    return std::vector<float>(p.value(), p.value() + p.plane_size());
  };
  for (const std::string& path : {run, checkpoint_path(run, 12), checkpoint_path(run, 12) + "/"}) {
    const LoadedModel loaded = load_model(path);
    EXPECT_TRUE(fs::equivalent(loaded.directory, checkpoint_path(run, 12)));
    EXPECT_TRUE(same_bits(weights(*loaded.model), weights(model)));
    ModelConfig want = model.config();
    // How it began is no part of a model.
    want.scale_residual_init = loaded.model->config().scale_residual_init;
    EXPECT_EQ(loaded.model->config(), want);
    ASSERT_TRUE(loaded.tokenizer);
    EXPECT_EQ(loaded.tokenizer->decode({2, 0, 1}), "€aé");
  }
  EXPECT_FALSE(load_model(checkpoint_path(run, 7)).tokenizer);
  EXPECT_EQ(load_model(checkpoint_path(run, 7)).step, 0);
  save_checkpoint(checkpoint_path(run, 8), model, nullptr, {.step = 8});
  EXPECT_EQ(load_model(checkpoint_path(run, 8)).step, 8);
  // Somebody else's model comes without these.
  fs::remove(join_path(checkpoint_path(run, 12), "optimizer.safetensors"));
  fs::remove(join_path(checkpoint_path(run, 12), "trainer.json"));
  EXPECT_TRUE(same_bits(weights(*load_model(run).model), weights(model)));
}

TEST_F(CheckpointTest, TheStepOfALoadedModelIsANumberFromZero) {
  const std::string path = save(Llama(config())), file = join_path(path, "trainer.json");
  EXPECT_EQ(load_model(path).step, 12);
  for (const char* const text : {"{}", R"({"step": -1})", R"({"step": "1"})"}) {
    write_file(file, text);
    EXPECT_NE(error_of([&] { load_model(path); }).find("trainer.json: step"), std::string::npos);
  }
}

TEST_F(CheckpointTest, NoModel) {
  const std::string missing = directory_ / "missing", empty = directory_ / "empty";
  fs::create_directory(empty);
  EXPECT_NE(error_of([&] { load_model(missing); }).find("no such directory"), std::string::npos);
  EXPECT_NE(error_of([&] { load_model(empty); }).find(empty), std::string::npos);
  Llama model(config());
  const std::string path = save(model);
  for (const char* name : {"model.safetensors", "config.json"}) {
    const std::string file = join_path(path, name);
    fs::rename(file, file + ".away");
    EXPECT_THROW(load_model(path), Error) << name;
    EXPECT_THROW(load_checkpoint(path, model), Error) << name;
    fs::rename(file + ".away", file);
  }
}

// Shortens a file of a checkpoint step by step; every time it must be refused, nothing changed.
TEST_F(CheckpointTest, AFileCutShortIsAnError) {
  Llama model(config());
  fill(model);
  const std::string path = save(model);
  Llama copy(config());
  copy.initialize(2);
  const std::vector<float> before = planes(copy);
  for (const char* name :
       {"model.safetensors", "optimizer.safetensors", "trainer.json", "config.json"}) {
    const std::string file = join_path(path, name);
    const std::string whole = read_file(file);
    // The JSON files end in a newline that nothing needs.
    size_t size = whole.size() - (whole.back() == '\n' ? 2 : 1);
    int cuts = 0;
    for (;; size -= std::min<size_t>(size, 97), ++cuts) {
      fs::resize_file(file, size);
      const std::string message = error_of([&] { load_checkpoint(path, copy); });
      ASSERT_NE(message.find(name), std::string::npos) << size << " bytes: " << message;
      if (std::string_view(name) == "model.safetensors" ||
          std::string_view(name) == "config.json") {
        ASSERT_THROW(load_model(path), Error) << name << " of " << size << " bytes";
      }
      if (size == 0) break;
    }
    EXPECT_GT(cuts, 1) << name;
    // Weights of a refused checkpoint never arrive; m and v may, when only the weights are damaged.
    const size_t count = static_cast<size_t>(copy.parameters().plane_size());
    const std::vector<float> after = planes(copy);
    EXPECT_TRUE(std::equal(after.begin(), after.begin() + static_cast<std::ptrdiff_t>(count),
                           before.begin()))
        << name;
    write_file(file, whole);
  }
  load_checkpoint(path, copy);
  EXPECT_TRUE(same_bits(planes(copy), planes(model)));
}

TEST_F(CheckpointTest, TrainerJsonWithoutAKeyOrWithNonsense) {
  Llama model(config());
  const std::string path = save(model), file = join_path(path, "trainer.json");
  const Json written = Json::parse(read_file(file), file);
  Json whole;  // without checksums, as older ones, and what is for people to compare
  for (const auto& [key, value] : written.as_object("trainer.json")) {
    if (key != "files" && key != "checksum" && key != "fingerprint") whole.set(key, value);
  }
  for (const auto& [removed, value] : whole.as_object("trainer.json")) {
    Json rest;
    for (const auto& [key, kept] : whole.as_object("trainer.json")) {
      if (key != removed) rest.set(key, kept);
    }
    write_file(file, rest.dump());
    EXPECT_NE(error_of([&] { load_checkpoint(path, model); }).find("trainer.json: " + removed),
              std::string::npos);
    if (removed == "data") continue;
    for (const Json& nonsense : {Json("12"), Json(nullptr), Json(-1)}) {
      if (removed == "seconds" && nonsense.is_number()) continue;
      Json changed = whole;
      changed.set(removed, nonsense);
      write_file(file, changed.dump());
      EXPECT_NE(error_of([&] { load_checkpoint(path, model); }).find("trainer.json: " + removed),
                std::string::npos)
          << nonsense.dump();
    }
  }
}

TEST_F(CheckpointTest, AnotherArchitectureNamesTheKey) {
  Llama model(config());
  const std::string path = save(model);
  ModelConfig other = config();
  other.intermediate_size = 48;
  Llama unlike(other);
  unlike.initialize(1);
  const std::vector<float> before = planes(unlike);
  const std::string message = error_of([&] { load_checkpoint(path, unlike); });
  for (const char* part : {"config.json: intermediate_size", "48", "40"}) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }
  EXPECT_TRUE(same_bits(planes(unlike), before));
}

TEST_F(CheckpointTest, IsNotOverwritten) {
  Llama model(config());
  save(model);
  EXPECT_THROW(save(model), Error);
  EXPECT_EQ(directory_.names(), std::vector<std::string>{"checkpoint"});
}

}  // namespace
}  // namespace cria
