#include <algorithm>
#include <cmath>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "exchange/gguf_keys.h"
#include "exchange/gguf_tokenizer.h"
#include "exchange/sentencepiece_scores.h"
#include "text/bpe_tokenizer.h"
#include "text/sentencepiece.h"
#include "tokenizer_files/byte_characters.h"

namespace cria {
namespace {

constexpr const char* kHint = "the weights alone: cria import --no-tokenizer";

struct Cut {
  const char* pre;
  Regex regex;
  bool ignore_merges, adds_bos;
};

constexpr Cut kCuts[] = {
    {"gpt-2", Regex::gpt2, false, false},    {"default", Regex::gpt2, false, false},
    {"llama-bpe", Regex::gpt4, true, true},  {"llama3", Regex::gpt4, true, true},
    {"llama-v3", Regex::gpt4, true, true},   {"smaug-bpe", Regex::gpt4, false, false},
    {"dbrx", Regex::gpt4, false, false},     {"smollm", Regex::smollm, false, false},
    {"qwen2", Regex::qwen2, false, false},   {"starcoder", Regex::smollm, false, false},
    {"refact", Regex::smollm, false, false},
};

std::string at(const GgufFile& file, const std::string& key) {
  return file.path() + ": tokenizer.ggml." + key;
}

class GgufTokenizerReader {
 public:
  explicit GgufTokenizerReader(const GgufFile& file)
      : file_(file),
        is_sentencepiece_(file.text(key("model")) == "llama"),
        cut_(is_sentencepiece_ ? Cut{"", Regex::gpt2, false, true} : read_cut()) {}

  std::unique_ptr<Tokenizer> read() {
    read_tokens();
    std::unique_ptr<Tokenizer> tokenizer =
        with_context({.where = at(file_, "tokens"), .hint = kHint}, [&] { return make(); });
    SpecialTokens special;
    special.bos = role("bos_token_id");
    special.eos = role("eos_token_id");
    special.pad = role("padding_token_id");
    special.unk = role("unknown_token_id");
    tokenizer->set_special_tokens(special);
    TextEnds ends;
    if (special.bos != -1 && flag("add_bos_token", cut_.adds_bos)) ends.before = {special.bos};
    if (special.eos != -1 && flag("add_eos_token", false)) ends.after = {special.eos};
    tokenizer->set_ends(std::move(ends));
    return tokenizer;
  }

 private:
  static std::string key(const char* name) { return std::string("tokenizer.ggml.") + name; }

  Cut read_cut() const {
    const std::string pre = file_.has(key("pre")) ? file_.text(key("pre")) : "default";
    std::vector<std::string> names;
    for (const Cut& cut : kCuts) {
      if (pre == cut.pre) return cut;
      names.push_back(cut.pre);
    }
    throw Error("this way to cut text is not supported", {.where = at(file_, "pre"),
                                                          .expected = one_of(names),
                                                          .got = "\"" + pre + "\"",
                                                          .hint = kHint});
  }

  void read_tokens() {
    const std::vector<std::string>& names = file_.texts(key("tokens"));
    std::vector<int64_t> types(names.size(), kNormal);
    if (file_.has(key("token_type"))) types = file_.integers(key("token_type"));
    if (types.size() != names.size()) {
      throw Error("not a type for each token", {.where = at(file_, "token_type"),
                                                .expected = std::to_string(names.size()),
                                                .got = std::to_string(types.size())});
    }
    size_t count = names.size();
    while (count > 0 && types[count - 1] == kUnused) --count;
    for (size_t i = 0; i < count; ++i) {
      const auto id = static_cast<int32_t>(i);
      const bool is_added =
          types[i] == kControl || types[i] == kUserDefined || types[i] == kUnknown;
      if (is_added) {
        added_.push_back({names[i], id, types[i] != kUserDefined});
        added_ids_.push_back(id);
      }
      std::optional<std::string> bytes =
          is_added || is_sentencepiece_ ? names[i] : from_byte_characters(names[i]);
      if (!bytes) {
        throw Error("a token that is not made of stand-ins for bytes",
                    {.where = at(file_, "tokens"),
                     .got = quote(names[i]) + " (id " + std::to_string(id) + ")",
                     .hint = kHint});
      }
      if (!is_added) own_.push_back(id);
      ids_.emplace(names[i], id);
      tokens_.push_back(std::move(*bytes));
    }
  }

  FrontSpace front() const {
    const std::string own = file_.has(kCriaFrontSpace) ? file_.text(kCriaFrontSpace) : "";
    if (!flag("add_space_prefix", true)) return FrontSpace::never;
    return own == "spaceless"      ? FrontSpace::spaceless
           : own == "at_beginning" ? FrontSpace::at_beginning
                                   : FrontSpace::each_part;
  }

  std::unique_ptr<Tokenizer> make_sentencepiece() {
    const std::vector<double> all = file_.reals(key("scores"));
    if (all.size() < tokens_.size()) {
      throw Error("not a score for each token",
                  {.expected = std::to_string(tokens_.size()), .got = std::to_string(all.size())});
    }
    const auto nan = std::ranges::find_if(all, [](double score) { return std::isnan(score); });
    if (nan != all.end()) {  // which has no place in an order
      throw Error("a score is no number",
                  {.got = "NaN for id " + std::to_string(nan - all.begin())});
    }
    const std::vector<float> scores(all.begin(), all.end());
    SentencePieceVocabulary vocabulary =
        vocabulary_of_scores(std::move(tokens_), scores, std::move(added_));
    if (file_.has(key("merges"))) {
      vocabulary.merges.clear();
      for (const std::string& merge : file_.texts(key("merges"))) {
        vocabulary.merges.push_back(parse_merge(merge));
      }
    }
    vocabulary.front = front();
    return std::make_unique<SentencePieceTokenizer>(std::move(vocabulary));
  }

  std::unique_ptr<Tokenizer> make() {
    if (is_sentencepiece_) return make_sentencepiece();
    const std::vector<std::string>& merges = file_.texts(key("merges"));
    if (merges.empty() && is_bytes()) return make_byte_tokenizer(std::move(added_));
    if (std::optional<std::vector<uint32_t>> characters = as_characters()) {
      return make_char_tokenizer(*characters, std::move(added_));
    }
    BpeVocabulary vocabulary;
    for (const std::string& merge : merges) vocabulary.merges.push_back(parse_merge(merge));
    vocabulary.tokens = std::move(tokens_);
    vocabulary.added = std::move(added_);
    vocabulary.regex = cut_.regex;
    vocabulary.ignore_merges = cut_.ignore_merges;
    return std::make_unique<BpeTokenizer>(std::move(vocabulary));
  }

  bool is_bytes() const {
    bool is = own_.size() == 256 && own_.back() == 255;
    for (size_t byte = 0; is && byte < 256; ++byte) {
      is = tokens_[byte] == std::string(1, static_cast<char>(byte));
    }
    return is;
  }

  // Single characters in their order, and not all bytes, which only characters can do without.
  std::optional<std::vector<uint32_t>> as_characters() const {
    std::vector<uint32_t> characters;
    for (size_t i = 0; i < own_.size(); ++i) {
      const std::string& token = tokens_[i];
      const Decoded character = decode_utf8(token, 0);
      const bool in_order = characters.empty() || characters.back() < character.code_point;
      const bool is_one = character.length > 0 && token.size() == size_t(character.length);
      if (own_[i] != static_cast<int32_t>(i) || !is_one || !in_order) return std::nullopt;
      characters.push_back(character.code_point);
    }
    if (characters.empty()) return std::nullopt;
    return characters;
  }

  // "left right"; what stands for a space is no space.
  BpeMerge parse_merge(const std::string& merge) const {
    const size_t space = merge.find(' ', 1);
    const auto find = [&](const std::string& name) {
      const auto found = ids_.find(name);
      if (space != merge.npos && found != ids_.end()) return found->second;
      throw Error("a merge that is not of two tokens to a third", {.got = quote(merge)});
    };
    const std::string left = merge.substr(0, space);
    const std::string right = space == merge.npos ? "" : merge.substr(space + 1);
    return {find(left), find(right), find(left + right)};
  }

  int32_t role(const char* name) const {
    if (!file_.has(key(name))) return -1;
    const int64_t id = file_.integer(key(name));
    const auto found = std::ranges::find(added_ids_, id);
    return found == added_ids_.end() ? -1 : static_cast<int32_t>(id);
  }

  bool flag(const char* name, bool missing) const {
    return file_.has(key(name)) ? file_.flag(key(name)) : missing;
  }

  const GgufFile& file_;
  bool is_sentencepiece_;
  Cut cut_;
  std::vector<std::string> tokens_;  // bytes
  std::vector<AddedToken> added_;
  std::vector<int32_t> added_ids_;
  std::vector<int32_t> own_;  // ids of all others
  std::unordered_map<std::string, int32_t> ids_;
};

}  // namespace

std::unique_ptr<Tokenizer> read_gguf_tokenizer(const GgufFile& file) {
  const char* const key = "tokenizer.ggml.model";
  if (!file.has(key)) return nullptr;
  const std::string& model = file.text(key);
  if (model == "no_vocab" || model == "none") return nullptr;
  if (model != "gpt2" && model != "llama") {
    throw Error("this kind of tokenizer is not supported",
                {.where = file.path() + ": " + key,
                 .expected = "\"gpt2\", a byte-level BPE, or \"llama\", SentencePiece's",
                 .got = "\"" + model + "\"",
                 .hint = kHint});
  }
  return GgufTokenizerReader(file).read();
}

}  // namespace cria
