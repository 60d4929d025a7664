#include "prepare/dataset_split.h"

#include <utility>

#include "base/checksum.h"
#include "base/first_error.h"
#include "cria/base/parallel.h"

namespace cria {
namespace {

constexpr size_t kTaskBytes = size_t{64} << 10;

}  // namespace

SplitDescription SplitWriter::describe(const std::string& directory) const {
  std::vector<std::string> checksums;
  for (const std::string& name : shards.file_names()) {
    checksums.push_back(checksum(MappedFile(join_path(directory, name)).bytes()));
  }
  return {.tokens = shards.tokens(),
          .bytes = bytes,
          .documents = documents,
          .shards = shards.file_names(),
          .checksums = std::move(checksums)};
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
  for (const Task& task : std::span(tasks_).first(count)) split.shards.write(task.ids);
  for (const TextChunk& chunk : chunks) {
    split.bytes += static_cast<int64_t>(chunk.text.size());
    split.documents += chunk.ends ? 1 : 0;
  }
  return counts_;
}

}  // namespace cria
