// Pages about models: whatever their tokens are, in one file of a bearable size.
#include <gtest/gtest.h>

#include <cmath>

#include "cria/exchange/model_directory.h"
#include "report/embedding_sections.h"
#include "report/report.h"
#include "support/errors.h"
#include "support/files.h"
#include "support/threads.h"
#include "support/tiny_model.h"
#include "support/well_formed.h"

namespace cria {
namespace {

// Characters, then tokens that a page must not take at their word.
std::unique_ptr<Tokenizer> hostile_tokenizer() {
  std::vector<uint32_t> characters = {'\n', ' ', '!', '"', '&', '\'', '1', '<', '>'};
  for (uint32_t c = 'A'; c <= 'z'; ++c) characters.push_back(c);
  for (const uint32_t c : {0x5D0, 0x5D1, 0x5D2, 0x1F999}) characters.push_back(c);
  std::vector<AddedToken> added;
  const int32_t first = static_cast<int32_t>(characters.size());
  for (const char* const text : {"<script>alert(1)</script>", "\" onload='x'", "]]>", "\x01\x1b[0m",
                                 "\u202eabc", "&lt;", "</style>"}) {
    added.push_back({text, first + static_cast<int32_t>(added.size()), false});
  }
  return make_char_tokenizer(characters, added);
}

class ModelPages : public ::testing::Test {
 public:
  // A model directory; its vocabulary is padded by two.
  std::string model(ModelConfig config, const Tokenizer* tokenizer) const {
    config.vocab_size = tokenizer ? tokenizer->vocab_size() + 2 : 37;
    Llama model(resolved(config, 0, "test"));
    model.initialize(1);
    make_directories(directory_ / "model");
    write_model_directory(directory_ / "model", model, tokenizer);
    return directory_ / "model";
  }
  std::string page(const std::string& model, const std::optional<std::string>& text = {}) const {
    const std::string html = make_report({model}, text);
    EXPECT_EQ(MarkupCheck::fault(html), "");
    return html;
  }

 protected:
  TemporaryDirectory directory_;
};

TEST_F(ModelPages, EscapeEveryToken) {
  const auto tokenizer = hostile_tokenizer();
  const std::string path = model(position_config("learned", 2, false), tokenizer.get());
  const std::string html =
      page(path,
           "a<script>alert(1)</script>\" onload='x'\u05d0\u05d1\U0001f999]]>\x01\x1b[0m"
           "\u202e"
           "abc&lt;</style>");
  size_t scripts = 0;
  for (size_t at = 0; (at = html.find("<script", at)) != html.npos; ++at) ++scripts;
  EXPECT_EQ(scripts, 1u);
  EXPECT_FALSE(contains(html, " onload='"));
  EXPECT_FALSE(contains(html, "\u202e"));
  for (const char* const part : {"<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>",
                                 "\u2068\u05d0\u2069", "\\x01\\x1b[0m", "\U0001f999", "id 78"}) {
    EXPECT_TRUE(contains(html, part)) << part;
  }
}

TEST_F(ModelPages, HaveEverySection) {
  const auto tokenizer = hostile_tokenizer();
  const std::string path = model(position_config("learned", 2, false), tokenizer.get());
  const std::string html = page(path, "hello world");
  for (const char* const part :
       {"11 tokens with a mean loss of", "class=\"s", "The row of the table", "Position, added",
        "Their sum", "Layer 1, head 3", "before block 0", "What comes next", "Block ",
        "Neighbours in the embedding, the model", "are of its kind", "Principal axes, the model",
        "Which frequent tokens", " directions", "nearest in the head", "t-SNE of all tokens"}) {
    EXPECT_TRUE(contains(html, part)) << part;
  }
  EXPECT_FALSE(contains(html, "occurrences in the training data"));
  const std::string rope = page(model(tiny_config(), tokenizer.get()), "hello");
  EXPECT_FALSE(contains(rope, "Position, added"));
  EXPECT_FALSE(contains(page(path), "token by token"));
}

TEST_F(ModelPages, AreTheSameForAnyThreads) {
  const auto tokenizer = hostile_tokenizer();
  const std::string path = model(tiny_config(), tokenizer.get());
  const ThreadCount one(1);
  const std::string html = page(path, "hello world");
  const ThreadCount three(3);
  EXPECT_EQ(page(path, "hello world"), html);
}

// More heads, layers and tokens than there is room for.
TEST_F(ModelPages, AreBelowAMegabyte) {
  ModelConfig config = tiny_config();
  config.hidden_size = 48;
  config.head_dim = 4;
  config.num_attention_heads = config.num_key_value_heads = 12;
  config.num_hidden_layers = 12;
  const auto tokenizer = make_byte_tokenizer();
  std::string text;
  for (int i = 0; i < 256; ++i) text += static_cast<char>('a' + i * 7 % 26);
  const std::string html = page(model(config, tokenizer.get()), text);
  EXPECT_LT(html.size(), 1000000u);
  EXPECT_TRUE(contains(html, "Maps show the first 28 of 256 tokens."));
  EXPECT_TRUE(contains(html, "Layer 11, head 11"));
  EXPECT_FALSE(contains(html, "Layer 5, head 0"));
  const std::string longer = error_of([&] { make_report({directory_ / "model"}, text + "a"); });
  EXPECT_TRUE(contains(longer, "256 tokens at most")) << longer;
  EXPECT_TRUE(contains(longer, "257")) << longer;
}

TEST_F(ModelPages, OfAModelWithoutATokenizer) {
  const std::string path = model(tiny_config(), nullptr);
  EXPECT_TRUE(contains(page(path), "id 36"));
  EXPECT_TRUE(contains(error_of([&] { make_report({path}, "a"); }), "tokenizer"));
}

// One token alone has no loss, and few tokens no map.
TEST_F(ModelPages, OfTheSmallest) {
  const auto tokenizer = make_char_tokenizer({'a'});
  const std::string html = page(model(tiny_config(), tokenizer.get()), "a");
  EXPECT_TRUE(contains(html, "1 tokens; next, "));
  EXPECT_FALSE(contains(html, "nan"));
}

// Rows of two kinds that point two ways, and rows that all point one way.
TEST_F(ModelPages, GatheringIsTheShareOfTheKind) {
  EmbeddingHistory history;
  history.tokenizer = make_char_tokenizer({'1', '2', '3', '4', 'a', 'b', 'c', 'd'});
  EmbeddingState apart{"", {8, 2, {}}}, mixed = apart;
  for (int32_t id = 0; id < 8; ++id) {
    history.shown.push_back(id);
    const double angle = (id < 4 ? 0 : 1) + 0.01 * id, other = (id % 2) + 0.01 * id;
    for (const double x : {std::cos(angle), std::sin(angle)}) apart.rows.values.push_back(x);
    for (const double x : {std::cos(other), std::sin(other)}) mixed.rows.values.push_back(x);
  }
  EXPECT_DOUBLE_EQ(gathering(history, apart).share, 1);
  EXPECT_DOUBLE_EQ(gathering(history, apart).by_chance, 3.0 / 7);
  // Two near ones each: of 0, 2 and 4; of 2, 0 and 4; and so on for the others.
  EXPECT_DOUBLE_EQ(gathering(history, mixed).share, 0.5);
}

}  // namespace
}  // namespace cria
