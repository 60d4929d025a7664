#include "exchange/llama2c_model.h"

#include <algorithm>
#include <utility>

#include "base/number.h"
#include "base/unicode.h"
#include "exchange/llama_names.h"
#include "exchange/parameter_file.h"
#include "exchange/refuse.h"
#include "exchange/rope_layout.h"
#include "io/llama2c.h"
#include "model/config_json.h"
#include "text/bpe.h"
#include "text/sentencepiece.h"
#include "tokenizer_files/tokenizer_json.h"

namespace cria {
namespace {

constexpr double kTheta = 10000.0, kEpsilon = 1e-5;
constexpr int64_t kGroupSize = 64;      // llama2.c's own
constexpr float kNeverMerged = -1e10f;  // run.c takes scores above this

bool is_rotated(const Llama2cTensor& tensor) {
  return tensor.role == Llama2cRole::query || tensor.role == Llama2cRole::key;
}

void require_llama2c_expressible(const ModelConfig& config, const std::string& path) {
  require_llama(config, path);
  const std::string hint = "--to gguf and --to hf can say it";
  const auto require_real = [&](const char* key, double got, double expected) {
    // The program has it as fp32.
    if (static_cast<float>(got) == static_cast<float>(expected)) return;
    refuse(path, std::string("model.") + key, shortest_double(expected), shortest_double(got),
           hint);
  };
  const auto require_false = [&](const char* key, bool got) {
    if (got) refuse(path, std::string("model.") + key, "false", "true", hint);
  };
  require_real("rope_theta", config.rope_theta, kTheta);
  require_real("rms_norm_eps", config.rms_norm_eps, kEpsilon);
  require_false("attention_bias", config.attention_bias);
  require_false("mlp_bias", config.mlp_bias);
  if (config.rope_scaling.rope_type != "default") {
    refuse(path, "model.rope_scaling.rope_type", "\"default\"",
           "\"" + config.rope_scaling.rope_type + "\"", hint);
  }
  if (config.head_dim * config.num_attention_heads != config.hidden_size) {
    refuse(path, "model.head_dim", "hidden_size / num_attention_heads",
           std::to_string(config.head_dim), hint);
  }
}

std::string byte_piece(unsigned char byte) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  return std::string("<0x") + kDigits[byte >> 4] + kDigits[byte & 15] + '>';
}

// Whether run.c would print this token as a byte: it looks at the beginning only.
bool looks_like_byte(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdefABCDEF";
  return text.size() > 3 && text.starts_with("<0x") && kDigits.find(text[3]) != kDigits.npos;
}

std::span<const BpeMerge> merges_of(const Tokenizer& tokenizer) {
  if (const BpeVocabulary* const bpe = tokenizer.bpe_vocabulary()) return bpe->merges;
  const SentencePieceVocabulary* const pieces = tokenizer.sentencepiece_vocabulary();
  return pieces ? pieces->merges : std::span<const BpeMerge>();
}

std::string piece_text(const Tokenizer& tokenizer, int32_t id, const std::string& path) {
  const std::string_view text = tokenizer.token(id);
  const auto first = static_cast<unsigned char>(text[0]);
  const bool is_byte = text.size() == 1 && (first == 0 || first >= 0x80 ||
                                            token_name(tokenizer, id) == byte_piece(first));
  if (is_byte) return byte_piece(first);
  if (text.find('\0') != text.npos || looks_like_byte(text)) {
    refuse(path, "token " + std::to_string(id) + " of the tokenizer",
           "a text that llama2.c prints as it is", quote(text), "--to gguf can say it");
  }
  return std::string(text);
}

}  // namespace

void write_llama2c_model(const std::string& path, const Llama& model, int version) {
  const ModelConfig& config = model.config();
  require_llama2c_expressible(config, path);
  const Llama2cHeader header = {
      .version = version,
      .dim = config.hidden_size,
      .hidden_dim = config.intermediate_size,
      .layers = config.num_hidden_layers,
      .heads = config.num_attention_heads,
      .kv_heads = config.num_key_value_heads,
      .vocab_size = config.vocab_size,
      .sequence_length = config.max_position_embeddings,
      .tied = config.tie_word_embeddings,
      .group_size = version == 2 ? llama2c_group_size(kGroupSize, config.hidden_size,
                                                      config.intermediate_size)
                                 : 0};
  std::vector<float> interleaved;
  write_llama2c(path, header, [&](const Llama2cTensor& tensor) -> std::span<const float> {
    const ConstTensor& value = model.parameters().find(hugging_face_name(tensor))->value;
    const auto size = static_cast<size_t>(value.size());
    if (!is_rotated(tensor)) return {value.data, size};
    interleaved.resize(size);
    read_interleaved(value, config.head_dim, 0, tensor.rows, interleaved.data());
    return interleaved;
  });
}

LoadedModel read_llama2c_model(const std::string& path) {
  const Llama2cFile file(path);
  const Llama2cHeader& header = file.header();
  Json json;
  json.set("vocab_size", header.vocab_size);
  json.set("hidden_size", header.dim);
  json.set("intermediate_size", header.hidden_dim);
  json.set("num_hidden_layers", header.layers);
  json.set("num_attention_heads", header.heads);
  json.set("num_key_value_heads", header.kv_heads);
  json.set("max_position_embeddings", header.sequence_length);
  json.set("rms_norm_eps", kEpsilon);
  json.set("rope_theta", kTheta);
  json.set("tie_word_embeddings", header.tied);
  LoadedModel loaded;
  loaded.directory = path;
  loaded.model =
      std::make_unique<Llama>(model_config_from_json(json, path), Precision::fp32, Planes::none);
  read_parameters(loaded.model->parameters(), kWeightPlanes, TensorFile(file));
  return loaded;
}

std::vector<Llama2cPiece> llama2c_pieces(const Tokenizer& tokenizer, int64_t vocab_size,
                                         const std::string& path) {
  if (tokenizer.kind() == "words") {
    refuse(path, "the kind of the tokenizer", "tokens that are put together from characters",
           tokenizer.kind(), "--to hf keeps the tokenizer");
  }
  if (tokenizer.vocab_size() > vocab_size) {
    refuse(
        path, "vocab_size",
        "a row for each of the tokenizer's " + std::to_string(tokenizer.vocab_size()) + " tokens",
        std::to_string(vocab_size));
  }
  std::vector<Llama2cPiece> pieces;
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    pieces.push_back({piece_text(tokenizer, id, path), kNeverMerged});
  }
  while (std::ssize(pieces) < vocab_size) {
    pieces.push_back({"[PAD" + std::to_string(pieces.size()) + "]", kNeverMerged});
  }
  float score = 0;
  for (const BpeMerge& merge : merges_of(tokenizer)) {
    float& result = pieces[static_cast<size_t>(merge.result)].score;
    result = std::max(result, score--);
  }
  return pieces;
}

}  // namespace cria
