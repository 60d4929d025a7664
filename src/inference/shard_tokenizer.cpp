#include "inference/shard_tokenizer.h"

#include "cria/base/error.h"
#include "cria/data/dataset.h"
#include "data/dataset_json.h"
#include "tokenizer_files/tokenizer_json.h"

namespace cria {

void require_tokenizer_of(const std::string& glob, const Tokenizer& tokenizer) {
  const std::string found = tokenizer_hash(tokenizer);
  for (const std::string& directory : shard_directories(glob)) {
    const DatasetDescription dataset = read_dataset_json(directory);
    const std::string& expected = dataset.tokenizer.hash;
    if (expected.empty() || expected == found) continue;
    throw Error("the shards were made with another tokenizer",
                {.where = dataset.path + ": tokenizer.hash",
                 .expected = expected,
                 .got = found + " (" + tokenizer.kind() + ", " +
                        std::to_string(tokenizer.vocab_size()) + " tokens)",
                 .hint = "use the tokenizer.json beside the shards, or prepare the text again with "
                         "--tokenizer and the path of the model's"});
  }
}

}  // namespace cria
