#include "exchange/llama2c_model.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <utility>

#include "base/number.h"
#include "base/replace_all.h"
#include "base/unicode.h"
#include "cria/base/file.h"
#include "exchange/llama_names.h"
#include "exchange/parameter_file.h"
#include "exchange/refuse.h"
#include "exchange/rope_layout.h"
#include "exchange/sentencepiece_scores.h"
#include "io/llama2c.h"
#include "model/config_json.h"
#include "text/bpe_tokenizer.h"
#include "text/sentencepiece.h"
#include "tokenizer_files/tokenizer_json.h"

namespace cria {
namespace {

constexpr double kTheta = 10000.0, kEpsilon = 1e-5;
constexpr int64_t kGroupSize = 64;                          // llama2.c's own
constexpr const char* kRoles[] = {"<unk>", "<s>", "</s>"};  // by id; the bytes follow

// mean[i] = (table[0, i] + ... + table[rows - 1, i]) / rows
std::vector<float> mean_row(const ConstTensor& table) {
  std::vector<double> sums(static_cast<size_t>(table.columns()));
  for (int64_t row = 0; row < table.rows(); ++row) {
    for (size_t i = 0; i < sums.size(); ++i) sums[i] += table(row, static_cast<int64_t>(i));
  }
  std::vector<float> mean;
  for (const double sum : sums) {
    mean.push_back(static_cast<float>(sum / static_cast<double>(table.rows())));
  }
  return mean;
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

// Whether run.c would print this token as a byte: it looks at the beginning only.
bool looks_like_byte(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdefABCDEF";
  return text.size() > 3 && text.starts_with("<0x") && kDigits.find(text[3]) != kDigits.npos;
}

std::span<const BpeMerge> token_merges(const Tokenizer& tokenizer) {
  if (const BpeVocabulary* const bpe = tokenizer.bpe_vocabulary()) return bpe->merges;
  const SentencePieceVocabulary* const pieces = tokenizer.sentencepiece_vocabulary();
  return pieces ? pieces->merges : std::span<const BpeMerge>();
}

std::string piece_text(const Tokenizer& tokenizer, int32_t id, const std::string& path) {
  const std::string_view text = tokenizer.token(id);
  const auto first = static_cast<unsigned char>(text[0]);
  const bool is_byte = text.size() == 1 && (first == 0 || first >= 0x80 ||
                                            token_name(tokenizer, id) == byte_name(first));
  if (is_byte) return byte_name(first);
  if (text.find('\0') != text.npos || looks_like_byte(text)) {
    refuse(path, "token " + std::to_string(id) + " of the tokenizer",
           "a text that llama2.c prints as it is", quote(text), "--to gguf can say it");
  }
  return std::string(text);
}

// Null for pieces of another kind than SentencePiece's.
std::unique_ptr<Tokenizer> tokenizer_of(const std::vector<Llama2cPiece>& pieces, int64_t vocab_size,
                                        const std::string& path) {
  constexpr size_t kBytes = std::size(kRoles);
  for (size_t byte = 0; byte < 256; ++byte) {
    const bool is_byte = pieces.size() > kBytes + byte &&
                         pieces[kBytes + byte].text == byte_name(static_cast<uint8_t>(byte));
    if (!is_byte) return nullptr;
  }
  if (std::ssize(pieces) != vocab_size) {
    throw Error("another number of tokens than the model's",
                {.where = path,
                 .expected = std::to_string(vocab_size),
                 .got = std::to_string(pieces.size()),
                 .hint = "the weights alone: cria import --no-tokenizer"});
  }
  // The file has line ends around these.
  std::vector<std::string> names(std::begin(kRoles), std::end(kRoles));
  std::vector<float> scores(kBytes);
  for (size_t id = kBytes; id < pieces.size(); ++id) {
    names.push_back(replace_all(pieces[id].text, " ", "\u2581"));
    scores.push_back(pieces[id].score);
  }
  std::vector<AddedToken> added;
  for (int32_t id = 0; id < 3; ++id) added.push_back({kRoles[id], id, true});
  return with_context({.where = path, .hint = "the weights alone: cria import --no-tokenizer"},
                      [&] {
                        auto tokenizer = std::make_unique<SentencePieceTokenizer>(
                            vocabulary_of_scores(std::move(names), scores, std::move(added)),
                            TextEnds{.before = {1}, .after = {}});
                        tokenizer->set_special_tokens({.bos = 1, .eos = 2, .unk = 0});
                        return tokenizer;
                      });
}

}  // namespace

void write_llama2c_model(const std::string& path, const Llama& model, int version,
                         const std::vector<int32_t>& rows) {
  const ModelConfig& config = model.config();
  require_llama2c_expressible(config, path);
  const Llama2cHeader header = {
      .version = version,
      .dim = config.hidden_size,
      .hidden_dim = config.intermediate_size,
      .layers = config.num_hidden_layers,
      .heads = config.num_attention_heads,
      .kv_heads = config.num_key_value_heads,
      .vocab_size = rows.empty() ? config.vocab_size : std::ssize(rows),
      .sequence_length = config.max_position_embeddings,
      .tied = config.tie_word_embeddings,
      .group_size = version == 2 ? llama2c_group_size(kGroupSize, config.hidden_size,
                                                      config.intermediate_size)
                                 : 0};
  std::vector<float> interleaved, chosen;
  write_llama2c(path, header, [&](const Llama2cTensor& tensor) -> std::span<const float> {
    const std::string name = hugging_face_name(tensor);
    const ConstTensor& value = model.parameters().find(name)->value;
    const auto size = static_cast<size_t>(value.size());
    const bool is_table = tensor.role == Llama2cRole::embedding || tensor.role == Llama2cRole::head;
    if (is_table && !rows.empty()) {
      chosen.clear();
      const std::vector<float> mean = mean_row(value);
      for (const int32_t row : rows) {
        const float* const from = row == -1 ? mean.data() : value.data + row * value.columns();
        chosen.insert(chosen.end(), from, from + value.columns());
      }
      return chosen;
    }
    if (!is_rotated(name)) return {value.data, size};
    interleaved.resize(size);
    read_interleaved(value, config.head_dim, 0, tensor.rows, interleaved.data());
    return interleaved;
  });
}

LoadedModel read_llama2c_model(const std::string& path, bool with_tokenizer) {
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
  const std::string beside = std::filesystem::path(path).replace_filename("tokenizer.bin").string();
  if (with_tokenizer && exists(beside)) {
    loaded.tokenizer = tokenizer_of(read_llama2c_tokenizer(beside), header.vocab_size, beside);
  }
  return loaded;
}

std::vector<int32_t> llama2c_rows(const Tokenizer& tokenizer, int64_t vocab_size) {
  const SpecialTokens& special = tokenizer.special_tokens();
  if (special.bos == 1 || tokenizer.kind() == "sentencepiece") return {};
  const bool has_bos = special.bos != -1;
  const bool has_unk = special.unk != special.bos && special.unk != special.eos;
  std::vector<int32_t> rows = {has_unk ? special.unk : -1, has_bos ? special.bos : special.eos,
                               has_bos && special.eos != special.bos ? special.eos : -1};
  const auto count = static_cast<size_t>(vocab_size);
  std::vector<bool> is_added(count), is_there(count);
  for (const AddedToken& added : tokenizer.added_tokens()) {
    is_added[static_cast<size_t>(added.id)] = true;
  }
  std::vector<int32_t> bytes(256, -1);
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    const std::string_view token = tokenizer.token(id);
    const bool is_byte = token.size() == 1 && !is_added[static_cast<size_t>(id)];
    if (is_byte) bytes[static_cast<unsigned char>(token[0])] = id;
  }
  if (std::ranges::find(bytes, -1) == bytes.end()) {
    rows.insert(rows.end(), bytes.begin(), bytes.end());
  }
  for (const int32_t row : rows) {
    if (row != -1) is_there[static_cast<size_t>(row)] = true;
  }
  for (int32_t row = 0; row < vocab_size; ++row) {
    if (!is_there[static_cast<size_t>(row)]) rows.push_back(row);
  }
  return rows;
}

std::vector<Llama2cPiece> llama2c_pieces(const Tokenizer& tokenizer, int64_t vocab_size,
                                         const std::string& path) {
  require_expressible(tokenizer, vocab_size, path);
  std::vector<Llama2cPiece> pieces;
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    pieces.push_back({piece_text(tokenizer, id, path), kNeverMerged});
  }
  while (std::ssize(pieces) < vocab_size) {
    pieces.push_back({"[PAD" + std::to_string(pieces.size()) + "]", kNeverMerged});
  }
  const std::vector<float> scores = scores_of(token_merges(tokenizer), pieces.size());
  for (size_t id = 0; id < pieces.size(); ++id) pieces[id].score = scores[id];
  const std::vector<int32_t> rows = llama2c_rows(tokenizer, vocab_size);
  if (rows.empty()) return pieces;
  std::vector<Llama2cPiece> ordered;
  for (size_t id = 0; id < rows.size(); ++id) {
    const bool is_role = rows[id] == -1;
    ordered.push_back(is_role ? Llama2cPiece{kRoles[id], kNeverMerged}
                              : pieces[static_cast<size_t>(rows[id])]);
  }
  return ordered;
}

}  // namespace cria
