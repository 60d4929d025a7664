#include "cria/data/shard.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/unicode.h"
#include "cria/base/error.h"

namespace cria {
namespace {

constexpr int64_t kHeaderBytes = 1024;

struct Variant {
  uint32_t magic, version;
  int width;  // bytes per token
};
constexpr Variant kNarrow = {20240520, 1, 2};
constexpr Variant kWide = {20240801, 7, 4};

constexpr char kRawHint[] =
    "nanoGPT's files have no header: set data.shard_format = \"raw_uint16\"";

// Little-endian whatever the machine is; bytes, since nothing says where a file's numbers lie in
// memory.
uint32_t load(const char* from, int width) {
  uint32_t value = 0;
  for (int i = 0; i < width; ++i) {
    value |= uint32_t{static_cast<unsigned char>(from[i])} << (8 * i);
  }
  return value;
}

void store(char* to, uint32_t value, int width) {
  for (int i = 0; i < width; ++i) to[i] = static_cast<char>(value >> (8 * i));
}

uint32_t header_word(std::string_view bytes, int index) {
  return load(bytes.data() + 4 * index, 4);
}

uint32_t byte_swapped(uint32_t value) {
  return value >> 24 | (value >> 8 & 0xFF00) | (value << 8 & 0xFF0000) | value << 24;
}

// A text that was not prepared: its first bytes are words.
void require_no_text(std::string_view bytes, const std::string& path) {
  std::string_view first = bytes.substr(0, 64);
  first = first.substr(0, first.find_last_of(" \n") + 1);
  const bool is_text = std::ranges::all_of(first, [](char byte) {
    const auto code = static_cast<unsigned char>(byte);
    return (code >= 0x20 && code != 0x7F) || (code >= '\t' && code <= '\r');
  });
  if (first.empty() || !is_text || first_invalid_utf8(first)) return;
  const std::string stem = std::filesystem::path(path).stem().string();
  throw Error("a text where shards are asked for",
              {.where = path,
               .expected = "token shards",
               .got = quote(first) + (first.size() < bytes.size() ? " ..." : ""),
               .hint = "cria prepare " + shell_word(path) + " --out " + shell_word("data/" + stem) +
                       " makes them"});
}

Variant variant_of(std::string_view bytes, const std::string& path) {
  const uint32_t magic = header_word(bytes, 0);
  for (const Variant& variant : {kNarrow, kWide}) {
    if (magic == byte_swapped(variant.magic)) {
      throw Error("the numbers of this shard are big-endian",
                  {.where = path, .hint = "write it again on a little-endian machine"});
    }
    if (magic != variant.magic) continue;
    if (const uint32_t version = header_word(bytes, 1); version != variant.version) {
      throw Error("unknown shard version", {.where = path,
                                            .expected = std::to_string(variant.version),
                                            .got = std::to_string(version)});
    }
    return variant;
  }
  require_no_text(bytes, path);
  throw Error("not a token shard", {.where = path,
                                    .expected = "magic number " + std::to_string(kNarrow.magic) +
                                                " or " + std::to_string(kWide.magic),
                                    .got = std::to_string(magic),
                                    .hint = kRawHint});
}

// out[i] = token i, for i below count; the largest of them.
template <int width>
uint32_t widen(const char* from, int64_t count, int32_t* out) {
  uint32_t largest = 0;
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t id = load(from + i * width, width);
    out[i] = static_cast<int32_t>(id);
    largest = std::max(largest, id);
  }
  return largest;
}

}  // namespace

const std::vector<std::string>& shard_format_names() {
  static const std::vector<std::string> names = {"llmc", "raw_uint16"};
  return names;
}

ShardFormat shard_format(const std::string& name) {
  if (name == "llmc") return ShardFormat::llmc;
  if (name == "raw_uint16") return ShardFormat::raw_uint16;
  throw Error("unknown shard format", {.where = "data.shard_format",
                                       .expected = "llmc or raw_uint16",
                                       .got = quote(name),
                                       .hint = did_you_mean(name, shard_format_names())});
}

Shard::Shard(const std::string& path, ShardFormat format) : file_(path) {
  const std::string_view bytes = file_.bytes();
  const int64_t size = static_cast<int64_t>(bytes.size());
  if (size == 0) {
    throw Error("empty file", {.where = path,
                               .expected = "a token shard",
                               .got = "0 bytes",
                               .hint = "copy it again, or make it again with 'cria prepare'"});
  }
  if (format == ShardFormat::raw_uint16) {
    if (size % 2 != 0) {
      throw Error("half a token at the end", {.where = path,
                                              .expected = "an even number of bytes (raw_uint16)",
                                              .got = std::to_string(size)});
    }
    tokens_ = size / 2;
    return;
  }
  if (size < kHeaderBytes) {
    require_no_text(bytes, path);
    throw Error("shorter than a shard's header",
                {.where = path,
                 .expected = "at least " + std::to_string(kHeaderBytes) + " bytes",
                 .got = std::to_string(size),
                 .hint = kRawHint});
  }
  width_ = variant_of(bytes, path).width;
  data_begin_ = kHeaderBytes;
  tokens_ = static_cast<int32_t>(header_word(bytes, 2));
  if (tokens_ < 1) {
    throw Error("no tokens in this shard",
                {.where = path, .expected = "a positive count", .got = std::to_string(tokens_)});
  }
  const int64_t expected = kHeaderBytes + tokens_ * width_;
  if (size != expected) {
    throw Error(
        size < expected ? "truncated shard" : "more bytes than the shard's tokens",
        {.where = path,
         .expected = std::to_string(expected) + " bytes (" + std::to_string(kHeaderBytes) + " + " +
                     std::to_string(tokens_) + " tokens of " + std::to_string(width_) + ")",
         .got = std::to_string(size),
         .hint = "copy it again, or make it again with 'cria prepare'"});
  }
}

void Shard::read(int64_t begin, int64_t count, int64_t vocab_size, int32_t* out) const {
  const char* const from = file_.bytes().data() + data_begin_ + begin * width_;
  const uint32_t largest = width_ == 2 ? widen<2>(from, count, out) : widen<4>(from, count, out);
  if (largest < vocab_size) return;
  int64_t i = 0;
  while (load(from + i * width_, width_) < vocab_size) ++i;
  throw Error("token id outside the vocabulary",
              {.where = path() + " at byte " + std::to_string(data_begin_ + (begin + i) * width_),
               .expected = "below vocab_size = " + std::to_string(vocab_size),
               .got = std::to_string(load(from + i * width_, width_)) + " as token " +
                      std::to_string(begin + i),
               .hint = "was this shard made with the tokenizer that the run uses?"});
}

ShardWriter::ShardWriter(const std::string& path, int64_t vocab_size)
    : file_(path), path_(path), width_(vocab_size <= 65536 ? kNarrow.width : kWide.width) {
  const Variant& variant = width_ == kNarrow.width ? kNarrow : kWide;
  std::array<char, kHeaderBytes> header{};  // the count follows in finish()
  store(header.data(), variant.magic, 4);
  store(header.data() + 4, variant.version, 4);
  file_.write({header.data(), header.size()});
}

void ShardWriter::write(std::span<const int32_t> tokens) {
  if (tokens.size() > static_cast<size_t>(kMaxTokens - tokens_)) {
    throw Error("too many tokens for one shard",
                {.where = path_,
                 .expected = "at most " + std::to_string(kMaxTokens),
                 .got = std::to_string(static_cast<size_t>(tokens_) + tokens.size())});
  }
  std::array<char, 8192> bytes;  // a multiple of both widths
  size_t used = 0;
  for (const int32_t token : tokens) {
    store(bytes.data() + used, static_cast<uint32_t>(token), width_);
    used += static_cast<size_t>(width_);
    if (used < bytes.size()) continue;
    file_.write({bytes.data(), used});
    used = 0;
  }
  file_.write({bytes.data(), used});
  tokens_ += static_cast<int64_t>(tokens.size());
}

void ShardWriter::finish() {
  if (tokens_ == 0) throw Error("no tokens to write", {.where = path_});
  std::array<char, 4> count;
  store(count.data(), static_cast<uint32_t>(tokens_), 4);
  file_.write_at(8, {count.data(), count.size()});
  file_.commit();
}

std::string mask_path(const std::string& shard) {
  return std::filesystem::path(shard).replace_extension(".mask").string();
}

ShardSeries::ShardSeries(const std::string& directory, const std::string& name, int64_t vocab_size,
                         int64_t shard_tokens)
    : directory_(directory), name_(name), vocab_size_(vocab_size), shard_tokens_(shard_tokens) {}

void ShardSeries::write(std::span<const int32_t> tokens, std::string_view mask) {
  tokens_ += static_cast<int64_t>(tokens.size());
  while (!tokens.empty()) {
    if (!shard_) {
      std::string number = std::to_string(file_names_.size());
      number.insert(0, 6 - std::min<size_t>(6, number.size()), '0');
      file_names_.push_back(name_ + "_" + number + ".bin");
      shard_ =
          std::make_unique<ShardWriter>(join_path(directory_, file_names_.back()), vocab_size_);
      if (!mask.empty()) {
        mask_names_.push_back(mask_path(file_names_.back()));
        mask_ = std::make_unique<AtomicFile>(join_path(directory_, mask_names_.back()));
      }
    }
    const size_t room = static_cast<size_t>(shard_tokens_ - shard_->tokens());
    const std::span<const int32_t> fitting = tokens.first(std::min(room, tokens.size()));
    shard_->write(fitting);
    tokens = tokens.subspan(fitting.size());
    if (mask_) mask_->write(mask.substr(0, fitting.size()));
    mask.remove_prefix(std::min(fitting.size(), mask.size()));
    if (shard_->tokens() == shard_tokens_) finish();
  }
}

void ShardSeries::finish() {
  if (mask_) mask_->commit();
  if (shard_) shard_->finish();
  mask_.reset();
  shard_.reset();
}

}  // namespace cria
