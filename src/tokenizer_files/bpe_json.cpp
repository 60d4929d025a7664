#include "tokenizer_files/bpe_json.h"

#include <string_view>
#include <unordered_set>
#include <utility>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "tokenizer_files/bpe_json_regex.h"
#include "tokenizer_files/byte_characters.h"
#include "tokenizer_files/json_parts.h"
#include "tokenizer_files/tokenizer_layout.h"

namespace cria {
namespace {

Json byte_level(bool use_regex) {
  return Json::Object{{"type", "ByteLevel"},
                      {"add_prefix_space", false},
                      {"trim_offsets", true},
                      {"use_regex", use_regex}};
}

Json pre_tokenizer(Regex regex) {
  const auto sequence = [](Json first, Json second) {
    return Json::Object{{"type", "Sequence"},
                        {"pretokenizers", Json::Array{std::move(first), std::move(second)}}};
  };
  if (regex == Regex::gpt2) return byte_level(true);
  if (regex == Regex::smollm) {
    return sequence(Json::Object{{"type", "Digits"}, {"individual_digits", true}},
                    byte_level(true));
  }
  const char* const pattern = regex == Regex::qwen2 ? kQwen2Regex : kGpt4Regex;
  const Json split = Json::Object{{"type", "Split"},
                                  {"pattern", Json::Object{{"Regex", pattern}}},
                                  {"behavior", "Isolated"},
                                  {"invert", false}};
  return sequence(split, byte_level(false));
}

// Says for each id whether its token is more than an added one, since it takes part in a merge or
// is the only one for its byte.
std::vector<bool> ordinary_tokens(const BpeVocabulary& vocabulary) {
  std::vector<bool> ordinary(vocabulary.tokens.size(), true);
  for (const AddedToken& added : vocabulary.added) ordinary[static_cast<size_t>(added.id)] = false;
  const auto is_ordinary = [&](const std::string& token) {
    const auto& tokens = vocabulary.tokens;
    for (size_t id = 0; id < tokens.size(); ++id) {
      if (ordinary[id] && tokens[id] == token) return true;
    }
    return false;
  };
  for (const AddedToken& added : vocabulary.added) {
    if (added.text.size() == 1 && !is_ordinary(added.text)) {
      ordinary[static_cast<size_t>(added.id)] = true;
    }
  }
  for (const auto& [left, right, result] : vocabulary.merges) {
    for (const int32_t id : {left, right, result}) ordinary[static_cast<size_t>(id)] = true;
  }
  return ordinary;
}

// The names of tokens in the file: added ones are written as they are, all others in stand-ins.
std::vector<std::string> names_of(const BpeVocabulary& vocabulary,
                                  const std::vector<bool>& ordinary) {
  std::vector<std::string> names;
  for (const std::string& token : vocabulary.tokens) names.push_back(to_byte_characters(token));
  const auto fail = [](const std::string& text) {
    throw Error("tokenizer.json cannot express the added token " + quote(text),
                {.hint = "the file writes another token in the same way"});
  };
  for (const AddedToken& added : vocabulary.added) {
    std::string& name = names[static_cast<size_t>(added.id)];
    if (ordinary[static_cast<size_t>(added.id)] && name != added.text) fail(added.text);
    name = added.text;
  }
  std::unordered_set<std::string_view> distinct;
  for (const std::string& name : names) {
    if (!distinct.insert(name).second) fail(name);
  }
  return names;
}

}  // namespace

Json bpe_json(const BpeVocabulary& vocabulary, const TextEnds& ends) {
  const std::vector<bool> ordinary = ordinary_tokens(vocabulary);
  const std::vector<std::string> names = names_of(vocabulary, ordinary);
  // Added tokens that follow all others are left to added_tokens; the rest must be in both, or
  // Hugging Face would give them other ids.
  size_t count = names.size();
  while (count > 0 && !ordinary[count - 1]) --count;
  Json::Object vocab;
  for (size_t id = 0; id < count; ++id) vocab.emplace_back(names[id], id);
  Json::Array merges;
  for (const auto& [left, right, result] : vocabulary.merges) {
    merges.push_back(
        Json::Array{names[static_cast<size_t>(left)], names[static_cast<size_t>(right)]});
  }
  return to_json({.added_tokens = added_tokens_json(vocabulary.added),
                  .normalizer = vocabulary.nfc ? Json(Json::Object{{"type", "NFC"}}) : Json(),
                  .pre_tokenizer = pre_tokenizer(vocabulary.regex),
                  .post_processor = post_processor_json(
                      ends, [&](int32_t id) { return names[static_cast<size_t>(id)]; }),
                  .decoder = byte_level(true),
                  .ignore_merges = vocabulary.ignore_merges,
                  .vocabulary = std::move(vocab),
                  .merges = std::move(merges)});
}

}  // namespace cria
