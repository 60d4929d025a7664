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
  int64_t head;   // of the text
};

// All tokens and, in the layer that was opened up, all heads.
Json to_json(const TraceReport& report, const TraceDetail& detail);
// The first tokens and the last, and of the layer one head.
void print(const TraceReport& report, const TraceDetail& detail);

}  // namespace cria
