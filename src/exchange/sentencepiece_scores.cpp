#include "exchange/sentencepiece_scores.h"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <utility>

namespace cria {
namespace {

// "<0x0A>"
bool is_byte_name(std::string_view name) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  return name.size() == 6 && name.starts_with("<0x") && name.ends_with('>') &&
         kDigits.find(name[3]) != kDigits.npos && kDigits.find(name[4]) != kDigits.npos;
}

// All ways to make a token of two others.
std::vector<BpeMerge> merges_found(const std::vector<std::string>& names,
                                   const std::vector<float>& scores,
                                   const std::vector<AddedToken>& added) {
  std::vector<std::string_view> parts(names.begin(), names.end());
  for (const AddedToken& token : added) parts[static_cast<size_t>(token.id)] = {};
  for (std::string_view& name : parts) {
    if (is_byte_name(name)) name = {};
  }
  std::vector<BpeMerge> merges = ways_to_merge(parts);
  std::erase_if(merges, [&](const BpeMerge& merge) {
    return scores[static_cast<size_t>(merge.result)] <= kNeverMerged;
  });
  std::ranges::sort(merges, {}, [&](const BpeMerge& merge) {
    return std::tuple(-scores[static_cast<size_t>(merge.result)], merge.result, merge.left,
                      merge.right);
  });
  return merges;
}

}  // namespace

std::vector<float> scores_of(std::span<const BpeMerge> merges, size_t tokens) {
  std::vector<float> scores(tokens, kNeverMerged);
  float score = 0;
  for (const BpeMerge& merge : merges) {
    float& result = scores[static_cast<size_t>(merge.result)];
    result = std::max(result, score--);
  }
  return scores;
}

SentencePieceVocabulary vocabulary_of_scores(std::vector<std::string> names,
                                             const std::vector<float>& scores,
                                             std::vector<AddedToken> added) {
  SentencePieceVocabulary vocabulary;
  std::vector<bool> is_added(names.size());
  for (const AddedToken& token : added) is_added[static_cast<size_t>(token.id)] = true;
  vocabulary.own = names.size();
  while (vocabulary.own > 0 && is_added[vocabulary.own - 1]) --vocabulary.own;
  vocabulary.merges = merges_found(names, scores, added);
  vocabulary.names = std::move(names);
  vocabulary.added = std::move(added);
  return vocabulary;
}

bool scores_say_all(const SentencePieceVocabulary& vocabulary, bool order_matters) {
  const auto sorted = [&](const std::vector<BpeMerge>& merges) {
    std::vector<std::tuple<int32_t, int32_t, int32_t>> all;
    for (const auto& [left, right, result] : merges) all.emplace_back(left, right, result);
    if (!order_matters) std::ranges::sort(all);
    return all;
  };
  const std::vector<float> scores = scores_of(vocabulary.merges, vocabulary.names.size());
  return sorted(merges_found(vocabulary.names, scores, vocabulary.added)) ==
         sorted(vocabulary.merges);
}

}  // namespace cria
