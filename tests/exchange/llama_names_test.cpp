#include "exchange/llama_names.h"

#include <gtest/gtest.h>

#include "cria/base/error.h"

namespace cria {
namespace {

TEST(LlamaNames, OfGgufBothWays) {
  const std::pair<const char*, const char*> names[] = {
      {"model.embed_tokens.weight", "token_embd.weight"},
      {"model.norm.weight", "output_norm.weight"},
      {"lm_head.weight", "output.weight"},
      {"model.layers.0.input_layernorm.weight", "blk.0.attn_norm.weight"},
      {"model.layers.11.self_attn.q_proj.bias", "blk.11.attn_q.bias"},
      {"model.layers.2.self_attn.o_proj.weight", "blk.2.attn_output.weight"},
      {"model.layers.2.post_attention_layernorm.weight", "blk.2.ffn_norm.weight"},
      {"model.layers.2.mlp.gate_proj.weight", "blk.2.ffn_gate.weight"},
      {"model.layers.2.mlp.up_proj.weight", "blk.2.ffn_up.weight"},
      {"model.layers.2.mlp.down_proj.weight", "blk.2.ffn_down.weight"},
  };
  for (const auto& [ours, theirs] : names) {
    EXPECT_EQ(gguf_name(ours), theirs);
    EXPECT_EQ(hugging_face_name(theirs), ours);
  }
}

TEST(LlamaNames, WhatHasNone) {
  for (const char* name : {"", "weight", "blk.", "blk.0", "blk.0.weight", "rope_freqs.weight",
                           "blk.0.output.weight", "attn_q.weight", "blk.0.token_embd.weight"}) {
    EXPECT_EQ(hugging_face_name(name), "") << name;
  }
  EXPECT_THROW(gguf_name("model.embed_norm.weight"), Error);
  EXPECT_THROW(gguf_name("model.layers.0.lm_head.weight"), Error);
}

TEST(LlamaNames, OfLlama2c) {
  Llama2cTensor tensor{};
  tensor.role = Llama2cRole::head;
  EXPECT_EQ(hugging_face_name(tensor), "lm_head.weight");
  tensor.role = Llama2cRole::down;
  tensor.layer = 3;
  EXPECT_EQ(hugging_face_name(tensor), "model.layers.3.mlp.down_proj.weight");
}

TEST(LlamaNames, OnlyQueryAndKeyAreRotated) {
  EXPECT_TRUE(is_rotated("model.layers.0.self_attn.q_proj.bias"));
  EXPECT_TRUE(is_rotated("model.layers.0.self_attn.k_proj.weight"));
  EXPECT_FALSE(is_rotated("model.layers.0.self_attn.v_proj.weight"));
}

}  // namespace
}  // namespace cria
