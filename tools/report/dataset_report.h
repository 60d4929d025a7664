// What `cria inspect` has found in a dataset, and how it is shown.
#pragma once

#include <string>
#include <vector>

#include "cria/base/json.h"
#include "inspect/dataset_statistics.h"
#include "inspect/dataset_summary.h"

namespace cria {

struct SplitReport {
  ShardStatistics statistics;
  std::vector<int32_t> first;  // ids of the beginning
};

struct DatasetReport {
  std::string path;
  DatasetSummary dataset;
  std::vector<SplitReport> splits = {};  // as the dataset's
  size_t top;                            // most frequent tokens
};

Json to_json(const DatasetReport& report);
void print(const DatasetReport& report);

}  // namespace cria
