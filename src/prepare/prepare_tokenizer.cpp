#include "prepare/prepare_tokenizer.h"

#include <algorithm>
#include <utility>

#include "base/unicode.h"
#include "cria/base/file.h"
#include "cria/exchange/load_model.h"
#include "cria/tokenizer_files/tokenizer_file.h"
#include "prepare/bpe_trainer.h"
#include "text/pretokenizer.h"
#include "text/word_tokenizer.h"

namespace cria {
namespace {

Regex training_regex(const PrepareRequest& request) {
  return regex(request.regex.empty() ? "gpt4" : request.regex);
}

LearnedTokenizer learn_characters(const PrepareTexts& texts) {
  const std::unique_ptr<Tokenizer> bytes = make_byte_tokenizer();
  CharacterSet characters;
  const auto read = [&](TextPart part) {
    return texts.read("reading", part, true, cut_of(*bytes), [&](auto chunks) {
      for (const TextChunk& chunk : chunks) {
        characters.add(chunk.text, chunk.where(), chunk.offset);
      }
    });
  };
  const TextTotals totals = read(TextPart::train);
  read(TextPart::val);
  texts.require_documents(totals, TextPart::train);
  return {.tokenizer = make_char_tokenizer(characters.sorted()), .totals = totals};
}

// The pieces of the texts to train on.
WordCounts count_words(Regex regex, const PrepareRequest& request, const PrepareTexts& texts,
                       LearnedTokenizer& learned) {
  const TextCut cut = {
      [regex](std::string_view text, size_t from) { return find_cut(regex, text, from); },
      Tokenizer::kCutReach};
  WordCounts words(regex, request.words);
  std::vector<std::string_view> views;
  learned.totals = texts.read("counting words", TextPart::train, false, cut,
                              [&](std::span<const TextChunk> chunks) {
                                views.clear();
                                for (const TextChunk& chunk : chunks) views.push_back(chunk.text);
                                words.add(views);
                              });
  learned.words = words.size();
  learned.dropped_words = words.dropped();
  if (words.dropped() > 0) {
    texts.note("rare words were dropped " + std::to_string(words.dropped()) +
               " times: the text has more different ones than fit in memory");
  }
  return words;
}

LearnedTokenizer learn_bpe(const PrepareRequest& request, const PrepareTexts& texts,
                           const std::vector<std::string>& special_tokens) {
  LearnedTokenizer learned;
  learned.tokenizer = std::make_unique<BpeTokenizer>(
      train_bpe(count_words(training_regex(request), request, texts, learned), request.vocab_size,
                special_tokens, [&](int64_t tokens, int64_t wanted) {
                  texts.show("learning merges", tokens, wanted, false);
                }));
  return learned;
}

// The commonest words, of equally common ones the first in the order of their bytes, as many as the
// special tokens leave room for.
LearnedTokenizer learn_words(const PrepareRequest& request, const PrepareTexts& texts,
                             const std::vector<std::string>& special_tokens) {
  LearnedTokenizer learned;
  const WordCounts counts = count_words(Regex::words, request, texts, learned);
  std::vector<std::pair<int64_t, std::string_view>> ranked;
  for (int64_t i = 0; i < counts.size(); ++i) {
    if (!is_space(counts.word(i), 0)) ranked.emplace_back(-counts.count(i), counts.word(i));
  }
  learned.words = std::ssize(ranked);
  std::ranges::sort(ranked);
  const auto room = static_cast<size_t>(request.vocab_size) - special_tokens.size() - 1;
  if (ranked.size() > room) ranked.resize(room);
  std::vector<std::string> words;
  for (const auto& [count, word] : ranked) words.emplace_back(word);
  learned.tokenizer = make_word_tokenizer(std::move(words));
  return learned;
}

}  // namespace

TextCut cut_of(const Tokenizer& tokenizer) {
  return {
      [&tokenizer](std::string_view text, size_t from) { return tokenizer.find_cut(text, from); },
      Tokenizer::kCutReach};
}

std::string role_token(const std::string& role) {
  return role == "none" ? "" : role;
}

std::vector<std::string> tokens_to_add(const PrepareRequest& request) {
  std::vector<std::string> names = request.special_tokens;
  const std::string bos = role_token(request.bos), eos = role_token(request.eos);
  if (!bos.empty()) names.push_back(bos);
  if (!eos.empty() && eos != bos) names.push_back(eos);
  std::vector<std::string> sorted = names;
  std::ranges::sort(sorted);
  if (const auto twice = std::ranges::adjacent_find(sorted); twice != sorted.end()) {
    throw Error("special token " + quote(*twice) + " is there twice",
                {.where = "cria prepare",
                 .expected = "each token once",
                 .got = quote(*twice) + " again",
                 .hint = "leave what --bos and --eos name out of --special"});
  }
  return names;
}

std::unique_ptr<Tokenizer> known_tokenizer(const PrepareRequest& request,
                                           const std::vector<std::string>& special_tokens) {
  const std::string& name = request.tokenizer;
  if (name == "bytes") return make_byte_tokenizer();
  if (name == "chars") return nullptr;
  if (name == "bpe") {
    train_bpe(WordCounts(training_regex(request)), request.vocab_size, special_tokens);
    return nullptr;
  }
  if (name == "words") {
    const int64_t least = 2 + std::ssize(special_tokens);
    if (request.vocab_size >= least) return nullptr;
    throw Error("vocabulary size " + std::to_string(request.vocab_size) + " is impossible",
                {.expected = "at least " + std::to_string(least) +
                             ": a word, the unknown word and the special tokens",
                 .got = std::to_string(request.vocab_size),
                 .hint = "raise --vocab-size"});
  }
  if (exists(name)) {
    // A run is meant as its model, as everywhere.
    const bool is_run = !list_checkpoints(name).empty();
    return read_tokenizer(is_run ? find_model_directory(name) : name, request.regex);
  }
  const std::vector<std::string> kinds = {"bytes", "chars", "words", "bpe"};
  throw UsageError("no such tokenizer",
                   {.where = "cria prepare --tokenizer",
                    .expected = "bytes, chars, words, bpe, or the path of a tokenizer",
                    .got = quote(name),
                    .hint = did_you_mean(name, kinds)});
}

LearnedTokenizer learn_tokenizer(const PrepareRequest& request, const PrepareTexts& texts,
                                 const std::vector<std::string>& special_tokens) {
  if (request.tokenizer == "bpe") return learn_bpe(request, texts, special_tokens);
  if (request.tokenizer == "words") return learn_words(request, texts, special_tokens);
  return learn_characters(texts);
}

}  // namespace cria
