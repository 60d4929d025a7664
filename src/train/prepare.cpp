#include "cria/train/prepare.h"

#include <algorithm>
#include <filesystem>
#include <memory>

#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/data/shard.h"
#include "cria/text/bpe_tokenizer.h"
#include "cria/text/bpe_trainer.h"
#include "cria/text/tokenizer_files.h"
#include "cria/text/tokenizer_json.h"

namespace cria {
namespace {

constexpr const char* kSummary = "dataset.json";
constexpr const char* kTokenizer = "tokenizer.json";
constexpr size_t kPiece = size_t{1} << 20;  // bytes encoded at a time

// body(piece, file, offset) over all texts in pieces of about kPiece that end where
// cut(text, from) says.
template <class Cut, class Body>
void for_pieces(const std::vector<MappedFile>& files, Cut&& cut, Body&& body) {
  for (const MappedFile& file : files) {
    const std::string_view text = file.bytes();
    for (size_t begin = 0; begin < text.size();) {
      const std::string_view rest = text.substr(begin);
      const size_t end = begin + (rest.size() > kPiece ? cut(rest, kPiece) : rest.size());
      body(text.substr(begin, end - begin), file.path(), begin);
      begin = end;
    }
  }
}

std::vector<MappedFile> open_texts(const std::vector<std::string>& paths) {
  std::vector<MappedFile> files;
  for (const std::string& path : paths) {
    files.emplace_back(path);
    if (files.back().bytes().empty()) {
      throw Error("the text is empty", {.where = path,
                                        .expected = "text to make tokens of",
                                        .got = "0 bytes",
                                        .hint = "is it the right file?"});
    }
  }
  return files;
}

// A vocabulary learned from the texts to train on.
std::unique_ptr<Tokenizer> train_bpe_tokenizer(const PrepareRequest& request,
                                               const std::vector<MappedFile>& texts) {
  WordCounts words(pattern(request.pattern));
  for (const MappedFile& file : texts) words.add(file.bytes());
  return std::make_unique<BpeTokenizer>(train_bpe(words, request.vocab_size, {}));
}

std::unique_ptr<Tokenizer> choose_tokenizer(const PrepareRequest& request,
                                            const std::vector<MappedFile>& texts,
                                            const std::vector<MappedFile>& val_texts) {
  const std::string& name = request.tokenizer;
  if (name == "bytes") return make_byte_tokenizer();
  if (name == "bpe") return train_bpe_tokenizer(request, texts);
  if (name == "chars") {
    CharacterSet characters;
    const std::unique_ptr<Tokenizer> bytes = make_byte_tokenizer();
    for (const std::vector<MappedFile>* files : {&texts, &val_texts}) {
      for_pieces(
          *files, [&](std::string_view text, size_t from) { return bytes->find_cut(text, from); },
          [&](std::string_view piece, const std::string& path, size_t offset) {
            characters.add(piece, path, offset);
          });
    }
    return make_char_tokenizer(characters.sorted());
  }
  if (exists(name)) return read_tokenizer(name);
  const std::vector<std::string> kinds = {"bytes", "chars", "bpe"};
  throw UsageError("no such tokenizer",
                   {.where = "cria prepare --tokenizer",
                    .expected = "bytes, chars, bpe, or the path of a tokenizer.json",
                    .got = "'" + name + "'",
                    .hint = did_you_mean(name, kinds)});
}

// Stale shards would be read together with the new ones: nothing of a dataset may be there.
void require_no_dataset(const std::string& directory) {
  std::error_code missing;
  for (const auto& entry : std::filesystem::directory_iterator(directory, missing)) {
    const std::string name = entry.path().filename().string();
    const bool is_shard =
        name.ends_with(".bin") && (name.starts_with("train_") || name.starts_with("val_"));
    if (name != kSummary && !is_shard) continue;
    throw Error("exists already",
                {.where = entry.path().string(),
                 .expected = "no dataset here yet",
                 .got = name == kSummary ? "the summary of one" : "a shard of one",
                 .hint = "remove the dataset or choose another --out"});
  }
}

// Train or val: its shards, and what dataset.json says of it.
struct Split {
  ShardSeries shards;
  int64_t bytes = 0;
  size_t documents = 0;

  void write(std::span<const int32_t> ids, const Tokenizer& tokenizer) {
    for (const int32_t id : ids) bytes += static_cast<int64_t>(tokenizer.token(id).size());
    shards.write(ids);
  }

  Json describe() const {
    Json json;
    json.set("tokens", shards.tokens());
    json.set("bytes", bytes);
    json.set("documents", documents);
    json.set("shards", Json::Array(shards.file_names().begin(), shards.file_names().end()));
    return json;
  }
};

}  // namespace

Json prepare_dataset(const PrepareRequest& request) {
  const std::string& out = request.directory;
  require_no_dataset(out);
  const std::vector<MappedFile> texts = open_texts(request.texts);
  const std::vector<MappedFile> val_texts = open_texts(request.val_texts);
  const std::unique_ptr<Tokenizer> tokenizer = choose_tokenizer(request, texts, val_texts);
  const auto cut = [&](std::string_view text, size_t from) {
    return tokenizer->find_cut(text, from);
  };
  std::vector<int32_t> ids;
  const auto encode = [&](std::string_view piece, const std::string& path, size_t offset) {
    ids.clear();
    tokenizer->encode(piece, ids, path, offset);
  };

  // Once to count (and to find what cannot be encoded before anything is written), once to write.
  int64_t total = 0;
  for_pieces(texts, cut, [&](std::string_view piece, const std::string& path, size_t offset) {
    encode(piece, path, offset);
    total += static_cast<int64_t>(ids.size());
  });
  int64_t boundary = total;
  if (val_texts.empty()) {
    boundary = static_cast<int64_t>(static_cast<double>(total) * (1.0 - request.val_fraction));
  }
  if (boundary == 0) {
    throw Error("no token is left to train on",
                {.where = request.texts.front(),
                 .expected = "more text, or a smaller --val-fraction",
                 .got = std::to_string(total) + " tokens, all of them to validate on",
                 .hint = "--val-fraction 0 keeps all of them to train on"});
  }

  Rollback rollback;
  rollback.make_directories(out);
  const int64_t vocabulary = tokenizer->vocab_size();
  Split train{{out, "train", vocabulary}}, val{{out, "val", vocabulary}};
  train.documents = texts.size();
  val.documents = val_texts.empty() ? (boundary < total ? 1 : 0) : val_texts.size();
  for_pieces(texts, cut, [&](std::string_view piece, const std::string& path, size_t offset) {
    encode(piece, path, offset);
    const std::span<const int32_t> all = ids;
    const size_t to_train = static_cast<size_t>(
        std::clamp<int64_t>(boundary - train.shards.tokens(), 0, static_cast<int64_t>(ids.size())));
    train.write(all.first(to_train), *tokenizer);
    val.write(all.subspan(to_train), *tokenizer);
    if (request.progress) request.progress(train.shards.tokens() + val.shards.tokens(), total);
  });
  for_pieces(val_texts, cut, [&](std::string_view piece, const std::string& path, size_t offset) {
    encode(piece, path, offset);
    val.write(ids, *tokenizer);
  });

  Json about_tokenizer, summary;
  about_tokenizer.set("kind", tokenizer->kind());
  about_tokenizer.set("vocab_size", vocabulary);
  about_tokenizer.set("file", kTokenizer);
  about_tokenizer.set("hash", tokenizer_hash(*tokenizer));
  summary.set("tokenizer", about_tokenizer);
  summary.set("train", train.describe());
  summary.set("val", val.describe());
  for (Split* split : {&train, &val}) {
    for (const std::string& name : split->shards.file_names()) {
      rollback.will_write(join_path(out, name));
    }
    split->shards.finish();
  }
  for (const std::string& name : tokenizer_file_names()) {
    rollback.will_write(join_path(out, name));
  }
  write_tokenizer_files(out, *tokenizer);
  rollback.will_write(join_path(out, kSummary));
  write_file(join_path(out, kSummary), summary.dump(2) + "\n");
  rollback.dismiss();
  return summary;
}

void require_tokenizer_of(const std::string& pattern, const Tokenizer& tokenizer) {
  const std::string path = (std::filesystem::path(pattern).parent_path() / kSummary).string();
  if (!exists(path)) return;
  const Json summary = Json::parse(read_file(path), path);
  const Json* about = summary.find("tokenizer");
  const Json* hash = about ? about->find("hash") : nullptr;
  if (!hash || hash->as_string(path + ": tokenizer.hash") == tokenizer_hash(tokenizer)) return;
  throw Error("the shards were made with another tokenizer",
              {.where = path + ": tokenizer.hash",
               .expected = hash->as_string(path),
               .got = tokenizer_hash(tokenizer) + " (" + tokenizer.kind() + ", " +
                      std::to_string(tokenizer.vocab_size()) + " tokens)",
               .hint = "use the tokenizer.json beside the shards, or prepare the text again with "
                       "--tokenizer and the path of the model's"});
}

}  // namespace cria
