// cria export: a model in the files of other programs.
#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "commands.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/base/json.h"
#include "cria/exchange/arrays.h"
#include "cria/exchange/gguf_model.h"
#include "cria/exchange/llama2c_model.h"
#include "cria/train/checkpoint.h"
#include "options.h"

namespace cria {
namespace {

struct Request {
  const LoadedModel& model;
  std::string path;
  NumberFormat dtype;
  std::string tensor;
  int version;
};

void require_free(const std::string& path) {
  if (!exists(path)) return;
  throw Error("exists already", {.where = path,
                                 .expected = "a path with nothing there",
                                 .hint = "remove it, or give another -o"});
}

struct Format {
  const char* name;
  const char* what;
  std::vector<NumberFormat> dtypes;  // that it has; the first unless --dtype is given
  void (*write)(const Request&);
};

void write_hf(const Request& request) {
  const LoadedModel& loaded = request.model;
  require_llama(loaded.model->config(), loaded.directory);
  AtomicDirectory directory(request.path);
  write_model_directory(directory.path(), *loaded.model, loaded.tokenizer.get(), request.dtype,
                        loaded.generation);
  directory.commit();
}

void write_gguf(const Request& request) {
  write_gguf_model(request.path, *request.model.model, request.model.tokenizer.get(),
                   request.dtype);
}

// The vocabulary goes beside the model, where llama2.c looks for it.
void write_llama2c(const Request& request) {
  const Llama& model = *request.model.model;
  std::vector<Llama2cPiece> pieces;
  if (const Tokenizer* const tokenizer = request.model.tokenizer.get()) {
    pieces = llama2c_pieces(*tokenizer, model.config().vocab_size, request.path);
  }
  const std::string vocabulary =
      (std::filesystem::path(request.path).parent_path() / "tokenizer.bin").string();
  if (!pieces.empty()) require_free(vocabulary);
  Rollback rollback;
  rollback.will_write(request.path);
  write_llama2c_model(request.path, model, request.version);
  if (!pieces.empty()) write_llama2c_tokenizer(vocabulary, pieces);
  rollback.dismiss();
}

const std::vector<Format>& formats() {
  using enum NumberFormat;
  static const std::vector<Format> all = {
      {"hf", "Hugging Face's model directory", {f32, f16, bf16}, write_hf},
      {"gguf", "one file with the tokenizer, for llama.cpp", {f32, f16, bf16, q8_0}, write_gguf},
      {"llama2c", "llama2.c's model file, and tokenizer.bin beside it", {f32}, write_llama2c},
      {"npy",
       "a directory with one NumPy array for each tensor",
       {f32},
       [](const Request& request) { write_npy_directory(request.path, *request.model.model); }},
      {"npz",
       "all of these arrays in one file",
       {f32},
       [](const Request& request) { write_npz(request.path, *request.model.model); }},
      {"tsv",
       "a matrix for the Embedding Projector: vectors.tsv, metadata.tsv, projector_config.pbtxt",
       {f32},
       [](const Request& request) {
         write_projector_directory(request.path, *request.model.model,
                                   request.model.tokenizer.get(), request.tensor);
       }},
  };
  return all;
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

// What --dtype chooses of what the format has.
NumberFormat dtype_of(const Options& options, const Format& format) {
  std::vector<std::string> names;
  for (const NumberFormat dtype : format.dtypes) names.push_back(lower(format_name(dtype)));
  const std::string chosen = options.choice("dtype", names);
  return format.dtypes[static_cast<size_t>(std::ranges::find(names, chosen) - names.begin())];
}

struct Written {
  std::string name;  // relative to the path; of a single file its own
  uint64_t bytes;
};

std::vector<Written> written_at(const std::string& path) {
  namespace fs = std::filesystem;
  if (!fs::is_directory(path)) return {{fs::path(path).filename().string(), fs::file_size(path)}};
  std::vector<Written> all;
  for (const auto& entry : fs::directory_iterator(path)) {
    all.push_back({entry.path().filename().string(), entry.file_size()});
  }
  std::ranges::sort(all, {}, &Written::name);
  return all;
}

void report(const Format& format, const Request& request, bool as_json) {
  Json::Array files;
  uint64_t bytes = 0;
  for (const Written& file : written_at(request.path)) {
    files.push_back(Json::Object{{"name", file.name}, {"bytes", file.bytes}});
    bytes += file.bytes;
  }
  if (!as_json) {
    std::printf("%s: %zu file%s, %llu bytes, %s\n", request.path.c_str(), files.size(),
                files.size() == 1 ? "" : "s", static_cast<unsigned long long>(bytes),
                format_name(request.dtype));
    return;
  }
  const Json json = Json::Object{
      {"model", request.model.directory},    {"format", format.name}, {"path", request.path},
      {"dtype", format_name(request.dtype)}, {"bytes", bytes},        {"files", std::move(files)}};
  std::printf("%s\n", json.dump().c_str());
}

std::string description() {
  std::string text =
      "MODEL (a checkpoint, a run, or a Hugging Face directory) in the files of other programs.\n\n"
      "formats:";
  for (const Format& format : formats()) {
    std::string name = format.name;
    name.resize(std::max<size_t>(name.size() + 1, 10), ' ');
    text += "\n  " + name + format.what;
  }
  return text;
}

}  // namespace

int run_export(const Arguments& arguments) {
  std::vector<std::string> names;
  for (const Format& format : formats()) names.push_back(format.name);
  Options options(
      "export", "MODEL --to FORMAT -o PATH", description(),
      {{"to", "FORMAT", "one of the above"},
       {"o", "PATH", "what is made; nothing may be there yet"},
       {"dtype", "NAME", "of the numbers, what is not fp32 being rounded (default f32)"},
       {"version", "N", "llama2c: 0 (default, run.c), 1, or 2 (8-bit groups, runq.c)"},
       {"tensor", "NAME", "tsv: the matrix (default: model.embed_tokens.weight)"},
       {"json", "", "print what was written as JSON"}});
  if (!options.parse(arguments)) return 0;
  options.require_positional(1, 1);
  for (const char* const needed : {"to", "o"}) {
    if (options.has(needed)) continue;
    throw UsageError("--to FORMAT and -o PATH are needed",
                     {.where = "cria export", .hint = "cria export MODEL --to hf -o PATH"});
  }
  const std::string name = options.choice("to", names);
  const Format& format = *std::ranges::find(formats(), name, &Format::name);
  if (options.has("tensor") && name != "tsv") {
    throw UsageError("--tensor is for --to tsv", {.where = "cria export"});
  }
  if (options.has("version") && name != "llama2c") {
    throw UsageError("--version is for --to llama2c", {.where = "cria export"});
  }
  const std::string path = options.text("o", "");
  require_free(path);
  const int version = static_cast<int>(options.integer("version", 0, 0, 2));
  const NumberFormat dtype = version == 2 ? NumberFormat::q8_0 : dtype_of(options, format);
  const LoadedModel model = load_model(options.positional().front());
  const Request request = {.model = model,
                           .path = path,
                           .dtype = dtype,
                           .tensor = options.text("tensor", "model.embed_tokens.weight"),
                           .version = version};
  format.write(request);
  report(format, request, options.has("json"));
  return 0;
}

}  // namespace cria
