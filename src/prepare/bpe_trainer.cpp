#include "prepare/bpe_trainer.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "prepare/bpe_pairs.h"
#include "tokenizer_files/byte_characters.h"

namespace cria {
namespace {

constexpr int64_t kBytes = 256;

// Bytes in the order of the characters that stand for them.
std::vector<uint8_t> bytes_by_character() {
  const auto& characters = byte_characters();
  std::vector<uint8_t> bytes(kBytes);
  std::iota(bytes.begin(), bytes.end(), uint8_t{0});
  std::sort(bytes.begin(), bytes.end(),
            [&](uint8_t a, uint8_t b) { return characters[a] < characters[b]; });
  return bytes;
}

// ---- The vocabulary as it grows ----

class Tokens {
 public:
  Tokens(int64_t vocab_size, std::span<const std::string> special_tokens) {
    const int64_t least = kBytes + static_cast<int64_t>(special_tokens.size());
    if (vocab_size < least || vocab_size > std::numeric_limits<int32_t>::max()) {
      throw Error(
          "vocabulary size " + std::to_string(vocab_size) + " is impossible",
          {.expected = "at least " + std::to_string(least) + ": 256 bytes and " +
                       std::to_string(special_tokens.size()) + " special tokens, and below 2^31",
           .got = std::to_string(vocab_size),
           .hint = "a larger --vocab-size"});
    }
    for (const std::string& text : special_tokens) add_special(text);
    for (const uint8_t byte : bytes_by_character()) {
      byte_ids_[byte] = add(std::string(1, static_cast<char>(byte)));
    }
  }

  int32_t byte_id(char byte) const { return byte_ids_[static_cast<unsigned char>(byte)]; }
  int64_t size() const { return static_cast<int64_t>(list_.size()); }
  std::vector<std::string>& list() { return list_; }

  // The id of left and right together: a new one, or that of the special token with this spelling.
  int32_t join(int32_t left, int32_t right) {
    const std::string bytes = list_[left] + list_[right];
    const auto special = special_ids_.find(bytes);
    if (special == special_ids_.end()) return add(bytes);
    if (list_[special->second] != bytes) {
      throw Error(
          "special token " + quote(list_[special->second]) + " is spelled as a token of the text",
          {.got = quote(bytes) + ", which occurs in the text",
           .hint = "another special token, such as <|name|>"});
    }
    return special->second;
  }

 private:
  void add_special(const std::string& text) {
    const auto refuse = [&](const std::string& why) {
      throw Error("special token " + quote(text) + " " + why, {.hint = "such as <|name|>"});
    };
    if (text.empty()) refuse("is empty");
    if (first_invalid_utf8(text)) refuse("is not UTF-8");
    if (std::find(list_.begin(), list_.end(), text) != list_.end()) refuse("is there twice");
    const int32_t id = add(text);
    const auto bytes = from_byte_characters(text);
    if (!bytes) return;
    if (bytes->size() == 1) refuse("is a character that stands for a byte");
    special_ids_[*bytes] = id;
  }

  int32_t add(const std::string& bytes) {
    const auto id = static_cast<int32_t>(size());
    list_.push_back(bytes);
    return id;
  }

  std::vector<std::string> list_;  // the bytes of each id
  // Keys are the bytes that a special token's characters would stand for in a file of the
  // vocabulary, where every token has one name and every name one token.
  std::unordered_map<std::string, int32_t> special_ids_;
  std::array<int32_t, kBytes> byte_ids_;
};

// ---- The words, as tokens that shrink ----

class BpeTrainer {
 public:
  BpeTrainer(WordCounts counts, const Tokens& tokens, int64_t min_frequency)
      : min_frequency_(std::max<int64_t>(min_frequency, 1)) {
    size_t words = 0, symbols = 0;
    for (int64_t i = 0; i < counts.size(); ++i) {
      if (counts.word(i).size() < 2) continue;
      ++words;
      symbols += counts.word(i).size();
    }
    if (std::max(words, symbols) >= kNoIndex) throw Error("too many different words to learn from");
    words_.reserve(words);
    symbols_.reserve(symbols);
    for (int64_t i = 0; i < counts.size(); ++i) {
      const std::string_view word = counts.word(i);
      if (word.size() < 2) continue;
      words_.push_back({static_cast<uint32_t>(symbols_.size()), static_cast<uint32_t>(word.size()),
                        counts.count(i)});
      for (const char byte : word) symbols_.push_back(tokens.byte_id(byte));
    }
    counts = WordCounts(counts.regex());  // their memory is needed for the pairs
    for (uint32_t index = 0; index < words_.size(); ++index) {
      const Word& word = words_[index];
      const int32_t* const symbols = &symbols_[word.begin];
      for (uint32_t i = 0; i + 1 < word.length; ++i) {
        bring({symbols[i], symbols[i + 1]}, word.count, index);
      }
    }
    queue_brought();
  }

  // Takes the most frequent pair out of the queue; false when none is frequent enough. The count of
  // a pair in the queue only falls.
  bool next(Candidate& out) {
    while (!queue_.empty()) {
      std::pop_heap(queue_.begin(), queue_.end(), Later{pairs_});
      Candidate top = queue_.back();
      queue_.pop_back();
      const int64_t count = pairs_[top.pair].count;
      if (count == top.count) {
        out = top;
        return true;
      }
      top.count = count;
      push(top);
    }
    return false;
  }

  Pair pair(const Candidate& candidate) const { return pairs_[candidate.pair].pair; }

  // The merged pair's own count is left as it is: it is out of the queue. When a token that is
  // there already brings it back, the old count is part of the new one, as in Hugging Face's
  // trainer.
  void merge(Candidate candidate, int32_t result) {
    const Pair merged = pair(candidate);
    lists_.take(candidate.words, [&](uint32_t index) { merge_in(index, merged, result); });
    queue_brought();
    if (pairs_.size() > most_pairs_) forget_zeros();
  }

 private:
  struct Word {
    uint32_t begin;   // in symbols_
    uint32_t length;  // in tokens
    int64_t count;
  };

  // Whether a candidate's turn comes after another's.
  struct Later {
    const PairTable& pairs;
    bool operator()(const Candidate& a, const Candidate& b) const {
      return a.count != b.count ? a.count < b.count : pairs[b.pair].pair < pairs[a.pair].pair;
    }
  };

  void merge_in(uint32_t index, Pair pair, int32_t result) {
    Word& word = words_[index];
    int32_t* const symbols = &symbols_[word.begin];
    uint32_t to = 0;
    for (uint32_t from = 0; from < word.length;) {
      const bool found =
          symbols[from] == pair.left && from + 1 < word.length && symbols[from + 1] == pair.right;
      if (!found) {
        symbols[to++] = symbols[from++];
        continue;
      }
      if (to > 0) {
        pairs_[pairs_.find({symbols[to - 1], pair.left})].count -= word.count;
        bring({symbols[to - 1], result}, word.count, index);
      }
      from += 2;
      if (from < word.length) {
        pairs_[pairs_.find({pair.right, symbols[from]})].count -= word.count;
        bring({result, symbols[from]}, word.count, index);
      }
      symbols[to++] = result;
    }
    word.length = to;
  }

  // The pair occurs `count` times more, in this word.
  void bring(Pair pair, int64_t count, uint32_t index) {
    const uint32_t place = pairs_.find(pair);
    PairTable::Entry& entry = pairs_[place];
    entry.count += count;
    if (entry.words == kNoIndex) brought_.push_back(place);
    lists_.add(entry.words, index);
  }

  void queue_brought() {
    for (const uint32_t place : brought_) {
      PairTable::Entry& entry = pairs_[place];
      push({entry.count, place, std::exchange(entry.words, kNoIndex)});
    }
    brought_.clear();
  }

  // Most pairs that a merge breaks do not occur anywhere else.
  void forget_zeros() {
    const std::vector<uint32_t> moved = pairs_.forget_zeros();
    std::erase_if(queue_, [&](Candidate& candidate) {
      candidate.pair = moved[candidate.pair];
      if (candidate.pair == kNoIndex) lists_.take(candidate.words, [](uint32_t) {});
      return candidate.pair == kNoIndex;
    });
    std::make_heap(queue_.begin(), queue_.end(), Later{pairs_});
    most_pairs_ = std::max(most_pairs_, pairs_.size() + pairs_.size() / 4);
  }

  void push(Candidate candidate) {
    if (candidate.count < min_frequency_) {
      lists_.take(candidate.words, [](uint32_t) {});
      return;
    }
    queue_.push_back(candidate);
    std::push_heap(queue_.begin(), queue_.end(), Later{pairs_});
  }

  const int64_t min_frequency_;
  std::vector<int32_t> symbols_;
  std::vector<Word> words_;
  PairTable pairs_;
  uint32_t most_pairs_ = 1 << 20;  // before those that do not occur are forgotten
  WordLists lists_;
  std::vector<Candidate> queue_;   // a heap
  std::vector<uint32_t> brought_;  // entries of pairs that the current merge brought
};

}  // namespace

BpeVocabulary train_bpe(WordCounts words, int64_t vocab_size,
                        std::span<const std::string> special_tokens, const BpeProgress& progress,
                        int64_t min_frequency) {
  Tokens tokens(vocab_size, special_tokens);
  const Regex regex = words.regex();
  BpeTrainer trainer(std::move(words), tokens, min_frequency);
  std::vector<BpeMerge> merges;
  for (Candidate best; tokens.size() < vocab_size && trainer.next(best);) {
    const Pair pair = trainer.pair(best);
    const int32_t result = tokens.join(pair.left, pair.right);
    merges.push_back({pair.left, pair.right, result});
    trainer.merge(best, result);
    if (progress) progress(tokens.size(), vocab_size);
  }

  BpeVocabulary vocabulary;
  vocabulary.tokens = std::move(tokens.list());
  vocabulary.merges = std::move(merges);
  for (size_t id = 0; id < special_tokens.size(); ++id) {
    vocabulary.added.push_back({special_tokens[id], static_cast<int32_t>(id), true});
  }
  vocabulary.regex = regex;
  return vocabulary;
}

}  // namespace cria
