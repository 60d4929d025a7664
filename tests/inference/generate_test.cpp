// Generation: the cache changes nothing, sampling follows its distribution, text stops and streams
// as promised.
#include "cria/inference/generate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <utility>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "cria/kernels/kernels.h"
#include "support/errors.h"
#include "support/threads.h"
#include "support/tiny_model.h"

namespace cria {
namespace {

// Token i stands for texts[i]; a text to encode is the number of one token.
class NumberedTokens : public Tokenizer {
 public:
  explicit NumberedTokens(std::vector<std::string> texts) : texts_(std::move(texts)) {}

  std::string kind() const override { return "numbered"; }
  int64_t vocab_size() const override { return static_cast<int64_t>(texts_.size()); }
  std::string_view token(int32_t id) const override { return texts_.at(id); }
  void encode(std::string_view text, std::vector<int32_t>& out, const std::string&, uint64_t,
              bool) const override {
    if (!text.empty()) out.push_back(std::stoi(std::string(text)));
  }
  std::unique_ptr<Tokenizer> with_added(std::vector<AddedToken>) const override { return nullptr; }

 private:
  std::vector<std::string> texts_;
};

// A model in which token i is followed by token i + 1: blocks that add nothing, one dimension per
// token.
Llama counting_model(int64_t vocabulary, int64_t positions) {
  ModelConfig config;
  config.vocab_size = config.hidden_size = vocabulary;
  config.num_hidden_layers = 1;
  config.num_attention_heads = 1;
  config.head_dim = 2;
  config.max_position_embeddings = positions;
  Llama model(resolved(config, 0, "test"));
  Parameters& parameters = model.parameters();
  std::fill_n(parameters.find("model.norm.weight")->mutable_value().data, vocabulary, 1.0f);
  for (int64_t i = 0; i < vocabulary; ++i) {
    parameters.find("model.embed_tokens.weight")->mutable_value()(i, i) = 1.0f;
    parameters.find("lm_head.weight")->mutable_value()((i + 1) % vocabulary, i) = 1.0f;
  }
  return model;
}

struct Produced {
  std::string text;
  int64_t tokens = 0;
};

// Every piece must be valid UTF-8.
Produced produce(Generator& generator, const std::string& prompt, const Sampling& sampling) {
  Produced produced;
  produced.tokens = generator.run(prompt, sampling, [&](std::string_view piece) {
    EXPECT_FALSE(first_invalid_utf8(piece)) << quote(piece);
    produced.text += piece;
  });
  return produced;
}

// What the counting model says after token 0, whose texts are these; 'first' is the prompt.
Produced say(const std::vector<std::string>& texts, const std::string& stop) {
  std::vector<std::string> all = {"first"};
  all.insert(all.end(), texts.begin(), texts.end());
  const NumberedTokens tokenizer(all);
  const Llama model = counting_model(tokenizer.vocab_size(), 8);
  Generator generator(model, tokenizer);
  return produce(generator, "0",
                 {.temperature = 0, .max_new_tokens = std::ssize(texts), .stop = {stop}});
}

// A model whose tokens matter to each other, over all bytes.
Llama random_model(int64_t positions, uint64_t seed = 1, int64_t vocabulary = 256) {
  ModelConfig config = tiny_config();
  config.vocab_size = vocabulary;
  config.max_position_embeddings = positions;
  config.initializer_range = 0.2;
  Llama model(resolved(config, 0, "test"));
  model.initialize(seed);
  return model;
}

std::vector<int32_t> ids_of(const std::string& text) {
  return {reinterpret_cast<const unsigned char*>(text.data()),
          reinterpret_cast<const unsigned char*>(text.data()) + text.size()};
}

// The same without a cache: each token from a pass over everything before it. From the point where
// the positions are used up, over the last half of them.
std::vector<int32_t> greedy_without_cache(const Llama& model, std::vector<int32_t> ids,
                                          int64_t count) {
  const size_t capacity = static_cast<size_t>(model.config().max_position_embeddings);
  size_t first = 0;
  std::vector<int32_t> produced;
  for (int64_t i = 0; i < count; ++i) {
    if (ids.size() - first > capacity) first = ids.size() - capacity / 2;
    const int64_t time = static_cast<int64_t>(ids.size() - first);
    Activations activations(model, Purpose::generation, 1, time);
    const ConstTensor logits = model.next_logits(activations, TokenIds(&ids[first], {1, time}));
    const int64_t best = std::max_element(logits.data, logits.data + logits.size()) - logits.data;
    ids.push_back(static_cast<int32_t>(best));
    produced.push_back(ids.back());
  }
  return produced;
}

// Token for token: what the tokenizer hears of is what was produced.
class Listener : public Tokenizer {
 public:
  mutable std::vector<int32_t> heard;

  std::string kind() const override { return bytes_->kind(); }
  int64_t vocab_size() const override { return bytes_->vocab_size(); }
  std::string_view token(int32_t id) const override {
    heard.push_back(id);
    return bytes_->token(id);
  }
  void encode(std::string_view text, std::vector<int32_t>& out, const std::string& where,
              uint64_t offset, bool allow_special) const override {
    bytes_->encode(text, out, where, offset, allow_special);
  }
  std::unique_ptr<Tokenizer> with_added(std::vector<AddedToken>) const override { return nullptr; }

 private:
  std::unique_ptr<Tokenizer> bytes_ = make_byte_tokenizer();
};

class Generate : public ::testing::Test {
  ThreadCount one_{1};  // so small a model only waits for others
};

// A tokenizer that puts a space in front of a text.
class SpacedTokens : public NumberedTokens {
 public:
  using NumberedTokens::NumberedTokens;
  bool adds_space() const override { return true; }
};

TEST_F(Generate, TheSpaceInFrontOfATextIsNotShown) {
  SpacedTokens tokenizer({"<s>", " once", " upon"});
  tokenizer.set_special_tokens({.bos = 0});
  tokenizer.set_ends({.before = {0}, .after = {}});
  const Llama model = counting_model(3, 8);
  Generator generator(model, tokenizer);
  const Sampling two = {.temperature = 0, .max_new_tokens = 2};
  EXPECT_EQ(produce(generator, "", two).text, "once upon");
  const Sampling one = {.temperature = 0, .max_new_tokens = 1};
  EXPECT_EQ(produce(generator, "1", one).text, " upon");
}

TEST_F(Generate, TheCacheChangesNothing) {
  for (const uint64_t seed : {1, 2, 3}) {
    const Llama model = random_model(64, seed);
    Listener tokenizer;
    Generator generator(model, tokenizer);
    const std::string prompt = "once upon";
    for (int again = 0; again < 2; ++again) {  // a generator can run twice
      tokenizer.heard.clear();
      produce(generator, prompt, {.temperature = 0, .max_new_tokens = 30});
      EXPECT_EQ(tokenizer.heard, greedy_without_cache(model, ids_of(prompt), 30));
    }
  }
}

TEST_F(Generate, GoesOnWhenThePositionsAreUsedUp) {
  for (const int64_t positions : {1, 2, 7, 16}) {
    for (const std::string prompt : {"a", "seven!!", "longer than sixteen positions"}) {
      // With one position there is no half to go on from, but still the last token.
      if (positions == 1 && prompt.size() > 1) continue;
      const Llama model = random_model(positions);
      Listener tokenizer;
      Generator generator(model, tokenizer);
      produce(generator, prompt, {.temperature = 0, .max_new_tokens = 40});
      std::vector<int32_t> want;
      if (positions == 1) {
        for (int32_t id = 'a'; want.size() < 40; want.push_back(id)) {
          id = greedy_without_cache(model, {id}, 1)[0];
        }
      } else {
        want = greedy_without_cache(model, ids_of(prompt), 40);
      }
      EXPECT_EQ(tokenizer.heard, want) << positions << " positions, " << prompt;
    }
  }
}

TEST_F(Generate, ReturnsTheNumberOfTokens) {
  const std::vector<std::string> texts = {"ab", "cd", "ef"};
  EXPECT_EQ(say(texts, "").text, "abcdef");
  EXPECT_EQ(say(texts, "").tokens, 3);
  EXPECT_EQ(say(texts, "d").tokens, 2);
  const Llama model = random_model(8);
  const auto tokenizer = make_byte_tokenizer();
  Generator generator(model, *tokenizer);
  const Produced none = produce(generator, "a", {.max_new_tokens = 0});
  EXPECT_EQ(none.tokens, 0);
  EXPECT_EQ(none.text, "");
}

TEST_F(Generate, StopsBeforeTheStopText) {
  const std::vector<std::string> texts = {"on", "ce", " up", "on", " a", " time"};
  EXPECT_EQ(say(texts, "on").text, "");                     // at the start, a whole token
  EXPECT_EQ(say(texts, "n").text, "o");                     // inside a token
  EXPECT_EQ(say(texts, "once").text, "");                   // at the start, over two
  EXPECT_EQ(say(texts, "e up").text, "onc");                // over two
  EXPECT_EQ(say(texts, "ce upon a").text, "on");            // over four
  EXPECT_EQ(say(texts, "time").text, "once upon a ");       // at the end
  EXPECT_EQ(say(texts, "times").text, "once upon a time");  // begins at the end
  EXPECT_EQ(say(texts, "never").text, "once upon a time");
  EXPECT_EQ(say(texts, "one").text, "once upon a time");  // begins, and goes on otherwise
  EXPECT_EQ(say({"a", "a", "a", "b", "c"}, "aab").text, "a");
  EXPECT_EQ(say({"ab", "ab", "ac", "d"}, "abac").text, "ab");
  EXPECT_EQ(say({"x", "aab", "y"}, "a").text, "x");
}

// Nothing of a stop text is shown, and nothing is held back longer than needed.
TEST_F(Generate, ShowsTextAsSoonAsItCannotBeTheStopText) {
  const NumberedTokens tokenizer({"?", "a", "<", "b", "<", "/", "s", ">"});
  const Llama model = counting_model(8, 8);
  Generator generator(model, tokenizer);
  std::vector<std::string> pieces;
  generator.run("0", {.temperature = 0, .max_new_tokens = 7, .stop = {"</s>"}},
                [&](std::string_view piece) { pieces.emplace_back(piece); });
  std::erase(pieces, "");
  EXPECT_EQ(pieces, (std::vector<std::string>{"a", "<b"}));
}

TEST_F(Generate, CharactersSplitOverTokens) {
  EXPECT_EQ(say({"\xC3", "\xA9", "\xF0\x9F", "\x98", "\x80!"}, "").text, "é😀!");
  // What cannot become a character is replaced, at the end too.
  EXPECT_EQ(say({"a\xC3", "b"}, "").text, "a\uFFFDb");
  EXPECT_EQ(say({"a", "\xE2\x82"}, "").text, "a\uFFFD");
  // A stop text may come in parts of characters.
  EXPECT_EQ(say({"x", "\xC3", "\xA9", "y"}, "é").text, "x");
  EXPECT_EQ(say({"a", "\xC3"}, "zé").text, "a\uFFFD");
}

// Tokens 0 to 5 follow each other in a circle; 1 begins a text, 4 ends it.
class GenerateWithRoles : public Generate {
 protected:
  GenerateWithRoles() {
    tokenizer_.set_special_tokens({.bos = 1, .eos = 4});
    tokenizer_.set_ends({.before = {1}, .after = {}});
  }

  Produced run(const std::string& prompt, Sampling sampling) const {
    sampling.temperature = 0;
    Generator generator(model_, tokenizer_);
    return produce(generator, prompt, sampling);
  }

  NumberedTokens tokenizer_{{"a", "<s>", "b", "c", "</s>", "d"}};
  Llama model_ = counting_model(6, 8);
};

TEST_F(GenerateWithRoles, EndsAtEos) {
  const Produced all = run("2", {.max_new_tokens = 7});
  EXPECT_EQ(all.text, "c");  // the ends of a text are no text
  EXPECT_EQ(all.tokens, 2);
  const Produced more = run("2", {.max_new_tokens = 7, .ignore_eos = true});
  EXPECT_EQ(more.text, "cdabc");
  EXPECT_EQ(more.tokens, 7);
  EXPECT_EQ(run("2", {.max_new_tokens = 7, .end_tokens = {9, 3}}).text, "");
  EXPECT_EQ(run("4", {.max_new_tokens = 7, .end_tokens = {0}}).text, "d");
}

TEST_F(GenerateWithRoles, BeginsWithBos) {
  // Nothing but the beginning is there to go on from.
  EXPECT_EQ(run("", {.max_new_tokens = 2}).text, "bc");
  const Llama model = random_model(8);
  const auto bytes = make_byte_tokenizer();
  bytes->set_ends({.before = {'o', 'n'}, .after = {}});
  Generator with(model, *bytes);
  const Sampling greedy = {.temperature = 0, .max_new_tokens = 20};
  const std::string text = produce(with, "ce", greedy).text;
  bytes->set_ends({});
  EXPECT_EQ(text, produce(with, "once", greedy).text);
  EXPECT_NE(text, produce(with, "ce", greedy).text);
}

TEST_F(Generate, SpecialTokensOfThePromptOnlyWhenAllowed) {
  const Llama model = counting_model(257, 8);
  const auto tokenizer = make_byte_tokenizer({{"<s>", 256, true}});
  Generator generator(model, *tokenizer);
  const Sampling greedy = {.temperature = 0, .max_new_tokens = 1, .allow_special = true};
  EXPECT_EQ(produce(generator, "<s>", greedy).text, std::string(1, '\0'));
  EXPECT_EQ(produce(generator, "<s>", {.temperature = 0, .max_new_tokens = 1}).text, "?");
}

TEST_F(Generate, RandomBytesComeOutAsValidText) {
  const auto tokenizer = make_byte_tokenizer();
  for (const uint64_t seed : {1, 2, 3, 4}) {
    const Llama model = random_model(32, seed);
    Generator generator(model, *tokenizer);
    const Produced produced =
        produce(generator, "x", {.temperature = 2.0, .seed = seed, .max_new_tokens = 300});
    EXPECT_EQ(produced.tokens, 300);
    EXPECT_NE(produced.text.find("\uFFFD"), std::string::npos);
  }
}

TEST_F(Generate, TheSeedDecides) {
  const Llama model = random_model(32);
  const auto tokenizer = make_byte_tokenizer();
  Generator generator(model, *tokenizer);
  const auto text = [&](uint64_t seed) {
    return produce(generator, "x", {.temperature = 1, .seed = seed, .max_new_tokens = 50}).text;
  };
  EXPECT_EQ(text(5), text(5));
  EXPECT_NE(text(5), text(6));
}

// A vocabulary padded for speed: the model's favourite is a token that nothing stands for.
TEST_F(Generate, OnlyTokensOfTheTokenizer) {
  Llama model = random_model(16, 1, 300);
  const Tensor head = model.parameters().find("lm_head.weight")->mutable_value();
  for (int64_t id = 256; id < 300; ++id) {
    for (int64_t c = 0; c < head.columns(); ++c) head(id, c) *= 100.0f;
  }
  const Listener tokenizer;
  Generator generator(model, tokenizer);
  for (const double temperature : {0.0, 1.0}) {
    EXPECT_EQ(produce(generator, "x", {.temperature = temperature, .max_new_tokens = 50}).tokens,
              50);
  }
  EXPECT_LT(std::ranges::max(tokenizer.heard), 256);
}

TEST_F(Generate, Refuses) {
  const auto tokenizer = make_byte_tokenizer();
  const Llama small = random_model(8, 1, 255);
  try {
    Generator generator(small, *tokenizer);
    FAIL() << "no error";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("at most 255"), std::string::npos) << message;
    EXPECT_NE(message.find("got: 256"), std::string::npos) << message;
  }
  const Llama model = random_model(8);
  Generator generator(model, *tokenizer);
  EXPECT_THROW(produce(generator, "", {}), Error);
  const auto letters = make_char_tokenizer({'a', 'b'});
  Generator spelling(model, *letters);
  try {
    produce(spelling, "abc", {});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("the prompt at byte 2"), std::string::npos)
        << error.what();
  }
}

// --- sample_token

const std::vector<float> kLogits = {0.5f, -1.0f, 2.0f, 0.0f, 1.25f, -3.0f, 1.0f, 0.25f};

std::vector<double> probabilities(double temperature) {
  std::vector<double> p;
  double total = 0;
  for (const float z : kLogits) total += p.emplace_back(std::exp(z / temperature));
  for (double& x : p) x /= total;
  return p;
}

// How often each token comes up in 20000 draws, against p (normalised here); none where p is 0.
// Chi-square with at most seven degrees of freedom exceeds 24.3 once in a thousand times.
void expect_frequencies(const Sampling& sampling, std::vector<double> p) {
  constexpr int kDraws = 20000;
  Rng rng(1, "test");
  std::vector<float> scratch;
  std::vector<int> counts(kLogits.size());
  for (int i = 0; i < kDraws; ++i) ++counts[sample_token(kLogits, sampling, rng, scratch)];
  double total = 0, chi_square = 0;
  for (const double x : p) total += x;
  for (size_t i = 0; i < p.size(); ++i) {
    const double expected = kDraws * p[i] / total;
    if (expected == 0) {
      EXPECT_EQ(counts[i], 0) << "token " << i;
    } else {
      chi_square += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
  }
  EXPECT_LT(chi_square, 24.3);
}

TEST(SampleToken, FollowsTheSoftmax) {
  for (const double temperature : {0.5, 1.0, 3.0}) {
    expect_frequencies({.temperature = temperature}, probabilities(temperature));
  }
}

TEST(SampleToken, TopKKeepsTheMostLikely) {
  std::vector<double> p = probabilities(1);
  for (const size_t i : {0, 1, 3, 5, 7}) p[i] = 0;  // 2, 4 and 6 stay
  expect_frequencies({.temperature = 1, .top_k = 3}, p);
  expect_frequencies({.temperature = 1, .top_k = 100}, probabilities(1));
}

TEST(SampleToken, TopPKeepsTheFewestThatReachIt) {
  // Most likely first: 2 (0.418), 4 (0.197), 6 (0.154), ...: two reach 0.6, three 0.62.
  std::vector<double> p = probabilities(1);
  ASSERT_GT(p[2] + p[4], 0.6);
  ASSERT_LT(p[2] + p[4], 0.62);
  for (const size_t i : {0, 1, 3, 5, 6, 7}) p[i] = 0;
  expect_frequencies({.temperature = 1, .top_p = 0.6}, p);
  p[6] = probabilities(1)[6];
  expect_frequencies({.temperature = 1, .top_p = 0.62}, p);
  // top_p counts what top_k leaves: of two tokens, 2 has 0.418 / (0.418 + 0.197) = 0.68.
  p[4] = p[6] = 0;
  expect_frequencies({.temperature = 1, .top_k = 2, .top_p = 0.65}, p);
}

// Probabilities of transformers 5.24's TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper
// and MinPLogitsWarper, in this order.
TEST(SampleToken, MinPAsTransformersHasIt) {
  expect_frequencies({.temperature = 1, .min_p = 0.2},
                     {0.108138, 0, 0.484643, 0, 0.228929, 0, 0.17829, 0});
  expect_frequencies({.temperature = 1, .min_p = 0.4}, {0, 0, 0.679179, 0, 0.320821, 0, 0, 0});
  expect_frequencies({.temperature = 2, .min_p = 0.4},
                     {0.148401, 0, 0.314164, 0, 0.215922, 0, 0.19055, 0.130963});
  expect_frequencies({.temperature = 1, .top_k = 2, .min_p = 0.1},
                     {0, 0, 0.679179, 0, 0.320821, 0, 0, 0});
  expect_frequencies({.temperature = 1, .top_p = 0.62, .min_p = 0.3},
                     {0, 0, 0.543406, 0, 0.256687, 0, 0.199908, 0});
  expect_frequencies({.temperature = 1, .min_p = 1}, {0, 0, 1, 0, 0, 0, 0, 0});
}

// The numbers of transformers 5.24's RepetitionPenaltyLogitsProcessor(1.3).
TEST(PenalizeRepetition, AsTransformersHasIt) {
  std::vector<float> logits = kLogits;
  penalize_repetition(logits, std::vector<int32_t>{2, 1, 2, 3, 6}, 1.3);
  const std::vector<float> expected = {
      0.5f, -1.2999999523162842f, 1.5384615659713745f, 0.0f, 1.25f, -3.0f, 0.7692307829856873f,
      0.25f};
  EXPECT_EQ(logits, expected);
}

TEST(SampleToken, FourWaysToBeGreedy) {
  Rng rng(1, "test");
  std::vector<float> scratch;
  for (int trial = 0; trial < 50; ++trial) {
    const std::vector<float> logits = normal_values(100, "logits" + std::to_string(trial), 3.0);
    const int32_t best = static_cast<int32_t>(std::ranges::max_element(logits) - logits.begin());
    for (const Sampling& sampling :
         {Sampling{.temperature = 0}, Sampling{.temperature = 1, .top_k = 1},
          Sampling{.temperature = 1, .top_p = 1e-6}, Sampling{.temperature = 1e-3},
          Sampling{.temperature = 1e-300}}) {
      EXPECT_EQ(sample_token(logits, sampling, rng, scratch), best)
          << "temperature " << sampling.temperature << ", top_k " << sampling.top_k << ", top_p "
          << sampling.top_p;
    }
  }
}

// The same by sorting all tokens, most likely first, equals in the order of their ids.
int32_t sampled_by_sorting(const std::vector<float>& logits, const Sampling& sampling, Rng& rng) {
  const float best = std::ranges::max(logits);
  std::vector<float> p;
  for (const float z : logits) {
    p.push_back(static_cast<float>((static_cast<double>(z) - best) / sampling.temperature));
  }
  kernels().softmax(1, std::ssize(p), p.data());
  std::vector<int32_t> order(p.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater{}, [&](int32_t id) { return logits[id]; });
  if (sampling.top_k > 0 && std::cmp_less(sampling.top_k, order.size())) {
    order.resize(static_cast<size_t>(sampling.top_k));
  }
  const auto sum = [&] {
    double total = 0;
    for (const int32_t id : order) total += static_cast<double>(p[id]);
    return total;
  };
  if (sampling.top_p < 1) {
    const double wanted = sampling.top_p * sum();
    double reached = 0;
    size_t kept = 0;
    do {
      reached += static_cast<double>(p[order[kept++]]);
    } while (kept < order.size() && reached < wanted);
    order.resize(kept);
  }
  double left = rng.uniform() * sum();
  for (const int32_t id : order) {
    left -= static_cast<double>(p[id]);
    if (left < 0) return id;
  }
  return order.back();
}

// Flat, spread and steep distributions, equal logits among them, and a few that are far below.
TEST(SampleToken, DrawsWhatSortingDraws) {
  for (const int64_t count : {1, 2, 7, 300, 20000}) {
    for (const double spread : {0.0, 0.01, 1.0, 4.0, 1000.0}) {
      std::vector<float> logits = normal_values(count, "logits", spread);
      for (size_t i = 0; i + 3 < logits.size(); i += 5) logits[i] = logits[i + 3];
      for (size_t i = 1; i < logits.size(); i += 11) logits[i] -= 200.0f;
      for (const double temperature : {1e-300, 0.1, 0.8, 1.0, 50.0}) {
        for (const int64_t top_k : {0, 1, 40, 100000}) {
          for (const double top_p : {0.0, 0.5, 0.9, 0.999999, 1.0}) {
            const Sampling sampling = {.temperature = temperature, .top_k = top_k, .top_p = top_p};
            Rng rng(1, "test"), same(1, "test");
            std::vector<float> scratch;
            for (int draw = 0; draw < 5; ++draw) {
              ASSERT_EQ(sample_token(logits, sampling, rng, scratch),
                        sampled_by_sorting(logits, sampling, same))
                  << count << " tokens, spread " << spread << ", temperature " << temperature
                  << ", top_k " << top_k << ", top_p " << top_p;
            }
          }
        }
      }
    }
  }
}

// A model that has diverged ends no program.
TEST(SampleToken, NoNumbers) {
  const std::vector<float> logits(10, std::numeric_limits<float>::quiet_NaN());
  Rng rng(1, "test");
  std::vector<float> scratch;
  for (const double temperature : {0.0, 1.0}) {
    const int32_t id = sample_token(logits, {.temperature = temperature}, rng, scratch);
    EXPECT_TRUE(id >= 0 && id < 10) << id;
  }
}

// Probabilities may round to the same number where logits differ.
TEST(SampleToken, TopKFollowsTheLogits) {
  const std::vector<float> logits = {1.0f, std::nextafter(1.0f, 2.0f)};
  Rng rng(1, "test");
  std::vector<float> scratch;
  EXPECT_EQ(sample_token(logits, {.temperature = 0}, rng, scratch), 1);
  EXPECT_EQ(sample_token(logits, {.temperature = 100, .top_k = 1}, rng, scratch), 1);
  // The first of equals is taken.
  const std::vector<float> equal = {0.0f, 1.0f, 1.0f};
  EXPECT_EQ(sample_token(equal, {.temperature = 0}, rng, scratch), 1);
  EXPECT_EQ(sample_token(equal, {.temperature = 1, .top_k = 1}, rng, scratch), 1);
}

// --- options of a text

TEST(GenerateOptions, SeveralStopTexts) {
  const NumberedTokens tokenizer({"first", "a", "bc", "d", "e", "f"});
  const Llama model = counting_model(tokenizer.vocab_size(), 8);
  Generator generator(model, tokenizer);
  const auto text = [&](const std::vector<std::string>& stops) {
    return produce(generator, "0", {.temperature = 0, .max_new_tokens = 5, .stop = stops}).text;
  };
  EXPECT_EQ(text({}), "abcdef");
  EXPECT_EQ(text({"xyz", "cd"}), "ab");
  EXPECT_EQ(text({"de", "b"}), "a");
  EXPECT_EQ(text({"fg", ""}), "abcdef");
  // The first in the text, not in the list; what may begin the other one is not lost.
  EXPECT_EQ(text({"ef", "abcdx", "d"}), "abc");
}

TEST(GenerateOptions, EachSampleIsAnotherText) {
  const Llama model = random_model(64);
  const auto tokenizer = make_byte_tokenizer();
  Generator generator(model, *tokenizer);
  const auto text = [&](uint64_t seed, int64_t sample) {
    return produce(generator, "Lama",
                   {.temperature = 1, .seed = seed, .sample = sample, .max_new_tokens = 30})
        .text;
  };
  EXPECT_EQ(text(1, 1), text(1, 1));
  EXPECT_NE(text(1, 1), text(1, 0));
  EXPECT_NE(text(1, 1), text(1, 2));
  EXPECT_NE(text(1, 1), text(2, 1));
}

// Without the penalty this model says one token again and again.
TEST(GenerateOptions, ThePenaltyIsForPromptAndText) {
  const NumberedTokens tokenizer({"a", "b", "c"});
  Llama model = counting_model(3, 8);
  const Tensor head = model.parameters().find("lm_head.weight")->mutable_value();
  for (int64_t i = 0; i < 3; ++i) {
    for (int64_t j = 0; j < 3; ++j) head(j, i) = static_cast<float>(3 - j);
  }
  Generator generator(model, tokenizer);
  const auto text = [&](double penalty) {
    return produce(generator, "0",
                   {.temperature = 0, .repetition_penalty = penalty, .max_new_tokens = 3})
        .text;
  };
  EXPECT_EQ(text(1), "aaa");
  EXPECT_EQ(text(2), "baa") << "then b and a are both penalised";
  EXPECT_EQ(text(10), "bca");
}

TEST(GenerateOptions, RefusesWhatIsOutOfRange) {
  const NumberedTokens tokenizer({"a", "b", "c"});
  const Llama model = counting_model(3, 8);
  Generator generator(model, tokenizer);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const auto& [sampling, name] : std::vector<std::pair<Sampling, std::string>>{
           {{.temperature = -1}, "temperature"},
           {{.temperature = nan}, "temperature"},
           {{.top_k = -1}, "top_k"},
           {{.top_p = nan}, "top_p"},
           {{.min_p = 1.5}, "min_p"},
           {{.repetition_penalty = 0}, "repetition_penalty"}}) {
    const std::string message =
        error_of([&, wanted = sampling] { produce(generator, "0", wanted); });
    EXPECT_TRUE(message.starts_with("sampling: " + name + ": not possible")) << message;
  }
}

// Greedily, each token is the one that an evaluation of the text so far finds most likely: up to
// the model's 12 positions with the plain frequencies, then with those of the whole text's length.
TEST(GenerateOptions, DynamicRopeActsAsInEvaluation) {
  ModelConfig config = tiny_config();
  config.vocab_size = 256;
  config.max_position_embeddings = 12;
  config.initializer_range = 0.2;
  config.rope_scaling = {.rope_type = "dynamic", .factor = 3.0};
  Llama model(resolved(config, 0, "test"));
  model.initialize(1);
  const Listener tokenizer;
  const std::string prompt = "abcde";
  constexpr int64_t kTokens = 25;
  Generator generator(model, tokenizer);
  tokenizer.heard.clear();
  generator.run(prompt, {.temperature = 0, .max_new_tokens = kTokens, .ignore_eos = true},
                [](std::string_view) {});
  std::vector<int32_t> ids = ids_of(prompt);
  const int64_t whole = std::ssize(ids) + kTokens;
  Llama evaluated(resolved(config, 0, "test"));
  evaluated.initialize(1);
  evaluated.reserve_positions(whole);
  std::vector<int32_t> expected;
  for (int64_t i = 0; i < kTokens; ++i) {
    const int64_t time = std::ssize(ids);
    Activations activations(evaluated, Purpose::generation, 1, time);
    const ConstTensor logits = evaluated.next_logits(activations, TokenIds(ids.data(), {1, time}));
    const int64_t best = std::max_element(logits.data, logits.data + logits.size()) - logits.data;
    ids.push_back(static_cast<int32_t>(best));
    expected.push_back(ids.back());
  }
  EXPECT_EQ(tokenizer.heard, expected);
}

}  // namespace
}  // namespace cria
