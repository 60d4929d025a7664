// What goes on inside a model, all of it together and as numbers by name: the tables of embedding
// and head, the gradient of these, logits, attention and the layers' own answers.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cria/data/dataset.h"
#include "inspect/loss_spikes.h"
#include "inspect/pass_statistics.h"
#include "inspect/table_gradient.h"
#include "inspect/table_statistics.h"

namespace cria {

struct Diagnostics {
  double loss = 0;  // the mean over the targets of the passes
  double ln_v = 0;  // what a model that knows nothing has
  TableGradient gradient;
  TableStatistics embedding;
  std::optional<TableStatistics> head = {};      // of its own, not tied
  std::optional<TableAlignment> alignment = {};  // likewise
  PassStatistics pass;                           // of the last
};

// memory, tokens, document_starts: see pass_statistics; parts: every backward pass was added.
// Changes nothing of the model.
Diagnostics diagnose(const Llama& model, const Activations& memory, const TokenIds& tokens,
                     const TokenIds& document_starts, const FrequencyDeciles& deciles,
                     TableGradientParts& parts, double loss);

// Of a model that is not in training: all of the above for windows of a dataset, evenly spread.
struct DatasetDiagnostics {
  int64_t sequences = 0, length = 0;  // windows, and tokens of each
  std::vector<int64_t> counts;        // how often each id occurs in the whole dataset [V]
  GroupMeans losses;                  // of targets, by how often they occur
  Diagnostics diagnostics;            // pass: of the last sequences, 512 tokens of them
};

struct DatasetRequest {
  int64_t sequences;  // about as many windows
  int64_t length;     // tokens of each, at most; a shorter dataset has shorter ones
  std::function<void(int64_t done, int64_t sequences)> progress = {};
};

// model: with all planes; its gradients are afterwards those of the mean loss. Error when the
// dataset has not one token to predict.
DatasetDiagnostics diagnose_on(Llama& model, const Dataset& dataset, const DatasetRequest& request);

// A number and its name: "diag_embedding/isotropy". Those that are not finite, such as the mean of
// no row, are left out.
using NamedNumbers = std::vector<std::pair<std::string, double>>;

void append(NamedNumbers& numbers, const std::string& name, double value);
NamedNumbers numbers_of(const Diagnostics& diagnostics);
NamedNumbers numbers_of(const LossSpikes& spikes);
// "diag_val_loss/decile_1" .. "decile_10", the most frequent first, and "unseen".
NamedNumbers loss_by_decile(const GroupMeans& losses);

// The loss of each target [N] that is not ignored, by how often it occurs.
void add_losses(GroupMeans& means, const FrequencyDeciles& deciles, const TokenIds& targets,
                const ConstTensor& losses);

}  // namespace cria
