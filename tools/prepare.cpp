// cria prepare: text files to a tokenizer and token shards.
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "commands.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/base/json.h"
#include "cria/base/rng.h"
#include "cria/data/shard.h"
#include "cria/text/tokenizer_json.h"
#include "cria/train/progress.h"
#include "options.h"

namespace cria {
namespace {

const std::vector<std::string> kKinds = {"bytes", "chars"};  // of tokenizers to be made

constexpr size_t kPiece = size_t{1} << 20;           // bytes encoded at a time
constexpr int64_t kShardTokens = 100 * 1000 * 1000;  // as llm.c's shards

// body(piece, file, offset) over all texts in pieces that end between code points.
template <class Body>
void for_pieces(const std::vector<MappedFile>& files, Body&& body) {
  for (const MappedFile& file : files) {
    const std::string_view text = file.bytes();
    for (size_t begin = 0; begin < text.size();) {
      size_t end = std::min(text.size(), begin + kPiece);
      // Continuation bytes 10xxxxxx belong to what comes before them.
      for (int back = 0; back < 3 && end < text.size() && (text[end] & 0xC0) == 0x80; ++back) ++end;
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

std::unique_ptr<Tokenizer> choose_tokenizer(const std::string& name,
                                            const std::vector<MappedFile>& train,
                                            const std::vector<MappedFile>& val) {
  if (name == "bytes") return make_byte_tokenizer();
  if (name != "chars") {
    if (exists(name)) return read_tokenizer(name);
    throw UsageError("no such tokenizer",
                     {.where = "cria prepare --tokenizer",
                      .expected = "bytes, chars, or the path of a tokenizer.json",
                      .got = "'" + name + "'",
                      .hint = did_you_mean(name, kKinds)});
  }
  CharacterSet characters;
  const auto add = [&](std::string_view piece, const std::string& path, size_t offset) {
    characters.add(piece, path, offset);
  };
  for_pieces(train, add);
  for_pieces(val, add);
  return make_char_tokenizer(characters.sorted());
}

// One of the two parts of the dataset: shards that appear together at finish().
struct Split {
  std::string directory, name;
  int64_t vocab_size;
  std::vector<std::unique_ptr<ShardWriter>> shards = {};
  std::vector<std::string> names = {};
  int64_t tokens = 0, bytes = 0;
  size_t documents = 0;

  void write(std::span<const int32_t> ids, const Tokenizer& tokenizer) {
    for (const int32_t id : ids) bytes += static_cast<int64_t>(tokenizer.token(id).size());
    tokens += static_cast<int64_t>(ids.size());
    while (!ids.empty()) {
      if (shards.empty() || shards.back()->tokens() == kShardTokens) {
        std::string number = std::to_string(shards.size());
        number.insert(0, 6 - std::min<size_t>(6, number.size()), '0');
        names.push_back(name + "_" + number + ".bin");
        shards.push_back(
            std::make_unique<ShardWriter>(join_path(directory, names.back()), vocab_size));
      }
      const size_t room = static_cast<size_t>(kShardTokens - shards.back()->tokens());
      const size_t count = std::min(room, ids.size());
      shards.back()->write(ids.first(count));
      ids = ids.subspan(count);
    }
  }

  Json describe() const {
    Json json;
    json.set("tokens", tokens);
    json.set("bytes", bytes);
    json.set("documents", documents);
    json.set("shards", Json::Array(names.begin(), names.end()));
    return json;
  }
};

// Removes, unless dismissed, what a failure would leave of the dataset: finished shards and the
// directories made for them, these only when empty.
class Rollback {
 public:
  ~Rollback() {
    std::error_code ignored;
    for (const std::string& path : paths_) std::filesystem::remove(path, ignored);
  }
  void make_directory(const std::filesystem::path& path) {
    for (std::filesystem::path each = path; !each.empty() && !exists(each.string());
         each = each.parent_path()) {
      paths_.push_back(each.string());
    }
    make_directories(path.string());
  }
  // A file about to be written. One that is there already is the user's and stays.
  void watch(const std::string& path) {
    if (!exists(path)) paths_.insert(paths_.begin(), path);
  }
  void dismiss() { paths_.clear(); }

 private:
  std::vector<std::string> paths_;  // what is inside before what it is in
};

std::string hash_text(const std::string& content) {
  char text[32];
  std::snprintf(text, sizeof text, "fnv1a:%016llx",
                static_cast<unsigned long long>(fnv1a(content)));
  return text;
}

}  // namespace

int run_prepare(const Arguments& arguments) {
  Options options("prepare", "TEXT... --out DIR",
                  "Write tokenizer.json, train and val shards (llm.c's format) and dataset.json "
                  "from UTF-8 texts.",
                  {{"out", "DIR", "where to; must not hold a dataset yet"},
                   {"tokenizer", "NAME", "bytes, chars (default), or the path of a tokenizer.json"},
                   {"val", "FILE", "text to validate on"},
                   {"val-fraction", "F", "without --val: this much of the end (default 0.1)"},
                   {"json", "", "print dataset.json"}});
  if (!options.parse(arguments)) return 0;
  options.require_positional(1, SIZE_MAX);
  const std::string out = options.text("out", "");
  if (out.empty()) throw UsageError("--out is missing", {.where = "cria prepare"});
  const double fraction = options.real("val-fraction", 0.1, 0.0, 0.999);
  const std::string summary_path = join_path(out, "dataset.json");
  if (exists(summary_path)) {
    throw Error("exists already", {.where = summary_path,
                                   .expected = "no dataset here yet",
                                   .got = "the summary of one",
                                   .hint = "remove the dataset or choose another --out"});
  }

  std::vector<std::string> val_paths;
  if (options.has("val")) val_paths.push_back(options.text("val", ""));
  const std::vector<MappedFile> train_files = open_texts(options.positional());
  const std::vector<MappedFile> val_files = open_texts(val_paths);
  const std::unique_ptr<Tokenizer> tokenizer =
      choose_tokenizer(options.text("tokenizer", "chars"), train_files, val_files);

  // Once to count (and to find what cannot be encoded before anything is written), once to write.
  std::vector<int32_t> ids;
  int64_t total = 0;
  for_pieces(train_files, [&](std::string_view piece, const std::string& path, size_t offset) {
    ids.clear();
    tokenizer->encode(piece, ids, path, offset);
    total += static_cast<int64_t>(ids.size());
  });
  const int64_t boundary = val_files.empty()
                               ? static_cast<int64_t>(static_cast<double>(total) * (1.0 - fraction))
                               : total;
  if (boundary == 0) {
    throw Error("no token is left to train on",
                {.where = options.positional().front(),
                 .expected = "more text, or a smaller --val-fraction",
                 .got = std::to_string(total) + " tokens, all of them to validate on",
                 .hint = "--val-fraction 0 keeps all of them to train on"});
  }
  Rollback rollback;
  rollback.make_directory(out);
  Split train{out, "train", tokenizer->vocab_size()};
  Split val{out, "val", tokenizer->vocab_size()};
  train.documents = train_files.size();
  val.documents = val_files.empty() ? (boundary < total ? 1 : 0) : val_files.size();
  {
    ProgressBar bar(stderr, "prepare", total);
    const auto encode = [&](std::string_view piece, const std::string& path, size_t offset) {
      ids.clear();
      tokenizer->encode(piece, ids, path, offset);
    };
    for_pieces(train_files, [&](std::string_view piece, const std::string& path, size_t offset) {
      encode(piece, path, offset);
      const std::span<const int32_t> all = ids;
      const size_t to_train = static_cast<size_t>(
          std::clamp<int64_t>(boundary - train.tokens, 0, static_cast<int64_t>(ids.size())));
      train.write(all.first(to_train), *tokenizer);
      val.write(all.subspan(to_train), *tokenizer);
      bar.update(train.tokens + val.tokens, "tokens");
    });
    for_pieces(val_files, [&](std::string_view piece, const std::string& path, size_t offset) {
      encode(piece, path, offset);
      val.write(ids, *tokenizer);
    });
  }
  const std::string tokenizer_text = tokenizer_json(*tokenizer);
  Json summary;
  Json about_tokenizer;
  about_tokenizer.set("kind", tokenizer->kind());
  about_tokenizer.set("vocab_size", tokenizer->vocab_size());
  about_tokenizer.set("file", "tokenizer.json");
  about_tokenizer.set("hash", hash_text(tokenizer_text));
  summary.set("tokenizer", about_tokenizer);
  summary.set("train", train.describe());
  summary.set("val", val.describe());
  for (Split* split : {&train, &val}) {
    for (size_t i = 0; i < split->shards.size(); ++i) {
      rollback.watch(join_path(out, split->names[i]));
      split->shards[i]->finish();
    }
  }
  const std::string tokenizer_path = join_path(out, "tokenizer.json");
  rollback.watch(tokenizer_path);
  write_file(tokenizer_path, tokenizer_text);
  rollback.watch(summary_path);
  write_file(summary_path, summary.dump(2) + "\n");
  rollback.dismiss();
  if (options.has("json")) {
    std::printf("%s\n", summary.dump().c_str());
  } else {
    std::printf("%s: %s tokenizer, %lld tokens; %s tokens to train on, %s to validate\n",
                out.c_str(), tokenizer->kind().c_str(),
                static_cast<long long>(tokenizer->vocab_size()),
                short_count(static_cast<double>(train.tokens)).c_str(),
                short_count(static_cast<double>(val.tokens)).c_str());
  }
  return 0;
}

}  // namespace cria
