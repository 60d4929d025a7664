// What a run is made with, for the line of starts.jsonl that each start and resume of it writes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cria/base/json.h"

namespace cria {

// {"step" (done when it starts), "version", "commit", "processor", "kernels", "threads",
// "train_data", "val_data" (of their shards and masks, see data_checksum; "": not known)}
Json run_start(int64_t step, const std::vector<std::string>& train_files,
               const std::vector<std::string>& val_files);

}  // namespace cria
