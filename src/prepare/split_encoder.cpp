#include "prepare/split_encoder.h"

#include <algorithm>
#include <cmath>

#include "base/number.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "prepare/prepare_tokenizer.h"

namespace cria {
namespace {

constexpr int64_t kSpoolTokens = 4 << 20;  // in a shard that is not yet divided
constexpr int64_t kReadTokens = 1 << 16;
// Of the share to validate on, before a warning: with 2% fewer tokens the loss is 1% noisier.
constexpr double kTolerance = 0.02;

// Shards of ids and, above these, those of prompts, that are read once from the beginning to the
// end, and removed.
class Spool {
 public:
  Spool(const std::string& directory, const std::vector<std::string>& names, int64_t vocabulary)
      : directory_(directory), names_(names), vocabulary_(vocabulary) {}

  // Hands on the next `count` tokens, in parts.
  template <class OnTokens>
  void read(int64_t count, OnTokens&& on_tokens) {
    while (count > 0) {
      if (!shard_) shard_.emplace(join_path(directory_, names_[next_]), ShardFormat::llmc);
      ids_.resize(static_cast<size_t>(std::min({count, kReadTokens, shard_->tokens() - at_})));
      shard_->read(at_, std::ssize(ids_), vocabulary_, ids_.data());
      on_tokens(std::span<const int32_t>(ids_));
      count -= std::ssize(ids_);
      at_ += std::ssize(ids_);
      if (at_ < shard_->tokens()) continue;
      shard_.reset();
      remove_all(join_path(directory_, names_[next_++]));
      at_ = 0;
    }
  }

 private:
  const std::string& directory_;
  const std::vector<std::string>& names_;
  int64_t vocabulary_;
  std::optional<Shard> shard_;
  std::vector<int32_t> ids_;
  size_t next_ = 0;
  int64_t at_ = 0;  // in the shard
};

std::string percent(double part, double whole) {
  return significant(100.0 * part / whole, 3) + "%";
}

}  // namespace

SplitEncoder::SplitEncoder(const PrepareRequest& request, const PrepareTexts& texts,
                           const Tokenizer& tokenizer, const TextEnds& ends,
                           const std::string& directory)
    : request_(request),
      texts_(texts),
      tokenizer_(tokenizer),
      ends_(ends),
      directory_(directory),
      encoder_(tokenizer, ends),
      train_(writer("train")),
      val_(writer("val")) {}

SplitWriter SplitEncoder::writer(const std::string& name) const {
  const int64_t vocabulary = tokenizer_.vocab_size();
  return {.shards = {directory_, name, vocabulary, request_.shard_tokens},
          .prompts_from = request_.documents.prompt_field.empty() ? 0 : vocabulary};
}

void SplitEncoder::run(const std::optional<TextTotals>& expected) {
  const TextTotals totals = texts_.are_split() ? encode_divided() : encode(TextPart::train, train_);
  if (expected && totals != *expected) {
    throw Error("the texts changed while they were read",
                {.where = request_.texts.front(),
                 .expected = std::to_string(expected->bytes) + " bytes of text, as before",
                 .got = std::to_string(totals.bytes)});
  }
  if (!request_.val_texts.empty()) encode(TextPart::val, val_);
  train_.shards.finish();
  val_.shards.finish();
}

TextTotals SplitEncoder::encode(TextPart part, SplitWriter& split) {
  const TextTotals totals = texts_.read("encoding", part, true, cut_of(tokenizer_),
                                        [&](auto chunks) { encoder_.write(chunks, split); });
  texts_.report(totals, part);
  return totals;
}

// How much of a file is to train is known when all of it is encoded.
TextTotals SplitEncoder::encode_divided() {
  SplitWriter whole{{directory_, "all", spool_vocabulary(), kSpoolTokens}};
  FileSplitter splitter(request_.val_fraction);
  std::vector<FileSplit> files;
  const std::string* file = nullptr;
  int64_t tokens = 0, bytes = 0;  // of the document so far
  const auto count = [&](const TextChunk& chunk, int64_t ids) {
    if (file && file != chunk.file) files.push_back(splitter.end_file(false));
    file = chunk.file;
    tokens += ids;
    bytes += std::ssize(chunk.text);
    if (!chunk.ends) return;
    splitter.add_document(tokens, bytes);
    tokens = bytes = 0;
  };
  const TextTotals totals =
      texts_.read("encoding", TextPart::train, true, cut_of(tokenizer_), [&](auto chunks) {
        const std::span<const int64_t> counts = encoder_.write(chunks, whole);
        for (size_t i = 0; i < chunks.size(); ++i) count(chunks[i], counts[i]);
      });
  texts_.report(totals, TextPart::train);
  files.push_back(splitter.end_file(true));
  whole.shards.finish();
  divide(whole, files);
  compare_share();
  return totals;
}

void SplitEncoder::divide(const SplitWriter& whole, const std::vector<FileSplit>& files) {
  Spool spool(directory_, whole.shards.file_names(), spool_vocabulary());
  int64_t done = 0;
  const auto take = [&](const FileSplit::Part& part, SplitWriter& split, auto&& also) {
    split.bytes += part.bytes;
    split.documents += part.documents;
    spool.read(part.tokens, [&](std::span<const int32_t> ids) {
      split.write(ids);
      also(ids);
      texts_.show("splitting", done += std::ssize(ids), whole.shards.tokens(), false);
    });
  };
  const auto vocabulary = static_cast<int32_t>(tokenizer_.vocab_size());
  for (const FileSplit& file : files) {
    take(file.train, train_, [](auto) {});
    int64_t bytes = 0;
    take(file.val, val_, [&](std::span<const int32_t> ids) {
      for (const int32_t id : ids) bytes += std::ssize(tokenizer_.token(id % vocabulary));
    });
    if (!file.cuts_document) continue;
    // The tokens after the text stand for no bytes of it.
    for (const int32_t id :
         std::span(ends_.after)
             .last(static_cast<size_t>(std::min(std::ssize(ends_.after), file.val.tokens)))) {
      bytes -= std::ssize(tokenizer_.token(id));
    }
    train_.bytes -= bytes;
    val_.bytes += bytes;
  }
}

void SplitEncoder::compare_share() const {
  const int64_t val = val_.shards.tokens(), total = val + train_.shards.tokens();
  if (val == total) {
    throw Error("no token is left to train on",
                {.where = request_.texts.front(),
                 .expected = "more text, or a smaller --val-fraction",
                 .got = std::to_string(total) + " tokens, all of them to validate on",
                 .hint = "--val-fraction 0 keeps all of them to train on"});
  }
  const auto wanted = request_.val_fraction * static_cast<double>(total);
  if (std::abs(static_cast<double>(val) - wanted) <= std::max(1.0, kTolerance * wanted)) return;
  texts_.note("warning: " + percent(val, total) + " of the tokens are to validate on, not the " +
              percent(wanted, total) +
              " of --val-fraction: files of several documents are divided between documents, and "
              "these are long. --val FILE names a text to validate on");
}

}  // namespace cria
