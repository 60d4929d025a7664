// What `cria inspect` has found in a tokenizer, and how it is shown.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cria/base/json.h"
#include "inspect/tokenizer_statistics.h"

namespace cria {

struct TokenizerSample {
  std::string name;  // the file's, or the quoted text
  Compression compression;
  std::vector<int32_t> first;  // ids of the beginning
};

// where: of the text, in errors.
TokenizerSample sample_of(const Tokenizer& tokenizer, std::string_view text,
                          const std::string& name, const std::string& where);

struct TokenizerReport {
  std::string path;
  std::unique_ptr<Tokenizer> tokenizer;
  VocabularyStatistics vocabulary;
  std::optional<TokenizerSample> sample;
  bool show_ids = false;  // of the sample too
};

Json to_json(const TokenizerReport& report);
void print(const TokenizerReport& report);

// "bpe, pattern gpt4, 4096 tokens, 3840 merges"
std::string description(const Tokenizer& tokenizer);

}  // namespace cria
