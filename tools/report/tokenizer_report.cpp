#include "report/tokenizer_report.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/unicode.h"
#include "report/report_text.h"
#include "text/bpe_tokenizer.h"

namespace cria {
namespace {

constexpr size_t kShownBytes = 4096;  // of a sample

constexpr size_t kAddedShown = 20;
constexpr size_t kNameWidth = 80;
constexpr size_t kSingleLengths = 16;  // longer ones share a bar with others

const std::array<std::pair<const char*, int32_t SpecialTokens::*>, 4> kRoles = {
    {{"bos", &SpecialTokens::bos},
     {"eos", &SpecialTokens::eos},
     {"pad", &SpecialTokens::pad},
     {"unk", &SpecialTokens::unk}}};

void print_roles(const Tokenizer& tokenizer) {
  for (const auto& [name, role] : kRoles) {
    const int32_t id = tokenizer.special_tokens().*role;
    if (id < 0) continue;
    std::printf("%s        %d  %s\n", name, id, quoted_token(&tokenizer, id).c_str());
  }
}

void print_added(const Tokenizer& tokenizer) {
  const std::vector<AddedToken>& added = tokenizer.added_tokens();
  if (added.empty()) return;
  std::printf("\nadded tokens\n    id  token\n");
  for (size_t i = 0; i < std::min(added.size(), kAddedShown); ++i) {
    std::printf("%6d  %s%s\n", added[i].id, quoted_token(&tokenizer, added[i].id).c_str(),
                added[i].special ? "  special" : "");
  }
  if (added.size() > kAddedShown) std::printf("        %zu more\n", added.size() - kAddedShown);
}

void print_lengths(const VocabularyStatistics& vocabulary) {
  std::vector<BarRow> rows;
  const std::vector<int64_t>& counts = vocabulary.by_length;
  for (size_t from = 1, to = 1; from < counts.size(); from = to + 1) {
    to = from <= kSingleLengths ? from : 2 * from - 2;
    const size_t last = std::min(to, counts.size() - 1);
    const std::string label = std::to_string(from);
    BarRow row = {from == to ? label : label + "-" + std::to_string(to), 0};
    for (size_t length = from; length <= last; ++length) row.count += counts[length];
    rows.push_back(row);
  }
  std::printf("\ntokens by length in bytes\n");
  print_bars(rows);
  std::printf("%lld of %lld (%s) are no valid UTF-8 on their own\n",
              static_cast<long long>(vocabulary.not_utf8),
              static_cast<long long>(vocabulary.tokens),
              percent(vocabulary.not_utf8, std::max<int64_t>(1, vocabulary.tokens)).c_str());
}

void print_longest(const TokenizerReport& report) {
  if (report.vocabulary.longest.empty()) return;
  std::printf("\nlongest tokens\n    id  bytes  token\n");
  for (const int32_t id : report.vocabulary.longest) {
    std::printf("%6d  %5zu  %s\n", id, report.tokenizer->token(id).size(),
                quoted_token(report.tokenizer.get(), id).c_str());
  }
}

void print_sample(const TokenizerReport& report) {
  const TokenizerSample& sample = *report.sample;
  const Compression& c = sample.compression;
  std::printf("\ntext       %s\n           %lld bytes, %lld words, %lld tokens\n",
              shortened(sample.name, kNameWidth).c_str(), static_cast<long long>(c.bytes),
              static_cast<long long>(c.words), static_cast<long long>(c.tokens));
  if (c.tokens == 0) return;
  std::printf("           %.2f bytes per token", ratio(c.bytes, c.tokens));
  if (c.words > 0) std::printf(", %.2f tokens per word", ratio(c.tokens, c.words));
  std::printf("\n");
  const size_t shown = sample.first.size();
  const bool all = static_cast<int64_t>(shown) == c.tokens;
  print_tokens(all ? "tokens" : "the first " + std::to_string(shown) + " tokens",
               report.tokenizer.get(), sample.first, report.show_ids);
}

}  // namespace

TokenizerSample sample_of(const Tokenizer& tokenizer, std::string_view text,
                          const std::string& name, const std::string& where) {
  return {.name = name,
          .compression = compression(tokenizer, text, where),
          .first = first_ids(tokenizer, text, kShownBytes, where)};
}

std::string description(const Tokenizer& tokenizer) {
  const BpeVocabulary* const bpe = tokenizer.bpe_vocabulary();
  std::string text = tokenizer.kind();
  if (bpe) text += ", pattern " + regex_names()[static_cast<size_t>(bpe->regex)];
  if (bpe && bpe->nfc) text += ", NFC";
  text += ", " + std::to_string(tokenizer.vocab_size()) + " tokens";
  if (bpe) text += ", " + std::to_string(bpe->merges.size()) + " merges";
  return text;
}

Json to_json(const TokenizerReport& report) {
  const Tokenizer& tokenizer = *report.tokenizer;
  const BpeVocabulary* const bpe = tokenizer.bpe_vocabulary();
  const VocabularyStatistics& vocabulary = report.vocabulary;
  Json::Array added, longest, lengths;
  for (const AddedToken& token : tokenizer.added_tokens()) {
    added.push_back(Json::Object{
        {"id", token.id}, {"text", valid_utf8(token.text)}, {"special", token.special}});
  }
  for (const int32_t id : vocabulary.longest) {
    longest.push_back(Json::Object{
        {"id", id}, {"bytes", tokenizer.token(id).size()}, {"text", token_json(&tokenizer, id)}});
  }
  for (size_t length = 1; length < vocabulary.by_length.size(); ++length) {
    const int64_t count = vocabulary.by_length[length];
    if (count > 0) lengths.push_back(Json::Object{{"bytes", length}, {"tokens", count}});
  }
  Json roles = Json::Object{};
  for (const auto& [name, role] : kRoles) {
    const int32_t id = tokenizer.special_tokens().*role;
    roles.set(std::string(name) + "_token_id", id < 0 ? Json() : Json(id));
  }
  Json json = Json::Object{{"path", report.path}, {"kind", tokenizer.kind()}};
  if (bpe) {
    json.set("pattern", regex_names()[static_cast<size_t>(bpe->regex)]);
    json.set("nfc", bpe->nfc);
    json.set("merges", bpe->merges.size());
  }
  json.set("vocab_size", tokenizer.vocab_size());
  json.set("special_tokens", roles);
  json.set("added_tokens", added);
  json.set("lengths", lengths);
  json.set("not_utf8", vocabulary.not_utf8);
  json.set("not_utf8_share", ratio(vocabulary.not_utf8, vocabulary.tokens));
  json.set("longest", longest);
  if (!report.sample) return json;
  const Compression& c = report.sample->compression;
  json.set("sample", Json::Object{{"text", valid_utf8(report.sample->name)},
                                  {"bytes", c.bytes},
                                  {"words", c.words},
                                  {"tokens", c.tokens},
                                  {"bytes_per_token", ratio(c.bytes, c.tokens)},
                                  {"tokens_per_word", ratio(c.tokens, c.words)},
                                  {"first_tokens", tokens_json(&tokenizer, report.sample->first)}});
  return json;
}

void print(const TokenizerReport& report) {
  std::printf("tokenizer  %s\n           %s\n", report.path.c_str(),
              description(*report.tokenizer).c_str());
  print_roles(*report.tokenizer);
  print_added(*report.tokenizer);
  print_lengths(report.vocabulary);
  print_longest(report);
  if (report.sample) print_sample(report);
}

}  // namespace cria
