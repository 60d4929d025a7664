// How the results of `cria bench` are shown. A share of the peak is stated only where the machine
// was not busy: else it is "-", in JSON null, and the reason is given.
#pragma once

#include <vector>

#include "cria/base/json.h"
#include "report/bench_measure.h"

namespace cria {

// What makes the work of one step differ from that of another.
Json config_json(const RunConfig& config);

// machine, config, kernels and step, as far as they were measured.
Json to_json(const Report& report);
void print(const Report& report);

// Shows each report as above, and its speedup over the first.
Json to_json(const std::vector<Sweep>& sweeps);
void print(const std::vector<Sweep>& sweeps);

}  // namespace cria
