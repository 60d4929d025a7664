#include "exchange/gguf_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>

#include "exchange/model_shapes.h"
#include "io/gguf.h"
#include "model/config_json.h"
#include "support/bytes.h"
#include "support/errors.h"
#include "support/files.h"

namespace cria {
namespace {

using enum NumberFormat;
using Floats = std::vector<float>;

class GgufModel : public testing::Test {
 protected:
  void expect_refusal(const ModelConfig& config, const std::string& part) const {
    const auto model = random_model(config);
    expect_refusal(*model, f32, part);
  }

  void expect_refusal(const Llama& model, NumberFormat format, const std::string& part) const {
    const std::string message = error_of([&] { write_gguf_model(path_, model, nullptr, format); });
    EXPECT_NE(message.find(part), message.npos) << part << " in " << message;
    EXPECT_TRUE(directory_.names().empty());
  }

  // The file with other keys, or other tensors.
  std::string rewritten(
      const std::function<void(GgufMetadata&)>& change,
      const std::function<void(TensorSource&)>& change_tensor = [](TensorSource&) {}) const {
    const GgufFile file(path_);
    GgufMetadata metadata = file.metadata();
    change(metadata);
    std::vector<TensorSource> tensors;
    for (const StoredTensor& entry : file.entries()) {
      tensors.push_back({entry.name, entry.shape, *entry.format,
                         [&entry](int64_t first, int64_t count, float* out) {
                           entry.read_rows(first, count, out);
                         }});
      change_tensor(tensors.back());
    }
    const std::string other = directory_ / "other.gguf";
    write_gguf(other, metadata, tensors);
    return other;
  }

  // The file as others write it, without cria's own keys, and with these divisors of rotary
  // frequencies where there are any.
  std::string with_divisors(const std::vector<int64_t>& shape, const Floats& divisors) const {
    return rewritten(
        [](GgufMetadata& metadata) {
          std::erase_if(metadata, [](const auto& e) { return e.first.starts_with("cria."); });
        },
        [&](TensorSource& tensor) {
          if (tensor.name != "rope_freqs.weight" || shape.empty()) return;
          tensor = {tensor.name, shape, f32,
                    [&](int64_t, int64_t, float* out) { std::ranges::copy(divisors, out); }};
        });
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_ / "model.gguf";
};

Floats through(NumberFormat format, const Floats& values) {
  const auto count = static_cast<int64_t>(values.size());
  std::string bytes(encoded_bytes(format, count), '\0');
  encode_numbers(format, values.data(), count, bytes.data(), "test");
  Floats out(values.size());
  decode_numbers(format, bytes.data(), count, out.data());
  return out;
}

TEST_F(GgufModel, ComesBackAsItWas) {
  for (const auto& [name, config] : exchange_shapes()) {
    const auto model = random_model(config);
    write_gguf_model(path_, *model, nullptr, f32);
    const LoadedModel loaded = read_gguf_model(path_);
    EXPECT_EQ(to_json(loaded.model->config()).dump(), to_json(config).dump()) << name;
    EXPECT_EQ(loaded.tokenizer, nullptr);
    EXPECT_EQ(loaded.directory, path_);
    for (const Parameter& slot : model->parameters().slots()) {
      EXPECT_EQ(values_of(*loaded.model->parameters().find(slot.name)), values_of(slot))
          << slot.name << " of " << name;
    }
  }
}

// Rows of 32 and 64 are whole blocks, and stay where they are; norms and biases are not rounded.
TEST_F(GgufModel, ComesBackRounded) {
  for (const char* const name : {"biases", "tied"}) {
    const auto model = random_model(exchange_shapes().at(name));
    for (const NumberFormat format : {f16, bf16, q8_0}) {
      write_gguf_model(path_, *model, nullptr, format);
      const LoadedModel loaded = read_gguf_model(path_);
      for (const Parameter& slot : model->parameters().slots()) {
        const Floats values = values_of(slot);
        EXPECT_EQ(values_of(*loaded.model->parameters().find(slot.name)),
                  slot.value.rank == 1 ? values : through(format, values))
            << slot.name << " as " << format_name(format);
      }
    }
  }
}

TEST_F(GgufModel, RowsThatAreNoBlocksAreF16) {
  const auto model = random_model(tiny_config());  // rows of 24 and 40
  write_gguf_model(path_, *model, nullptr, q8_0);
  const GgufFile file(path_);
  EXPECT_EQ(file.find("blk.0.ffn_down.weight")->dtype, "F16");
  EXPECT_EQ(file.find("blk.0.attn_norm.weight")->dtype, "F32");
  EXPECT_EQ(file.integer("general.file_type"), 7);
  const LoadedModel loaded = read_gguf_model(path_);
  for (const Parameter& slot : model->parameters().slots()) {
    if (slot.value.rank == 2) {
      EXPECT_EQ(values_of(*loaded.model->parameters().find(slot.name)),
                through(f16, values_of(slot)));
    }
  }
}

TEST_F(GgufModel, KeysAreTheTypesOfLlamaCpp) {
  write_gguf_model(path_, *random_model(exchange_shapes().at("yarn2")), nullptr, bf16);
  const GgufFile file(path_);
  for (const auto& [key, value] : file.metadata()) {
    EXPECT_TRUE(std::holds_alternative<uint32_t>(value) || std::holds_alternative<float>(value) ||
                std::holds_alternative<std::string>(value))
        << key;
  }
  EXPECT_EQ(file.text("llama.rope.scaling.type"), "yarn");
  EXPECT_EQ(file.real("llama.rope.scaling.factor"), 4.0);
  EXPECT_EQ(file.integer("llama.rope.scaling.original_context_length"), 12);
  // The factor is relative to the default, 0.1 ln 4 + 1.
  EXPECT_FLOAT_EQ(file.real("llama.rope.scaling.attn_factor"), 1.25 / 1.1386294361);
  EXPECT_EQ(file.integer("general.file_type"), 32);
  EXPECT_FALSE(file.has("llama.attention.key_length"));
  write_gguf_model(path_, *random_model(exchange_shapes().at("head_dim")), nullptr, f32);
  const GgufFile other(path_);
  EXPECT_EQ(other.integer("llama.attention.key_length"), 16);
  EXPECT_EQ(other.integer("llama.rope.dimension_count"), 16);
  EXPECT_FALSE(other.has("llama.rope.scaling.type"));
}

// D = 8, theta = 10000: frequencies 1, 0.1, 0.01, 0.001. In 628 positions they turn 100, 10, 1 and
// 0.1 times: the first two stay (above 3), the others are slowed 8 times (at 1 and below).
TEST_F(GgufModel, Llama3IsATensorOfDivisors) {
  ModelConfig config = exchange_shapes().at("llama3");
  config.rope_scaling.original_max_position_embeddings = 628;
  write_gguf_model(path_, *random_model(config), nullptr, q8_0);
  const GgufFile file(path_);
  const StoredTensor* const tensor = file.find("rope_freqs.weight");
  ASSERT_NE(tensor, nullptr);
  EXPECT_EQ(tensor->dtype, "F32");
  Floats divisors(4);
  tensor->read_rows(0, 1, divisors.data());
  const Floats expected = {1, 1, 8, 8};
  for (size_t i = 0; i < 4; ++i) EXPECT_FLOAT_EQ(divisors[i], expected[i]);
}

// Llama 3.1's own file says nothing but the divisors.
TEST_F(GgufModel, ReadsLlama3sScalingFromTheDivisors) {
  ModelConfig config = exchange_shapes().at("llama3");
  config.rope_theta = 500000.0;
  config.rope_scaling.high_freq_factor = 4.0;
  config.rope_scaling.original_max_position_embeddings = 8192;
  config.max_position_embeddings = 131072;
  const auto model = random_model(config);
  write_gguf_model(path_, *model, nullptr, f32);
  const LoadedModel loaded = read_gguf_model(with_divisors({}, {}));
  EXPECT_EQ(to_json(loaded.model->config()).dump(), to_json(config).dump());
  const auto error_with = [&](const std::vector<int64_t>& shape, const Floats& divisors) {
    const std::string other = with_divisors(shape, divisors);
    const std::string message = error_of([&] { read_gguf_model(other); });
    EXPECT_TRUE(message.starts_with(other)) << message;
    return message.substr(std::min(message.size(), other.size()));
  };
  const std::string tensor = ": tensor 'rope_freqs.weight'";
  EXPECT_TRUE(error_with({4}, {1, 2, 3, 8}).starts_with(tensor + " element 1: not the scaling"));
  EXPECT_EQ(error_with({2, 2}, {1, 1, 8, 8}),
            tensor + ": wrong shape\n  expected: [4]\n  got: [2, 2]");
  EXPECT_EQ(error_with({3}, {1, 1, 8}), tensor + ": wrong shape\n  expected: [4]\n  got: [3]");
  for (const float last : {NAN, 0.5f, -8.0f, INFINITY}) {
    EXPECT_TRUE(contains(error_with({4}, {1, 1, 8, last}), "rope_scaling: factor: out of range"))
        << last << error_with({4}, {1, 1, 8, last});
  }
}

// As writers did before there were types of scaling; and keys that would change the model.
TEST_F(GgufModel, OtherWritersKeysActOrAreRefused) {
  write_gguf_model(path_, *random_model(exchange_shapes().at("linear")), nullptr, f32);
  const LoadedModel loaded = read_gguf_model(rewritten([](GgufMetadata& metadata) {
    std::erase_if(metadata, [](const auto& e) { return e.first == "llama.rope.scaling.type"; });
    for (auto& [key, value] : metadata) {
      if (key == "llama.rope.scaling.factor") key = "llama.rope.scale_linear";
    }
    metadata.emplace_back("llama.tensor_data_layout", std::string("Meta AI original pth"));
  }));
  EXPECT_EQ(to_json(loaded.model->config()).dump(), to_json(exchange_shapes().at("linear")).dump());
  const std::string message = error_of([&] {
    read_gguf_model(rewritten([](GgufMetadata& metadata) {
      metadata.emplace_back("llama.attention.sliding_window", uint32_t{16});
    }));
  });
  EXPECT_NE(message.find("llama.attention.sliding_window: not supported"), message.npos) << message;
}

// A factor without a type is linear, and a type without a factor scales by 1.
TEST_F(GgufModel, ScalingMayLackTypeOrFactor) {
  const auto scaling_without = [&](const std::string& key) {
    const LoadedModel loaded = read_gguf_model(rewritten([&](GgufMetadata& metadata) {
      std::erase_if(metadata, [&](const auto& entry) { return entry.first == key; });
    }));
    return loaded.model->config().rope_scaling;
  };
  write_gguf_model(path_, *random_model(exchange_shapes().at("linear")), nullptr, f32);
  EXPECT_EQ(scaling_without("llama.rope.scaling.type").rope_type, "linear");
  EXPECT_EQ(scaling_without("llama.rope.scaling.type").factor, 2.5);
  EXPECT_EQ(scaling_without("llama.rope.scaling.factor").factor, 1.0);
  const ModelConfig yarn = exchange_shapes().at("yarn2");
  write_gguf_model(path_, *random_model(yarn), nullptr, f32);
  const std::string prefix = "llama.rope.scaling.";
  EXPECT_EQ(scaling_without(prefix + "original_context_length").original_max_position_embeddings,
            yarn.max_position_embeddings);
  EXPECT_EQ(scaling_without(prefix + "attn_factor").attention_factor,
            exchange_shapes().at("yarn").rope_scaling.attention_factor);
  write_gguf_model(path_, *random_model(exchange_shapes().at("head_dim")), nullptr, f32);
  const LoadedModel plain = read_gguf_model(rewritten([](GgufMetadata& metadata) {
    std::erase_if(metadata, [](const auto& e) { return e.first == "llama.rope.freq_base"; });
  }));
  EXPECT_EQ(plain.model->config().rope_theta, 10000.0);
}

TEST_F(GgufModel, KeysThatDisagreeAreRefused) {
  const auto error_with = [&](const char* key, const GgufValue& value) {
    return error_of([&] {
      read_gguf_model(rewritten([&](GgufMetadata& metadata) {
        std::erase_if(metadata, [&](const auto& entry) { return entry.first == key; });
        metadata.emplace_back(key, value);
      }));
    });
  };
  write_gguf_model(path_, *random_model(exchange_shapes().at("llama3")), nullptr, f32);
  const struct {
    const char* key;
    GgufValue value;
    const char* part;
  } cases[] = {
      {"llama.rope.scaling.type", std::string("linear"), "two scalings of RoPE"},
      {"llama.rope.scaling.type", std::string("none"), ""},
      {"llama.expert_count", uint32_t{8}, "llama.expert_count: not supported"},
      {"llama.expert_count", uint32_t{0}, ""},
      {"llama.attention.value_length", uint32_t{4}, "llama.attention.value_length: not supported"},
      {"cria.rope.scaling.factor", 4.0f, "not the scaling of Llama 3"},
      {"llama.attention.layer_norm_rms_epsilon", NAN, "rms_norm_eps: out of range"},
      {"llama.rope.freq_base", -INFINITY, "rope_theta: out of range"},
  };
  for (const auto& [key, value, part] : cases) {
    const std::string message = error_with(key, value);
    EXPECT_TRUE(*part ? contains(message, part) : message.empty()) << key << ": " << message;
  }
}

std::string text(const std::string& bytes) {
  return little_endian(bytes.size()) + bytes;
}

// One head of 8, so that the order of query and key shows; built from the format's own rules.
TEST_F(GgufModel, GoldenBytes) {
  ModelConfig config;
  config.vocab_size = 3;
  config.hidden_size = 8;
  config.intermediate_size = 4;
  config.num_hidden_layers = 1;
  config.num_attention_heads = 1;
  config.max_position_embeddings = 16;
  config.tie_word_embeddings = true;
  config = resolved(config, 0, "test");
  const auto model = random_model(config);
  write_gguf_model(path_, *model, nullptr, f32);

  const auto integer = [](const std::string& key, uint64_t value) {
    return text(key) + little_endian(4, 4) + little_endian(value, 4);
  };
  const auto real = [](const std::string& key, float value) {
    return text(key) + little_endian(6, 4) + raw({value});
  };
  const auto word = [](const std::string& key, const std::string& value) {
    return text(key) + little_endian(8, 4) + text(value);
  };
  std::string bytes = "GGUF" + little_endian(3, 4) + little_endian(11) + little_endian(13);
  bytes += word("general.architecture", "llama") + integer("general.file_type", 0) +
           integer("llama.vocab_size", 3) + integer("llama.context_length", 16) +
           integer("llama.embedding_length", 8) + integer("llama.block_count", 1) +
           integer("llama.feed_forward_length", 4) + integer("llama.attention.head_count", 1) +
           integer("llama.attention.head_count_kv", 1) +
           real("llama.attention.layer_norm_rms_epsilon", 1e-5f) +
           integer("llama.rope.dimension_count", 8) + real("llama.rope.freq_base", 10000.0f) +
           word("tokenizer.ggml.model", "no_vocab");
  const std::vector<std::pair<std::string, std::string>> names = {
      {"token_embd.weight", "model.embed_tokens.weight"},
      {"blk.0.attn_norm.weight", "model.layers.0.input_layernorm.weight"},
      {"blk.0.attn_q.weight", "model.layers.0.self_attn.q_proj.weight"},
      {"blk.0.attn_k.weight", "model.layers.0.self_attn.k_proj.weight"},
      {"blk.0.attn_v.weight", "model.layers.0.self_attn.v_proj.weight"},
      {"blk.0.attn_output.weight", "model.layers.0.self_attn.o_proj.weight"},
      {"blk.0.ffn_norm.weight", "model.layers.0.post_attention_layernorm.weight"},
      {"blk.0.ffn_gate.weight", "model.layers.0.mlp.gate_proj.weight"},
      {"blk.0.ffn_up.weight", "model.layers.0.mlp.up_proj.weight"},
      {"blk.0.ffn_down.weight", "model.layers.0.mlp.down_proj.weight"},
      {"output_norm.weight", "model.norm.weight"}};
  std::string data;
  for (const auto& [name, ours] : names) {
    const ConstTensor& value = model->parameters().find(ours)->value;
    bytes += text(name) + little_endian(static_cast<uint64_t>(value.rank), 4);
    for (int axis = value.rank; axis-- > 0;) {
      bytes += little_endian(static_cast<uint64_t>(value.shape[axis]));
    }
    bytes += little_endian(0, 4) + little_endian(data.size());
    const bool is_rotated = name.ends_with("attn_q.weight") || name.ends_with("attn_k.weight");
    for (int64_t row = 0; row < value.rows(); ++row) {
      constexpr int64_t kOrder[] = {0, 4, 1, 5, 2, 6, 3, 7};
      const float* const values = value.data + (is_rotated ? kOrder[row] : row) * value.columns();
      data.append(reinterpret_cast<const char*>(values),
                  static_cast<size_t>(value.columns()) * sizeof(float));
    }
    data.append((32 - data.size() % 32) % 32, '\0');
  }
  bytes.append((32 - bytes.size() % 32) % 32, '\0');
  EXPECT_EQ(read_file(path_), bytes + data);
}

TEST_F(GgufModel, RefusesWhatTheFormatCannotSay) {
  for (const char* const position : {"none", "alibi", "learned"}) {
    ModelConfig config = shape_of_32();
    config.position = position;
    expect_refusal(resolved(config, 0, "test"), "model.position");
  }
  const auto refuse = [&](const char* key, auto&& change) {
    ModelConfig config = exchange_shapes().at("yarn");
    change(config);
    expect_refusal(resolved(config, 0, "test"), key);
  };
  refuse("model.embedding_scale", [](ModelConfig& c) { c.embedding_scale = 2; });
  refuse("model.embedding_norm", [](ModelConfig& c) { c.embedding_norm = true; });
  refuse("max_norm", [](ModelConfig& c) { c.embedding.max_norm = 1.0; });
  refuse("model.rope_scaling.rope_type",
         [](ModelConfig& c) { c.rope_scaling.rope_type = "dynamic"; });
  refuse("model.rope_scaling.truncate", [](ModelConfig& c) { c.rope_scaling.truncate = false; });
  refuse("model.rope_scaling.beta_fast", [](ModelConfig& c) { c.rope_scaling.beta_fast = 16; });
  refuse("model.rope_scaling.beta_slow", [](ModelConfig& c) { c.rope_scaling.beta_slow = 2; });
}

TEST_F(GgufModel, NumbersThatDoNotFitLeaveNoFile) {
  const auto model = random_model(exchange_shapes().at("tied"));
  float& number =
      model->parameters().find("model.layers.1.mlp.up_proj.weight")->mutable_value().data[5];
  number = 1e6f;
  expect_refusal(*model, f16, "blk.1.ffn_up.weight");
  number = 1e30f;
  expect_refusal(*model, q8_0, "blk.1.ffn_up.weight");
  write_gguf_model(path_, *model, nullptr, bf16);
}

// What is asked for is there, in the shape that the keys say, and nothing else.
TEST_F(GgufModel, ReadingNamesWhatIsWrong) {
  write_gguf_model(path_, *random_model(tiny_config()), nullptr, f32);
  const std::string good = read_file(path_);
  const auto expect_error = [&](const std::string& from, const std::string& to,
                                const std::string& part) {
    std::string bytes = good;
    bytes.replace(bytes.find(from), from.size(), to);
    write_quickly(path_, bytes);
    const std::string message = error_of([&] { read_gguf_model(path_); });
    EXPECT_TRUE(message.starts_with(path_)) << message;
    EXPECT_NE(message.find(part), message.npos) << part << " in " << message;
  };
  const auto integer = [](const std::string& key, uint64_t value) {
    return key + little_endian(4, 4) + little_endian(value, 4);
  };
  expect_error(text("llama"), text("gemma"), "gemma");
  expect_error("blk.1.attn_v.weight", "blk.1.attn_u.weight",
               "unexpected tensor 'blk.1.attn_u.weight'");
  expect_error("blk.1.attn_v.weight", "blk.1.attn_u.weight", "did you mean 'blk.1.attn_v.weight'?");
  const std::string layers = "llama.block_count";
  expect_error(integer(layers, 2), integer(layers, 1), "blk.1.");
  expect_error(integer(layers, 2), integer(layers, 3), "missing tensor 'blk.2.");
  expect_error(integer(layers, 2), integer(layers, 2000000), "num_hidden_layers");
  const std::string width = "llama.feed_forward_length";
  expect_error(integer(width, 40), integer(width, 1 << 24), "blk.0.ffn_gate.weight");
  const std::string rotated = "llama.rope.dimension_count";
  expect_error(integer(rotated, 6), integer(rotated, 4), rotated);
  expect_error("llama.context_length", "llama.context_lengtx", "llama.context_length");
  expect_error("token_embd.weight", "token_embd.weighs", "no matrix token_embd.weight");
  const float number = 1;
  write_gguf(path_, {{"general.architecture", std::string("llama")}},
             {{"token_embd.weight", ConstTensor(&number, {1})}});
  EXPECT_EQ(error_of([&] { read_gguf_model(path_); }), path_ + ": no matrix token_embd.weight");
}

// Text ends with the tokenizer's eos, where it has one.
TEST_F(GgufModel, TheTokenizerSaysWhatEndsAText) {
  const auto model = random_model(shape_of_32());
  const auto tokenizer = make_byte_tokenizer({{"</s>", 256, true}});
  const auto end_tokens = [&](bool with_tokenizer) {
    write_gguf_model(path_, *model, tokenizer.get(), f32);
    return read_gguf_model(path_, with_tokenizer).end_tokens;
  };
  EXPECT_EQ(end_tokens(true), std::vector<int32_t>{});
  tokenizer->set_special_tokens({.eos = 256});
  EXPECT_EQ(end_tokens(true), std::vector<int32_t>{256});
  EXPECT_EQ(end_tokens(false), std::vector<int32_t>{});
}

TEST_F(GgufModel, MutatedFilesAreRefusedOrRead) {
  std::vector<std::string> seeds;
  for (const char* const name : {"biases", "llama3", "yarn2"}) {
    ModelConfig config = exchange_shapes().at(name);
    config.vocab_size = 12;
    config.num_hidden_layers = 1;
    const auto tokenizer = make_char_tokenizer({'a', 'b', 0xE9}, {{"<s>", 3, true}});
    write_gguf_model(path_, *random_model(config), tokenizer.get(), q8_0);
    seeds.push_back(read_file(path_));
  }
  EXPECT_GT(refused_of_400(seeds, 2500, path_, [&] { read_gguf_model(path_); }), 200);
}

}  // namespace
}  // namespace cria
