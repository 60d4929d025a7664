// Texts to the token shards of train and val.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "prepare/dataset_split.h"
#include "prepare/file_split.h"
#include "prepare/prepare_texts.h"

namespace cria {

class SplitEncoder {
 public:
  // ends: what is put around each document; directory: where the shards are written. All that is
  // given by reference is to outlive this.
  SplitEncoder(const PrepareRequest& request, const PrepareTexts& texts, const Tokenizer& tokenizer,
               const TextEnds& ends, const std::string& directory);

  // Encodes all texts. expected: what the texts to train on held when they were read before. Error
  // when they hold something else now.
  void run(const std::optional<TextTotals>& expected);

  const SplitWriter& train() const { return train_; }
  const SplitWriter& val() const { return val_; }

 private:
  SplitWriter writer(const std::string& name) const;
  int64_t spool_vocabulary() const { return tokenizer_.vocab_size() + train_.prompts_from; }
  TextTotals encode(TextPart part, SplitWriter& split);
  TextTotals encode_divided();
  void divide(const SplitWriter& whole, const std::vector<FileSplit>& files);
  void compare_share() const;

  const PrepareRequest& request_;
  const PrepareTexts& texts_;
  const Tokenizer& tokenizer_;
  const TextEnds& ends_;
  const std::string& directory_;
  DocumentEncoder encoder_;
  SplitWriter train_, val_;
};

}  // namespace cria
