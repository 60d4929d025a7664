#include "cli/prepare_request.h"

#include <charconv>

#include "base/unicode.h"
#include "cria/base/error.h"

namespace cria {
namespace {

// The text that --document-separator stands for.
std::string unescaped(std::string_view text) {
  constexpr std::string_view kEscapes = "nrt\\", kMeant = "\n\r\t\\";
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    const std::string_view rest = text.substr(i + 1);
    const size_t escape = rest.empty() ? kEscapes.npos : kEscapes.find(rest[0]);
    unsigned byte = 0;
    if (escape != kEscapes.npos) {
      out += kMeant[escape];
      i += 1;
    } else if (rest.starts_with('x') && rest.size() >= 3 &&
               std::from_chars(rest.data() + 1, rest.data() + 3, byte, 16).ptr == rest.data() + 3) {
      out += static_cast<char>(byte);
      i += 3;
    } else {
      throw UsageError("unknown escape", {.where = "cria prepare --document-separator",
                                          .expected = "\\n, \\r, \\t, \\xHH or \\\\",
                                          .got = quote(text.substr(i, 2)),
                                          .hint = "a backslash itself is written \\\\"});
    }
  }
  return out;
}

}  // namespace

const std::vector<Option>& prepare_options() {
  static const std::vector<Option> all = {
      {"out", "DIR", "directory to write to; must not hold a dataset yet"},
      {"tokenizer", "NAME",
       "bytes, chars (default), words, bpe, or the path of a tokenizer, a model or a run"},
      {"vocab-size", "N",
       "bpe, words: tokens to learn, the 256 bytes or <unk>, and special tokens, included"},
      {"pattern", "NAME",
       "for bpe and tiktoken files: gpt2, gpt4 (default for bpe), llama3, smollm or qwen2"},
      {"special", "TOKEN", "add this special token to the tokenizer; may be given again", true},
      {"bos", "TOKEN", "token before each document, or none (default: as the tokenizer says)"},
      {"eos", "TOKEN", "token after each document, likewise"},
      {"lines", "", "each line is a document (default: each file)"},
      {"document-separator", "TEXT",
       "text between documents; \\n (any line end), \\r, \\t, \\\\ and \\xHH are escapes"},
      {"format", "NAME", "text or jsonl (default: as the file's name ends)"},
      {"field", "NAME", "jsonl: the member with the text (default text)"},
      {"prompt-field", "NAME",
       "jsonl: the member that stands before --field, is read and not learned"},
      {"skip-bad", "", "jsonl: count and name the lines that are no such object, and go on"},
      {"invalid-utf8", "NAME", "error (default), replace (by U+FFFD) or bytes (as they are)"},
      {"val", "FILE", "text to validate on; may be given again", true},
      {"val-fraction", "F",
       "without --val: the share of tokens at the end of each file to validate on (default 0.1)"},
      {"shard-tokens", "N", "tokens in a shard (default 100000000)"},
      {"json", "", "print dataset.json"}};
  return all;
}

PrepareRequest request_of(const Options& options) {
  PrepareRequest request;
  request.texts = options.positional();
  request.val_texts = options.texts("val");
  request.tokenizer = options.text("tokenizer", request.tokenizer);
  const std::string& tokenizer = request.tokenizer;
  const bool learns = tokenizer == "bpe" || tokenizer == "words";
  if (learns != options.has("vocab-size")) {
    throw UsageError(learns ? "--vocab-size is missing" : "--vocab-size says nothing here",
                     {.where = "cria prepare --tokenizer " + tokenizer,
                      .hint = learns ? "--vocab-size 4096"
                                     : "it is for --tokenizer bpe or words, which learn as many"});
  }
  request.vocab_size = options.integer("vocab-size", 0, 0, 1 << 24);
  request.regex = options.text("pattern", "");
  const bool has_regex = tokenizer != "bytes" && tokenizer != "chars" && tokenizer != "words";
  if (options.has("pattern") && !has_regex) {
    throw UsageError("--pattern says nothing here",
                     {.where = "cria prepare --tokenizer " + tokenizer,
                      .hint = "it is for --tokenizer bpe and for tiktoken files"});
  }
  request.special_tokens = options.texts("special");
  request.bos = options.utf8("bos", "");
  request.eos = options.utf8("eos", "");
  request.documents.lines = options.has("lines");
  request.documents.separator = unescaped(options.text("document-separator", ""));
  if (options.has("document-separator") && request.documents.separator.empty()) {
    options.refuse("--document-separator is empty",
                   {.hint = "--document-separator '\\n\\n': an empty line"});
  }
  if (request.documents.lines && options.has("document-separator")) {
    options.refuse("--lines and --document-separator exclude each other");
  }
  if (options.has("format")) request.documents.format = options.choice("format", {"text", "jsonl"});
  request.documents.field = options.utf8("field", request.documents.field);
  request.documents.prompt_field = options.utf8("prompt-field", "");
  if (options.has("prompt-field") && !options.has("field")) {
    options.refuse("--field is missing",
                   {.hint = "--field NAME: the member that is learned after the prompt"});
  }
  const std::string& prompt = request.documents.prompt_field;
  if (options.has("prompt-field") && (prompt.empty() || prompt == request.documents.field)) {
    options.refuse("--prompt-field is empty or the same as --field",
                   {.hint = "the prompt is a member of its own"});
  }
  request.documents.skip_bad = options.has("skip-bad");
  const std::string invalid = options.choice("invalid-utf8", {"error", "replace", "bytes"});
  const bool keeps = options.has("invalid-utf8") ? invalid == "bytes" : tokenizer == "bytes";
  request.documents.invalid_utf8 = keeps                ? InvalidUtf8::keep
                                   : invalid == "error" ? InvalidUtf8::error
                                                        : InvalidUtf8::replace;
  request.val_fraction = options.real("val-fraction", request.val_fraction, 0.0, 0.999);
  request.shard_tokens =
      options.integer("shard-tokens", request.shard_tokens, 1, ShardWriter::kMaxTokens);
  request.directory = options.text("out", "");
  if (request.directory.empty())
    options.refuse("--out is missing", {.hint = "--out data/NAME: where the dataset goes"});
  return request;
}

}  // namespace cria
