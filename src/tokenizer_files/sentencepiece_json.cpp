#include "tokenizer_files/sentencepiece_json.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "tokenizer_files/json_parts.h"
#include "tokenizer_files/tokenizer_layout.h"

namespace cria {
namespace {

constexpr const char* kSpace = "\xE2\x96\x81";

Json replace(const char* from, const char* to) {
  return Json::Object{
      {"type", "Replace"}, {"pattern", Json::Object{{"String", from}}}, {"content", to}};
}

Json normalizer() {
  const Json prepend = Json::Object{{"type", "Prepend"}, {"prepend", kSpace}};
  return Json::Object{{"type", "Sequence"},
                      {"normalizers", Json::Array{prepend, replace(" ", kSpace)}}};
}

Json metaspace(const char* scheme) {
  return Json::Object{
      {"type", "Metaspace"}, {"replacement", kSpace}, {"prepend_scheme", scheme}, {"split", false}};
}

constexpr std::pair<FrontSpace, const char*> kSchemes[] = {{FrontSpace::spaceless, "always"},
                                                           {FrontSpace::at_beginning, "first"},
                                                           {FrontSpace::never, "never"}};

Json decoder(FrontSpace front) {
  Json::Array parts = {replace(kSpace, " "), Json::Object{{"type", "ByteFallback"}},
                       Json::Object{{"type", "Fuse"}}};
  if (front != FrontSpace::never) {
    parts.push_back(Json::Object{{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  }
  return Json::Object{{"type", "Sequence"}, {"decoders", std::move(parts)}};
}

class SentencePieceReader : JsonParts {
 public:
  SentencePieceReader(const Json& file, const std::string& where) : JsonParts(file, where) {}

  std::unique_ptr<SentencePieceTokenizer> read() {
    require_file();
    read_front();
    require_same("decoder", member(file_, "decoder"), decoder(vocabulary_.front));
    read_model(member(file_, "model"));
    add_tokens();
    TextEnds ends = read_ends(vocabulary_.names.size());
    return with_context({.where = where_}, [&] {
      return std::make_unique<SentencePieceTokenizer>(std::move(vocabulary_), std::move(ends));
    });
  }

 private:
  // The order of an object's keys does not count.
  bool same(const Json& a, const Json& b) const {
    if (a.is_array() && b.is_array()) {
      const Json::Array &left = a.as_array(where_), &right = b.as_array(where_);
      bool equal = left.size() == right.size();
      for (size_t i = 0; equal && i < left.size(); ++i) equal = same(left[i], right[i]);
      return equal;
    }
    if (!a.is_object() || !b.is_object()) return a == b;
    bool equal = a.as_object(where_).size() == b.as_object(where_).size();
    for (const auto& [key, value] : a.as_object(where_)) {
      const Json* const other = b.find(key);
      equal = equal && other && same(value, *other);
    }
    return equal;
  }

  void require_same(const std::string& key, const Json& found, const Json& expected) const {
    if (same(found, expected)) return;
    fail(quote(key) + " is not supported", expected.dump(), found.dump(),
         "a BPE with byte_fallback must be converted from Llama 2's SentencePiece");
  }

  void read_front() {
    const Json& pre_tokenizer = member(file_, "pre_tokenizer");
    if (pre_tokenizer.is_null()) {
      const Json& found = member(file_, "normalizer");
      const Json alone = replace(" ", kSpace);
      const Json sequence = Json::Object{{"type", "Sequence"}, {"normalizers", Json::Array{alone}}};
      if (same(found, alone) || same(found, sequence)) {
        vocabulary_.front = FrontSpace::never;
      } else {
        require_same("normalizer", found, normalizer());
      }
      require_not_normalized();
      return;
    }
    if (!has_no_normalizer()) require("normalizer", member(file_, "normalizer"), nullptr);
    const Json& found = member(pre_tokenizer, "prepend_scheme");
    auto scheme = std::ranges::find_if(
        kSchemes, [&](const auto& known) { return found == Json(known.second); });
    if (scheme == std::end(kSchemes)) scheme = kSchemes;  // whichever: refused below
    vocabulary_.front = scheme->first;
    require_same("pre_tokenizer", pre_tokenizer, metaspace(scheme->second));
  }

  // The normalizer would change what is looked for.
  void require_not_normalized() const {
    const Json::Array& all = member(file_, "added_tokens").as_array(at("added_tokens"));
    for (size_t i = 0; i < all.size(); ++i) {
      const std::string name = "added_tokens[" + std::to_string(i) + "]";
      require(name + ".normalized", member(all[i], "normalized"), false);
    }
  }

  void read_model(const Json& model) {
    require_model(model);
    require("model.byte_fallback", member(model, "byte_fallback"), true);
    require("model.ignore_merges", Json(flag(model, "model", "ignore_merges", false)), false);
    vocabulary_.names = read_names(model);
    vocabulary_.own = vocabulary_.names.size();
    ids_ = ids_of(vocabulary_.names);
    vocabulary_.merges = read_merges(model, ids_);
  }

  void add_tokens() {
    vocabulary_.added = read_added_tokens(ids_);
    ids_.clear();  // its views do not outlive what follows
    for (const AddedToken& token : vocabulary_.added) {
      if (static_cast<size_t>(token.id) < vocabulary_.own) continue;
      vocabulary_.names.push_back(token.text);
    }
  }

  SentencePieceVocabulary vocabulary_;
  TokenIdsByName ids_;  // views of the names
};

}  // namespace

Json sentencepiece_json(const SentencePieceVocabulary& vocabulary, const TextEnds& ends) {
  const auto name = [&](int32_t id) { return vocabulary.names[static_cast<size_t>(id)]; };
  TokenizerLayout whole = {.added_tokens = added_tokens_json(vocabulary.added),
                           .post_processor = post_processor_json(ends, name),
                           .byte_fallback = true};
  Json::Object tokens;
  for (size_t id = 0; id < vocabulary.own; ++id) tokens.emplace_back(vocabulary.names[id], id);
  for (const BpeMerge& merge : vocabulary.merges) {
    whole.merges.push_back(Json::Array{name(merge.left), name(merge.right)});
  }
  whole.vocabulary = std::move(tokens);
  Json file = to_json(std::move(whole));
  set_front_space(file, vocabulary.front);
  return file;
}

void set_front_space(Json& file, FrontSpace front) {
  const auto scheme =
      std::ranges::find(kSchemes, front, &std::pair<FrontSpace, const char*>::first);
  const bool each_part = scheme == std::end(kSchemes);
  file.set("normalizer", each_part ? normalizer() : Json());
  file.set("pre_tokenizer", each_part ? Json() : metaspace(scheme->second));
  file.set("decoder", decoder(front));
}

std::unique_ptr<SentencePieceTokenizer> sentencepiece_from_json(const Json& file,
                                                                const std::string& where) {
  return SentencePieceReader(file, where).read();
}

}  // namespace cria
