#include "prepare/text_input.h"

#include <numeric>

#include "cria/base/error.h"
#include "cria/base/file.h"
#include "prepare/text_documents.h"

namespace cria {
namespace {

constexpr size_t kBlock = size_t{1} << 20;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr int kPatience = 100;  // milliseconds between two looks at a pipe that gives nothing

[[noreturn]] void refuse_empty(const std::string& name) {
  throw Error("the text is empty", {.where = name,
                                    .expected = "text to make tokens of",
                                    .got = "0 bytes",
                                    .hint = "is it the right file?"});
}

}  // namespace

std::string TextChunk::where() const {
  return line == 0 ? *file : *file + ":" + std::to_string(line);
}

TextInput::TextInput(const std::vector<std::string>& files, DocumentRule rule)
    : rule_(std::move(rule)) {
  for (const std::string& file : files) {
    const bool is_glob = file.find_first_of("*?[") != file.npos;
    for (const std::string& path : is_glob ? glob_files(file) : std::vector{file}) {
      const bool is_jsonl =
          rule_.format.empty() ? path.ends_with(".jsonl") : rule_.format == "jsonl";
      files_.push_back({path == "-" ? "standard input" : path, path, is_jsonl});
    }
  }
}

void TextInput::spool(const std::string& directory, const OnBytes& on_bytes) {
  int64_t bytes = 0;
  std::string block(kBlock, '\0');
  for (File& file : files_) {
    InputFile input(file.path);
    if (input.is_regular()) {
      file.bytes = input.size();
      continue;
    }
    const std::string path = join_path(directory, "input_" + std::to_string(&file - files_.data()));
    AtomicFile copy(path);
    for (;;) {
      on_bytes(bytes);
      if (!input.wait(kPatience)) continue;
      const size_t count = input.read(block.data(), block.size());
      if (count == 0) break;
      copy.write({block.data(), count});
      file.bytes += static_cast<int64_t>(count);
      bytes += static_cast<int64_t>(count);
    }
    copy.commit();
    file.path = path;
  }
}

int64_t TextInput::bytes() const {
  return std::accumulate(files_.begin(), files_.end(), int64_t{0},
                         [](int64_t sum, const File& file) { return sum + file.bytes; });
}

TextTotals TextInput::read(const TextCut& cut, const OnChunks& on_chunks,
                           const OnBytes& on_bytes) const {
  ChunkMaker chunks(cut, on_chunks);
  std::string block(kBlock, '\0');
  int64_t bytes = 0;
  for (const File& file : files_) {
    InputFile input(file.path);
    // The first block is whole, so that it has the whole byte order mark.
    size_t count = 0;
    for (size_t more; count < kBlock; count += more) {
      more = input.read(block.data() + count, kBlock - count);
      if (more == 0) break;
    }
    std::string_view text(block.data(), count);
    const bool marked = text.starts_with(kByteOrderMark);
    if (marked) text.remove_prefix(kByteOrderMark.size());
    if (text.empty()) refuse_empty(file.name);
    const auto reader = make_document_reader(rule_, file.is_jsonl, file.name,
                                             marked ? kByteOrderMark.size() : 0, chunks);
    while (count > 0) {
      reader->read(text);
      bytes += static_cast<int64_t>(count);
      on_bytes(bytes);
      count = input.read(block.data(), kBlock);
      text = {block.data(), count};
    }
    reader->finish();
  }
  chunks.finish();
  return chunks.totals();
}

}  // namespace cria
