#include "exchange/parameter_file.h"

#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "io/safetensors.h"

namespace cria {
namespace {

struct Target {
  std::string name;  // in the file
  ConstTensor tensor;
};

ConstTensor plane_of(const Parameter& slot, StoredPlane plane) {
  if (plane == StoredPlane::value) return slot.value;
  return plane == StoredPlane::m ? slot.m : slot.v;
}

Tensor mutable_plane_of(Parameter& slot, StoredPlane plane) {
  if (plane == StoredPlane::value) return slot.mutable_value();
  return plane == StoredPlane::m ? slot.m : slot.v;
}

std::vector<Target> targets(const Parameters& parameters, std::span<const PlaneName> planes) {
  std::vector<Target> all;
  for (const PlaneName& plane : planes) {
    for (const Parameter& slot : parameters.slots()) {
      all.push_back({plane.prefix + slot.name, plane_of(slot, plane.plane)});
    }
  }
  return all;
}

// The tensor that a name, be it a slot's or an alias's, stands for.
std::optional<Target> resolve(const Parameters& parameters, std::span<const PlaneName> planes,
                              std::string_view name) {
  for (const PlaneName& plane : planes) {
    if (!name.starts_with(plane.prefix)) continue;
    const Parameter* const slot = parameters.find(name.substr(plane.prefix.size()));
    if (slot) return Target{plane.prefix + slot->name, plane_of(*slot, plane.plane)};
  }
  return std::nullopt;
}

// Some writers stored the RoPE frequencies, which follow from the config.
bool is_derived(std::string_view name) {
  return name.ends_with("rotary_emb.inv_freq");
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
void require_equal(const StoredTensor& alias, const StoredTensor& slot) {
  if (alias.format == slot.format && alias.bytes == slot.bytes) return;
  const int64_t size = row_size(slot.shape);
  std::vector<float> row(static_cast<size_t>(size)), other(row.size());
  for (int64_t i = 0; i < row_count(slot.shape); ++i) {
    slot.read_rows(i, 1, row.data());
    alias.read_rows(i, 1, other.data());
    if (std::memcmp(row.data(), other.data(), row.size() * sizeof(float)) == 0) continue;
    throw Error("tied tensors differ", {.where = alias.where,
                                        .expected = "the values of " + quote(slot.name),
                                        .got = "other values in row " + std::to_string(i),
                                        .hint = "this file is of a model that does not tie them"});
  }
}

// Everything that reading relies on.
void check(const SafetensorsFile& file, const Parameters& parameters,
           std::span<const PlaneName> planes) {
  const std::vector<Target> wanted = targets(parameters, planes);
  std::vector<std::string> missing, unexpected;
  std::vector<std::pair<std::string, Target>> aliases;
  for (const Target& target : wanted) {
    if (!file.find(target.name)) missing.push_back(target.name);
  }
  for (const StoredTensor& entry : file.entries()) {
    const std::optional<Target> target = resolve(parameters, planes, entry.name);
    if (!target && !is_derived(entry.name)) unexpected.push_back(entry.name);
    if (target && target->name != entry.name) aliases.emplace_back(entry.name, *target);
  }
  // A misspelt name is both unexpected and missing: the unexpected one can name the other.
  if (!unexpected.empty()) {
    throw_names("unexpected tensor", unexpected, file.path(),
                did_you_mean(unexpected.front(), missing));
  }
  if (!missing.empty()) throw_names("missing tensor", missing, file.path(), "");
  for (const Target& target : wanted) file.require(target.name, target.tensor);
  for (const auto& [alias, target] : aliases) {
    require_equal(file.require(alias, target.tensor), file.require(target.name, target.tensor));
  }
}

}  // namespace

void write_parameters(const Parameters& parameters, std::span<const PlaneName> planes,
                      const std::string& path, NumberFormat format) {
  std::vector<TensorSource> tensors;
  for (const Target& target : targets(parameters, planes)) {
    tensors.push_back({target.name, target.tensor, format});
  }
  write_safetensors(path, std::move(tensors));
}

void require_parameters(const Parameters& parameters, std::span<const PlaneName> planes,
                        const std::string& path) {
  check(SafetensorsFile(path), parameters, planes);
}

void read_parameters(Parameters& parameters, std::span<const PlaneName> planes,
                     const std::string& path) {
  const SafetensorsFile file(path);
  check(file, parameters, planes);
  for (const PlaneName& plane : planes) {
    for (Parameter& slot : parameters.slots()) {
      file.read(plane.prefix + slot.name, mutable_plane_of(slot, plane.plane));
    }
  }
}

}  // namespace cria
