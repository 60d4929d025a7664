#include "train/part_norms.h"

#include <algorithm>
#include <cmath>

#include "cria/base/parallel.h"
#include "cria/kernels/kernels.h"

namespace cria {
namespace {

// A stretch of one tensor, whose sum one thread computes.
struct Piece {
  const float* values;
  int64_t count;
  size_t slot;
  double squares;
};

}  // namespace

// "model.layers.0.self_attn.q_proj.weight" is of the third level, all others of the first.
std::string part_name(const Parameter& parameter) {
  std::string_view name = parameter.name;
  if (name.starts_with("model.")) name.remove_prefix(6);
  if (!name.starts_with("layers.")) return std::string(name.substr(0, name.find('.')));
  const size_t part = name.find('.', 7) + 1;
  if (parameter.kind == ParameterKind::norm) return std::string(name.substr(0, part)) + "norms";
  return std::string(name.substr(0, name.find('.', part)));
}

std::vector<double> slot_squares(const Parameters& parameters, const float* plane) {
  constexpr int64_t kPiece = 64 * 1024;
  std::vector<Piece> pieces;
  for (size_t slot = 0; slot < parameters.slots().size(); ++slot) {
    const Parameter& parameter = parameters.slots()[slot];
    const int64_t size = parameter.value.size();
    for (int64_t begin = 0; begin < size; begin += kPiece) {
      pieces.push_back({plane + parameter.offset + begin, std::min(kPiece, size - begin), slot, 0});
    }
  }
  parallel_for(static_cast<int64_t>(pieces.size()), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      pieces[i].squares = kernels().sum_of_squares(pieces[i].count, pieces[i].values);
    }
  });
  std::vector<double> squares(parameters.slots().size());
  for (const Piece& piece : pieces) squares[piece.slot] += piece.squares;
  return squares;
}

std::vector<PartNorms> part_norms(const Parameters& parameters,
                                  std::span<const double> weight_squares,
                                  std::span<const double> gradient_squares,
                                  std::span<const double> change_squares) {
  std::vector<PartNorms> parts;  // squares at first
  for (size_t slot = 0; slot < parameters.slots().size(); ++slot) {
    const std::string name = part_name(parameters.slots()[slot]);
    auto part = std::ranges::find(parts, name, &PartNorms::part);
    if (part == parts.end()) part = parts.insert(part, {name, 0.0, 0.0, 0.0});
    part->weight += weight_squares[slot];
    if (!gradient_squares.empty()) part->gradient += gradient_squares[slot];
    part->update += change_squares[slot];
  }
  for (PartNorms& part : parts) {
    for (double* const squares : {&part.weight, &part.gradient, &part.update}) {
      *squares = std::sqrt(*squares);
    }
  }
  return parts;
}

}  // namespace cria
