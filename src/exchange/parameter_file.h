// A model's planes out to safetensors files, and in from any file of tensors.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "cria/io/number_format.h"
#include "cria/tensor/parameters.h"
#include "exchange/tensor_file.h"

namespace cria {

enum class StoredPlane { value, m, v };

// A plane that a file holds, and the prefix that its tensors' names get.
struct PlaneName {
  std::string_view prefix;
  StoredPlane plane;
  // The names of slots of which it has nothing; null: it has all. Their planes keep what they hold.
  const std::set<std::string>* without = nullptr;
};

// A file of weights.
inline constexpr PlaneName kWeightPlanes[] = {{"", StoredPlane::value}};

// Puts places [offset, offset + count) of a plane at out.
using PlaneReader =
    std::function<void(StoredPlane plane, int64_t offset, int64_t count, float* out)>;

// Writes every slot once, without aliases (tied weights). format: one that safetensors has. read:
// where the planes are not all in memory.
void write_parameters(const Parameters& parameters, std::span<const PlaneName> planes,
                      const std::string& path, NumberFormat format = NumberFormat::f32,
                      const PlaneReader& read = {});

// Every slot must be there with its shape, by Hugging Face's name, by an alias, or by a name
// without its first "model.", as files of a model without its head have them; and nothing else but
// what is computed. What is stored twice must be equal. Otherwise Error naming the file and the
// tensor, before anything is changed. Parameters without memory get that of their values once the
// file is known to hold them. Of m and v, what parameters.moments() says is read.
void read_parameters(Parameters& parameters, std::span<const PlaneName> planes,
                     const TensorFile& file);

// path: as SafetensorsFile takes it.
void read_parameters(Parameters& parameters, std::span<const PlaneName> planes,
                     const std::string& path);

}  // namespace cria
