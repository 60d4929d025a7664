// What `cria trace` has found, and how it is shown.
#pragma once

#include <string>

#include "cria/base/json.h"
#include "inspect/trace.h"

namespace cria {

struct TraceReport {
  std::string model, text;
  ModelConfig config;
  Trace trace;
};

struct TraceDetail {
  size_t top;     // next tokens
  size_t values;  // first values of each vector
};

// All tokens and, in layer 0, all heads.
Json to_json(const TraceReport& report, const TraceDetail& detail);
// The first tokens and the last, and of layer 0 the first head.
void print(const TraceReport& report, const TraceDetail& detail);

}  // namespace cria
