#include "exchange/gguf_tokenizer.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/unicode.h"
#include "exchange/gguf_keys.h"
#include "exchange/refuse.h"
#include "exchange/sentencepiece_scores.h"
#include "text/bpe_tokenizer.h"
#include "tokenizer_files/byte_characters.h"

namespace cria {
namespace {

// Whether a piece that is a token becomes that token by the merges alone, whatever the token: then
// ignore_merges makes no difference. An added token that is one piece would be found in plain text.
bool merges_reach_every_token(BpeVocabulary vocabulary) {
  const Regex regex = vocabulary.regex;
  for (const AddedToken& added : vocabulary.added) {
    if (piece_end(regex, added.text, 0) == added.text.size()) return false;
  }
  vocabulary.ignore_merges = false;
  const BpeTokenizer merging(std::move(vocabulary));
  std::vector<bool> is_added(static_cast<size_t>(merging.vocab_size()));
  for (const AddedToken& added : merging.added_tokens()) is_added[added.id] = true;
  std::vector<int32_t> ids;
  for (size_t id = 0; id < is_added.size(); ++id) {
    if (is_added[id]) continue;
    ids.clear();
    const std::string_view token = merging.token(static_cast<int32_t>(id));
    if (merging.first_without_token(token) < token.size()) return false;
    merging.encode_piece(token, ids);
    if (ids.size() != 1) return false;
  }
  return true;
}

// gpt-2 stands for tokenizers without merges, where it does not matter how text is cut.
std::string pre_of(const Tokenizer& tokenizer, const std::string& path) {
  const BpeVocabulary* const bpe = tokenizer.bpe_vocabulary();
  if (!bpe) return "gpt-2";
  if (bpe->nfc) {
    refuse(path, "the normalizer of the tokenizer", "none", "NFC", "--to hf keeps the tokenizer");
  }
  const bool ignore = bpe->ignore_merges;
  const bool smollm = bpe->regex == Regex::smollm, qwen2 = bpe->regex == Regex::qwen2;
  if (bpe->regex != Regex::gpt2 && !smollm && !qwen2) {
    return ignore || merges_reach_every_token(*bpe) ? "llama-bpe" : "smaug-bpe";
  }
  if (ignore && !merges_reach_every_token(*bpe)) {
    refuse(path, "ignore_merges of the tokenizer",
           "false, with the regex of GPT-2, SmolLM or Qwen2", "true",
           "--to hf keeps the tokenizer");
  }
  return smollm ? "smollm" : qwen2 ? "qwen2" : "gpt-2";
}

// Those that put a character together from its bytes, from the left. A merge's second part goes on
// with a character and never begins one, so no two characters are merged.
std::vector<std::string> character_merges(const Tokenizer& tokenizer) {
  const int64_t own = tokenizer.vocab_size() - std::ssize(tokenizer.added_tokens());
  std::vector<std::string> merges;
  std::set<std::string> seen;
  for (int32_t id = 0; id < own; ++id) {
    const std::string_view bytes = tokenizer.token(id);
    for (size_t length = 1; length < bytes.size(); ++length) {
      std::string merge = to_byte_characters(bytes.substr(0, length)) + " " +
                          to_byte_characters(bytes.substr(length, 1));
      if (seen.insert(merge).second) merges.push_back(std::move(merge));
    }
  }
  return merges;
}

std::vector<std::string> merges_of(const Tokenizer& tokenizer,
                                   const std::vector<std::string>& names, const std::string& path) {
  const BpeVocabulary* const bpe = tokenizer.bpe_vocabulary();
  const SentencePieceVocabulary* const pieces = tokenizer.sentencepiece_vocabulary();
  if (!bpe && !pieces) {
    return tokenizer.kind() == "chars" ? character_merges(tokenizer) : std::vector<std::string>();
  }
  const auto name = [&](int32_t id) {
    const std::string& written = names[static_cast<size_t>(id)];
    if (bpe && written != to_byte_characters(tokenizer.token(id))) {
      refuse(path, "token " + std::to_string(id) + " of the tokenizer",
             "no added token among the merges", quote(written));
    }
    return written;
  };
  std::vector<std::string> merges;
  for (const BpeMerge& merge : bpe ? bpe->merges : pieces->merges) {
    merges.push_back(name(merge.left) + " " + name(merge.right));
    name(merge.result);
  }
  return merges;
}

// Added tokens and those of a sentencepiece as they are, all others in stand-ins for their bytes.
std::vector<std::string> names_of(const Tokenizer& tokenizer, int64_t vocab_size,
                                  const std::string& path) {
  std::vector<std::string> names;
  const SentencePieceVocabulary* const pieces = tokenizer.sentencepiece_vocabulary();
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    names.push_back(pieces ? pieces->names[static_cast<size_t>(id)]
                           : to_byte_characters(tokenizer.token(id)));
  }
  for (const AddedToken& added : tokenizer.added_tokens()) names[added.id] = added.text;
  std::unordered_set<std::string> distinct;
  for (const std::string& name : names) {
    if (!distinct.insert(name).second) {
      refuse(path, "the tokenizer's vocabulary", "tokens that are written differently",
             "two that are written " + quote(name));
    }
  }
  while (std::ssize(names) < vocab_size) {
    std::string name = "[PAD" + std::to_string(names.size()) + "]";
    while (!distinct.insert(name).second) name = "[" + name + "]";
    names.push_back(std::move(name));
  }
  return names;
}

std::vector<int32_t> types_of(const Tokenizer& tokenizer, int64_t vocab_size) {
  std::vector<int32_t> types(static_cast<size_t>(vocab_size), kUnused);
  std::fill_n(types.begin(), tokenizer.vocab_size(), kNormal);
  if (const SentencePieceVocabulary* const pieces = tokenizer.sentencepiece_vocabulary()) {
    for (size_t id = 0; id < pieces->names.size(); ++id) {
      // The token of a byte is the only one that stands for something else than its name.
      if (pieces->names[id].starts_with("<0x") &&
          tokenizer.token(static_cast<int32_t>(id)).size() == 1)
        types[id] = kByte;
    }
  }
  for (const AddedToken& added : tokenizer.added_tokens()) {
    const int32_t control =
        added.id == tokenizer.special_tokens().unk && tokenizer.sentencepiece_vocabulary()
            ? kUnknown
            : kControl;
    types[static_cast<size_t>(added.id)] = added.special ? control : kUserDefined;
  }
  return types;
}

// The token to name for a role that the tokenizer does not have.
int32_t hardly_ever_written(const Tokenizer& tokenizer, int64_t vocab_size) {
  if (tokenizer.vocab_size() == vocab_size && tokenizer.kind() != "chars") {
    for (int32_t id = 0; id < vocab_size; ++id) {
      if (tokenizer.token(id) == "\xFF") return id;
    }
  }
  return static_cast<int32_t>(vocab_size - 1);
}

// Whether ends are none or that one token.
bool is_added_end(const std::vector<int32_t>& ends, int32_t token, const std::string& name,
                  const std::string& path) {
  if (ends.empty()) return false;
  if (ends.size() > 1 || ends[0] != token) {
    refuse(path, "what the tokenizer puts around a text", name + ", or nothing", "other tokens");
  }
  return true;
}

}  // namespace

void append_gguf_tokenizer(GgufMetadata& metadata, const Tokenizer* tokenizer, int64_t vocab_size,
                           const std::string& path) {
  const auto add = [&](const char* key, GgufValue value) {
    metadata.emplace_back(std::string("tokenizer.ggml.") + key, std::move(value));
  };
  if (!tokenizer) return add("model", std::string("no_vocab"));
  const SentencePieceVocabulary* const pieces = tokenizer->sentencepiece_vocabulary();
  require_expressible(*tokenizer, vocab_size, path);
  if (pieces && !scores_say_all(*pieces, false)) {
    refuse(path, "the merges of the tokenizer", "all ways to make a token of two others, by rank",
           "other merges", "--to hf keeps the tokenizer");
  }
  std::vector<std::string> names = names_of(*tokenizer, vocab_size, path);
  std::vector<std::string> merges;
  const bool has_merges = !pieces || !scores_say_all(*pieces, true);
  if (has_merges) merges = merges_of(*tokenizer, names, path);
  const SpecialTokens& special = tokenizer->special_tokens();
  const TextEnds& ends = tokenizer->ends();
  const int32_t spare = hardly_ever_written(*tokenizer, vocab_size);
  const auto id = [&](int32_t token) { return static_cast<uint32_t>(token); };
  add("model", std::string(pieces ? "llama" : "gpt2"));
  add("pre", pieces ? std::string("default") : pre_of(*tokenizer, path));
  if (pieces) add("scores", GgufArray(scores_of(pieces->merges, names.size())));
  add("tokens", GgufArray(std::move(names)));
  add("token_type", GgufArray(types_of(*tokenizer, vocab_size)));
  if (has_merges) add("merges", GgufArray(std::move(merges)));
  add("bos_token_id", id(special.bos == -1 ? spare : special.bos));
  add("eos_token_id", id(special.eos == -1 ? spare : special.eos));
  if (special.pad != -1) add("padding_token_id", id(special.pad));
  if (special.unk != -1) add("unknown_token_id", id(special.unk));
  add("add_bos_token", is_added_end(ends.before, special.bos, "bos before it", path));
  add("add_eos_token", is_added_end(ends.after, special.eos, "eos after it", path));
  if (!pieces) return;
  add("add_space_prefix", pieces->front != FrontSpace::never);
  const bool spaceless = pieces->front == FrontSpace::spaceless;
  if (spaceless || pieces->front == FrontSpace::at_beginning) {
    metadata.emplace_back(kCriaFrontSpace, std::string(spaceless ? "spaceless" : "at_beginning"));
  }
}

}  // namespace cria
