// What train.init_from stands for: the model whose weights and [model] keys a run starts with.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "cria/model/config.h"
#include "cria/model/llama.h"
#include "cria/text/tokenizer.h"
#include "cria/train/run_config.h"

namespace cria {

// The model directory that train.init_from names, or, to resume, the run's own latest checkpoint
// once there is one.
std::string init_from_directory(const TrainConfig& train, bool resume);

// Its config.json, as the keys of [model].
ModelConfig init_from_config(const std::string& directory);

// config is `init_from` with the keys of a file set over it. Those that the weights decide must be
// init_from's; 0 leaves them open. What may differ: the number of positions (unless each has a
// learned vector) and their scaling, RMSNorm's epsilon, dropout, options of the embedding table.
// Error naming the key, both values and the directory. place: where a key was given, for the Error.
void settle_init_from(RunConfig& config, const ModelConfig& init_from,
                      const std::function<std::string(const std::string&)>& place);

// The tokenizer of a run: data.tokenizer's, or else that of train.init_from, if they have one. With
// both, Error at the first token that is another in the model's.
std::unique_ptr<Tokenizer> read_run_tokenizer(const RunConfig& config);

// config.model with nothing left open. vocab_size, where the config leaves it open, is that of the
// run's tokenizer (null: none); Error when the two do not fit, and when a model that is not tied is
// to be untied.
ModelConfig resolve_model(const RunConfig& config, const Tokenizer* tokenizer);

// What a new run begins with: initial weights by train.seed, or those of train.init_from, then the
// table of model.embedding.pretrained. Error naming the key and both shapes when that does not fit.
void set_initial_weights(const RunConfig& config, Llama& model);

}  // namespace cria
