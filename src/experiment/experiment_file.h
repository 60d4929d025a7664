// The file of an experiment: variants of a config, seeds, a sweep.
//
//   base = "configs/shakespeare_char.toml"   # a config, as 'cria train' takes it
//   seeds = [1, 2, 3, 4, 5]
//
//   [common]                                 # keys of all variants
//   train.steps = 500
//
//   [variants.untied]                        # the first one is what others are compared with
//   model.tie_word_embeddings = false
//   [variants.tied]
//   model.tie_word_embeddings = true
//
//   [sweep]
//   optimizer.learning_rate = [1e-3, 2e-3]
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/run_config_keys.h"

namespace cria {

struct Variant {
  std::string name;
  bool match_parameters;  // whether it gets as many parameters as the first one, within 1%
  std::vector<Setting> settings;
};

// A key and the values to try. Every variant is compared at its own best.
struct SweptKey {
  std::string key;
  std::vector<Setting> values;
};

struct Experiment {
  std::string path;
  std::string base;             // the config
  std::vector<Setting> common;  // of base, then of [common]
  std::vector<Variant> variants;
  std::vector<SweptKey> sweep;
  std::vector<int64_t> seeds;
  int64_t sweep_seeds = 1;  // the first so many choose the best of the sweep
};

// Error with file:line:column: unknown keys, no variant, a seed given twice, a sweep over a key
// that a variant sets, a key that the experiment decides. Keys of the config itself are checked
// where it is made.
Experiment read_experiment(const std::string& path);

}  // namespace cria
