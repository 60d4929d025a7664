// A model's planes in and out of safetensors files.
#pragma once

#include <span>
#include <string>

#include "cria/tensor/parameters.h"

namespace cria {

// Which plane, under what prefix: {"", &Parameter::value} is a Hugging Face weight file.
struct PlaneName {
  std::string prefix;
  Tensor Parameter::*plane;
};

// Every slot once: an alias (tied weights) is not written.
void write_parameters(const Parameters& parameters, std::span<const PlaneName> planes,
                      const std::string& path);

// Every slot must be there with its shape, and nothing else but what an alias names and the
// rotary_emb.inv_freq of old files; an alias that is stored must equal its slot. Otherwise Error
// naming the file and the tensor. Nothing is changed unless everything fits.
void read_parameters(Parameters& parameters, std::span<const PlaneName> planes,
                     const std::string& path);

}  // namespace cria
