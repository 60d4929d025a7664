#include "cria/text/bpe_trainer.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <tuple>
#include <unordered_map>

#include "cria/base/error.h"
#include "cria/base/unicode.h"
#include "cria/text/byte_characters.h"

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
                       std::to_string(special_tokens.size()) + " special tokens, and below 2^31"});
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
  // By the bytes that a special token's characters would stand for in a file of the vocabulary,
  // where every token has one name and every name one token.
  std::unordered_map<std::string, int32_t> special_ids_;
  std::array<int32_t, kBytes> byte_ids_;
};

// ---- Pairs ----

struct Pair {
  int32_t left, right;
  auto operator<=>(const Pair&) const = default;
};

using WordList = std::vector<uint32_t>;

// How often each pair occurs, and the words that the current merge brought it to.
class PairTable {
 public:
  struct Entry {
    Pair pair = {-1, -1};  // left < 0: empty
    int32_t list = -1;     // in the lists of the current merge
    int64_t count = 0;
  };

  PairTable() : entries_(size_t{1} << 16) {}

  Entry& operator[](Pair pair) {
    Entry* entry = &find(pair);
    if (entry->pair.left < 0) {
      if (2 * ++used_ > entries_.size()) {
        grow();
        entry = &find(pair);
      }
      entry->pair = pair;
    }
    return *entry;
  }

 private:
  Entry& find(Pair pair) {
    const uint64_t key = static_cast<uint64_t>(pair.left) << 32 | static_cast<uint32_t>(pair.right);
    const uint64_t hash = key * 0x9e3779b97f4a7c15u;
    const size_t mask = entries_.size() - 1;
    size_t at = (hash ^ hash >> 32) & mask;
    while (entries_[at].pair != pair && entries_[at].pair.left >= 0) at = (at + 1) & mask;
    return entries_[at];
  }

  void grow() {
    std::vector<Entry> old(2 * entries_.size());
    old.swap(entries_);
    for (const Entry& entry : old) {
      if (entry.pair.left >= 0) find(entry.pair) = entry;
    }
  }

  std::vector<Entry> entries_;
  size_t used_ = 0;
};

// A pair that may be merged next. The count may be out of date: it is looked up again when the
// candidate's turn comes.
struct Candidate {
  int64_t count;
  Pair pair;
  WordList words;

  bool operator<(const Candidate& other) const {
    return std::tie(count, other.pair) < std::tie(other.count, pair);
  }
};

// ---- The words, as tokens that shrink ----

class Trainer {
 public:
  Trainer(const WordCounts& counts, const Tokens& tokens, int64_t min_frequency)
      : min_frequency_(std::max<int64_t>(min_frequency, 1)) {
    for (int64_t i = 0; i < counts.size(); ++i) {
      const std::string_view word = counts.word(i);
      if (word.size() < 2) continue;
      words_.push_back({symbols_.size(), word.size(), counts.count(i)});
      for (const char byte : word) symbols_.push_back(tokens.byte_id(byte));
    }
    for (uint32_t index = 0; index < words_.size(); ++index) {
      const Word& word = words_[index];
      const int32_t* const symbols = &symbols_[word.begin];
      for (size_t i = 0; i + 1 < word.length; ++i) {
        change({symbols[i], symbols[i + 1]}, word.count, index);
      }
    }
    queue_brought();
  }

  // Takes the most frequent pair out of the queue; false when none is frequent enough. The count of
  // a pair in the queue only falls.
  bool next(Candidate& out) {
    while (!queue_.empty()) {
      std::pop_heap(queue_.begin(), queue_.end());
      Candidate top = std::move(queue_.back());
      queue_.pop_back();
      const int64_t count = pairs_[top.pair].count;
      if (count == top.count) {
        out = std::move(top);
        return true;
      }
      top.count = count;
      push(std::move(top));
    }
    return false;
  }

  // The merged pair's own count is left as it is: it is out of the queue. When a token that is
  // there already brings it back, the old count is part of the new one, as in Hugging Face's
  // trainer.
  void merge(const Candidate& candidate, int32_t result) {
    for (const uint32_t index : candidate.words) merge_in(index, candidate.pair, result);
    queue_brought();
  }

 private:
  struct Word {
    uint64_t begin;   // in symbols_
    uint64_t length;  // in tokens
    int64_t count;
  };

  void merge_in(uint32_t index, Pair pair, int32_t result) {
    Word& word = words_[index];
    int32_t* const symbols = &symbols_[word.begin];
    size_t to = 0;
    for (size_t from = 0; from < word.length;) {
      const bool found =
          symbols[from] == pair.left && from + 1 < word.length && symbols[from + 1] == pair.right;
      if (!found) {
        symbols[to++] = symbols[from++];
        continue;
      }
      if (to > 0) {
        pairs_[{symbols[to - 1], pair.left}].count -= word.count;
        change({symbols[to - 1], result}, word.count, index);
      }
      from += 2;
      if (from < word.length) {
        pairs_[{pair.right, symbols[from]}].count -= word.count;
        change({result, symbols[from]}, word.count, index);
      }
      symbols[to++] = result;
    }
    word.length = to;
  }

  // The pair occurs `count` times more, in this word.
  void change(Pair pair, int64_t count, uint32_t index) {
    PairTable::Entry& entry = pairs_[pair];
    entry.count += count;
    if (entry.list < 0) {
      entry.list = static_cast<int32_t>(brought_.size());
      brought_.push_back({0, pair, {}});
    }
    WordList& words = brought_[entry.list].words;
    if (words.empty() || words.back() != index) words.push_back(index);
  }

  void queue_brought() {
    for (Candidate& candidate : brought_) {
      PairTable::Entry& entry = pairs_[candidate.pair];
      entry.list = -1;
      candidate.count = entry.count;
      push(std::move(candidate));
    }
    brought_.clear();
  }

  void push(Candidate&& candidate) {
    if (candidate.count < min_frequency_) return;
    queue_.push_back(std::move(candidate));
    std::push_heap(queue_.begin(), queue_.end());
  }

  const int64_t min_frequency_;
  std::vector<int32_t> symbols_;
  std::vector<Word> words_;
  PairTable pairs_;
  std::vector<Candidate> queue_;    // a heap
  std::vector<Candidate> brought_;  // pairs that the current merge brought, counts not yet known
};

}  // namespace

BpeVocabulary train_bpe(const WordCounts& words, int64_t vocab_size,
                        std::span<const std::string> special_tokens, const BpeProgress& progress,
                        int64_t min_frequency) {
  Tokens tokens(vocab_size, special_tokens);
  Trainer trainer(words, tokens, min_frequency);
  std::vector<BpeMerge> merges;
  for (Candidate best; tokens.size() < vocab_size && trainer.next(best);) {
    const int32_t result = tokens.join(best.pair.left, best.pair.right);
    merges.push_back({best.pair.left, best.pair.right, result});
    trainer.merge(best, result);
    if (progress) progress(tokens.size(), vocab_size);
  }

  BpeVocabulary vocabulary;
  vocabulary.tokens = std::move(tokens.list());
  vocabulary.merges = std::move(merges);
  for (size_t id = 0; id < special_tokens.size(); ++id) {
    vocabulary.added.push_back({special_tokens[id], static_cast<int32_t>(id), true});
  }
  vocabulary.pattern = words.pattern();
  return vocabulary;
}

}  // namespace cria
