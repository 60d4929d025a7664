// What `cria train --dry-run` prints.
#pragma once

#include "cria/base/json.h"
#include "train/run_cost.h"

namespace cria {

Json to_json(const RunCost& cost);
void print(const RunCost& cost);

}  // namespace cria
