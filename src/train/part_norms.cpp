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
  size_t part;
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

std::vector<PartNorms> part_norms(const Parameters& parameters,
                                  std::span<const double> change_squares) {
  constexpr int64_t kPiece = 64 * 1024;
  std::vector<PartNorms> parts;  // squares at first
  std::vector<Piece> pieces;
  for (size_t slot = 0; slot < parameters.slots().size(); ++slot) {
    const Parameter& parameter = parameters.slots()[slot];
    const std::string name = part_name(parameter);
    auto part = std::ranges::find(parts, name, &PartNorms::part);
    if (part == parts.end()) part = parts.insert(part, {name, 0.0, 0.0});
    part->update += change_squares[slot];
    const int64_t size = parameter.value.size();
    for (int64_t begin = 0; begin < size; begin += kPiece) {
      pieces.push_back({parameter.value.data + begin, std::min(kPiece, size - begin),
                        static_cast<size_t>(part - parts.begin()), 0.0});
    }
  }
  parallel_for(static_cast<int64_t>(pieces.size()), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      pieces[i].squares = kernels().sum_of_squares(pieces[i].count, pieces[i].values);
    }
  });
  for (const Piece& piece : pieces) parts[piece.part].weight += piece.squares;
  for (PartNorms& part : parts) {
    part.weight = std::sqrt(part.weight);
    part.update = std::sqrt(part.update);
  }
  return parts;
}

}  // namespace cria
