#include "inference/document_marks.h"

#include "cria/base/error.h"
#include "cria/data/dataset.h"
#include "data/dataset_json.h"

namespace cria {
namespace {

constexpr const char* kHint =
    "prepare the text with --bos or --eos, or say the id: data.bos_token_id, data.eos_token_id";

void require_no_memory(const ModelConfig& model) {
  if (model.memory_length == 0) return;
  throw Error("a segment memory reaches across documents",
              {.where = "data.mask_documents",
               .expected = "model.memory_length = 0",
               .got = std::to_string(model.memory_length),
               .hint = "leave out one of the two"});
}

void require_in_vocabulary(int64_t id, const ModelConfig& model, const std::string& where) {
  if (id >= -1 && id < model.vocab_size) return;
  throw Error("no token of the model",
              {.where = where,
               .expected = "an id below " + std::to_string(model.vocab_size),
               .got = std::to_string(id)});
}

}  // namespace

DocumentMarks document_marks(const ModelConfig& model, std::span<const std::string> globs,
                             const DocumentMarks& given) {
  require_no_memory(model);
  require_in_vocabulary(given.bos, model, "data.bos_token_id");
  require_in_vocabulary(given.eos, model, "data.eos_token_id");
  DocumentMarks marks = given;
  for (const std::string& glob : globs) {
    for (const std::string& directory : shard_directories(glob)) {
      const DatasetDescription file = read_dataset_json(directory);
      const std::string& path = file.path;
      // Whether these shards have a mark, be it one that is given.
      bool known = given.bos >= 0 || given.eos >= 0;
      const auto take = [&](const char* key, int32_t said, int32_t found, int32_t& mark) {
        if (said >= 0) return;
        require_in_vocabulary(found, model, path + ": " + key);
        if (found < 0) return;
        known = true;
        if (mark >= 0 && mark != found) {
          throw Error("the shards separate documents by different tokens",
                      {.where = path + ": " + key,
                       .expected = std::to_string(mark) + ", as other shards of this run have",
                       .got = std::to_string(found),
                       .hint = "prepare all texts alike"});
        }
        mark = found;
      };
      take("bos_token_id", given.bos, file.bos, marks.bos);
      take("eos_token_id", given.eos, file.eos, marks.eos);
      if (known) continue;
      throw Error("nothing says where documents begin",
                  {.where = path.empty() ? glob : path,
                   .expected = "a bos_token_id or eos_token_id in dataset.json beside the shards",
                   .got = path.empty() ? "no dataset.json" : "neither",
                   .hint = kHint});
    }
  }
  return marks;
}

}  // namespace cria
