// The two files beside a tokenizer.json that name its tokens' roles: tokenizer_config.json and
// special_tokens_map.json.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cria/base/json.h"
#include "cria/text/tokenizer.h"

namespace cria {

struct TokenizerConfig {
  struct Role {
    std::string token;  // as the file has it; "": none
    std::string place;  // file and key
  };
  Role bos, eos, pad, unk;
  std::string path;             // of tokenizer_config.json
  std::string tokenizer_class;  // without "Fast"; "": not said
  std::string model_type;       // of the config.json beside it; "": not said
  bool add_bos_token = false, legacy = false;
  std::optional<bool> add_prefix_space;
  Json added_tokens;  // array as a tokenizer.json has it, in the order of ids; null: not said
};

// What the directory's files say; none has to be there. special_tokens_map.json counts, and wins,
// only where tokenizer_config.json has no added_tokens_decoder, as in Hugging Face's transformers.
// What else they hold changes no id. Errors name file and key.
TokenizerConfig read_tokenizer_config(const std::string& directory);

// The tokenizer.json that does what transformers 5 makes of `file` (at `where`) beside this config:
// tokens of added_tokens_decoder are added, or replace what the file says of them; LlamaTokenizer
// puts the space in front as add_prefix_space and legacy say, whatever the file says, unless the
// model is of another type. add_bos_token and add_eos_token count for it only where there is no
// tokenizer.json. Error for what cannot be followed: a class that puts a space in front of text
// that a byte-level BPE encodes.
Json tokenizer_json_beside(Json file, const TokenizerConfig& config, const std::string& where);

// model_max_length: 0: not said.
Json tokenizer_config_json(const Tokenizer& tokenizer, int64_t model_max_length);
Json special_tokens_map_json(const Tokenizer& tokenizer);

}  // namespace cria
