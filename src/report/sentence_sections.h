// A text through a model as charts, tables and sentences.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cria/model/config.h"
#include "cria/text/tokenizer.h"
#include "inspect/trace.h"
#include "report/page.h"

namespace cria {

struct Sentence {
  std::string model;  // its directory
  ModelConfig config;
  Trace trace;  // with layers
  std::unique_ptr<Tokenizer> tokenizer;
};

inline constexpr size_t kMostSentenceTokens = 256;

// model: a MODEL, see load_model. Error as of trace, and for a text of more than
// kMostSentenceTokens.
Sentence read_sentence(const std::string& model, std::string_view text);

std::vector<std::string> verdict_of_sentence(const Sentence& sentence);
void add_sentence(Page& page, const Sentence& sentence);

}  // namespace cria
