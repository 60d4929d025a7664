#include "prepare/split_encoder.h"

#include <algorithm>
#include <filesystem>

#include "cria/base/file.h"
#include "prepare/prepare_tokenizer.h"

namespace cria {
namespace {

constexpr int64_t kSpoolTokens = 4 << 20;  // in a shard that is not yet split
constexpr int64_t kReadTokens = 1 << 16;

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
      train_{{directory, "train", tokenizer.vocab_size(), request.shard_tokens}},
      val_{{directory, "val", tokenizer.vocab_size(), request.shard_tokens}} {}

void SplitEncoder::run(const std::optional<TextTotals>& expected) {
  TextTotals totals;
  if (!texts_.are_split()) {
    totals = encode_documents(INT64_MAX);
  } else if (expected->documents == 1) {
    totals = encode_single_document();
  } else {
    const double to_train =
        static_cast<double>(expected->documents) * (1.0 - request_.val_fraction);
    totals = encode_documents(std::max<int64_t>(1, static_cast<int64_t>(to_train)));
  }
  if (expected && totals != *expected) {
    throw Error("the texts changed while they were read",
                {.where = request_.texts.front(),
                 .expected = std::to_string(expected->bytes) + " bytes of text, as before",
                 .got = std::to_string(totals.bytes)});
  }
  texts_.require_documents(totals, TextPart::train);
  int64_t empty = totals.empty;
  if (!request_.val_texts.empty()) {
    const TextTotals held_out = texts_.read("encoding", TextPart::val, true, cut_of(tokenizer_),
                                            [&](auto chunks) { encoder_.write(chunks, val_); });
    texts_.require_documents(held_out, TextPart::val);
    empty += held_out.empty;
  }
  train_.shards.finish();
  val_.shards.finish();
  if (empty > 0) texts_.note("empty documents passed over: " + std::to_string(empty));
}

// The first `to_train` documents train, the others validate.
TextTotals SplitEncoder::encode_documents(int64_t to_train) {
  bool in_val = false;
  return texts_.read("encoding", TextPart::train, true, cut_of(tokenizer_), [&](auto chunks) {
    size_t end = 0;  // of the chunks to train on
    for (; end < chunks.size() && !in_val; ++end) {
      if (!chunks[end].begins) continue;
      if (to_train == 0) break;
      --to_train;
    }
    in_val = end < chunks.size();
    encoder_.write(chunks.first(end), train_);
    encoder_.write(chunks.subspan(end), val_);
  });
}

// A single document is divided by its tokens, whose number is known when all are there.
TextTotals SplitEncoder::encode_single_document() {
  SplitWriter whole{{directory_, "all", tokenizer_.vocab_size(), kSpoolTokens}};
  const TextTotals totals = texts_.read("encoding", TextPart::train, true, cut_of(tokenizer_),
                                        [&](auto chunks) { encoder_.write(chunks, whole); });
  whole.shards.finish();
  split_tokens(whole);
  return totals;
}

// The first tokens of the only document to train, the others to val.
void SplitEncoder::split_tokens(const SplitWriter& whole) {
  const int64_t total = whole.shards.tokens(), vocabulary = tokenizer_.vocab_size();
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
    const std::string path = join_path(directory_, name);
    {
      const Shard shard(path, ShardFormat::llmc);
      for (int64_t begin = 0; begin < shard.tokens(); begin += std::ssize(ids)) {
        ids.resize(std::min(kReadTokens, shard.tokens() - begin));
        shard.read(begin, std::ssize(ids), vocabulary, ids.data());
        const int64_t to_train = std::clamp<int64_t>(boundary - done, 0, std::ssize(ids));
        const std::span<const int32_t> to_val = std::span(ids).subspan(to_train);
        train_.shards.write(std::span(ids).first(to_train));
        val_.shards.write(to_val);
        for (const int32_t id : to_val) val_.bytes += std::ssize(tokenizer_.token(id));
        done += std::ssize(ids);
        texts_.show("splitting", done, total, false);
      }
    }
    std::filesystem::remove(path);
  }
  // The tokens after the text stand for no bytes of it.
  const int64_t behind = std::min(std::ssize(ends_.after), val_.shards.tokens());
  for (int64_t i = std::ssize(ends_.after) - behind; i < std::ssize(ends_.after); ++i) {
    val_.bytes -= std::ssize(tokenizer_.token(ends_.after[i]));
  }
  train_.bytes = whole.bytes - val_.bytes;
  train_.documents = 1;
  val_.documents = boundary < total ? 1 : 0;
}

}  // namespace cria
