#include "gguf_names.h"

#include <utility>

#include "cria/base/error.h"

namespace cria {
namespace {

constexpr std::pair<std::string_view, std::string_view> kNames[] = {
    {"model.embed_tokens", "token_embd"},
    {"model.norm", "output_norm"},
    {"lm_head", "output"},
    {"input_layernorm", "attn_norm"},
    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"},
    {"self_attn.o_proj", "attn_output"},
    {"post_attention_layernorm", "ffn_norm"},
    {"mlp.gate_proj", "ffn_gate"},
    {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"},
};

constexpr std::string_view kLayers = "model.layers.";

}  // namespace

std::string gguf_tensor_name(std::string_view parameter) {
  std::string block;
  std::string_view rest = parameter;
  if (rest.starts_with(kLayers)) {
    rest.remove_prefix(kLayers.size());
    const size_t end = rest.find('.') + 1;
    block = "blk." + std::string(rest.substr(0, end));
    rest.remove_prefix(end);
  }
  const size_t suffix = rest.rfind('.');  // ".weight" or ".bias"
  for (const auto& [name, other] : kNames) {
    if (rest.substr(0, suffix) == name) {
      return block + std::string(other) + std::string(rest.substr(suffix));
    }
  }
  throw Error("GGUF has no name for the tensor", {.got = std::string(parameter)});
}

bool is_rotated(std::string_view parameter) {
  return parameter.find(".q_proj.") != parameter.npos ||
         parameter.find(".k_proj.") != parameter.npos;
}

}  // namespace cria
