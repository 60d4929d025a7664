#include <algorithm>
#include <charconv>
#include <cmath>
#include <vector>

#include "base/number.h"
#include "base/unicode.h"
#include "cria/base/error.h"
#include "cria/position/rope_scaling.h"
#include "exchange/gguf_keys.h"
#include "exchange/gguf_model.h"
#include "exchange/gguf_tokenizer.h"
#include "exchange/parameter_file.h"
#include "io/gguf.h"
#include "model/config_json.h"

namespace cria {
namespace {

// The file has fp32; the number meant is the one with the shortest decimal: 1e-5,
// not 9.99999975e-6.
double meant(double stored) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, static_cast<float>(stored)).ptr;
  double value = stored;
  parse_number(std::string_view(text, static_cast<size_t>(end - text)), value);
  return value;
}

// The shape of the model as config.json has it, which is checked where that is read.
class ShapeReader {
 public:
  explicit ShapeReader(const GgufFile& file) : file_(file) {}

  ModelConfig read() {
    require_architecture();
    const StoredTensor* const embedding = file_.find("token_embd.weight");
    if (!embedding || embedding->shape.size() != 2) fail("no matrix token_embd.weight");
    json_.set("vocab_size", embedding->shape[0]);
    integer("hidden_size", "llama.embedding_length");
    integer("intermediate_size", "llama.feed_forward_length");
    integer("num_hidden_layers", "llama.block_count");
    integer("num_attention_heads", "llama.attention.head_count");
    integer("num_key_value_heads", "llama.attention.head_count_kv", true);
    integer("head_dim", "llama.attention.key_length", true);
    integer("max_position_embeddings", "llama.context_length");
    json_.set("rms_norm_eps", meant(file_.real("llama.attention.layer_norm_rms_epsilon")));
    json_.set("tie_word_embeddings", file_.find("output.weight") == nullptr);
    json_.set("attention_bias", file_.find("blk.0.attn_q.bias") != nullptr);
    json_.set("mlp_bias", file_.find("blk.0.ffn_gate.bias") != nullptr);
    const char* const base = "llama.rope.freq_base";
    json_.set("rope_theta", file_.has(base) ? meant(file_.real(base)) : 10000.0);
    read_scaling();
    require_known_keys();
    const ModelConfig config = model_config_from_json(json_, file_.path());
    for (const char* const key : {"llama.rope.dimension_count", "llama.attention.value_length"}) {
      if (file_.has(key)) require(key, config.head_dim);
    }
    if (file_.find(kRopeFrequencies)) require_divisors(config);
    return config;
  }

 private:
  [[noreturn]] void fail(const std::string& summary, const std::string& expected = {},
                         const std::string& got = {}) const {
    throw Error(summary, {.where = file_.path(), .expected = expected, .got = got});
  }

  void require(const char* key, int64_t expected) const {
    const int64_t got = file_.integer(key);
    if (got == expected) return;
    throw Error("not supported", {.where = file_.path() + ": " + key,
                                  .expected = std::to_string(expected),
                                  .got = std::to_string(got)});
  }

  void require_architecture() const {
    const std::string& name = file_.text("general.architecture");
    if (name != "llama") fail("another architecture", "\"llama\"", quote(name));
    const char* const experts = "llama.expert_count";
    if (file_.has(experts)) require(experts, 0);
  }

  // Others would change what the model computes, as a window of attention does.
  void require_known_keys() const {
    constexpr std::string_view kKnown[] = {
        "embedding_length", "feed_forward_length", "block_count", "attention.head_count",
        "attention.head_count_kv", "attention.key_length", "attention.value_length",
        "context_length", "attention.layer_norm_rms_epsilon", "rope.freq_base",
        "rope.dimension_count", "rope.scaling.type", "rope.scaling.factor",
        "rope.scaling.original_context_length", "rope.scaling.attn_factor", "rope.scale_linear",
        "expert_count",
        // These say nothing that the file does not say elsewhere.
        "vocab_size", "tensor_data_layout", "rope.scaling.finetuned", "expert_used_count"};
    const std::string_view prefix = "llama.";
    for (const auto& [key, value] : file_.metadata()) {
      if (!key.starts_with(prefix)) continue;
      if (std::ranges::find(kKnown, std::string_view(key).substr(prefix.size())) !=
          std::end(kKnown))
        continue;
      throw Error("not supported", {.where = file_.path() + ": " + key,
                                    .expected = "keys that cria knows",
                                    .got = "one that may change what the model computes"});
    }
  }

  void integer(const char* name, const char* key, bool may_miss = false) {
    if (!may_miss || file_.has(key)) json_.set(name, file_.integer(key));
  }

  void read_scaling() {
    const std::string prefix = "llama.rope.scaling.";
    const auto real = [&](const std::string& key) { return meant(file_.real(key)); };
    const char* const oldest = "llama.rope.scale_linear";  // before there were types
    const std::string factor =
        file_.has(prefix + "factor") || !file_.has(oldest) ? prefix + "factor" : oldest;
    // What llama.cpp takes a factor without a type for.
    const std::string without = file_.has(factor) ? "linear" : "none";
    const std::string type = file_.has(prefix + "type") ? file_.text(prefix + "type") : without;
    Json scaling;
    if (file_.find(kRopeFrequencies)) {
      if (type != "none")
        fail("two scalings of RoPE", "a type or " + std::string(kRopeFrequencies));
      scaling = llama3();
    } else if (type != "none") {
      scaling.set("rope_type", type);
      scaling.set("factor", file_.has(factor) ? real(factor) : 1.0);
      const std::string length = prefix + "original_context_length";
      if (type == "yarn" && file_.has(length)) {
        scaling.set("original_max_position_embeddings", file_.integer(length));
      }
      if (type == "yarn" && file_.has(prefix + "attn_factor")) {
        RopeScaling plain = {.rope_type = "yarn", .factor = scaling.find("factor")->as_double("")};
        scaling.set("attention_factor",
                    meant(file_.real(prefix + "attn_factor") * rope_attention_factor(plain)));
      }
    }
    if (!scaling.is_null()) json_.set("rope_scaling", scaling);
  }

  // The tensor does not say where it comes from: either keys of cria's do, or it is Llama 3's own.
  Json llama3() const {
    const StoredTensor& tensor = *file_.find(kRopeFrequencies);
    const std::string prefix = kCriaScaling;
    Json scaling = Json::Object{{"rope_type", "llama3"}};
    const bool is_ours = file_.has(prefix + "factor");
    const auto real = [&](const char* name, double otherwise) {
      scaling.set(name, is_ours ? meant(file_.real(prefix + name)) : otherwise);
    };
    std::vector<float> divisors(1, 1.0f);
    if (tensor.shape.size() == 1) {
      divisors.resize(static_cast<size_t>(tensor.shape[0]));
      tensor.read_rows(0, 1, divisors.data());
    }
    real("factor", meant(divisors.back()));
    real("low_freq_factor", 1.0);
    real("high_freq_factor", 4.0);
    scaling.set("original_max_position_embeddings",
                is_ours ? file_.integer(prefix + "original_context_length") : int64_t{8192});
    return scaling;
  }

  // Within the rounding of fp32, in which others compute them.
  void require_divisors(const ModelConfig& config) const {
    const StoredTensor& tensor = *file_.find(kRopeFrequencies);
    const int64_t pairs = config.head_dim / 2;
    require_shape(tensor.shape, ConstTensor(nullptr, {pairs}), tensor.where);
    std::vector<float> divisors(static_cast<size_t>(pairs));
    tensor.read_rows(0, 1, divisors.data());
    const std::vector<double> expected = frequency_divisors(config);
    for (size_t i = 0; i < expected.size(); ++i) {
      if (std::abs(divisors[i] - expected[i]) <= 1e-4 * expected[i]) continue;
      throw Error("not the scaling of Llama 3",
                  {.where = tensor.where + " element " + std::to_string(i),
                   .expected = shortest_double(expected[i]),
                   .got = shortest_double(divisors[i])});
    }
  }

  const GgufFile& file_;
  Json json_ = Json::Object{};
};

}  // namespace

LoadedModel read_gguf_model(const std::string& path, bool with_tokenizer) {
  const GgufFile file(path);
  LoadedModel loaded;
  loaded.directory = path;
  loaded.model = std::make_unique<Llama>(ShapeReader(file).read(), Precision::fp32, Planes::none);
  if (with_tokenizer) loaded.tokenizer = read_gguf_tokenizer(file);
  if (loaded.tokenizer) {
    const int32_t eos = loaded.tokenizer->special_tokens().eos;
    if (eos != -1) loaded.end_tokens = {eos};
  }
  read_parameters(loaded.model->parameters(), kWeightPlanes, TensorFile(file));
  return loaded;
}

}  // namespace cria
