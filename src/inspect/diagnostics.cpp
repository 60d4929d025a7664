#include "inspect/diagnostics.h"

#include <algorithm>
#include <cmath>

#include "cria/base/error.h"
#include "inspect/dataset_statistics.h"

namespace cria {
namespace {

void append_groups(NamedNumbers& numbers, const std::string& name, const GroupMeans& means) {
  for (int group = 0; group < kDeciles; ++group) {
    append(numbers, name + "decile_" + std::to_string(group + 1), means.mean(group));
  }
  append(numbers, name + "unseen", means.mean(FrequencyDeciles::kUnseen));
}

void append_table(NamedNumbers& numbers, const std::string& name, const TableStatistics& table) {
  append_groups(numbers, name + "row_norm_", table.norms);
  append(numbers, name + "mean_norm", table.mean_norm);
  append(numbers, name + "mean_vector_norm", table.mean_vector_norm);
  append(numbers, name + "mean_cosine", table.mean_cosine);
  append(numbers, name + "isotropy", table.isotropy);
  append(numbers, name + "isotropy_centred", table.isotropy_centred);
  append(numbers, name + "effective_rank", table.effective_rank);
  append(numbers, name + "top_share", table.top_share);
  append(numbers, name + "top_ten_share", table.top_ten_share);
}

void append_gradient(NamedNumbers& numbers, const TableGradient& gradient) {
  const std::string name = "diag_table_gradient/";
  append(numbers, name + "lookup_l1", gradient.lookup_l1);
  append(numbers, name + "lookup_l2", gradient.lookup_l2);
  append(numbers, name + "head_l1", gradient.head_l1);
  append(numbers, name + "head_l2", gradient.head_l2);
  append(numbers, name + "head_share_l1",
         gradient.head_l1 / (gradient.head_l1 + gradient.lookup_l1));
  append(numbers, name + "head_share_l2",
         gradient.head_l2 / (gradient.head_l2 + gradient.lookup_l2));
  append(numbers, name + "cosine", gradient.cosine);
}

void append_layers(NamedNumbers& numbers, const std::string& name,
                   const std::vector<double>& values) {
  for (size_t layer = 0; layer < values.size(); ++layer) {
    append(numbers, name + "/layers." + std::to_string(layer), values[layer]);
  }
}

}  // namespace

Diagnostics diagnose(const Llama& model, const Activations& memory, const TokenIds& tokens,
                     const TokenIds& document_starts, const FrequencyDeciles& deciles,
                     TableGradientParts& parts, double loss) {
  const ConstTensor &embedding = model.embed_tokens().weight->value,
                    &head = model.lm_head().weight->value;
  Diagnostics result{.loss = loss,
                     .ln_v = std::log(static_cast<double>(model.config().vocab_size)),
                     .gradient = parts.take(),
                     .embedding = table_statistics(embedding, deciles),
                     .pass = pass_statistics(model, memory, tokens, document_starts)};
  if (head.data != embedding.data) {
    result.head = table_statistics(head, deciles);
    result.alignment = table_alignment(embedding, result.embedding.centred_scatter, head,
                                       result.head->centred_scatter, deciles);
  }
  return result;
}

DatasetDiagnostics diagnose_on(Llama& model, const Dataset& dataset,
                               const DatasetRequest& request) {
  constexpr int64_t kPassTokens = 512;
  int64_t longest = 0;
  for (const Shard& shard : dataset.shards()) longest = std::max(longest, shard.tokens() - 1);
  if (longest < 1) {
    throw Error("no token to predict",
                {.where = dataset.glob(), .expected = "a shard of two tokens or more"});
  }
  DatasetDiagnostics result;
  const int64_t length = result.length = std::min(request.length, longest);
  const int64_t windows = dataset.training_windows(length);
  int64_t sequences = std::min(request.sequences, windows);
  const int64_t batch = std::clamp<int64_t>(kPassTokens / length, 1, sequences);
  sequences = result.sequences = sequences / batch * batch;
  result.counts = scan_shards(dataset.shards(), {.vocab_size = model.config().vocab_size}).counts;
  result.counts.resize(static_cast<size_t>(model.config().vocab_size));
  const FrequencyDeciles deciles(result.counts);
  model.reserve_positions(length);
  Activations memory(model, Purpose::training, batch, length, sequences / batch);
  TableGradientParts parts(model);
  std::vector<int32_t> inputs(batch * length), targets(inputs.size());
  const TokenIds tokens(inputs.data(), {batch, length}), next(targets.data(), {batch, length});
  const double all = static_cast<double>(sequences * length);
  model.parameters().zero_gradients();
  double loss = 0;
  for (int64_t done = 0; done < sequences; done += batch) {
    for (int64_t b = 0; b < batch; ++b) {
      const Window window =
          dataset.training_window((done + b) * windows / sequences, length, /*shift=*/0);
      dataset.read(window, &inputs[b * length], &targets[b * length]);
    }
    loss += model.loss_and_gradient(memory, tokens, next,
                                    {.gradient_scale = static_cast<float>(1 / all)});
    parts.add(memory, tokens);
    add_losses(result.losses, deciles, next, memory.losses());
    if (request.progress) request.progress(done + batch, sequences);
  }
  result.diagnostics = diagnose(model, memory, tokens, {}, deciles, parts, loss / all);
  return result;
}

void append(NamedNumbers& numbers, const std::string& name, double value) {
  if (std::isfinite(value)) numbers.emplace_back(name, value);
}

NamedNumbers numbers_of(const Diagnostics& d) {
  NamedNumbers numbers;
  append(numbers, "diag_loss/over_ln_v", d.loss - d.ln_v);
  append_gradient(numbers, d.gradient);
  append_table(numbers, "diag_embedding/", d.embedding);
  if (d.head) append_table(numbers, "diag_head/", *d.head);
  if (d.alignment) {
    append(numbers, "diag_alignment/cosine", d.alignment->cosine);
    append(numbers, "diag_alignment/linear_cka", d.alignment->linear_cka);
    append(numbers, "diag_alignment/shared_neighbors", d.alignment->shared_neighbors);
  }
  append(numbers, "diag_logits/mean", d.pass.logit_mean);
  append(numbers, "diag_logits/max", d.pass.logit_max);
  append(numbers, "diag_logits/log_z", d.pass.log_z);
  append(numbers, "diag_logits/entropy", d.pass.entropy);
  append(numbers, "diag_logits/self", d.pass.self_logit);
  append_layers(numbers, "diag_attention_max", d.pass.attention_max);
  append_layers(numbers, "diag_lens_kl", d.pass.lens_kl);
  return numbers;
}

NamedNumbers numbers_of(const LossSpikes& spikes) {
  return {{"diag_spikes/count", static_cast<double>(spikes.count())},
          {"diag_spikes/highest", spikes.highest()},
          {"diag_spikes/longest", static_cast<double>(spikes.longest())},
          {"diag_spikes/steps", static_cast<double>(spikes.steps())}};
}

NamedNumbers loss_by_decile(const GroupMeans& losses) {
  NamedNumbers numbers;
  append_groups(numbers, "diag_val_loss/", losses);
  return numbers;
}

void add_losses(GroupMeans& means, const FrequencyDeciles& deciles, const TokenIds& targets,
                const ConstTensor& losses) {
  for (int64_t n = 0; n < targets.size(); ++n) {
    if (targets.data[n] == kIgnoredTarget) continue;
    means.add(deciles.group(targets.data[n]), static_cast<double>(losses.data[n]));
  }
}

}  // namespace cria
