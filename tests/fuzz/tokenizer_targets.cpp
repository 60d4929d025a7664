// Readers of tokenizers in each of their forms, and what tokenizers make of any text.
#include <algorithm>
#include <memory>

#include "cria/base/error.h"
#include "cria/tokenizer_files/tokenizer_file.h"
#include "fuzz/target.h"
#include "text/bpe_tokenizer.h"
#include "text/pretokenizer.h"
#include "text/sentencepiece.h"
#include "text/small_sentencepiece.h"
#include "text/tiny_vocabulary.h"
#include "text/word_tokenizer.h"
#include "tokenizer_files/tokenizer_json.h"

namespace cria {
namespace {

void read_tokenizer_files(const FuzzParts& parts) {
  const std::unique_ptr<Tokenizer> tokenizer = read_tokenizer(".");
  check_tokenizer(*tokenizer, parts.back());
  const Json again = Json::parse(tokenizer_json(*tokenizer), "again");
  require(tokenizer_hash(*tokenizer_from_json(again, "again")) == tokenizer_hash(*tokenizer),
          "a tokenizer that comes back as another");
}

void read_tiktoken(const FuzzParts& parts) {
  const std::vector<std::string>& regexes = regex_names();
  const std::string& regex = regexes[choice(parts[0], regexes.size())];
  check_tokenizer(*read_tokenizer("a.tiktoken", regex), parts[1]);
}

// parts[0] is the kind.
void encode(const FuzzParts& parts) {
  static const std::vector<std::unique_ptr<Tokenizer>> tokenizers = [] {
    std::vector<std::unique_ptr<Tokenizer>> all;
    all.push_back(make_byte_tokenizer({{"<s>", 256, true}, {"ab", 257, false}}));
    all.push_back(make_char_tokenizer({' ', 'a', 'b', 0xE9, 0x1F600}, {{"<s>", 5, true}}));
    all.push_back(make_word_tokenizer({"a", "b", "ab", "1", "."}, {{"<s>", 6, true}}));
    for (const std::string& name : regex_names()) {
      BpeVocabulary vocabulary = tiny_vocabulary(
          {{"a", "b"}, {" ", "a"}, {"ab", "ab"}, {"\n", "\n"}, {" ", " "}, {"\xC3", "\xA9"}},
          {"<s>", "<|end|>", "<|"});
      vocabulary.regex = regex(name);
      vocabulary.ignore_merges = name == "llama3";
      vocabulary.nfc = name == "qwen2";
      all.push_back(std::make_unique<BpeTokenizer>(std::move(vocabulary)));
    }
    for (const FrontSpace front : {FrontSpace::each_part, FrontSpace::spaceless,
                                   FrontSpace::at_beginning, FrontSpace::never}) {
      SentencePieceVocabulary vocabulary = small_sentencepiece(
          {"a", "b", "\xC3\xA9"}, {{"\u2581", "a"}, {"a", "b"}, {"\u2581", "\u2581"}});
      vocabulary.front = front;
      all.push_back(std::make_unique<SentencePieceTokenizer>(std::move(vocabulary)));
    }
    return all;
  }();
  check_tokenizer(*tokenizers[choice(parts[0], tokenizers.size())], parts[1]);
}

// Pieces follow each other without a gap, and both sides of a cut have those of the whole.
void cut(const FuzzParts& parts) {
  constexpr Regex kRegexes[] = {Regex::gpt2,   Regex::gpt4,  Regex::llama3,
                                Regex::smollm, Regex::qwen2, Regex::words};
  const Regex regex = kRegexes[choice(parts[0], std::size(kRegexes))];
  const std::string_view text = parts[1];
  const auto pieces = [&](std::string_view of) {
    std::vector<size_t> ends;
    for (size_t at = 0; at < of.size(); ends.push_back(at)) {
      const size_t end = piece_end(regex, of, at);
      require(end > at && end <= of.size(), "a piece that does not go on");
      at = end;
    }
    return ends;
  };
  const size_t at = find_cut(regex, text, choice(text, text.size() + 1));
  std::vector<size_t> both = pieces(text.substr(0, at));
  for (const size_t end : pieces(text.substr(at))) both.push_back(at + end);
  require(both == pieces(text), "a cut with other pieces than the whole");
}

// Whether decode() gives back what encode() was given, see SentencePieceTokenizer.
bool is_exact(const Tokenizer& tokenizer, std::string_view text) {
  const BpeVocabulary* const bpe = tokenizer.bpe_vocabulary();
  if (tokenizer.kind() == "words" || (bpe && bpe->nfc)) return false;
  if (tokenizer.kind() != "sentencepiece") return true;
  return text.find("\u2581") == text.npos && !text.starts_with(' ') &&
         tokenizer.added_tokens().empty();
}

}  // namespace

void check_tokenizer(const Tokenizer& tokenizer, std::string_view text) {
  for (const bool allow_special : {false, true}) {
    std::vector<int32_t> ids;
    tokenizer.encode(text, ids, "text", 0, allow_special);
    const std::string decoded = tokenizer.decode(ids);
    require(!is_exact(tokenizer, text) || decoded == text, "text that comes back as another");
    std::string streamed;
    bool begins = true, has_ends = false;
    for (const int32_t id : ids) {
      streamed += tokenizer.shown(id, begins);
      const SpecialTokens& roles = tokenizer.special_tokens();
      has_ends |= id == roles.bos || id == roles.eos;
    }
    require(has_ends || streamed == decoded, "text that is another token by token");
    if (allow_special) continue;
    const size_t cut = tokenizer.find_cut(text, choice(text, text.size() + 1));
    std::vector<int32_t> both;
    tokenizer.encode(text.substr(0, cut), both, "text");
    tokenizer.encode_after_cut(text.substr(cut), both, "text", cut);
    require(both == ids, "text that has other ids when it is cut");
  }
}

std::vector<FuzzTarget> tokenizer_targets() {
  return {{"tokenizer_json",
           {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "config.json",
            "text"},
           read_tokenizer_files},
          {"gpt2_files", {"vocab.json", "merges.txt", "text"}, read_tokenizer_files},
          {"tiktoken", {"a.tiktoken", "text"}, read_tiktoken},
          {"encode", {"kind", "text"}, encode},
          {"pretokenizer", {"regex", "text"}, cut}};
}

}  // namespace cria
