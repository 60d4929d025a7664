#include "exchange/parameter_file.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "io/safetensors.h"

namespace cria {
namespace {

// A plane of a parameter, under the name that Hugging Face's files have it.
struct Target {
  std::string name;
  ConstTensor tensor;
  StoredPlane plane;
  int64_t offset;  // of the tensor in it
};

ConstTensor plane_of(const Parameter& slot, StoredPlane plane) {
  if (plane == StoredPlane::value) return slot.value;
  return plane == StoredPlane::m ? slot.m : slot.v;
}

Tensor mutable_plane_of(Parameter& slot, StoredPlane plane) {
  if (plane == StoredPlane::value) return slot.mutable_value();
  return plane == StoredPlane::m ? slot.m : slot.v;
}

Target target_of(const PlaneName& plane, const Parameter& slot) {
  return {std::string(plane.prefix) + slot.name, plane_of(slot, plane.plane), plane.plane,
          slot.offset};
}

bool has(const PlaneName& plane, const Parameter& slot) {
  return !plane.without || !plane.without->contains(slot.name);
}

std::vector<Target> targets(const Parameters& parameters, std::span<const PlaneName> planes) {
  std::vector<Target> all;
  for (const PlaneName& plane : planes) {
    for (const Parameter& slot : parameters.slots()) {
      if (!has(plane, slot)) continue;
      all.push_back(target_of(plane, slot));
    }
  }
  return all;
}

// The tensor that a name, be it a slot's or an alias's, stands for. A file of the model without its
// head leaves out the name of the model, as the first part of all names.
std::optional<Target> resolve(const Parameters& parameters, std::span<const PlaneName> planes,
                              std::string_view name) {
  for (const PlaneName& plane : planes) {
    if (!name.starts_with(plane.prefix)) continue;
    const std::string_view own = name.substr(plane.prefix.size());
    const Parameter* slot = parameters.find(own);
    if (!slot) slot = parameters.find("model." + std::string(own));
    if (slot) return target_of(plane, *slot);
  }
  return std::nullopt;
}

[[noreturn]] void throw_names(const std::string& summary, const std::vector<std::string>& names,
                              const std::string& path, const std::string& hint) {
  const size_t others = names.size() - 1;
  throw Error(summary + " " + quote(names.front()) +
                  (others > 0 ? " and " + std::to_string(others) + " more" : ""),
              {.where = path,
               .expected = "each tensor of the model, and no other",
               .hint = hint.empty() ? "does the model's config belong to this file?" : hint});
}

// A tied tensor that is stored twice must be stored equal, or reading one would lose the other:
// who ties them in spite of that has another model than who does not.
void require_equal(const FileTensor& alias, const FileTensor& slot) {
  if (alias.dtype == slot.dtype && alias.bytes == slot.bytes) return;
  const int64_t size = row_size(slot.shape);
  std::vector<float> row(static_cast<size_t>(size)), other(row.size());
  for (int64_t i = 0; i < row_count(slot.shape); ++i) {
    slot.read(i * size, size, row.data());
    alias.read(i * size, size, other.data());
    if (std::memcmp(row.data(), other.data(), row.size() * sizeof(float)) == 0) continue;
    throw Error("tied tensors differ", {.where = alias.where,
                                        .expected = "the values of " + quote(slot.name),
                                        .got = "other values in row " + std::to_string(i),
                                        .hint = "this file is of a model that does not tie them"});
  }
}

// The file's tensors for all targets, in their order, once everything that reading relies on is
// checked.
std::vector<const FileTensor*> find_tensors(const TensorFile& file, const Parameters& parameters,
                                            std::span<const PlaneName> planes) {
  std::map<std::string, const FileTensor*> stored;
  std::vector<std::string> missing, unexpected;
  std::vector<std::pair<const FileTensor*, Target>> aliases;
  for (const FileTensor& tensor : file.tensors()) {
    const std::optional<Target> target = resolve(parameters, planes, tensor.hugging_face_name);
    if (!target && !tensor.is_computed()) unexpected.push_back(tensor.name);
    if (target && target->name != tensor.hugging_face_name) {
      aliases.emplace_back(&tensor, *target);
    } else {
      stored.emplace(tensor.hugging_face_name, &tensor);
    }
  }
  // A tied tensor may be stored under its other name alone.
  for (const auto& [tensor, target] : aliases) stored.emplace(target.name, tensor);
  const std::vector<Target> wanted = targets(parameters, planes);
  for (const Target& target : wanted) {
    if (!stored.contains(target.name)) missing.push_back(file.name_of(target.name));
  }
  // A misspelt name is both unexpected and missing: the unexpected one can name the other.
  if (!unexpected.empty()) {
    throw_names("unexpected tensor", unexpected, file.path(),
                did_you_mean(unexpected.front(), missing));
  }
  if (!missing.empty()) throw_names("missing tensor", missing, file.path(), "");
  const auto checked = [](const FileTensor* tensor, const Target& target) {
    require_shape(tensor->shape, target.tensor, tensor->where);
    tensor->require_numbers();
    return tensor;
  };
  std::vector<const FileTensor*> found;
  for (const Target& target : wanted) {
    found.push_back(checked(stored.at(target.name), target));
  }
  for (const auto& [alias, target] : aliases) {
    require_equal(*checked(alias, target), *stored.at(target.name));
  }
  return found;
}

// The parts of a tensor, which begins at `offset` in its plane, that lie in these ranges.
void read_own(const FileTensor& tensor, std::span<const PlaneRange> ranges, int64_t offset,
              const Tensor& out) {
  for (const PlaneRange& range : ranges) {
    const int64_t begin = std::max<int64_t>(range.offset - offset, 0);
    const int64_t end = std::min(range.offset + range.count - offset, out.size());
    if (begin < end) tensor.read(begin, end - begin, out.data + begin);
  }
}

}  // namespace

void write_parameters(const Parameters& parameters, std::span<const PlaneName> planes,
                      const std::string& path, NumberFormat format, const PlaneReader& read) {
  std::vector<TensorSource> tensors;
  for (const Target& target : targets(parameters, planes)) {
    tensors.push_back({target.name, target.tensor, format});
    if (!read) continue;
    tensors.back().rows = [&read, target](int64_t first, int64_t count, float* out) {
      const int64_t columns = target.tensor.columns();
      read(target.plane, target.offset + first * columns, count * columns, out);
    };
  }
  write_safetensors(path, std::move(tensors));
}

void read_parameters(Parameters& parameters, std::span<const PlaneName> planes,
                     const TensorFile& file) {
  const std::vector<const FileTensor*> found = find_tensors(file, parameters, planes);
  if (!parameters.value()) parameters.allocate(Planes::value);
  auto next = found.begin();
  for (const PlaneName& plane : planes) {
    for (Parameter& slot : parameters.slots()) {
      if (!has(plane, slot)) continue;
      const FileTensor tensor = as_hugging_face(**next++);
      const Tensor out = mutable_plane_of(slot, plane.plane);
      if (plane.plane == StoredPlane::value) {
        tensor.read(0, out.size(), out.data);
      } else {
        read_own(tensor, parameters.moments(), slot.offset, out);
      }
    }
  }
}

void read_parameters(Parameters& parameters, std::span<const PlaneName> planes,
                     const std::string& path) {
  const SafetensorsFile file(path);
  read_parameters(parameters, planes, TensorFile(file));
}

}  // namespace cria
