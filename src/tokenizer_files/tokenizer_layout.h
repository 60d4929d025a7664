// The whole of a tokenizer.json, around what tells one tokenizer from another.
#pragma once

#include <utility>

#include "cria/base/json.h"

namespace cria {

struct TokenizerLayout {
  Json::Array added_tokens = {};
  Json normalizer = {}, pre_tokenizer = {}, post_processor = {}, decoder = {};
  bool byte_fallback = false, ignore_merges = false;
  Json vocabulary = Json::Object{};  // token to id
  Json::Array merges = {};
};

inline Json to_json(TokenizerLayout t) {
  return Json::Object{{"version", "1.0"},
                      {"truncation", nullptr},
                      {"padding", nullptr},
                      {"added_tokens", std::move(t.added_tokens)},
                      {"normalizer", std::move(t.normalizer)},
                      {"pre_tokenizer", std::move(t.pre_tokenizer)},
                      {"post_processor", std::move(t.post_processor)},
                      {"decoder", std::move(t.decoder)},
                      {"model", Json::Object{{"type", "BPE"},
                                             {"dropout", nullptr},
                                             {"unk_token", nullptr},
                                             {"continuing_subword_prefix", nullptr},
                                             {"end_of_word_suffix", nullptr},
                                             {"fuse_unk", false},
                                             {"byte_fallback", t.byte_fallback},
                                             {"ignore_merges", t.ignore_merges},
                                             {"vocab", std::move(t.vocabulary)},
                                             {"merges", std::move(t.merges)}}}};
}

}  // namespace cria
