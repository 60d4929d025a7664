// cria prepare: texts to a tokenizer and token shards.
#include "prepare/prepare.h"

#include <cstdio>
#include <optional>

#include "cli/commands.h"
#include "cli/interruption.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cria/base/error.h"

namespace cria {
namespace {

const std::vector<Option>& prepare_options() {
  static const std::vector<Option> all = {
      {"out", "DIR", "directory to write to; must not hold a dataset yet"},
      {"tokenizer", "NAME", "bytes, chars (default), bpe, or the path of a tokenizer"},
      {"vocab-size", "N", "bpe: tokens to learn, the 256 bytes and special tokens included"},
      {"pattern", "NAME",
       "for bpe and tiktoken files: gpt2, gpt4 (default for bpe), llama3 or smollm"},
      {"special", "TOKEN", "add this special token to the tokenizer; may be given again", true},
      {"bos", "TOKEN", "token before each document, or none (default: as the tokenizer says)"},
      {"eos", "TOKEN", "token after each document, likewise"},
      {"lines", "", "each line is a document (default: each file)"},
      {"document-separator", "TEXT", "text between documents, with \\n, \\t and \\\\ as escapes"},
      {"format", "NAME", "text or jsonl (default: as the file's name ends)"},
      {"field", "NAME", "jsonl: the member with the text (default text)"},
      {"val", "FILE", "text to validate on; may be given again", true},
      {"val-fraction", "F",
       "without --val: the share of tokens at the end of each file to validate on (default 0.1)"},
      {"shard-tokens", "N", "tokens in a shard (default 100000000)"},
      {"json", "", "print dataset.json"}};
  return all;
}

// Text with \n, \t and \\.
std::string unescaped(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char next = text[i] == '\\' && i + 1 < text.size() ? text[i + 1] : '\0';
    const bool escape = next == 'n' || next == 't' || next == '\\';
    out += !escape ? text[i] : next == 'n' ? '\n' : next == 't' ? '\t' : '\\';
    i += escape ? 1 : 0;
  }
  return out;
}

[[noreturn]] void refuse(const std::string& summary, const std::string& hint) {
  throw UsageError(summary, {.where = "cria prepare", .hint = hint});
}

PrepareRequest request_of(const Options& options) {
  PrepareRequest request;
  request.texts = options.positional();
  request.val_texts = options.texts("val");
  request.tokenizer = options.text("tokenizer", request.tokenizer);
  if (request.tokenizer == "bpe" && !options.has("vocab-size")) {
    throw UsageError("--vocab-size is missing",
                     {.where = "cria prepare --tokenizer bpe", .hint = "--vocab-size 4096"});
  }
  request.vocab_size = options.integer("vocab-size", 0, 0, 1 << 24);
  request.regex = options.text("pattern", "");
  request.special_tokens = options.texts("special");
  request.bos = options.utf8("bos", "");
  request.eos = options.utf8("eos", "");
  request.documents.lines = options.has("lines");
  request.documents.separator = unescaped(options.text("document-separator", ""));
  if (options.has("document-separator") && request.documents.separator.empty()) {
    refuse("--document-separator is empty", "--document-separator '\\n\\n': an empty line");
  }
  if (request.documents.lines && options.has("document-separator")) {
    refuse("--lines and --document-separator exclude each other", "");
  }
  if (options.has("format")) request.documents.format = options.choice("format", {"text", "jsonl"});
  request.documents.field = options.utf8("field", request.documents.field);
  request.val_fraction = options.real("val-fraction", request.val_fraction, 0.0, 0.999);
  request.shard_tokens =
      options.integer("shard-tokens", request.shard_tokens, 1, ShardWriter::kMaxTokens);
  request.directory = options.text("out", "");
  if (request.directory.empty())
    refuse("--out is missing", "--out data/NAME: where the dataset goes");
  return request;
}

void print(const std::string& directory, const Json& summary) {
  const auto number = [&](const char* part, const char* key) {
    return summary.find(part)->find(key)->as_double(key);
  };
  const auto split = [&](const char* part) {
    const double documents = number(part, "documents");
    return short_count(number(part, "tokens")) + " tokens of " + short_count(documents) +
           (documents == 1 ? " document" : " documents");
  };
  const double bytes = number("train", "bytes") + number("val", "bytes");
  const double tokens = number("train", "tokens") + number("val", "tokens");
  std::printf(
      "%s: %s tokenizer, %.0f tokens; %s to train on, %s to validate; "
      "%.2f bytes per token\n",
      directory.c_str(), summary.find("tokenizer")->find("kind")->as_string("kind").c_str(),
      number("tokenizer", "vocab_size"), split("train").c_str(), split("val").c_str(),
      bytes / tokens);
}

}  // namespace

int run_prepare(const Arguments& arguments) {
  Options options("prepare", "TEXT... --out DIR",
                  "Write tokenizer.json, train and val shards (llm.c's format) and dataset.json "
                  "from UTF-8 texts:\nfiles, quoted globs ('*.txt'), or - for standard input. A "
                  ".jsonl file has a JSON object with\na text on each line. Memory is bounded "
                  "whatever the size of the texts; Ctrl-C leaves nothing.",
                  prepare_options());
  if (!options.parse(arguments)) return 0;
  options.require_positional(1, SIZE_MAX);
  PrepareRequest request = request_of(options);
  std::optional<ProgressBar> bar;
  std::string phase;
  request.progress = [&](const PrepareProgress& progress) {
    if (phase != progress.phase) {
      phase = progress.phase;
      bar.emplace(stderr, phase,
                  progress.in_bytes ? ProgressBar::Unit::bytes : ProgressBar::Unit::count);
    }
    bar->update(progress.done, progress.total, progress.in_bytes ? "" : "tokens");
  };
  request.note = [&](const std::string& line) {
    bar.reset();
    std::fprintf(stderr, "%s\n", line.c_str());
  };
  request.stop = &stop_on_signals();
  try {
    const Json summary = prepare_dataset(request);
    bar.reset();
    if (options.has("json")) {
      std::printf("%s\n", summary.dump().c_str());
    } else {
      print(request.directory, summary);
    }
    return 0;
  } catch (const Interrupted& stopped) {
    bar.reset();
    std::fprintf(stderr, "%s\n", stopped.what());
    return kInterrupted;
  }
}

}  // namespace cria
