// The file that says what a directory of shards holds.
#pragma once

namespace cria {

// What is in the directory of shards besides them and the tokenizer's files.
inline constexpr const char* kDatasetSummary = "dataset.json";

}  // namespace cria
