#include "report/position_sections.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

#include "base/unicode.h"
#include "cria/exchange/load_model.h"
#include "cria/position/rope_scaling.h"
#include "inspect/position_probe.h"

namespace cria {
namespace {

struct Description {
  std::string name, heading, see, likeness;
};

const Description& description_of(const std::string& name) {
  static const std::vector<Description> all = {
      {"rope", "queries and keys turn",
       "Each pair of a query's and a key's components turns by an angle, its frequency times the "
       "position, so that a score depends on the distance alone. The first pair turns once in six "
       "positions and tells neighbours apart; the last hardly turns, and tells near from far.",
       "rope: equal vectors score less the farther apart they are, in waves"},
      {"learned", "a vector of a learned table is added to the token",
       "A row for each position, learned like any other weight; there is none beyond the last. It "
       "begins as noise, in which no position is like another. Training makes neighbours alike.",
       "learned: each position begins like itself only"},
      {"sinusoidal", "waves are added to the token",
       "Sines in even components and cosines in odd ones, each slower than the one before. No two "
       "rows are the same, and how alike two are depends on their distance only: stripes along the "
       "diagonal. Nothing is learned.",
       "sinusoidal: neighbours are alike, wherever they stand"},
      {"alibi", "a penalty for distance is added to the score",
       "Every head takes its slope times the distance from the score. The first head sees a few "
       "tokens, the last one nearly all of them equally well. Nothing is learned, and any length "
       "will do.",
       "alibi: the score falls evenly with distance"},
      {"t5", "a learned number for a range of distances is added to the score",
       "Near distances have a number each; farther ones share it in ranges that grow, and all "
       "beyond the last have one: columns of one colour. Before training the numbers are noise.",
       "t5: far distances share a number"},
      {"transformer_xl", "queries meet a key of the distance too",
       "A learned projection of the distance's sines and cosines stands beside every key, so that "
       "distances nearby are alike before anything is learned. Two vectors, u and v, take the "
       "place of the query; what they alone add to the score is a number for each head and "
       "distance.",
       "transformer_xl: relative keys of near distances are alike"},
      {"deberta", "queries meet a key, and keys a query, of the distance",
       "Each distance has a learned vector, projected to a relative key for queries and to a "
       "relative query for keys. Before training no distance is like another.",
       "deberta: each distance begins like itself only"},
      {"none", "nothing is added or turned",
       "Only the causal mask tells an order: a token sees those before it and no others.",
       "none: all places are alike"}};
  return *std::ranges::find(all, name, &Description::name);
}

constexpr int64_t kMost = 48;  // rows or columns of a heat map
constexpr double kLeast = -8;  // of a bias, what is shown

// Of `count` things the indices of at most `most`, evenly spread from the first.
std::vector<int64_t> spread(int64_t count, int64_t most = kMost) {
  const int64_t every = (count + most - 1) / most;
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < count; i += every) indices.push_back(i);
  return indices;
}

std::vector<int64_t> first_of(int64_t count) {
  return spread(std::min(count, kMost));
}

std::vector<std::string> texts_of(const std::vector<int64_t>& numbers) {
  std::vector<std::string> texts;
  for (const int64_t number : numbers) texts.push_back(std::to_string(number));
  return texts;
}

// The map of value(row, column) over these.
HeatMap cells(const std::string& title, const std::string& x, const std::string& unit,
              const std::vector<int64_t>& rows, const std::vector<int64_t>& columns,
              const std::function<double(int64_t, int64_t)>& value) {
  HeatMap map = {.title = title,
                 .note = "",
                 .x = x,
                 .unit = unit,
                 .rows = texts_of(rows),
                 .columns = texts_of(columns)};
  for (const int64_t row : rows) {
    map.values.emplace_back();
    for (const int64_t column : columns) {
      // Three digits are all that colours tell, and more than a reader wants.
      map.values.back().push_back(std::round(1e3 * value(row, column)) / 1e3);
    }
  }
  return map;
}

Figure likeness_map(const PositionProbe& probe, const std::string& title, int64_t time, Size size) {
  const bool is_distance = !probe.adds() && !probe.turns() && probe.has_keys();
  const std::vector<int64_t> places = spread(time, 32);
  const std::string place = is_distance ? "distance" : "position";
  HeatMap map =
      cells(title, place, (probe.has_bias() && !is_distance ? "added to the score; " : "") + place,
            places, places, [&](int64_t a, int64_t b) { return probe.likeness(a, b); });
  map.size = size;
  return heat_map(map);
}

// What the probe finds, but likeness.
std::vector<Figure> figures_of(const PositionProbe& probe, const ModelConfig& config,
                               int64_t time) {
  std::vector<Figure> figures;
  const std::vector<int64_t> heads = spread(config.num_attention_heads);
  if (probe.adds()) {
    figures.push_back(heat_map(cells("The vector added at each position", "component", "position",
                                     first_of(time), spread(config.hidden_size),
                                     [&](int64_t p, int64_t c) { return probe.added(p, c); })));
  }
  if (probe.turns()) {
    figures.push_back(
        heat_map(cells("How far each pair has turned at each position", "pair of components",
                       "cosine of the angle; position", first_of(time), spread(config.head_dim / 2),
                       [&](int64_t p, int64_t i) { return probe.cosine(p, i); })));
  }
  if (probe.has_bias()) {
    HeatMap map = cells("What is added to the score, by head and distance", "distance", "head",
                        heads, spread(time, 80),
                        [&](int64_t h, int64_t d) { return std::max(kLeast, probe.bias(h, d)); });
    map.note = "What is below -8, and leaves of a weight less than a thousandth, is shown as -8.";
    figures.push_back(heat_map(map));
  }
  return figures;
}

// Of models with these scalings: how fast their pairs turn, and what that makes of scores at the
// distances below `reach`.
std::vector<Figure> rotary_figures(const std::vector<RopeScaling>& scalings,
                                   const ModelConfig& config, int64_t length, int64_t reach) {
  LineChart turns = {.title = "Positions that a pair needs for a turn",
                     .note = "A few for the first pairs, thousands for the last.",
                     .x = {{"pair of components"}},
                     .y = {{"positions per turn", true}}};
  LineChart decay = {.title = "The score of two equal vectors falls with their distance",
                     .note = "As a share of the score at distance 0, all pairs being as long.",
                     .x = {{"distance"}},
                     .y = {{"share of the score"}}};
  for (size_t k = 0; k < scalings.size(); ++k) {
    const std::vector<double> frequencies = rope_frequencies(
        scalings[k], config.head_dim, config.rope_theta, config.max_position_embeddings, length);
    Line line = {.name = scalings[k].rope_type, .color = k};
    Line score = line;
    // A turn takes 2 pi / frequency; the score is the mean of cos(distance * frequency).
    for (const double frequency : frequencies) {
      line.add(static_cast<double>(line.y.size()), 2 * std::numbers::pi / frequency);
    }
    for (int64_t d = 0; d < reach; ++d) {
      double sum = 0;
      for (const double each : frequencies) sum += std::cos(static_cast<double>(d) * each);
      score.add(static_cast<double>(d), sum / static_cast<double>(frequencies.size()));
    }
    turns.lines.push_back(std::move(line));
    decay.lines.push_back(std::move(score));
  }
  return {line_chart(turns), line_chart(decay)};
}

// Every rope_type, in a model of a usual size that is to read four times its length.
std::vector<Figure> scaling_figures() {
  ModelConfig config;
  config.head_dim = 128;
  config.max_position_embeddings = 2048;
  std::vector<RopeScaling> scalings;
  for (const std::string& type : rope_types()) {
    scalings.push_back({.rope_type = type, .factor = 4, .original_max_position_embeddings = 2048});
  }
  std::vector<Figure> figures = rotary_figures(scalings, config, 4 * 2048, 200);
  figures[0].note =
      "Heads of 128, made for 2,048 positions and scaled to 8,192: linear slows every "
      "pair down, the others leave the fast ones as they are.";
  return figures;
}

Line likeness_line(const PositionProbe& probe, const std::string& name, size_t color,
                   int64_t time) {
  Line line = {.name = name, .color = color};
  for (int64_t d = 0; d < time; ++d) line.add(static_cast<double>(d), probe.likeness(0, d));
  return line;
}

// A model to look at: 8 heads of 32 components, a hidden size of 48.
Llama small_model(const std::string& position, int64_t time) {
  ModelConfig config;
  config.vocab_size = 2;
  config.hidden_size = 48;
  config.num_hidden_layers = 1;
  config.num_attention_heads = 8;
  config.head_dim = 32;
  config.position = position;
  Llama model(resolved(config, time, ""), Precision::fp32, Planes::value);
  model.initialize(1);
  return model;
}

// Rows of a traced tensor as a strip of colours for each token, the same for all strips.
Figure strips(const std::string& title, const Trace& trace, const TracedTensor& tensor,
              int64_t heads, const std::vector<double>& reach) {
  const std::vector<int64_t> tokens = first_of(std::min<int64_t>(std::ssize(trace.ids), 16));
  HeatMap map = cells(title, "component", "", tokens, spread(tensor.shape.back()),
                      [&](int64_t t, int64_t c) { return tensor.row(t * heads)[c]; });
  for (size_t t = 0; t < tokens.size(); ++t) map.rows[t] = isolated(quote(trace.tokens[t]));
  map.size = {.width = kSmall.width, .height = 74 + 16.0 * static_cast<double>(tokens.size())};
  map.reach = reach;
  return heat_map(map);
}

std::vector<double> ends_of(const std::vector<const TracedTensor*>& tensors) {
  std::vector<double> ends = {0};
  for (const TracedTensor* const tensor : tensors) {
    const auto [least, most] = std::ranges::minmax(tensor->values);
    ends.insert(ends.end(), {least, most});
  }
  return ends;
}

}  // namespace

std::string make_position_report() {
  constexpr int64_t kMapped = 32, kLong = 160;
  Page page("cria report: position encodings",
            {"Attention does not see where a token stands; a position encoding tells it. These are "
             "all that cria has, drawn by the code that trains with them, as they are before "
             "training: 8 heads of 32 components, a hidden size of 48."});
  LineChart lines = {.title = "How like the first place another one is",
                     .note = "What adds a number to the score is not in it: see the maps.",
                     .x = {{"position, or distance"}},
                     .y = {{"likeness"}}};
  std::vector<Figure> maps;
  std::vector<std::vector<Figure>> own;  // of each encoding, shown below
  for (const std::string& name : position_names()) {
    Llama model = small_model(name, kLong);
    const PositionProbe probe(model, kLong);
    maps.push_back(likeness_map(probe, description_of(name).likeness, kMapped, kSmall));
    if (probe.adds() || probe.turns() || probe.has_keys()) {
      lines.lines.push_back(likeness_line(probe, name, lines.lines.size(), 64));
    }
    own.push_back(figures_of(probe, model.config(), kLong));
    if (probe.turns()) {
      for (Figure& each : scaling_figures()) own.back().push_back(std::move(each));
    }
  }
  page.heading("Side by side");
  page.paragraph(
      "How alike two places are: for what is added to tokens the cosine of the two vectors; for "
      "what turns the score of equal vectors; for relative keys the cosine of those of two "
      "distances; else what is added to the score, as a mean over the heads.");
  page.figures(maps);
  page.figures({line_chart(lines)});
  for (size_t i = 0; i < own.size(); ++i) {
    const Description& description = description_of(position_names()[i]);
    page.heading(description.name + ": " + description.heading);
    page.paragraph(description.see);
    page.figures(own[i]);
  }
  return page.take();
}

std::string make_position_report(const std::string& path, const std::optional<std::string>& text) {
  const LoadedModel loaded = load_model(path);
  Page page("cria report: positions of " + isolated(path),
            {description_of(loaded.model->config().position).see});
  add_positions(page, *loaded.model);
  if (text) {
    add_input_sum(page, trace(*loaded.model, require_tokenizer(loaded), *text));
  }
  return page.take();
}

void add_positions(Page& page, Llama& model) {
  const ModelConfig& config = model.config();
  const Description& description = description_of(config.position);
  const int64_t time = std::min<int64_t>(config.max_position_embeddings, 256);
  const PositionProbe probe(model, time);
  page.heading("Positions: " + description.name + ", " + description.heading);
  std::vector<Figure> figures = figures_of(probe, config, time);
  if (probe.turns()) {
    for (Figure& each :
         rotary_figures({config.rope_scaling}, config, config.max_position_embeddings, time)) {
      figures.push_back(std::move(each));
    }
  } else if (config.position != "none") {
    figures.push_back(likeness_map(probe, "How alike two places are", time, Size()));
  }
  page.figures(figures);
}

void add_input_sum(Page& page, const Trace& trace) {
  const bool adds = !trace.added.is_zero();
  page.heading(adds ? "token + position = input" : "What positions make of the queries");
  if (adds) {
    const std::vector<double> ends = ends_of({&trace.embedded, &trace.added, &trace.sum});
    page.paragraph(
        "The same token has the same row in the first picture, and in the last one another for "
        "each place where it stands.");
    page.figures({strips("Token: its row of the table", trace, trace.embedded, 1, ends),
                  strips("+ position: the vector that is added", trace, trace.added, 1, ends),
                  strips("= input: what the first block reads", trace, trace.sum, 1, ends)});
  } else {
    const std::vector<double> ends = ends_of({&trace.q_before, &trace.q});
    const int64_t heads = trace.q.shape[2];
    page.paragraph(
        "Nothing is added to the tokens: the input is the token's row. Below, the "
        "first head's queries in the first layer.");
    page.figures({strips("Queries as they are made", trace, trace.q_before, heads, ends),
                  strips("Queries as the scores see them", trace, trace.q, heads, ends)});
  }
}

}  // namespace cria
