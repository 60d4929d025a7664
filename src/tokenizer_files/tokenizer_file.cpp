#include "cria/tokenizer_files/tokenizer_file.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/base/json.h"
#include "text/bpe_tokenizer.h"
#include "tokenizer_files/bpe_files.h"
#include "tokenizer_files/tokenizer_config.h"
#include "tokenizer_files/tokenizer_json.h"

namespace cria {
namespace {

constexpr const char* kTokenizer = "tokenizer.json";
constexpr const char* kConfig = "tokenizer_config.json";
constexpr const char* kSpecials = "special_tokens_map.json";
constexpr const char* kVocab = "vocab.json";
constexpr const char* kMerges = "merges.txt";
constexpr const char* kExpected =
    "a tokenizer.json, GPT-2's vocab.json or merges.txt, a tiktoken file, or a directory with one "
    "of these";

std::string file_name(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

std::string directory_of(const std::string& path) {
  const std::string directory = std::filesystem::path(path).parent_path().string();
  return directory.empty() ? "." : directory;
}

// The tokenizer's file in a directory.
std::string choose_file(const std::string& directory) {
  for (const char* const name : {kTokenizer, kVocab, kMerges}) {
    const std::string path = join_path(directory, name);
    if (exists(path)) return path;
  }
  std::vector<std::string> found;
  for (const std::string& name : list_directory(directory)) {
    if (name == "tokenizer.model" || name.ends_with(".tiktoken")) found.push_back(name);
  }
  if (found.size() == 1) return join_path(directory, found.front());
  throw Error(found.empty() ? "no tokenizer here" : "several tokenizers here",
              {.where = directory,
               .expected = "tokenizer.json, vocab.json and merges.txt, tokenizer.model or a "
                           ".tiktoken file",
               .got = found.empty() ? "none of them" : found[0] + " and " + found[1],
               .hint = found.empty() ? "" : "name the file"});
}

// The other of GPT-2's two files: "gpt2-vocab.json" for "gpt2-merges.txt".
std::string beside(const std::string& path, const std::string& name, const std::string& other) {
  const std::string file = file_name(path);
  const std::string prefix = file.ends_with(name) ? file.substr(0, file.size() - name.size()) : "";
  return join_path(directory_of(path), prefix + other);
}

// base64, a space and a number.
bool is_tiktoken_line(std::string_view line) {
  const size_t space = line.find(' ');
  constexpr std::string_view kDigits = "0123456789";
  constexpr std::string_view kBase64 =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
  return space != line.npos && space > 0 && space % 4 == 0 && space + 1 < line.size() &&
         line.substr(0, space).find_first_not_of(kBase64) == line.npos &&
         line.substr(space + 1).find_first_not_of(kDigits) == line.npos;
}

// What a file is that is no tokenizer cria reads.
std::string description(std::string_view bytes) {
  const auto begins = [&](std::string_view start) { return bytes.starts_with(start); };
  if (bytes.empty()) return "0 bytes";
  if (begins("\n") && bytes.substr(0, 64).find("<unk>") != bytes.npos)
    return "a SentencePiece model";
  if (begins("\x80") && bytes.size() > 1 && bytes[1] >= 2 && bytes[1] <= 5)
    return "a Python pickle";
  if (begins("PK\x03\x04")) return "a zip archive";
  if (begins("\x1F\x8B")) return "a gzip file";
  if (begins("GGUF")) return "a GGUF file";
  if (begins("version https://git-lfs"))
    return "a Git LFS pointer; the file it stands for is not here";
  if (begins("<!") || begins("<html")) return "a web page";
  return quote(bytes.substr(0, 40)) + (bytes.size() > 40 ? " ..." : "");
}

Regex cut_like(Regex regex) {
  return regex == Regex::llama3 ? Regex::gpt4 : regex;
}

// A regex that was asked for must be the file's own.
void require_regex(const Tokenizer& tokenizer, const std::string& wanted, const std::string& path) {
  if (wanted.empty()) return;
  const BpeVocabulary* const bpe = tokenizer.bpe_vocabulary();
  const Regex own = bpe ? bpe->regex : Regex::gpt2;
  if (bpe && cut_like(own) == cut_like(regex(wanted))) return;
  throw Error("the file already says how text is cut",
              {.where = path,
               .expected = bpe ? "--pattern " + regex_names()[static_cast<size_t>(own)]
                               : "no --pattern, as there is none for " + tokenizer.kind(),
               .got = "--pattern " + wanted,
               .hint = "leave --pattern out"});
}

std::unique_ptr<Tokenizer> read_gpt2(const std::string& vocab, const std::string& merges,
                                     const TokenizerConfig& config) {
  const std::string& name = config.tokenizer_class;
  const bool is_gpt2 = name.empty() || name.starts_with("GPT2") || name == "PreTrainedTokenizer";
  if (!is_gpt2 || config.add_prefix_space.value_or(false)) {
    throw Error("these two files do not say all that this tokenizer does",
                {.where = join_path(directory_of(vocab), kConfig),
                 .expected = "tokenizer_class GPT2Tokenizer without add_prefix_space",
                 .got = is_gpt2 ? "add_prefix_space" : quote(name),
                 .hint = "use its tokenizer.json, which does"});
  }
  return std::make_unique<BpeTokenizer>(read_gpt2_files(vocab, merges));
}

std::unique_ptr<Tokenizer> read_tiktoken(const std::string& path, const std::string& wanted) {
  if (wanted.empty()) {
    throw Error("a tiktoken file does not say how text is cut into pieces",
                {.where = path,
                 .expected = "--pattern: " + one_of(regex_names()),
                 .got = "no --pattern",
                 .hint = "gpt4 for cl100k_base, llama3 for Llama 3, gpt2 for r50k and p50k"});
  }
  return std::make_unique<BpeTokenizer>(read_tiktoken_file(path, regex(wanted)));
}

void set_roles(Tokenizer& tokenizer, const TokenizerConfig& config) {
  const auto id = [&](const TokenizerConfig::Role& role) {
    if (role.token.empty()) return -1;
    if (const auto found = find_token(tokenizer, role.token)) return *found;
    throw Error(
        "a role for a token that does not exist",
        {.where = role.place,
         .expected = "one of the tokenizer's " + std::to_string(tokenizer.vocab_size()) + " tokens",
         .got = quote(role.token),
         .hint = "do the files belong together?"});
  };
  tokenizer.set_special_tokens(
      {.bos = id(config.bos), .eos = id(config.eos), .pad = id(config.pad), .unk = id(config.unk)});
}

}  // namespace

std::unique_ptr<Tokenizer> read_tokenizer(const std::string& path, const std::string& regex) {
  if (std::filesystem::is_directory(path)) return read_tokenizer(choose_file(path), regex);
  const TokenizerConfig config = read_tokenizer_config(directory_of(path));
  std::unique_ptr<Tokenizer> tokenizer;
  bool is_gpt2 = false;
  {
    const MappedFile file(path);
    const std::string_view text = file.bytes();
    const size_t first = text.find_first_not_of(" \t\r\n");
    const std::string_view line = text.substr(0, text.find('\n'));
    const bool is_json = first != text.npos && (text[first] == '{' || text[first] == '[');
    if (is_json) {
      const Json json = Json::parse(text, path);
      const Json::Object& entries = json.as_object(path);
      is_gpt2 = !entries.empty() && entries.front().second.is_number();
      if (!is_gpt2)
        tokenizer = tokenizer_from_json(tokenizer_json_beside(json, config, path), path);
    } else if (file_name(path).ends_with(kMerges) || line.starts_with("#version")) {
      is_gpt2 = !text.empty();
    } else if (is_tiktoken_line(line)) {
      tokenizer = read_tiktoken(path, regex);
    }
    if (is_gpt2) {
      tokenizer = read_gpt2(is_json ? path : beside(path, kMerges, kVocab),
                            is_json ? beside(path, kVocab, kMerges) : path, config);
    }
    if (!tokenizer) {
      throw Error("not a tokenizer",
                  {.where = path, .expected = kExpected, .got = description(text)});
    }
  }
  require_regex(*tokenizer, regex, path);
  set_roles(*tokenizer, config);
  if (is_gpt2 && config.add_bos_token) {
    const int32_t bos = tokenizer->special_tokens().bos;
    if (bos == -1) {
      throw Error("add_bos_token without a bos_token",
                  {.where = join_path(directory_of(path), kConfig)});
    }
    tokenizer->set_ends({.before = {bos}, .after = {}});
  }
  return tokenizer;
}

bool has_tokenizer(const std::string& directory) {
  return std::ranges::any_of(std::array{kTokenizer, kVocab},
                             [&](const char* name) { return exists(join_path(directory, name)); });
}

const std::vector<std::string>& tokenizer_file_names() {
  static const std::vector<std::string> names = {kTokenizer, kConfig, kSpecials};
  return names;
}

void write_tokenizer_files(const std::string& directory, const Tokenizer& tokenizer,
                           int64_t model_max_length) {
  const auto write = [&](const char* name, const std::string& text) {
    write_file(join_path(directory, name), text);
  };
  write(kTokenizer, tokenizer_json(tokenizer));
  write(kConfig, tokenizer_config_json(tokenizer, model_max_length).dump(2) + "\n");
  write(kSpecials, special_tokens_map_json(tokenizer).dump(2) + "\n");
}

}  // namespace cria
