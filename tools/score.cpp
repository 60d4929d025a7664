// cria score: the loss of texts, token by token.
#include <cmath>
#include <cstdio>
#include <numbers>

#include "base/unicode.h"
#include "cli/chosen_model.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/options.h"
#include "cria/exchange/load_model.h"
#include "inference/score.h"
#include "report/report_text.h"

namespace cria {
namespace {

struct Score {
  Document document;
  std::vector<int32_t> ids;
  std::vector<double> losses;  // of ids
};

// Of tokens that something comes before; loss: the sum of -log p.
struct Total {
  int64_t tokens = 0, bytes = 0;
  double loss = 0;

  void add(const Score& score, const Tokenizer& tokenizer) {
    for (size_t i = 1; i < score.ids.size(); ++i) {
      ++tokens;
      bytes += std::ssize(tokenizer.token(score.ids[i]));
      loss += score.losses[i];
    }
  }
  // NaN where there is nothing to divide by.
  double mean() const { return loss / static_cast<double>(tokens); }
  double bits_per_byte() const { return loss / (std::numbers::ln2 * static_cast<double>(bytes)); }
};

void print_json(const Score& score, const Total& total, const Tokenizer& tokenizer) {
  Json::Array each;
  for (size_t i = 0; i < score.ids.size(); ++i) {
    each.push_back(Json::Object{{"id", score.ids[i]},
                                {"text", valid_utf8(tokenizer.token(score.ids[i]))},
                                {"loss", score.losses[i]}});
  }
  print_json(Json::Object{{"tokens", total.tokens},
                          {"bytes", total.bytes},
                          {"loss", total.mean()},
                          {"perplexity", std::exp(total.mean())},
                          {"bits_per_byte", total.bits_per_byte()},
                          {"where", score.document.where},
                          {"text", score.document.text},
                          {"token_losses", each}});
}

void print_tokens(const Score& score, const Tokenizer& tokenizer) {
  std::printf("    loss  probability     id  token\n");
  for (size_t i = 0; i < score.ids.size(); ++i) {
    const double loss = score.losses[i];
    std::printf("%8s  %11s %6d  %s\n", fixed_or_dash(loss, 4).c_str(),
                fixed_or_dash(std::exp(-loss), 4).c_str(), score.ids[i],
                quote(tokenizer.token(score.ids[i])).c_str());
  }
  std::printf("\n");
}

std::vector<std::string> row_of(const std::string& text, const Total& total) {
  return {text, std::to_string(total.tokens), fixed_or_dash(total.mean(), 4),
          fixed_or_dash(total.bits_per_byte(), 4), fixed_or_dash(std::exp(total.mean()), 4)};
}

}  // namespace

int run_score(const Arguments& arguments) {
  Options options(
      "score", "MODEL --file FILE",
      "The loss of each document of FILE under MODEL (a checkpoint, a run, or a Hugging "
      "Face directory): the mean of -log p over its tokens, natural log. The first token "
      "has one only where the tokenizer puts something before a text.",
      {{"file", "FILE", "text to score; -: standard input"},
       {"lines", "", "each line is a document"},
       {"document-separator", "TEXT", "this text stands between documents"},
       {"format", "NAME", "text or jsonl (default: by the file's name)"},
       {"field", "NAME", "jsonl: the member that holds the text (default text)"},
       {"tokens", "", "print each token with its loss"},
       {"sequence-length", "N", "tokens seen at once (default: as trained, at most 2048)"},
       {"json", "", "print losses of documents and tokens as JSON, a line for each document"}});
  if (!options.parse(arguments, 1, 1)) return 0;
  if (!options.has("file")) options.refuse("--file is missing", {.hint = "--file my.txt"});
  const std::string file = options.text("file", "");
  const std::vector<Document> documents =
      read_documents(file, {.format = options.text("format", ""),
                            .field = options.text("field", "text"),
                            .lines = options.has("lines"),
                            .separator = options.text("document-separator", "")});
  const LoadedModel loaded = load_model(options.positional().front());
  tell_chosen_model(options.positional().front(), loaded);
  const Tokenizer& tokenizer = require_tokenizer(loaded);
  Scorer scorer(*loaded.model, sequence_length_of(options, loaded.model->config()));
  Total all;
  std::vector<std::vector<std::string>> rows;
  for (const Document& document : documents) {
    Score score = {document, tokenizer.encode_prompt(document.text, document.where), {}};
    score.losses = scorer.losses(score.ids);
    Total total;
    total.add(score, tokenizer);
    all.add(score, tokenizer);
    if (options.has("json")) {
      print_json(score, total, tokenizer);
      continue;
    }
    if (options.has("tokens")) print_tokens(score, tokenizer);
    rows.push_back(row_of(quote(document.text), total));
  }
  if (options.has("json")) return 0;
  if (rows.size() > 1) rows.push_back(row_of("all", all));
  print_table({{"document", true},
               {"tokens"},
               {"loss"},
               {"bits/byte", false, true},
               {"perplexity", false, true}},
              rows);
  return 0;
}

}  // namespace cria
