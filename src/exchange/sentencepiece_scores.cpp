#include "exchange/sentencepiece_scores.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>
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
  std::vector<bool> takes_part(names.size());
  for (size_t id = 0; id < names.size(); ++id) takes_part[id] = !is_byte_name(names[id]);
  for (const AddedToken& token : added) takes_part[static_cast<size_t>(token.id)] = false;
  std::unordered_map<std::string_view, int32_t> ids;
  for (size_t id = 0; id < names.size(); ++id) {
    if (takes_part[id]) ids.emplace(names[id], static_cast<int32_t>(id));
  }
  std::vector<BpeMerge> merges;
  for (size_t id = 0; id < names.size(); ++id) {
    if (!takes_part[id] || scores[id] <= kNeverMerged) continue;
    const std::string_view name = names[id];
    for (size_t cut = 1; cut < name.size(); ++cut) {
      const auto left = ids.find(name.substr(0, cut)), right = ids.find(name.substr(cut));
      if (left == ids.end() || right == ids.end()) continue;
      merges.push_back({left->second, right->second, static_cast<int32_t>(id)});
    }
  }
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
