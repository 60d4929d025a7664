#include "exchange/llama_names.h"

#include <span>
#include <utility>

#include "cria/base/error.h"

namespace cria {
namespace {

using Names = std::pair<std::string_view, std::string_view>;  // Hugging Face's, GGUF's

constexpr Names kModelNames[] = {
    {"model.embed_tokens", "token_embd"}, {"model.norm", "output_norm"}, {"lm_head", "output"}};

// After "model.layers.N." and "blk.N.".
constexpr Names kLayerNames[] = {
    {"input_layernorm", "attn_norm"},    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},      {"self_attn.v_proj", "attn_v"},
    {"self_attn.o_proj", "attn_output"}, {"post_attention_layernorm", "ffn_norm"},
    {"mlp.gate_proj", "ffn_gate"},       {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"}};

// The names in the order of Llama2cRole.
constexpr std::string_view kLlama2cNames[] = {"model.embed_tokens.weight",
                                              "input_layernorm.weight",
                                              "self_attn.q_proj.weight",
                                              "self_attn.k_proj.weight",
                                              "self_attn.v_proj.weight",
                                              "self_attn.o_proj.weight",
                                              "post_attention_layernorm.weight",
                                              "mlp.gate_proj.weight",
                                              "mlp.down_proj.weight",
                                              "mlp.up_proj.weight",
                                              "model.norm.weight",
                                              "lm_head.weight"};

constexpr std::string_view kLayers = "model.layers.", kBlocks = "blk.";

// `name` with what it begins with, up to its layer's number, exchanged, and the middle by the
// table; "" when either is not found. The end is ".weight" or ".bias".
std::string renamed(std::string_view name, std::string_view Names::*from,
                    std::string_view Names::*to, std::string_view from_layers,
                    std::string_view to_layers) {
  std::string layer;
  std::span<const Names> table = kModelNames;
  if (name.starts_with(from_layers)) {
    name.remove_prefix(from_layers.size());
    const size_t end = name.find('.') + 1;
    if (end == 0) return "";
    layer = std::string(to_layers) + std::string(name.substr(0, end));
    name.remove_prefix(end);
    table = kLayerNames;
  }
  const size_t suffix = name.rfind('.');
  if (suffix == name.npos) return "";
  for (const Names& names : table) {
    if (name.substr(0, suffix) != names.*from) continue;
    return layer + std::string(names.*to) + std::string(name.substr(suffix));
  }
  return "";
}

}  // namespace

std::string gguf_name(std::string_view hugging_face_name) {
  const std::string name =
      renamed(hugging_face_name, &Names::first, &Names::second, kLayers, kBlocks);
  if (!name.empty()) return name;
  throw Error("GGUF has no name for the tensor", {.got = std::string(hugging_face_name)});
}

std::string hugging_face_name(std::string_view gguf_name) {
  return renamed(gguf_name, &Names::second, &Names::first, kBlocks, kLayers);
}

std::string hugging_face_name(const Llama2cTensor& tensor) {
  const std::string_view name = kLlama2cNames[static_cast<size_t>(tensor.role)];
  const bool is_single = name.starts_with("model.") || name.starts_with("lm_head.");
  if (is_single) return std::string(name);
  return std::string(kLayers) + std::to_string(tensor.layer) + "." + std::string(name);
}

bool is_rotated(std::string_view hugging_face_name) {
  return hugging_face_name.find(".q_proj.") != hugging_face_name.npos ||
         hugging_face_name.find(".k_proj.") != hugging_face_name.npos;
}

}  // namespace cria
