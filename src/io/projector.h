// Files for the TensorFlow Embedding Projector: points, a label for each, and what names them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cria/tensor/tensor.h"

namespace cria {

// A text as a cell of metadata.tsv: as it is when it can be seen, and otherwise (nothing, a space,
// a control character, a quote, bytes that are no UTF-8) in single quotes with escapes, because
// lines of nothing but spaces are skipped and would shift all labels behind them.
std::string projector_cell(std::string_view text);

// A row of numbers for each of points[rows, columns], the shortest that read back as the same fp32.
// Error for fewer than two columns and for what is not finite. Atomic.
void write_vectors_tsv(const std::string& path, const ConstTensor& points);

// The texts of row i, one for each column. They become cells here.
using ProjectorRow = std::function<std::vector<std::string>(int64_t row)>;

// A line for each of `rows` points, and, with two columns or more, one with their names before it,
// as the projector has it. Error for a row of another length, and for no columns. Atomic.
void write_metadata_tsv(const std::string& path, const std::vector<std::string>& columns,
                        int64_t rows, const ProjectorRow& row);

struct ProjectorEmbedding {
  std::string name;  // what the projector's menu shows; unique, not ending in ":0"
  int64_t rows, columns;
  std::string vectors_path, metadata_path;  // relative to the config, and not above it
};

// The text of projector_config.pbtxt, which TensorBoard looks for in a run's directory.
std::string projector_config(std::span<const ProjectorEmbedding> embeddings);

}  // namespace cria
