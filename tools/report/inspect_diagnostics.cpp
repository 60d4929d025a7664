#include <algorithm>
#include <cmath>
#include <cstdio>

#include "cli/chosen_model.h"
#include "cli/progress.h"
#include "cria/train/metrics.h"
#include "inference/shard_tokenizer.h"
#include "inspect/diagnostics.h"
#include "report/inspect_model.h"
#include "report/report_text.h"
#include "train/part_norms.h"

namespace cria {
namespace {

struct DiagnosticsReport {
  std::string model, data;
  ModelConfig config;
  DatasetDiagnostics measured;
  std::vector<PartNorms> parts;  // of weights and gradients
  LossSpikes spikes;             // of a run,
  int64_t steps = 0;             // in so many steps; 0: no run
};

using Cells = std::vector<std::string>;

std::string number(double value) {
  return std::isfinite(value) ? significant(value, 4) : "-";
}

void print_head(const DiagnosticsReport& r) {
  const Diagnostics& d = r.measured.diagnostics;
  const ModelConfig& c = r.config;
  std::printf("model      %s\n           %lld layers, hidden %lld, vocabulary %lld, %s, %s\n",
              r.model.c_str(), static_cast<long long>(c.num_hidden_layers),
              static_cast<long long>(c.hidden_size), static_cast<long long>(c.vocab_size),
              c.position.c_str(), c.tie_word_embeddings ? "tied" : "untied");
  std::printf("data       %s\n           %lld sequences of %lld tokens\n", r.data.c_str(),
              static_cast<long long>(r.measured.sequences),
              static_cast<long long>(r.measured.length));
  std::printf("loss       %.4f; ln V is %.4f\n", d.loss, d.ln_v);
  if (r.steps == 0) return;
  const LossSpikes& s = r.spikes;
  std::printf("spikes     %lld in %lld steps", static_cast<long long>(s.count()),
              static_cast<long long>(r.steps));
  if (s.count() > 0) {
    std::printf(", up to %.2f times the median, the longest %lld steps", s.highest(),
                static_cast<long long>(s.longest()));
  }
  std::printf("\n");
}

void print_tables(const Diagnostics& d) {
  std::vector<TableColumn> columns = {{"tables", true},
                                      {d.head ? "embedding" : "embedding = head"}};
  if (d.head) columns.push_back({"head"});
  std::vector<Cells> lines;
  const auto line = [&](const char* name, double TableStatistics::*value) {
    lines.push_back({name, number(d.embedding.*value)});
    if (d.head) lines.back().push_back(number((*d.head).*value));
  };
  line("mean norm of a row", &TableStatistics::mean_norm);
  line("norm of the mean row", &TableStatistics::mean_vector_norm);
  line("mean cosine", &TableStatistics::mean_cosine);
  line("isotropy", &TableStatistics::isotropy);
  line("isotropy, centred", &TableStatistics::isotropy_centred);
  line("effective rank", &TableStatistics::effective_rank);
  line("top direction's share", &TableStatistics::top_share);
  line("top ten directions'", &TableStatistics::top_ten_share);
  print_table(columns, lines);
  if (!d.alignment) return;
  std::printf("between the two: cosine %s, linear CKA %s, shared neighbors %s\n",
              number(d.alignment->cosine).c_str(), number(d.alignment->linear_cka).c_str(),
              number(d.alignment->shared_neighbors).c_str());
}

void print_deciles(const DatasetDiagnostics& m) {
  const Diagnostics& d = m.diagnostics;
  std::vector<TableColumn> columns = {{"by frequency", true}, {"ids"}, {"embedding norm"}};
  if (d.head) columns.push_back({"head norm"});
  columns.insert(columns.end(), {{"targets"}, {"loss"}});
  std::vector<Cells> lines;
  for (int group = 0; group < FrequencyDeciles::kGroups; ++group) {
    const int64_t ids = d.embedding.norms.count(group);
    if (ids == 0) continue;
    const std::string name = group == 0                           ? "1, most frequent"
                             : group == FrequencyDeciles::kUnseen ? "not in the data"
                                                                  : std::to_string(group + 1);
    lines.push_back({name, std::to_string(ids), number(d.embedding.norms.mean(group))});
    if (d.head) lines.back().push_back(number(d.head->norms.mean(group)));
    lines.back().push_back(std::to_string(m.losses.count(group)));
    lines.back().push_back(number(m.losses.mean(group)));
  }
  print_table(columns, lines);
}

void print_gradient(const TableGradient& g, bool tied) {
  const auto line = [](const char* name, double l1, double other_l1, double l2, double other_l2) {
    return Cells{name, number(l1), fixed(100 * l1 / (l1 + other_l1), 1) + "%", number(l2),
                 fixed(100 * l2 / (l2 + other_l2), 1) + "%"};
  };
  print_table({{tied ? "gradient of the table" : "gradients of the tables", true},
               {"L1"},
               {"share"},
               {"L2"},
               {"share"}},
              {line("from the lookup", g.lookup_l1, g.head_l1, g.lookup_l2, g.head_l2),
               line("from the head", g.head_l1, g.lookup_l1, g.head_l2, g.lookup_l2)});
  std::printf("cosine of the two %s\n", number(g.cosine).c_str());
}

void print_logits(const PassStatistics& p) {
  print_table({{"logits, " + std::to_string(p.positions) + " positions", true},
               {"mean"},
               {"max"},
               {"log Z"},
               {"entropy"},
               {"of the input token"}},
              {{"", number(p.logit_mean), number(p.logit_max), number(p.log_z), number(p.entropy),
                number(p.self_logit)}});
}

void print_layers(const PassStatistics& p) {
  std::vector<Cells> lines;
  for (size_t layer = 0; layer < p.lens_kl.size(); ++layer) {
    lines.push_back(
        {std::to_string(layer), number(p.attention_max[layer]), number(p.lens_kl[layer])});
  }
  print_table({{"layer", true}, {"largest attention logit"}, {"logit lens before it, KL"}}, lines);
}

void print_parts(const std::vector<PartNorms>& parts) {
  std::vector<Cells> lines;
  for (const PartNorms& part : parts) {
    lines.push_back({part.part, number(part.weight), number(part.gradient),
                     number(part.gradient / part.weight)});
  }
  print_table({{"norms of", true}, {"weight"}, {"gradient"}, {"gradient/weight"}}, lines);
}

// The numbers by the names that they have in metrics.jsonl.
Json to_json(const DiagnosticsReport& r) {
  Json json = Json::Object{{"model", r.model},
                           {"data", r.data},
                           {"sequences", r.measured.sequences},
                           {"sequence_length", r.measured.length},
                           {"loss", r.measured.diagnostics.loss},
                           {"ln_v", r.measured.diagnostics.ln_v}};
  const auto add = [&](const NamedNumbers& numbers) {
    for (const auto& [name, value] : numbers) json.set(name, value);
  };
  add(numbers_of(r.measured.diagnostics));
  add(loss_by_decile(r.measured.losses));
  json.set("ids_not_in_data", std::ranges::count(r.measured.counts, 0));
  for (const PartNorms& part : r.parts) {
    json.set("diag_weight_norm/" + part.part, part.weight);
    json.set("diag_gradient_norm/" + part.part, part.gradient);
  }
  if (r.steps > 0) add(numbers_of(r.spikes));
  return json;
}

void print(const DiagnosticsReport& r) {
  const Diagnostics& d = r.measured.diagnostics;
  print_head(r);
  std::printf("\n");
  print_tables(d);
  std::printf("\n");
  print_deciles(r.measured);
  std::printf("\n");
  print_gradient(d.gradient, !d.head);
  std::printf("\n");
  print_logits(d.pass);
  std::printf("\n");
  print_layers(d.pass);
  std::printf("\n");
  print_parts(r.parts);
}

}  // namespace

int inspect_diagnostics(const Options& options, const std::string& path) {
  if (!options.has("data")) {
    options.refuse("--diagnostics of which data?", {.hint = "--data 'data/demo/val_*.bin'"});
  }
  constexpr int64_t kMostTokens = 2048;  // of a sequence
  const std::string data = options.text("data", "");
  const int64_t sequences = options.integer("sequences", 32, 1, INT32_MAX);
  DiagnosticsReport report;
  const LoadedModel loaded = load_model_or_config(path);
  report.model = loaded.directory;
  report.config = loaded.model->config();
  const Dataset dataset(data, shard_format(options.choice("shard-format", shard_format_names())),
                        report.config.vocab_size);
  if (loaded.tokenizer) require_tokenizer_of(data, *loaded.tokenizer);
  tell_chosen_model(path, loaded);
  Llama model(report.config);
  std::ranges::copy_n(loaded.model->parameters().value(), model.parameters().plane_size(),
                      model.parameters().mutable_value());
  report.data = data;
  {
    ProgressBar bar(stderr, "inspect");
    report.measured = diagnose_on(
        model, dataset,
        {.sequences = sequences,
         .length = std::min(report.config.max_position_embeddings, kMostTokens),
         .progress = [&](int64_t done, int64_t all) { bar.update(done, all, "sequences"); }});
  }
  const Parameters& parameters = model.parameters();
  const std::vector<double> weights = slot_squares(parameters, parameters.value());
  report.parts =
      part_norms(parameters, weights, slot_squares(parameters, parameters.grad()), weights);
  const std::vector<double> losses = read_losses(path);
  report.steps = static_cast<int64_t>(losses.size());
  for (const double loss : losses) report.spikes.add(loss);
  return show(options, report);
}

}  // namespace cria
