// The forms in which other programs take a model: one line each in export_formats().
#pragma once

#include <string>
#include <vector>

#include "cria/exchange/model_directory.h"

namespace cria {

struct ExportRequest {
  const LoadedModel& model;
  std::string path;  // what is made
  NumberFormat dtype;
  std::string tensor;  // tsv: the matrix
  int version;         // of llama2.c's files
};

struct ExportFormat {
  const char* name;
  const char* what;
  std::vector<NumberFormat> dtypes;  // that it has; the first unless --dtype is given
  void (*write)(const ExportRequest&);
};

const std::vector<ExportFormat>& export_formats();

// Error when something is there already.
void require_nothing_at(const std::string& path);

}  // namespace cria
