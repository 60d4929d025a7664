#include "exchange/llama2c_model.h"

#include <gtest/gtest.h>

#include <cmath>

#include "exchange/model_shapes.h"
#include "io/llama2c.h"
#include "model/config_json.h"
#include "support/bytes.h"
#include "support/errors.h"
#include "support/files.h"
#include "text/bpe_tokenizer.h"
#include "text/small_sentencepiece.h"
#include "text/tiny_vocabulary.h"
#include "tokenizer_files/tokenizer_json.h"

namespace cria {
namespace {

using Floats = std::vector<float>;

class Llama2cModel : public testing::Test {
 protected:
  TemporaryDirectory directory_;
  std::string path_ = directory_ / "model.bin";
};

// Groups of 32, the largest part of 64 that divides 32 and 64; all rows are whole groups.
Floats through_groups(Floats values) {
  for (size_t begin = 0; begin < values.size(); begin += 32) {
    float largest = 0;
    for (size_t i = begin; i < begin + 32; ++i) largest = std::max(largest, std::abs(values[i]));
    const float scale = largest / 127.0f;
    for (size_t i = begin; i < begin + 32; ++i) {
      values[i] = std::nearbyint(values[i] / scale) * scale;
    }
  }
  return values;
}

TEST_F(Llama2cModel, ComesBack) {
  for (const char* const name : {"grouped", "tied"}) {
    const ModelConfig config = exchange_shapes().at(name);
    const auto model = random_model(config);
    for (const int version : {0, 1, 2}) {
      write_llama2c_model(path_, *model, version);
      const LoadedModel loaded = read_llama2c_model(path_);
      EXPECT_EQ(to_json(loaded.model->config()).dump(), to_json(config).dump());
      EXPECT_EQ(loaded.tokenizer, nullptr);
      for (const Parameter& slot : model->parameters().slots()) {
        const Floats values = values_of(slot);
        EXPECT_EQ(values_of(*loaded.model->parameters().find(slot.name)),
                  version == 2 && slot.value.rank == 2 ? through_groups(values) : values)
            << slot.name << " of " << name << ", version " << version;
      }
    }
  }
}

// Version 0 of one head of 8 from the format's own rules: seven numbers, then tensor by tensor,
// query and key in Meta's order, and the tables that nobody reads.
TEST_F(Llama2cModel, GoldenBytes) {
  ModelConfig config;
  config.vocab_size = 3;
  config.hidden_size = 8;
  config.intermediate_size = 4;
  config.num_hidden_layers = 1;
  config.num_attention_heads = 1;
  config.max_position_embeddings = 2;
  config = resolved(config, 0, "test");
  const auto model = random_model(config);
  write_llama2c_model(path_, *model, 0);
  std::string bytes;
  for (const int64_t number : {8, 4, 1, 1, 1, -3, 2}) {
    bytes += little_endian(static_cast<uint64_t>(number), 4);
  }
  const auto add = [&](const std::string& name, bool is_rotated = false) {
    const ConstTensor& value = model->parameters().find(name)->value;
    for (int64_t row = 0; row < value.rows(); ++row) {
      constexpr int64_t kOrder[] = {0, 4, 1, 5, 2, 6, 3, 7};
      bytes.append(reinterpret_cast<const char*>(value.data + (is_rotated ? kOrder[row] : row) *
                                                                  value.columns()),
                   static_cast<size_t>(value.columns()) * sizeof(float));
    }
  };
  const std::string layer = "model.layers.0.";
  add("model.embed_tokens.weight");
  add(layer + "input_layernorm.weight");
  add(layer + "self_attn.q_proj.weight", true);
  add(layer + "self_attn.k_proj.weight", true);
  add(layer + "self_attn.v_proj.weight");
  add(layer + "self_attn.o_proj.weight");
  add(layer + "post_attention_layernorm.weight");
  add(layer + "mlp.gate_proj.weight");
  add(layer + "mlp.down_proj.weight");
  add(layer + "mlp.up_proj.weight");
  add("model.norm.weight");
  const std::string written = read_file(path_);
  EXPECT_EQ(written.substr(0, bytes.size()), bytes);
  const size_t tables = 4 * 2 * 8;  // positions x (cosines and sines of 4 pairs)
  bytes.clear();
  add("lm_head.weight");
  EXPECT_EQ(written.substr(written.size() - bytes.size()), bytes);
  EXPECT_EQ(written.size(), 28u + 4 * (3 * 8 + 8 + 4 * 64 + 8 + 3 * 32 + 8) + tables + 4 * 24);
}

TEST_F(Llama2cModel, RefusesWhatTheFormatCannotSay) {
  const auto refuse = [&](const char* key, auto&& change) {
    ModelConfig config = shape_of_32();
    change(config);
    const auto model = random_model(resolved(config, 0, "test"));
    for (const int version : {0, 1, 2}) {
      const std::string message = error_of([&] { write_llama2c_model(path_, *model, version); });
      EXPECT_NE(message.find(key), message.npos) << key << " in " << message;
      EXPECT_TRUE(directory_.names().empty());
    }
  };
  refuse("model.position", [](ModelConfig& c) { c.position = "alibi"; });
  refuse("model.embedding_scale", [](ModelConfig& c) { c.embedding_scale = 0; });
  refuse("model.embedding_norm", [](ModelConfig& c) { c.embedding_norm = true; });
  refuse("model.rope_theta", [](ModelConfig& c) { c.rope_theta = 500000; });
  refuse("model.rms_norm_eps", [](ModelConfig& c) { c.rms_norm_eps = 1e-6; });
  refuse("model.attention_bias", [](ModelConfig& c) { c.attention_bias = true; });
  refuse("model.mlp_bias", [](ModelConfig& c) { c.mlp_bias = true; });
  refuse("model.head_dim", [](ModelConfig& c) { c.head_dim = 16; });
  refuse("model.rope_scaling.rope_type",
         [](ModelConfig& c) { c.rope_scaling = {.rope_type = "linear", .factor = 2.0}; });
  // This is the same number in fp32.
  ModelConfig config = shape_of_32();
  config.rms_norm_eps = 1.00000001e-5;
  write_llama2c_model(path_, *random_model(resolved(config, 0, "test")), 0);
}

// What run.c prints for a token.
std::string printed(const std::string& piece) {
  unsigned value = 0;
  if (std::sscanf(piece.c_str(), "<0x%02X>", &value) == 1) return {static_cast<char>(value)};
  return piece.c_str();
}

TEST_F(Llama2cModel, PiecesPrintTheText) {
  BpeVocabulary vocabulary = tiny_vocabulary(
      {{"a", "b"}, {"b", "c"}, {"ab", "c"}, {"a", "bc"}, {"\xC3", "\xA9"}}, {"<s>"});
  const BpeTokenizer bpe(vocabulary);
  const auto bytes = make_byte_tokenizer();
  const auto characters = make_char_tokenizer({0, 'a', 0xE9, 0x1F600});
  const SentencePieceTokenizer sentencepiece(small_sentencepiece({"a"}, {{"\u2581", "a"}}));
  const std::vector<const Tokenizer*> all = {&bpe, bytes.get(), characters.get(), &sentencepiece};
  for (const Tokenizer* const tokenizer : all) {
    const int64_t count = tokenizer->vocab_size();
    const std::vector<Llama2cPiece> pieces = llama2c_pieces(*tokenizer, count + 2, path_);
    std::vector<int32_t> rows = llama2c_rows(*tokenizer, count + 2);
    const size_t roles = rows.empty() ? 0 : 3;
    if (rows.empty()) {
      for (int32_t id = 0; id < count + 2; ++id) rows.push_back(id);
    }
    ASSERT_EQ(pieces.size(), rows.size());
    for (size_t id = roles; id < rows.size() && rows[id] < count; ++id) {
      EXPECT_EQ(printed(pieces[id].text), tokenizer->token(rows[id]));
    }
    EXPECT_EQ(pieces.back().text, "[PAD" + std::to_string(count + 1) + "]");
    write_file(path_, llama2c_tokenizer_bytes(pieces, path_));
  }
}

// The best of a token's merges counts; what is not merged is below what run.c looks at.
TEST_F(Llama2cModel, ScoresAreRanks) {
  const BpeTokenizer bpe(
      tiny_vocabulary({{"a", "b"}, {"b", "c"}, {"ab", "c"}, {"a", "bc"}}, {"<s>"}));
  const std::vector<Llama2cPiece> pieces = llama2c_pieces(bpe, 260, path_);
  EXPECT_EQ(pieces[259].score, 0.0f);   // ab
  EXPECT_EQ(pieces[260].score, -1.0f);  // bc
  EXPECT_EQ(pieces[261].score, -2.0f);  // abc, also rank 3
  EXPECT_EQ(pieces[262].score, -1e10f);
  EXPECT_EQ(pieces[3 + 'a'].score, -1e10f);
  const SentencePieceTokenizer other(
      small_sentencepiece({"a"}, {{"\u2581", "a"}, {"\u2581", "\u2581"}}));
  const std::vector<Llama2cPiece> others = llama2c_pieces(other, 263, path_);
  EXPECT_EQ(others[kFirstByte + 'a'].text, "<0x61>");
  EXPECT_EQ(others[261].text, " a");
  EXPECT_EQ(others[261].score, 0.0f);
  EXPECT_EQ(others[262].text, "  ");
  EXPECT_EQ(others[262].score, -1.0f);
}

// run.c begins and ends with id 1, and takes id + 3 for a byte.
TEST_F(Llama2cModel, RolesStandWhereRunExpectsThem) {
  using Rows = std::vector<int32_t>;
  auto characters = make_char_tokenizer({'\n', ' ', 'a'}, {{"<s>", 3, true}, {"</s>", 4, true}});
  EXPECT_EQ(llama2c_rows(*characters, 5), (Rows{-1, -1, -1, 0, 1, 2, 3, 4}));
  EXPECT_EQ(llama2c_pieces(*characters, 5, path_)[1].text, "<s>");
  characters->set_special_tokens({.bos = 3, .eos = 4});
  EXPECT_EQ(llama2c_rows(*characters, 6), (Rows{-1, 3, 4, 0, 1, 2, 5}));
  characters->set_special_tokens({.eos = 3});
  EXPECT_EQ(llama2c_rows(*characters, 5), (Rows{-1, 3, -1, 0, 1, 2, 4}));
  const std::pair<SpecialTokens, Rows> shared[] = {
      {{.bos = 3, .eos = 4, .unk = 3}, {-1, 3, 4, 0, 1, 2}},
      {{.bos = 3, .eos = 4, .unk = 4}, {-1, 3, 4, 0, 1, 2}},
      {{.bos = 3, .eos = 3, .unk = 4}, {4, 3, -1, 0, 1, 2}}};
  for (const auto& [roles, rows] : shared) {
    characters->set_special_tokens(roles);
    EXPECT_EQ(llama2c_rows(*characters, 5), rows) << roles.unk;
  }
  characters->set_special_tokens({.bos = 1});
  EXPECT_EQ(llama2c_rows(*characters, 5), Rows{});
  const Rows of_bytes = llama2c_rows(*make_byte_tokenizer(), 256);
  ASSERT_EQ(of_bytes.size(), 259u);
  EXPECT_EQ(of_bytes[1], -1);
  for (int32_t byte = 0; byte < 256; ++byte)
    EXPECT_EQ(of_bytes[3 + static_cast<size_t>(byte)], byte);

  ModelConfig config = exchange_shapes().at("grouped");
  config.vocab_size = 3;
  const auto model = random_model(config);
  write_llama2c_model(path_, *model, 0, {-1, 2, 0, 1});
  const LoadedModel back = read_llama2c_model(path_);
  EXPECT_EQ(back.model->config().vocab_size, 4);
  for (const char* const name : {"model.embed_tokens.weight", "lm_head.weight"}) {
    const ConstTensor from = model->parameters().find(name)->value;
    const ConstTensor to = back.model->parameters().find(name)->value;
    for (int64_t i = 0; i < from.columns(); ++i) {
      EXPECT_FLOAT_EQ(to(0, i), (from(0, i) + from(1, i) + from(2, i)) / 3);
      EXPECT_EQ(to(1, i), from(2, i));
      EXPECT_EQ(to(2, i), from(0, i));
      EXPECT_EQ(to(3, i), from(1, i));
    }
  }
}

TEST_F(Llama2cModel, AVocabularyOfScoresComesBack) {
  SentencePieceTokenizer tokenizer(
      small_sentencepiece({"a", "b"},
                          {{"\u2581", "a"}, {"a", "b"}, {"\u2581", "ab"}, {"\u2581a", "b"}}),
      {.before = {1}, .after = {}});
  tokenizer.set_special_tokens({.bos = 1, .eos = 2, .unk = 0});
  ModelConfig config = shape_of_32();
  config.vocab_size = tokenizer.vocab_size();
  const auto model = random_model(resolved(config, 0, "test"));
  write_llama2c_model(path_, *model, 0);
  EXPECT_EQ(read_llama2c_model(path_).tokenizer, nullptr);
  const std::string beside = directory_ / "tokenizer.bin";
  const auto write = [&](std::vector<Llama2cPiece> pieces) {
    write_file(beside, llama2c_tokenizer_bytes(pieces, beside));
  };
  const auto pieces = llama2c_pieces(tokenizer, config.vocab_size, path_);
  write(pieces);
  EXPECT_EQ(tokenizer_json(*read_llama2c_model(path_).tokenizer), tokenizer_json(tokenizer));
  EXPECT_EQ(read_llama2c_model(path_, false).tokenizer, nullptr);
  std::vector<Llama2cPiece> more = pieces;
  more.push_back({"x", 0});
  write(more);
  EXPECT_NE(error_of([&] { read_llama2c_model(path_); }).find("another number of tokens"),
            std::string::npos);
  write(llama2c_pieces(*make_byte_tokenizer(), 256, path_));
  EXPECT_EQ(read_llama2c_model(path_).tokenizer, nullptr);
  write({{"a", 0}});
  EXPECT_EQ(read_llama2c_model(path_).tokenizer, nullptr);
  write_file(beside, read_file(beside) + "x");
  EXPECT_NE(error_of([&] { read_llama2c_model(path_); }).find("the file ends too early"),
            std::string::npos);
}

TEST_F(Llama2cModel, RefusesPiecesThatPrintOtherwise) {
  const auto refusal = [&](const std::vector<std::pair<std::string, std::string>>& merges,
                           const std::vector<std::string>& special) {
    const BpeTokenizer tokenizer(tiny_vocabulary(merges, special));
    return error_of([&] { llama2c_pieces(tokenizer, 300, path_); });
  };
  EXPECT_NE(refusal({{"a", std::string(1, '\0')}}, {}).find("token 256"), std::string::npos);
  EXPECT_NE(refusal({}, {"<0x0A>"}).find("token 256"), std::string::npos);
  EXPECT_EQ(refusal({}, {"<0xyz>"}), "");
  EXPECT_NE(error_of([&] { llama2c_pieces(*make_byte_tokenizer(), 255, path_); }).find("255"),
            std::string::npos);
}

TEST_F(Llama2cModel, MutatedFilesAreRefusedOrRead) {
  std::vector<std::string> seeds;
  for (const int version : {0, 1, 2}) {
    ModelConfig config = exchange_shapes().at("tied");
    config.vocab_size = 5;
    config.num_hidden_layers = 1;
    write_llama2c_model(path_, *random_model(config), version);
    seeds.push_back(read_file(path_));
  }
  EXPECT_GT(refused_of_400(seeds, 48, path_, [&] { read_llama2c_model(path_); }), 200);
}

}  // namespace
}  // namespace cria
