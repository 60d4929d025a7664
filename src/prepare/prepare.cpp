#include "prepare/prepare.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "base/unicode.h"
#include "cria/base/file.h"
#include "cria/data/dataset.h"
#include "cria/tokenizer_files/tokenizer_file.h"
#include "data/dataset_json.h"
#include "prepare/bpe_trainer.h"
#include "prepare/dataset_split.h"
#include "prepare/prepare_directory.h"
#include "text/bpe_tokenizer.h"
#include "tokenizer_files/tokenizer_json.h"

namespace cria {
namespace {

constexpr const char* kNone = "none";
constexpr int64_t kSpoolTokens = 4 << 20;  // in a shard that is not yet split
constexpr int64_t kReadTokens = 1 << 16;

TextCut cut_of(const Tokenizer& tokenizer) {
  return {
      [&tokenizer](std::string_view text, size_t from) { return tokenizer.find_cut(text, from); },
      Tokenizer::kCutReach};
}

class Preparation {
 public:
  explicit Preparation(const PrepareRequest& request)
      : request_(request),
        names_(tokens_to_add(request)),
        tokenizer_(known_tokenizer()),
        texts_(request.texts, request.documents),
        val_texts_(request.val_texts, request.documents),
        directory_(request.directory) {}

  Json run() {
    spool();
    survey();
    if (!names_.empty()) {
      tokenizer_ = with_special_tokens(std::move(tokenizer_), request_.special_tokens,
                                       token_name(request_.bos), token_name(request_.eos));
    }
    const TextEnds ends = {
        ends_of(request_.bos, tokenizer_->ends().before, tokenizer_->special_tokens().bos),
        ends_of(request_.eos, tokenizer_->ends().after, tokenizer_->special_tokens().eos)};
    const int64_t vocabulary = tokenizer_->vocab_size(), shard_tokens = request_.shard_tokens;
    SplitWriter train{{directory_.path(), "train", vocabulary, shard_tokens}};
    SplitWriter val{{directory_.path(), "val", vocabulary, shard_tokens}};
    encode(ends, train, val);

    const Json summary = to_json({.path = {},
                                  .tokenizer = describe_tokenizer(),
                                  .train = train.describe(directory_.path()),
                                  .val = val.describe(directory_.path()),
                                  .bos = ends.before.empty() ? -1 : ends.before.front(),
                                  .eos = ends.after.empty() ? -1 : ends.after.back()});
    publish(train, val, summary);
    return summary;
  }

 private:
  // --- what is asked for

  static std::string token_name(const std::string& role) { return role == kNone ? "" : role; }

  // The special tokens in the order of their ids, those with a role last, as with_special_tokens.
  static std::vector<std::string> tokens_to_add(const PrepareRequest& request) {
    std::vector<std::string> names = request.special_tokens;
    const std::string bos = token_name(request.bos), eos = token_name(request.eos);
    if (!bos.empty()) names.push_back(bos);
    if (!eos.empty() && eos != bos) names.push_back(eos);
    std::vector<std::string> sorted = names;
    std::ranges::sort(sorted);
    if (const auto twice = std::ranges::adjacent_find(sorted); twice != sorted.end()) {
      throw Error("special token " + quote(*twice) + " is there twice",
                  {.where = "cria prepare",
                   .expected = "each token once",
                   .got = quote(*twice) + " again",
                   .hint = "what --bos and --eos name is no --special any more"});
    }
    return names;
  }

  // What is put at one end of a document.
  static std::vector<int32_t> ends_of(const std::string& role, const std::vector<int32_t>& file,
                                      int32_t id) {
    if (role.empty()) return file;
    return role == kNone ? std::vector<int32_t>{} : std::vector<int32_t>{id};
  }

  Pattern training_pattern() const {
    return pattern(request_.pattern.empty() ? "gpt4" : request_.pattern);
  }

  // The tokenizer, unless it is to be learned from the texts; what is wrong with it is said before
  // they are read.
  std::unique_ptr<Tokenizer> known_tokenizer() const {
    const std::string& name = request_.tokenizer;
    if (name == "bytes") return make_byte_tokenizer();
    if (name == "chars") return nullptr;
    if (name == "bpe") {
      train_bpe(WordCounts(training_pattern()), request_.vocab_size, names_);
      return nullptr;
    }
    if (exists(name)) return read_tokenizer(name, request_.pattern);
    const std::vector<std::string> kinds = {"bytes", "chars", "bpe"};
    throw UsageError("no such tokenizer",
                     {.where = "cria prepare --tokenizer",
                      .expected = "bytes, chars, bpe, or the path of a tokenizer",
                      .got = quote(name),
                      .hint = did_you_mean(name, kinds)});
  }

  // --- steps

  void show(const char* phase, int64_t done, int64_t total, bool in_bytes = true) const {
    if (request_.stop && *request_.stop) {
      throw Interrupted("stopped", {.where = request_.directory, .hint = "nothing was written"});
    }
    if (request_.progress) request_.progress({phase, done, total, in_bytes});
  }

  void note(const std::string& line) const {
    if (request_.note) request_.note(line);
  }

  void spool() {
    int64_t before = 0;
    for (TextInput* input : {&texts_, &val_texts_}) {
      const std::string directory =
          join_path(directory_.path(), input == &texts_ ? "texts" : "val");
      make_directories(directory);
      input->spool(directory, [&](int64_t bytes) { show("reading", before + bytes, 0); });
      before += input->bytes();
    }
  }

  // Reads the texts, and the val texts as well if asked for, to learn of them.
  TextTotals read(const char* phase, bool both, const TextCut& cut,
                  const TextInput::OnChunks& on_chunks) const {
    const int64_t first = texts_.bytes(), total = first + (both ? val_texts_.bytes() : 0);
    show(phase, 0, total);
    const TextTotals totals =
        texts_.read(cut, on_chunks, [&](int64_t bytes) { show(phase, bytes, total); });
    if (both) {
      val_texts_.read(cut, on_chunks, [&](int64_t bytes) { show(phase, first + bytes, total); });
    }
    return totals;
  }

  bool splits() const { return request_.val_texts.empty() && request_.val_fraction > 0; }

  // Learns the tokenizer and, where that matters, how many documents there are.
  void survey() {
    const std::unique_ptr<Tokenizer> bytes = make_byte_tokenizer();
    const TextCut between_characters = cut_of(*bytes);
    if (request_.tokenizer == "bpe") {
      learn_bpe();
    } else if (request_.tokenizer == "chars") {
      CharacterSet characters;
      totals_ = read("reading", true, between_characters, [&](std::span<const TextChunk> chunks) {
        for (const TextChunk& chunk : chunks) {
          characters.add(chunk.text, chunk.where(), chunk.offset);
        }
      });
      require_documents(*totals_, request_.texts);
      tokenizer_ = make_char_tokenizer(characters.sorted());
    } else if (splits()) {
      totals_ = read("reading", false, between_characters, [](std::span<const TextChunk>) {});
    }
  }

  // A vocabulary learned from the texts to train on.
  void learn_bpe() {
    const Pattern pattern = training_pattern();
    const TextCut cut = {
        [pattern](std::string_view text, size_t from) { return find_cut(pattern, text, from); },
        Tokenizer::kCutReach};
    WordCounts words(pattern, request_.words);
    std::vector<std::string_view> views;
    totals_ = read("counting words", false, cut, [&](std::span<const TextChunk> chunks) {
      views.clear();
      for (const TextChunk& chunk : chunks) views.push_back(chunk.text);
      words.add(views);
    });
    words_ = words.size();
    dropped_ = words.dropped();
    if (dropped_ > 0) {
      note("rare words were dropped " + std::to_string(dropped_) +
           " times: the text has more different ones than fit in memory");
    }
    tokenizer_ = std::make_unique<BpeTokenizer>(train_bpe(
        std::move(words), request_.vocab_size, names_,
        [&](int64_t tokens, int64_t wanted) { show("learning merges", tokens, wanted, false); }));
  }

  // The texts to shards, then the val texts.
  void encode(const TextEnds& ends, SplitWriter& train, SplitWriter& val) {
    DocumentEncoder encoder(*tokenizer_, ends);
    const TextCut cut = cut_of(*tokenizer_);
    const int64_t first = texts_.bytes(), total = first + val_texts_.bytes();
    const auto read = [&](const TextInput& input, int64_t before,
                          const TextInput::OnChunks& write) {
      const TextTotals totals =
          input.read(cut, write, [&](int64_t bytes) { show("encoding", before + bytes, total); });
      empty_ += totals.empty;
      return totals;
    };
    show("encoding", 0, total);
    TextTotals totals;
    if (splits() && totals_->documents == 1) {
      SplitWriter whole{{directory_.path(), "all", tokenizer_->vocab_size(), kSpoolTokens}};
      totals = read(texts_, 0, [&](auto chunks) { encoder.write(chunks, whole); });
      whole.shards.finish();
      split_tokens(whole, ends, train, val);
    } else {
      int64_t left = splits() ? documents_to_train_on() : INT64_MAX;
      bool in_val = false;
      totals = read(texts_, 0, [&](auto chunks) {
        size_t end = 0;  // of the chunks to train on
        for (; end < chunks.size() && !in_val; ++end) {
          if (!chunks[end].begins) continue;
          if (left == 0) break;
          --left;
        }
        in_val = end < chunks.size();
        encoder.write(chunks.first(end), train);
        encoder.write(chunks.subspan(end), val);
      });
    }
    if (totals_ && totals != *totals_) {
      throw Error("the texts changed while they were read",
                  {.where = request_.texts.front(),
                   .expected = std::to_string(totals_->bytes) + " bytes of text, as before",
                   .got = std::to_string(totals.bytes)});
    }
    require_documents(totals, request_.texts);
    if (!request_.val_texts.empty()) {
      require_documents(read(val_texts_, first, [&](auto chunks) { encoder.write(chunks, val); }),
                        request_.val_texts);
    }
    train.shards.finish();
    val.shards.finish();
    if (empty_ > 0) note("empty documents passed over: " + std::to_string(empty_));
  }

  static void require_documents(const TextTotals& totals, const std::vector<std::string>& texts) {
    if (totals.documents > 0) return;
    throw Error("no document has any text",
                {.where = texts.front(),
                 .expected = "text to make tokens of",
                 .got = std::to_string(totals.empty) + " empty documents",
                 .hint = "is it the right file?"});
  }

  int64_t documents_to_train_on() const {
    const double documents = static_cast<double>(totals_->documents);
    return std::max<int64_t>(1, static_cast<int64_t>(documents * (1.0 - request_.val_fraction)));
  }

  // The first tokens of the only document to train, the others to val.
  void split_tokens(const SplitWriter& whole, const TextEnds& ends, SplitWriter& train,
                    SplitWriter& val) const {
    const int64_t total = whole.shards.tokens(), vocabulary = tokenizer_->vocab_size();
    const auto boundary =
        static_cast<int64_t>(static_cast<double>(total) * (1.0 - request_.val_fraction));
    if (boundary == 0) {
      throw Error("no token is left to train on",
                  {.where = request_.texts.front(),
                   .expected = "more text, or a smaller --val-fraction",
                   .got = std::to_string(total) + " tokens, all of them to validate on",
                   .hint = "--val-fraction 0 keeps all of them to train on"});
    }
    std::vector<int32_t> ids;
    int64_t done = 0;
    for (const std::string& name : whole.shards.file_names()) {
      const std::string path = join_path(directory_.path(), name);
      {
        const Shard shard(path, ShardFormat::llmc);
        for (int64_t begin = 0; begin < shard.tokens(); begin += std::ssize(ids)) {
          ids.resize(std::min(kReadTokens, shard.tokens() - begin));
          shard.read(begin, std::ssize(ids), vocabulary, ids.data());
          const int64_t to_train = std::clamp<int64_t>(boundary - done, 0, std::ssize(ids));
          const std::span<const int32_t> to_val = std::span(ids).subspan(to_train);
          train.shards.write(std::span(ids).first(to_train));
          val.shards.write(to_val);
          for (const int32_t id : to_val) val.bytes += std::ssize(tokenizer_->token(id));
          done += std::ssize(ids);
          show("splitting", done, total, false);
        }
      }
      std::filesystem::remove(path);
    }
    // What stands behind the text is none of it.
    const int64_t behind = std::min(std::ssize(ends.after), val.shards.tokens());
    for (int64_t i = std::ssize(ends.after) - behind; i < std::ssize(ends.after); ++i) {
      val.bytes -= std::ssize(tokenizer_->token(ends.after[i]));
    }
    train.bytes = whole.bytes - val.bytes;
    train.documents = 1;
    val.documents = boundary < total ? 1 : 0;
  }

  // --- what is written

  TokenizerDescription describe_tokenizer() const {
    TokenizerDescription described = {.kind = tokenizer_->kind(),
                                      .file = tokenizer_file_names().front(),
                                      .hash = tokenizer_hash(*tokenizer_),
                                      .vocab_size = tokenizer_->vocab_size()};
    if (request_.tokenizer == "bpe") {
      described.words = words_;
      described.dropped_words = dropped_;
    }
    return described;
  }

  void publish(const SplitWriter& train, const SplitWriter& val, const Json& summary) {
    write_tokenizer_files(directory_.path(), *tokenizer_);
    write_file(join_path(directory_.path(), kDatasetJson), summary.dump(2) + "\n");
    std::vector<std::string> names;
    for (const std::vector<std::string>* files :
         {&train.shards.file_names(), &val.shards.file_names(), &tokenizer_file_names()}) {
      for (const std::string& name : *files) {
        if (exists(join_path(directory_.path(), name))) names.push_back(name);
      }
    }
    names.push_back(kDatasetJson);
    directory_.publish(names);
  }

  const PrepareRequest& request_;
  const std::vector<std::string> names_;  // special tokens to add
  std::unique_ptr<Tokenizer> tokenizer_;
  TextInput texts_, val_texts_;
  PrepareDirectory directory_;
  std::optional<TextTotals> totals_;  // of the texts, if they were looked through before
  int64_t words_ = 0, dropped_ = 0;   // bpe
  int64_t empty_ = 0;                 // documents
};

}  // namespace

Json prepare_dataset(const PrepareRequest& request) {
  return Preparation(request).run();
}

}  // namespace cria
