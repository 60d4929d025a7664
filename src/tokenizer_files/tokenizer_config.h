// The two files beside a tokenizer.json that name its tokens' roles: tokenizer_config.json and
// special_tokens_map.json.
#pragma once

#include <cstdint>
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
  std::string tokenizer_class;  // "": not said
  bool add_bos_token = false, add_prefix_space = false;
};

// What the directory's files say; neither has to be there. special_tokens_map.json counts, and
// wins, only where tokenizer_config.json has no added_tokens_decoder, as in Hugging Face's
// transformers. What else they hold is not looked at. Errors name file and key.
TokenizerConfig read_tokenizer_config(const std::string& directory);

// model_max_length: 0: not said.
Json tokenizer_config_json(const Tokenizer& tokenizer, int64_t model_max_length);
Json special_tokens_map_json(const Tokenizer& tokenizer);

}  // namespace cria
