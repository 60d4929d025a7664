// A model's planes in and out of safetensors files.
#pragma once

#include <span>
#include <string>

#include "cria/io/number_format.h"
#include "cria/tensor/parameters.h"

namespace cria {

enum class StoredPlane { value, m, v };

// Which plane, under what prefix: {"", StoredPlane::value} is a Hugging Face weight file.
struct PlaneName {
  std::string prefix;
  StoredPlane plane;
};

// Every slot once: an alias (tied weights) is not written. Of safetensors' formats.
void write_parameters(const Parameters& parameters, std::span<const PlaneName> planes,
                      const std::string& path, NumberFormat format = NumberFormat::f32);

// path: as SafetensorsFile takes it. Every slot must be there with its shape, and nothing else but
// what an alias names and the rotary_emb.inv_freq of old files; an alias that is stored must equal
// its slot. Otherwise Error naming the file and the tensor. The parameters need no memory yet.
void require_parameters(const Parameters& parameters, std::span<const PlaneName> planes,
                        const std::string& path);

// The same Errors, before anything is changed.
void read_parameters(Parameters& parameters, std::span<const PlaneName> planes,
                     const std::string& path);

}  // namespace cria
