// A file of token ids: llm.c's format (a 1024-byte header, then uint16 or uint32), or nanoGPT's
// bare uint16.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cria/base/file.h"

namespace cria {

enum class ShardFormat {
  llmc,        // magic 20240520, version 1: uint16; magic 20240801, version 7: uint32
  raw_uint16,  // no header: has to be asked for
};

// "llmc", "raw_uint16"
const std::vector<std::string>& shard_format_names();
ShardFormat shard_format(const std::string& name);  // Error for an unknown name

class Shard {
 public:
  // Maps the file and checks magic, version, count and exact size: Error with what was expected
  // and found (a truncated file, another format, a byte-swapped one).
  Shard(const std::string& path, ShardFormat format);

  int64_t tokens() const { return tokens_; }
  const std::string& path() const { return file_.path(); }

  // Widens tokens begin .. begin + count. An id >= vocab_size is an Error naming the file, the
  // token's index, its byte offset and the id.
  void read(int64_t begin, int64_t count, int64_t vocab_size, int32_t* out) const;

 private:
  MappedFile file_;
  int64_t tokens_ = 0;
  int64_t data_begin_ = 0;
  int width_ = 2;  // bytes per token
};

// Writes an llm.c shard piece by piece; uint16 when the vocabulary fits, else uint32. Atomic: the
// file appears at finish().
class ShardWriter {
 public:
  static constexpr int64_t kMaxTokens = INT32_MAX;

  ShardWriter(const std::string& path, int64_t vocab_size);
  void write(std::span<const int32_t> tokens);  // Error past kMaxTokens
  int64_t tokens() const { return tokens_; }
  void finish();

 private:
  AtomicFile file_;
  std::string path_;
  int width_;
  int64_t tokens_ = 0;
};

// The file with the mask of a shard: NAME.mask beside NAME.bin. A byte for each token of the shard,
// 1 where it is to be predicted, 0 where it is only read.
std::string mask_path(const std::string& shard);

// A series of shards, DIRECTORY/NAME_000000.bin and on, each begun when the last is full, which
// then appears.
class ShardSeries {
 public:
  static constexpr int64_t kShardTokens = 100 * 1000 * 1000;  // as llm.c's

  // shard_tokens: of each but the last, 1 to ShardWriter::kMaxTokens.
  ShardSeries(const std::string& directory, const std::string& name, int64_t vocab_size,
              int64_t shard_tokens = kShardTokens);
  // mask: a byte for each token, see mask_path, and then one for all that is ever written; or none.
  void write(std::span<const int32_t> tokens, std::string_view mask = {});
  int64_t tokens() const { return tokens_; }
  const std::vector<std::string>& file_names() const { return file_names_; }
  const std::vector<std::string>& mask_names() const { return mask_names_; }  // of each, or none
  void finish();                                                              // the last one

 private:
  std::string directory_, name_;
  int64_t vocab_size_, shard_tokens_;
  int64_t tokens_ = 0;
  std::unique_ptr<ShardWriter> shard_;  // the one that is written
  std::unique_ptr<AtomicFile> mask_;    // its mask
  std::vector<std::string> file_names_, mask_names_;
};

}  // namespace cria
