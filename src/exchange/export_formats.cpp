#include "exchange/export_formats.h"

#include <filesystem>

#include "cria/base/error.h"
#include "cria/base/file.h"
#include "exchange/arrays.h"
#include "exchange/gguf_model.h"
#include "exchange/llama2c_model.h"

namespace cria {
namespace {

void write_hf(const ExportRequest& request) {
  const LoadedModel& loaded = request.model;
  require_llama(loaded.model->config(), loaded.directory);
  AtomicDirectory directory(request.path);
  write_model_directory(directory.path(), *loaded.model, loaded.tokenizer.get(), request.dtype,
                        loaded.generation);
  directory.commit();
}

void write_gguf(const ExportRequest& request) {
  write_gguf_model(request.path, *request.model.model, request.model.tokenizer.get(),
                   request.dtype);
}

// The vocabulary goes beside the model, where llama2.c looks for it. One that says the same may be
// there: of an export that was killed before it came to the model.
void write_llama2c(const ExportRequest& request) {
  const Llama& model = *request.model.model;
  Rollback rollback;
  std::vector<int32_t> rows;
  if (const Tokenizer* const tokenizer = request.model.tokenizer.get()) {
    const std::string vocabulary =
        (std::filesystem::path(request.path).parent_path() / "tokenizer.bin").string();
    const std::string bytes = llama2c_tokenizer_bytes(
        llama2c_pieces(*tokenizer, model.config().vocab_size, request.path), vocabulary);
    if (!exists(vocabulary) || read_file(vocabulary) != bytes) require_nothing_at(vocabulary);
    rows = llama2c_rows(*tokenizer, model.config().vocab_size);
    rollback.will_write(vocabulary);
    write_file(vocabulary, bytes);
  }
  rollback.will_write(request.path);  // the directory may fail to be flushed after it
  write_llama2c_model(request.path, model, request.version, rows);
  rollback.dismiss();
}

}  // namespace

void require_nothing_at(const std::string& path) {
  if (!exists(path)) return;
  throw Error("exists already", {.where = path,
                                 .expected = "a path with nothing there",
                                 .hint = "remove it, or give another -o"});
}

const std::vector<ExportFormat>& export_formats() {
  using enum NumberFormat;
  static const std::vector<ExportFormat> all = {
      {"hf", "Hugging Face's model directory", {f32, f16, bf16}, write_hf},
      {"gguf", "one file with the tokenizer, for llama.cpp", {f32, f16, bf16, q8_0}, write_gguf},
      {"llama2c", "llama2.c's model file, and tokenizer.bin beside it", {f32}, write_llama2c},
      {"npy",
       "a directory with one NumPy array for each tensor",
       {f32},
       [](const ExportRequest& request) {
         write_npy_directory(request.path, *request.model.model);
       }},
      {"npz",
       "all of these arrays in one file",
       {f32},
       [](const ExportRequest& request) { write_npz(request.path, *request.model.model); }},
      {"tsv",
       "a matrix for the Embedding Projector: vectors.tsv, metadata.tsv, projector_config.pbtxt",
       {f32},
       [](const ExportRequest& request) {
         write_projector_directory(request.path, *request.model.model,
                                   request.model.tokenizer.get(), request.tensor);
       }},
  };
  return all;
}

}  // namespace cria
