// Model directories as Hugging Face has them: config.json, generation_config.json,
// model.safetensors (or several files and their index) and the tokenizer's files, see
// tokenizer_files/tokenizer_file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cria/base/json.h"
#include "cria/io/number_format.h"
#include "cria/model/llama.h"
#include "cria/text/tokenizer.h"

namespace cria {

// A model to be used, not to be trained: its parameters have values only.
struct LoadedModel {
  std::string directory;  // or the file that it was read from
  std::unique_ptr<Llama> model;
  std::unique_ptr<Tokenizer> tokenizer;  // null when there is none
  std::vector<int32_t> end_tokens = {};  // what the model's files say ends a text
  int64_t step = 0;                      // of its training; 0 when nothing says
  Json generation = {};                  // see read_generation
};

// Whether there is a config.json.
bool is_model_directory(const std::string& directory);

ModelConfig read_model_config(const std::string& directory);

// generation_config.json as it is, with those special tokens of config.json that it does not name;
// null when there are neither.
Json read_generation(const std::string& directory);

// Everything but the step. Any Llama: fp32, fp16 or bf16 weights, tied or not, with biases and
// head_dim of its own. Error naming the file, and the key or tensor that cria has no place for or
// misses. Memory for the weights is only asked for once the files are known to hold them.
// precision: of the model's products.
LoadedModel read_model_directory(const std::string& directory,
                                 Precision precision = Precision::fp32);

// The weights alone, into a model of the same tensors, which needs no memory for them yet; its
// embedding table is what a tied head is, even if the file holds the head too. Error as above;
// nothing is changed then.
void read_weights(const std::string& directory, Llama& model);

// Into a directory that is there. tokenizer may be null. generation: as of read_generation; special
// tokens that it does not name are the tokenizer's. What is no fp32 is rounded; Error naming the
// tensor when a number of it is too large for F16.
void write_model_directory(const std::string& directory, const Llama& model,
                           const Tokenizer* tokenizer, NumberFormat format = NumberFormat::f32,
                           const Json& generation = {});

// Error naming the key of config that makes it another model than a Llama, which a file promises
// other programs. where: what is to be exported.
void require_llama(const ModelConfig& config, const std::string& where);

// Error naming the directory when the model has none.
const Tokenizer& require_tokenizer(const LoadedModel& loaded);

}  // namespace cria
