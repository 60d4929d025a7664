#include "prepare/prepare.h"

#include <memory>
#include <utility>

#include "base/unicode.h"
#include "cria/base/file.h"
#include "cria/tokenizer_files/tokenizer_file.h"
#include "data/dataset_json.h"
#include "prepare/prepare_directory.h"
#include "prepare/prepare_texts.h"
#include "prepare/prepare_tokenizer.h"
#include "prepare/split_encoder.h"
#include "tokenizer_files/tokenizer_json.h"

namespace cria {
namespace {

// What is put at one end of a document.
std::vector<int32_t> ends_of(const std::string& role, const std::vector<int32_t>& file,
                             int32_t id) {
  if (role.empty()) return file;
  return role_token(role).empty() ? std::vector<int32_t>{} : std::vector<int32_t>{id};
}

void publish(PrepareDirectory& directory, const Tokenizer& tokenizer, const SplitEncoder& splits,
             const Json& summary) {
  write_tokenizer_files(directory.path(), tokenizer);
  write_file(join_path(directory.path(), kDatasetJson), summary.dump(2) + "\n");
  std::vector<std::string> names;
  for (const std::vector<std::string>* files :
       {&splits.train().shards.file_names(), &splits.train().shards.mask_names(),
        &splits.val().shards.file_names(), &splits.val().shards.mask_names(),
        &tokenizer_file_names()}) {
    for (const std::string& name : *files) {
      if (exists(join_path(directory.path(), name))) names.push_back(name);
    }
  }
  names.push_back(kDatasetJson);
  directory.publish(names);
}

}  // namespace

Json prepare_dataset(const PrepareRequest& request) {
  const std::vector<std::string> names = tokens_to_add(request);
  LearnedTokenizer learned = {.tokenizer = known_tokenizer(request, names)};
  PrepareTexts texts(request);
  PrepareDirectory directory(request.directory);
  texts.spool(directory.path());
  std::unique_ptr<Tokenizer>& tokenizer = learned.tokenizer;
  if (!tokenizer) learned = learn_tokenizer(request, texts, names);
  if (!names.empty()) {
    tokenizer = with_special_tokens(std::move(tokenizer), request.special_tokens,
                                    role_token(request.bos), role_token(request.eos));
  }
  const SpecialTokens special = tokenizer->special_tokens();
  TextEnds ends = {ends_of(request.bos, tokenizer->ends().before, special.bos),
                   ends_of(request.eos, tokenizer->ends().after, special.eos)};
  // Without any, documents could not be told apart later.
  if (request.eos.empty() && ends == TextEnds() && special.eos != -1) {
    ends.after = {special.eos};
    texts.note("each document ends with " + quote(token_name(*tokenizer, special.eos)) +
               ", the tokenizer's eos; --eos none leaves it out");
  }
  SplitEncoder splits(request, texts, *tokenizer, ends, directory.path());
  splits.run(learned.totals);
  const Json summary = to_json({.path = {},
                                .tokenizer = {.kind = tokenizer->kind(),
                                              .file = tokenizer_file_names().front(),
                                              .hash = tokenizer_hash(*tokenizer),
                                              .vocab_size = tokenizer->vocab_size(),
                                              .words = learned.words,
                                              .dropped_words = learned.dropped_words},
                                .train = splits.train().describe(directory.path()),
                                .val = splits.val().describe(directory.path()),
                                .bos = ends.before.empty() ? -1 : ends.before.front(),
                                .eos = ends.after.empty() ? -1 : ends.after.back()});
  publish(directory, *tokenizer, splits, summary);
  return summary;
}

}  // namespace cria
