// cria import: other programs' models as a model directory.
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/unicode.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/base/json.h"
#include "exchange/gguf_model.h"
#include "exchange/llama2c_model.h"
#include "report/report_text.h"

namespace cria {
namespace {

std::string beginning(const std::string& path) {
  std::array<char, 16> bytes{};
  std::ifstream file(path, std::ios::binary);
  file.read(bytes.data(), bytes.size());
  return {bytes.data(), static_cast<size_t>(file.gcount())};
}

[[noreturn]] void fail(const std::string& path, const std::string& got, const std::string& hint) {
  throw Error(
      "cria cannot import this",
      {.where = path, .expected = "a GGUF or llama2.c model file", .got = got, .hint = hint});
}

struct Imported {
  LoadedModel model;
  const char* format;
};

// What the content says it is. Version 0 of llama2.c has no mark; its sizes must fit to the byte.
Imported read(const std::string& path, bool with_tokenizer) {
  if (std::filesystem::is_directory(path)) {
    fail(path, is_model_directory(path) ? "a model directory" : "a directory",
         is_model_directory(path) ? "every command takes it as it is" : "");
  }
  MappedFile exists_and_opens(path);
  const std::string bytes = beginning(path);
  if (bytes.starts_with("GGUF")) return {read_gguf_model(path, with_tokenizer), "gguf"};
  if (bytes.size() > 8 && bytes[8] == '{') {
    fail(path, "a safetensors file",
         "with config.json beside it, its directory is a MODEL for every command");
  }
  if (bytes.starts_with("PK") || bytes.starts_with("\x80\x02")) {
    fail(path, "PyTorch's own format (a pickle)", "export it with the program that made it");
  }
  try {
    return {read_llama2c_model(path, with_tokenizer), "llama2c"};
  } catch (const Error& error) {
    if (bytes.starts_with("24ka")) throw;
    fail(path, quote(bytes) + " at the beginning",
         std::string("as a llama2.c file of version 0: ") + error.what());
  }
}

}  // namespace

int run_import(const Arguments& arguments) {
  Options options("import", "PATH -o MODEL",
                  "Make a model directory, which every command takes, of a GGUF file or a model "
                  "file of llama2.c\n(versions 0, 1 and 2). The file's content says what it is.",
                  {{"o", "MODEL", "directory to write; must not exist yet"},
                   {"dtype", "NAME", "f32 (default), f16 or bf16"},
                   {"no-tokenizer", "", "leave the tokenizer out"},
                   {"json", "", "print what was read as JSON"}});
  if (!options.parse(arguments, 1, 1)) return 0;
  if (!options.has("o")) {
    options.refuse("-o MODEL is missing", {.hint = "cria import model.gguf -o models/imported"});
  }
  const std::string dtype = options.choice("dtype", {"f32", "f16", "bf16"});
  const NumberFormat format = dtype == "f16"    ? NumberFormat::f16
                              : dtype == "bf16" ? NumberFormat::bf16
                                                : NumberFormat::f32;
  const std::string path = options.positional().front(), target = options.text("o", "");
  AtomicDirectory directory(target);
  const Imported imported = read(path, !options.has("no-tokenizer"));
  const LoadedModel& loaded = imported.model;
  const Tokenizer* const tokenizer = loaded.tokenizer.get();
  write_model_directory(directory.path(), *loaded.model, tokenizer, format);
  directory.commit();
  const std::string beside = std::filesystem::path(path).replace_filename("tokenizer.bin").string();
  const bool is_left_out = !tokenizer && !options.has("no-tokenizer") && exists(beside);
  if (std::string_view(imported.format) == "llama2c" && is_left_out) {
    std::fprintf(stderr,
                 "cria: %s is not of SentencePiece's kind, and does not say how texts are "
                 "cut: left out\n",
                 beside.c_str());
  }
  const int64_t parameters = loaded.model->parameters().count();
  const std::string kind = tokenizer ? tokenizer->kind() : "none";
  if (options.has("json")) {
    const Json json = Json::Object{{"path", path},
                                   {"format", imported.format},
                                   {"model", target},
                                   {"dtype", format_name(format)},
                                   {"parameters", parameters},
                                   {"tokenizer", kind}};
    print_json(json);
    return 0;
  }
  std::printf("%s: %lld parameters from a %s file, tokenizer %s\n", target.c_str(),
              static_cast<long long>(parameters), imported.format, kind.c_str());
  return 0;
}

}  // namespace cria
