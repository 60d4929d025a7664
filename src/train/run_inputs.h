// What a run reads: tokenizer and data, opened and checked before anything is made.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cria/base/json.h"
#include "cria/data/batches.h"
#include "cria/data/dataset.h"
#include "cria/data/documents.h"
#include "cria/inference/evaluate.h"
#include "cria/text/tokenizer.h"
#include "cria/train/run_config.h"

namespace cria {

struct RunInputs {
  std::unique_ptr<Tokenizer> tokenizer;            // may be null
  std::vector<std::unique_ptr<Dataset>> training;  // one for each source
  std::unique_ptr<Dataset> validation;             // null without data.val
  std::optional<DocumentMarks> documents;          // with data.mask_documents
  std::vector<int64_t> token_lengths;              // see token_lengths()
  Json description;  // of the training data: all that a position in them depends on
};

// Resolves config.model by the tokenizer, and train.sample_prompt. Error for all that would end the
// run later: shards that are missing or do not fit, a prompt that the tokenizer cannot say,
// validation data without a target.
RunInputs open_inputs(RunConfig& config);

// Windows of a pass: a part of a micro-batch.
inline int64_t windows_in_pass(const TrainConfig& train) {
  return train.batch_size / train.data_parallel;
}

// How the training windows follow each other.
Batches batches_of(const RunInputs& inputs, const RunConfig& config);

// An evaluation as the run's.
EvaluationRequest evaluation_of(const RunInputs& inputs, const RunConfig& config);

// The files of all of these; null is none.
std::vector<std::string> files_of(std::span<const std::unique_ptr<Dataset>> datasets);

// Windows that one evaluation reads; 0 without validation data (null).
int64_t evaluated_windows(const Dataset* validation, const RunConfig& config);
// Tokens that all evaluations of the run read.
double evaluated_tokens(const Dataset* validation, const RunConfig& config);

// What to look at before a long run: a line for each, with what to do.
std::vector<std::string> doubts_about(const RunInputs& inputs, const RunConfig& config);

}  // namespace cria
