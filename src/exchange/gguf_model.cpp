#include "exchange/gguf_model.h"

#include "base/number.h"
#include "cria/position/rope_scaling.h"
#include "exchange/gguf_keys.h"
#include "exchange/gguf_tokenizer.h"
#include "exchange/llama_names.h"
#include "exchange/refuse.h"
#include "exchange/rope_layout.h"
#include "io/gguf.h"

namespace cria {
namespace {

void require_gguf_expressible(const ModelConfig& config, const std::string& path) {
  require_llama(config, path);
  const RopeScaling& scaling = config.rope_scaling;
  const std::string hint = "--to hf can say it";
  if (scaling.rope_type == "dynamic") {
    refuse(path, "model.rope_scaling.rope_type", "\"default\", \"linear\", \"yarn\" or \"llama3\"",
           "\"dynamic\"", hint);
  }
  if (scaling.rope_type != "yarn") return;
  if (!scaling.truncate) {
    refuse(path, "model.rope_scaling.truncate", "true", "false", hint);
  }
  // llama.cpp does not read these of a Llama.
  if (scaling.beta_fast != 32) {
    refuse(path, "model.rope_scaling.beta_fast", "32.0", shortest_double(scaling.beta_fast), hint);
  }
  if (scaling.beta_slow != 1) {
    refuse(path, "model.rope_scaling.beta_slow", "1.0", shortest_double(scaling.beta_slow), hint);
  }
}

// llama.cpp's number for a file most of whose matrices have this format.
uint32_t file_type(NumberFormat format) {
  switch (format) {
    case NumberFormat::f32:
      return 0;
    case NumberFormat::f16:
      return 1;
    case NumberFormat::q8_0:
      return 7;
    case NumberFormat::bf16:
      return 32;
  }
  return 0;
}

// Integers are u32 and reals f32, as llama.cpp's own converters have them.
class Keys {
 public:
  explicit Keys(GgufMetadata& metadata) : metadata_(metadata) {}

  void text(const std::string& key, const std::string& value) const {
    metadata_.emplace_back(key, value);
  }
  void integer(const std::string& key, int64_t value) const {
    metadata_.emplace_back(key, static_cast<uint32_t>(value));
  }
  void real(const std::string& key, double value) const {
    metadata_.emplace_back(key, static_cast<float>(value));
  }

 private:
  GgufMetadata& metadata_;
};

void append_scaling(const Keys& keys, const ModelConfig& config) {
  const RopeScaling& scaling = config.rope_scaling;
  const std::string prefix = "llama.rope.scaling.";
  if (scaling.rope_type == "linear" || scaling.rope_type == "yarn") {
    keys.text(prefix + "type", scaling.rope_type);
    keys.real(prefix + "factor", scaling.factor);
  }
  if (scaling.rope_type == "yarn") {
    keys.integer(prefix + "original_context_length", scaling.original_max_position_embeddings);
    // llama.cpp multiplies its default by this.
    RopeScaling plain = scaling;
    plain.attention_factor = plain.mscale = plain.mscale_all_dim = 0;
    const double factor = rope_attention_factor(scaling) / rope_attention_factor(plain);
    if (factor != 1) keys.real(prefix + "attn_factor", factor);
  }
  if (scaling.rope_type == "llama3") {
    keys.real(kCriaScaling + std::string("factor"), scaling.factor);
    keys.real(kCriaScaling + std::string("low_freq_factor"), scaling.low_freq_factor);
    keys.real(kCriaScaling + std::string("high_freq_factor"), scaling.high_freq_factor);
    keys.integer(kCriaScaling + std::string("original_context_length"),
                 scaling.original_max_position_embeddings);
  }
}

GgufMetadata metadata_of(const ModelConfig& config, NumberFormat format) {
  GgufMetadata metadata;
  const Keys keys(metadata);
  keys.text("general.architecture", "llama");
  keys.integer("general.file_type", file_type(format));
  if (format == NumberFormat::q8_0) keys.integer("general.quantization_version", 2);
  keys.integer("llama.vocab_size", config.vocab_size);
  keys.integer("llama.context_length", config.max_position_embeddings);
  keys.integer("llama.embedding_length", config.hidden_size);
  keys.integer("llama.block_count", config.num_hidden_layers);
  keys.integer("llama.feed_forward_length", config.intermediate_size);
  keys.integer("llama.attention.head_count", config.num_attention_heads);
  keys.integer("llama.attention.head_count_kv", config.num_key_value_heads);
  keys.real("llama.attention.layer_norm_rms_epsilon", config.rms_norm_eps);
  if (config.head_dim * config.num_attention_heads != config.hidden_size) {
    keys.integer("llama.attention.key_length", config.head_dim);
    keys.integer("llama.attention.value_length", config.head_dim);
  }
  keys.integer("llama.rope.dimension_count", config.head_dim);
  keys.real("llama.rope.freq_base", config.rope_theta);
  append_scaling(keys, config);
  return metadata;
}

NumberFormat format_of(const ConstTensor& tensor, NumberFormat wanted) {
  if (tensor.rank == 1) return NumberFormat::f32;
  const bool is_whole = tensor.columns() % block_size(wanted) == 0;
  return is_whole ? wanted : NumberFormat::f16;
}

}  // namespace

std::vector<double> frequency_divisors(const ModelConfig& config) {
  const auto frequencies = [&](const RopeScaling& scaling) {
    return rope_frequencies(scaling, config.head_dim, config.rope_theta,
                            config.max_position_embeddings, config.max_position_embeddings);
  };
  std::vector<double> divisors = frequencies({});
  const std::vector<double> scaled = frequencies(config.rope_scaling);
  for (size_t i = 0; i < divisors.size(); ++i) divisors[i] /= scaled[i];
  return divisors;
}

void write_gguf_model(const std::string& path, const Llama& model, const Tokenizer* tokenizer,
                      NumberFormat format) {
  const ModelConfig& config = model.config();
  require_gguf_expressible(config, path);
  GgufMetadata metadata = metadata_of(config, format);
  append_gguf_tokenizer(metadata, tokenizer, config.vocab_size, path);
  std::vector<TensorSource> tensors;
  std::vector<float> divisors;
  if (config.rope_scaling.rope_type == "llama3") {
    for (const double each : frequency_divisors(config)) {
      divisors.push_back(static_cast<float>(each));
    }
    tensors.push_back({kRopeFrequencies, ConstTensor(divisors.data(), {std::ssize(divisors)})});
  }
  for (const Parameter& slot : model.parameters().slots()) {
    const ConstTensor value = slot.value;
    tensors.push_back({gguf_name(slot.name), value, format_of(value, format)});
    if (!is_rotated(slot.name)) continue;
    tensors.back().rows = [value, d = config.head_dim](int64_t first, int64_t count, float* out) {
      // The one row of a bias is an element for each row of its weight.
      read_interleaved(value, d, first, value.rank == 1 ? value.size() : count, out);
    };
  }
  write_gguf(path, metadata, tensors);
}

}  // namespace cria
