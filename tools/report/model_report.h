// What `cria inspect` has found in a model or any other file of tensors, and how it is shown.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cria/base/json.h"
#include "cria/model/config.h"
#include "cria/text/tokenizer.h"
#include "exchange/tensor_file.h"
#include "inspect/parameter_counts.h"
#include "inspect/tensor_comparison.h"
#include "inspect/tensor_statistics.h"

namespace cria {

struct ModelFile {
  std::string path;
  TensorFile file;
  std::optional<ModelConfig> config = {};     // of a model directory
  std::unique_ptr<Tokenizer> tokenizer = {};  // likewise
  // Why there is none of these although the directory has one; "" otherwise.
  std::string config_problem = {}, tokenizer_problem = {};
};

// Statistics of each tensor of a file; nothing for one whose numbers are not read.
struct ModelReport {
  const ModelFile& model;
  ParameterCounts counts;
  std::vector<std::optional<TensorStatistics>> statistics = {};
  // Empty, or of each (without bins where nothing is known).
  std::vector<Histogram> histograms = {};
};

Json to_json(const ModelReport& report);
void print(const ModelReport& report);

// path and other_path: of the files that were compared.
Json to_json(const FileComparison& comparison, const std::string& path,
             const std::string& other_path);
void print(const FileComparison& comparison, const std::string& path,
           const std::string& other_path);

}  // namespace cria
