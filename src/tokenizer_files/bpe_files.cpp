#include "tokenizer_files/bpe_files.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "base/number.h"
#include "base/unicode.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/base/json.h"
#include "tokenizer_files/byte_characters.h"
#include "tokenizer_files/tokens_by_id.h"

namespace cria {
namespace {

// A file's lines, and where they are.
class Lines {
 public:
  explicit Lines(const std::string& path) : file_(path), rest_(file_.bytes()) {}

  // False at the end; what follows the last newline is a line unless it is empty.
  bool next(std::string_view& line) {
    if (rest_.empty()) return false;
    const size_t end = std::min(rest_.find('\n'), rest_.size());
    line = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    ++number_;
    return true;
  }

  [[noreturn]] void fail(const std::string& summary, const std::string& expected,
                         std::string_view got, const std::string& hint = {}) const {
    throw Error(summary, {.where = file_.path() + ":" + std::to_string(number_),
                          .expected = expected,
                          .got = quote(got.substr(0, 100)),
                          .hint = hint});
  }

 private:
  MappedFile file_;
  std::string_view rest_;
  int64_t number_ = 0;
};

using Ids = std::unordered_map<std::string_view, int32_t>;

// The value of a base64 digit; -1 for what is none.
int sextet(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// RFC 4648, section 4, strictly: padded, and no bits beyond the last byte.
std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  text.remove_suffix(padding);
  std::string bytes;
  uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const int value = sextet(c);
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(value);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes += static_cast<char>(bits >> held & 0xFF);
  }
  if ((bits & ((1u << held) - 1)) != 0) return std::nullopt;
  return bytes;
}

// BpeTokenizer checks the rest; what it finds is to name the file.
BpeVocabulary checked(BpeVocabulary vocabulary, const std::string& path) {
  with_context({.where = path}, [&] { const BpeTokenizer bpe(vocabulary); });
  return vocabulary;
}

// names: the tokens as the files write them, by id.
std::vector<BpeMerge> read_merges(const std::string& path, const std::vector<std::string>& names) {
  Ids ids;
  for (size_t id = 0; id < names.size(); ++id) ids.emplace(names[id], static_cast<int32_t>(id));
  std::vector<BpeMerge> merges;
  Lines lines(path);
  std::string_view line;
  for (bool first = true; lines.next(line); first = false) {
    if (first && line.starts_with("#version")) continue;
    const size_t space = line.find(' ');
    if (space == 0 || space >= line.size() - 1 || line.find(' ', space + 1) != line.npos) {
      lines.fail("not a merge", "two tokens with one space between them", line);
    }
    const auto id = [&](const std::string& token) {
      const auto found = ids.find(token);
      if (found == ids.end()) {
        lines.fail("a merge of what is not in the vocabulary", "tokens of the vocabulary", token,
                   "are the two files of the same tokenizer?");
      }
      return found->second;
    };
    const std::string left(line.substr(0, space)), right(line.substr(space + 1));
    merges.push_back({id(left), id(right), id(left + right)});
  }
  return merges;
}

}  // namespace

BpeVocabulary read_gpt2_files(const std::string& vocab_path, const std::string& merges_path) {
  const Json file = Json::parse(MappedFile(vocab_path).bytes(), vocab_path);
  const std::vector<std::string> names = tokens_by_id(file.as_object(vocab_path), vocab_path);
  BpeVocabulary vocabulary;
  vocabulary.merges = read_merges(merges_path, names);
  std::vector<bool> made(names.size());
  for (const BpeMerge& merge : vocabulary.merges) made[static_cast<size_t>(merge.result)] = true;
  for (size_t id = 0; id < names.size(); ++id) {
    const auto bytes = from_byte_characters(names[id]);
    if (bytes && (made[id] || bytes->size() == 1)) {
      vocabulary.tokens.push_back(*bytes);
    } else {
      vocabulary.tokens.push_back(names[id]);
      vocabulary.added.push_back({names[id], static_cast<int32_t>(id), true});
    }
  }
  return checked(std::move(vocabulary), vocab_path);
}

BpeVocabulary read_tiktoken_file(const std::string& path, Regex regex) {
  struct Entry {
    std::string bytes;
    int64_t rank;
  };
  std::vector<Entry> entries;  // by line
  Lines lines(path);
  for (std::string_view line; lines.next(line);) {
    const size_t space = line.find(' ');
    int64_t rank = 0;
    if (space == line.npos || !parse_number(line.substr(space + 1), rank)) {
      lines.fail("not a token", "base64, a space and a rank", line);
    }
    auto bytes = from_base64(line.substr(0, space));
    if (!bytes) lines.fail("invalid base64", "digits in fours, '=' at the end", line);
    if (bytes->empty()) lines.fail("empty token", "at least one byte", line);
    entries.push_back({*std::move(bytes), rank});
  }
  TokensById by_id(path, entries.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    const std::string name = quote(entries[i].bytes) + " (line " + std::to_string(i + 1) + ")";
    by_id.set(entries[i].rank, std::move(entries[i].bytes), name);
  }
  BpeVocabulary vocabulary;
  vocabulary.tokens = by_id.take();
  vocabulary.regex = regex;
  vocabulary.ignore_merges = true;
  vocabulary.merges = with_context({.where = path}, [&] {
    return ways_to_merge({vocabulary.tokens.begin(), vocabulary.tokens.end()});
  });
  return checked(std::move(vocabulary), path);
}

}  // namespace cria
