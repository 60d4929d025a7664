#include <algorithm>
#include <cmath>

#include "base/number.h"
#include "report/run_sections.h"

namespace cria {
namespace {

// A key of log.diagnostics, what it is, in which unit, and how to read it.
struct Panel {
  const char *key, *what, *unit, *sentence;
};

constexpr Panel kPanels[] = {
    {"diag_loss/over_ln_v", "Loss less ln V", "nats per token",
     "At 0 a model knows nothing; above, it is sure of what is wrong."},
    {"diag_table_gradient/head_share_l1", "The head's share of the table's gradient", "share",
     "Near 1 the head alone decides how a tied table moves, and the lookup hardly counts."},
    {"diag_table_gradient/cosine", "Cosine of the lookup's gradient and the head's", "cosine",
     "Below 0 the two uses of the table pull the same rows apart."},
    {"diag_embedding/isotropy", "Isotropy of the embedding", "isotropy",
     "At 1 its rows point everywhere; near 0 they lie in a narrow cone."},
    {"diag_head/isotropy", "Isotropy of the head", "isotropy",
     "The same of an untied head's rows."},
    {"diag_embedding/mean_cosine", "Mean cosine between rows of the embedding", "cosine",
     "How narrow the cone is: 0 for directions at random, 1 when all are the same."},
    {"diag_head/mean_cosine", "Mean cosine between rows of the head", "cosine",
     "The same of an untied head's rows."},
    {"diag_embedding/effective_rank", "Effective rank of the embedding", "directions",
     "How many directions the table uses; its width is the most there could be."},
    {"diag_head/effective_rank", "Effective rank of the head", "directions",
     "The same of an untied head."},
    {"diag_embedding/top_share", "Share of the embedding's largest direction", "share",
     "What one direction holds of all squared values: often how frequent a token is."},
    {"diag_embedding/rows_never_updated", "Rows that no step has looked up", "rows",
     "They are still noise, unless a tied head moves them."},
    {"diag_alignment/cosine", "Cosine of embedding and head, token by token", "cosine",
     "Whether untied tables become alike by themselves: at 1 they would be tied."},
    {"diag_alignment/linear_cka", "Similarity of embedding and head (linear CKA)", "CKA, 0 to 1",
     "The same for tables that may be turned against each other."},
    {"diag_alignment/shared_neighbors", "Neighbours that embedding and head share", "share",
     "Of the ten nearest to a token, how many are the same in both tables."},
    {"diag_logits/self", "Logit of the token just read", "logit",
     "A tied token is similar to itself, so a model has to learn not to repeat it."},
    {"diag_logits/entropy", "Entropy of the prediction", "nats",
     "ln V is a guess; it falls as the model becomes sure."},
    {"diag_logits/log_z", "Logarithm of the softmax's denominator", "nats",
     "Where it grows without bound, logits drift, and bf16 begins to hurt."},
    {"diag_logits/max", "Largest logit", "logit",
     "How far the head has to reach for what is certain."},
    {"diag_spikes/highest", "Highest spike of the loss so far", "times the median",
     "Times the median of the losses before it; 1.2 is where a spike begins."},
};

// Keys that end in a number: what is seen along it at the end of the run.
constexpr Panel kProfiles[] = {
    {"diag_val_loss/decile_", "Validation loss by frequency of the target", "nats per token",
     "From the most frequent tenth of the tokens, 1, to the rarest, 10: where a variant wins."},
    {"diag_embedding/row_norm_decile_", "Norm of embedding rows by frequency", "norm",
     "From the most frequent tenth of the tokens, 1, to the rarest, 10."},
    {"diag_head/row_norm_decile_", "Norm of head rows by frequency", "norm",
     "From the most frequent tenth of the tokens, 1, to the rarest, 10."},
    {"diag_attention_max/layers.", "Largest attention score by layer", "score",
     "Scores that grow far above 50 are the usual way in which attention diverges."},
    {"diag_lens_kl/layers.", "What is still to be said, by layer (KL)", "nats",
     "How far the prediction that could be read off before a layer is from the last one."},
};

// What heat maps show of each part of the model.
constexpr Panel kParts[] = {
    {"diag_update_ratio/", "Update / weight", "update / weight",
     "How much of itself a part changes in a step; about 1e-3 is usual."},
    {"diag_gradient_norm/", "Gradient norm", "norm", "Where learning signals arrive."},
    {"diag_weight_norm/", "Weight norm", "norm", "How parts grow, against weight decay."},
};

// "Isotropy: untied 0.4, tied 0.2 at the end".
std::string title_of(const Panel& panel, const std::vector<RunGroup>& groups) {
  std::string text;
  for (const RunGroup& group : groups) {
    const double value = last_of(group, panel.key);
    if (std::isnan(value)) continue;
    text += (text.empty() ? ": " : ", ") + group.name + " " + number_text(value, 3);
  }
  constexpr size_t kLongest = 60;
  return panel.what + (text.size() <= kLongest ? text : "");
}

bool has_key(const std::vector<RunGroup>& groups, const std::string& key) {
  return std::ranges::any_of(
      groups, [&](const RunGroup& group) { return !std::isnan(last_of(group, key)); });
}

Figure profile(const Panel& panel, const std::vector<RunGroup>& groups) {
  const std::string prefix = panel.key;
  const char* const along = prefix.ends_with("layers.") ? "layer" : "tenth of the tokens";
  LineChart chart = {.title = panel.what,
                     .note = panel.sentence,
                     .x = {{along}},
                     .y = {{std::string(panel.unit) + ", at the end"}},
                     .size = kSmall};
  for (size_t i = 0; i < groups.size(); ++i) {
    std::vector<std::pair<double, double>> points;
    for (const std::string& key : groups[i].runs.front().keys) {
      double place = 0;
      if (!key.starts_with(prefix) || !parse_number(key.substr(prefix.size()), place)) continue;
      points.push_back({place, last_of(groups[i], key)});
    }
    if (points.empty()) continue;
    std::ranges::sort(points);
    Line line = {.name = groups[i].name, .color = i, .marked = true};
    for (const auto& [place, value] : points) line.add(place, value);
    chart.lines.push_back(std::move(line));
  }
  return line_chart(chart);
}

// Of one run: a row for each part of the model, a column for each so many steps.
Figure part_map(const Panel& panel, const RunHistory& run) {
  constexpr size_t kMostColumns = 40;
  const std::string prefix = panel.key;
  HeatMap map = {.title = panel.what + std::string(", part by part: ") + run.name,
                 .note = panel.sentence,
                 .x = "step",
                 .unit = panel.unit,
                 .logarithmic = true};
  for (const std::string& key : run.keys) {
    if (!key.starts_with(prefix)) continue;
    const Curve curve = curve_of({&run, 1}, key, kMostColumns);
    map.rows.push_back(isolated(key.substr(prefix.size())));
    map.values.push_back(curve.mean);
    if (!map.columns.empty()) continue;
    for (const double step : curve.steps) map.columns.push_back(number_text(step));
  }
  for (std::vector<double>& row : map.values) row.resize(map.columns.size(), NAN);
  map.size.height = 74 + 15 * static_cast<double>(std::max<size_t>(map.rows.size(), 6));
  return heat_map(map);
}

}  // namespace

void add_diagnostics(Page& page, const std::vector<RunGroup>& groups) {
  std::vector<Figure> panels, maps;
  for (const Panel& panel : kPanels) {
    if (!has_key(groups, panel.key)) continue;
    panels.push_back(key_chart(groups, panel.key, title_of(panel, groups), panel.sentence,
                               {panel.unit}, kSmall));
  }
  for (const Panel& panel : kProfiles) {
    const bool is_layer = std::string(panel.key).ends_with("layers.");
    if (has_key(groups, panel.key + std::string(is_layer ? "0" : "1"))) {
      panels.push_back(profile(panel, groups));
    }
  }
  constexpr size_t kMostMapped = 2;
  for (const Panel& panel : kParts) {
    for (size_t i = 0; i < std::min(groups.size(), kMostMapped); ++i) {
      const RunHistory& run = groups[i].runs.front();
      const bool has_parts = std::ranges::any_of(
          run.keys, [&](const std::string& key) { return key.starts_with(panel.key); });
      if (has_parts) maps.push_back(part_map(panel, run));
    }
  }
  if (!panels.empty() || !maps.empty()) page.heading("Inside the model");
  page.figures(panels);
  page.figures(maps);
}

}  // namespace cria
