#include "prepare/dataset_split.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/checksum.h"
#include "base/first_error.h"
#include "cria/base/parallel.h"

namespace cria {
namespace {

constexpr size_t kTaskBytes = size_t{64} << 10;

std::vector<std::string> checksums_of(const std::string& directory,
                                      const std::vector<std::string>& names) {
  std::vector<std::string> checksums;
  for (const std::string& name : names) {
    checksums.push_back(checksum(MappedFile(join_path(directory, name)).bytes()));
  }
  return checksums;
}

}  // namespace

void SplitWriter::write(std::span<const int32_t> ids) {
  if (prompts_from == 0) {
    shards.write(ids);
    return;
  }
  std::vector<int32_t> plain(ids.begin(), ids.end());
  std::string mask(ids.size(), '\1');
  for (size_t i = 0; i < plain.size(); ++i) {
    if (plain[i] < prompts_from) continue;
    plain[i] -= static_cast<int32_t>(prompts_from);
    mask[i] = '\0';
  }
  learned += std::ranges::count(mask, '\1');
  shards.write(plain, mask);
}

SplitDescription SplitWriter::describe(const std::string& directory) const {
  const bool masked = !shards.mask_names().empty();
  return {.tokens = shards.tokens(),
          .bytes = bytes,
          .documents = documents,
          .shards = shards.file_names(),
          .checksums = checksums_of(directory, shards.file_names()),
          .learned = masked ? std::optional(learned) : std::nullopt,
          .masks = shards.mask_names(),
          .mask_checksums = checksums_of(directory, shards.mask_names())};
}

DocumentEncoder::DocumentEncoder(const Tokenizer& tokenizer, TextEnds ends)
    : tokenizer_(tokenizer), ends_(std::move(ends)) {}

void DocumentEncoder::encode(Task& task) const {
  std::vector<int32_t>& ids = task.ids;
  for (size_t i = 0; i < task.chunks.size(); ++i) {
    const TextChunk& chunk = task.chunks[i];
    const size_t before = ids.size();
    if (chunk.begins) {
      ids.insert(ids.end(), ends_.before.begin(), ends_.before.end());
      tokenizer_.encode(chunk.text, ids, chunk.where(), chunk.offset);
    } else {
      tokenizer_.encode_after_cut(chunk.text, ids, chunk.where(), chunk.offset);
    }
    if (!chunk.learned) {
      for (size_t id = before; id < ids.size(); ++id) {
        ids[id] += static_cast<int32_t>(tokenizer_.vocab_size());
      }
    }
    if (chunk.ends) ids.insert(ids.end(), ends_.after.begin(), ends_.after.end());
    task.counts[i] = static_cast<int64_t>(ids.size() - before);
  }
}

size_t DocumentEncoder::make_tasks(std::span<const TextChunk> chunks) {
  size_t count = 0;
  counts_.resize(chunks.size());
  for (size_t begin = 0, end = 0; begin < chunks.size(); begin = end) {
    for (size_t bytes = 0; end < chunks.size() && bytes < kTaskBytes; ++end) {
      bytes += chunks[end].text.size();
    }
    if (count == tasks_.size()) tasks_.emplace_back();
    Task& task = tasks_[count++];
    task.chunks = chunks.subspan(begin, end - begin);
    task.counts = std::span(counts_).subspan(begin, end - begin);
    task.ids.clear();
  }
  return count;
}

std::span<const int64_t> DocumentEncoder::write(std::span<const TextChunk> chunks,
                                                SplitWriter& split) {
  const size_t count = make_tasks(chunks);
  FirstError problem;
  parallel_tasks(static_cast<int64_t>(count), [&](int64_t index, int) {
    problem.attempt(index, [&] { encode(tasks_[static_cast<size_t>(index)]); });
  });
  problem.rethrow();
  for (const Task& task : std::span(tasks_).first(count)) split.write(task.ids);
  for (const TextChunk& chunk : chunks) {
    split.bytes += static_cast<int64_t>(chunk.text.size());
    split.documents += chunk.ends ? 1 : 0;
  }
  return counts_;
}

}  // namespace cria
