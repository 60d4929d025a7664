#include "inference/document_marks.h"

#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/base/json.h"
#include "cria/data/dataset.h"
#include "data/dataset_json.h"

namespace cria {
namespace {

constexpr const char* kHint =
    "prepare the text with --bos or --eos, or say the id: data.bos_token_id, data.eos_token_id";

void require_no_memory(const ModelConfig& model) {
  if (model.memory_length == 0) return;
  throw Error("a memory of earlier positions reaches across documents",
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

// The id at key; -1 when the file names none.
int64_t mark_at(const Json& summary, const std::string& key, const std::string& path) {
  const Json* value = summary.find(key);
  return value && !value->is_null() ? value->as_int(path + ": " + key) : -1;
}

}  // namespace

DocumentMarks document_marks(const ModelConfig& model, std::span<const std::string> patterns,
                             const DocumentMarks& given) {
  require_no_memory(model);
  require_in_vocabulary(given.bos, model, "data.bos_token_id");
  require_in_vocabulary(given.eos, model, "data.eos_token_id");
  DocumentMarks marks = given;
  for (const std::string& pattern : patterns) {
    for (const std::string& directory : shard_directories(pattern)) {
      const std::string path = join_path(directory, kDatasetSummary);
      Json summary;
      if (exists(path)) summary = Json::parse(read_file(path), path);
      // Whether these shards have a mark, be it one that is given.
      bool known = given.bos >= 0 || given.eos >= 0;
      const auto take = [&](const std::string& key, int32_t said, int32_t& mark) {
        if (said >= 0) return;
        const int64_t found = mark_at(summary, key, path);
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
        mark = static_cast<int32_t>(found);
      };
      take("bos_token_id", given.bos, marks.bos);
      take("eos_token_id", given.eos, marks.eos);
      if (known) continue;
      throw Error("nothing says where documents begin",
                  {.where = exists(path) ? path : pattern,
                   .expected = "a bos_token_id or eos_token_id in dataset.json beside the shards",
                   .got = exists(path) ? "neither" : "no dataset.json",
                   .hint = kHint});
    }
  }
  return marks;
}

}  // namespace cria
