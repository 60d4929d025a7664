// What `cria inspect` shows of a single tensor: its numbers, how they are spread, which rows of it
// are alike.
#pragma once

#include <string>
#include <vector>

#include "cria/base/json.h"
#include "cria/text/tokenizer.h"
#include "exchange/tensor_file.h"
#include "inspect/nearest_rows.h"
#include "inspect/tensor_statistics.h"

namespace cria {

// Half open.
struct Range {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
};

// Rows and columns of a tensor as a matrix: the last dimension is the columns, but for a vector,
// which is one column.
struct TensorWindow {
  const FileTensor& tensor;
  Range rows, columns;
  const Tokenizer* tokenizer;  // of which each row is a token; null for another tensor
};

int64_t matrix_rows(const FileTensor& tensor);
int64_t matrix_columns(const FileTensor& tensor);

// How many numbers of a row fit a line beside what a row is labelled with.
int64_t columns_that_fit(bool with_tokens);

Json to_json(const TensorWindow& window);
void print(const TensorWindow& window);

struct NeighborList {
  std::string table;
  std::vector<NearRow> rows;
};

// tokenizer: may be null; id: whose neighbours they are.
Json to_json(const Tokenizer* tokenizer, int32_t id, const std::vector<NeighborList>& lists);
void print(const Tokenizer* tokenizer, int32_t id, const std::vector<NeighborList>& lists);

Json to_json(const FileTensor& tensor, const TensorStatistics& statistics,
             const Histogram& histogram);
void print(const FileTensor& tensor, const TensorStatistics& statistics,
           const Histogram& histogram);

// --- pieces

// Each bin a character of eight heights; what is beyond the ends counts there.
std::string sparkline(const Histogram& histogram);
Json tensor_json(const FileTensor& tensor);  // name, shape, dtype, bytes
Json statistics_json(const TensorStatistics& statistics);
Json histogram_json(const Histogram& histogram);

}  // namespace cria
