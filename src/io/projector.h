// Files for the TensorFlow Embedding Projector: points, a label for each, and what names them.
#pragma once

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

// A line of metadata.tsv, which has one for each point and, with two columns or more, one with
// their names before these. texts: one for each column; they become cells.
std::string metadata_line(const std::vector<std::string>& texts);

// The text of projector_config.pbtxt, which TensorBoard looks for in a run's directory. name: what
// the projector's menu shows; the paths are relative to that directory.
std::string projector_config(const std::string& name, const ConstTensor& points,
                             const std::string& vectors_path, const std::string& metadata_path);

}  // namespace cria
