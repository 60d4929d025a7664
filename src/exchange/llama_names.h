// What Hugging Face, GGUF and llama2.c call the tensors of a Llama. cria's names are Hugging
// Face's.
#pragma once

#include <string>
#include <string_view>

#include "io/llama2c.h"

namespace cria {

// "blk.0.attn_q.weight" for "model.layers.0.self_attn.q_proj.weight"; Error for a tensor that GGUF
// has no name for.
std::string gguf_name(std::string_view hugging_face_name);

// The reverse; "" for what is no tensor of a Llama.
std::string hugging_face_name(std::string_view gguf_name);
std::string hugging_face_name(const Llama2cTensor& tensor);

// Query and key, by Hugging Face's name: their rows stand in another order in GGUF and llama2.c,
// see rope_layout.
bool is_rotated(std::string_view hugging_face_name);

}  // namespace cria
