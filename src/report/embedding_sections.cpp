#include "report/embedding_sections.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "report/token_label.h"

namespace cria {
namespace {

constexpr size_t kOther = kPaletteSize - 1;  // the grey one

// Of TokenKind.
size_t color_of(TokenKind kind) {
  return kind == TokenKind::other ? kOther : static_cast<size_t>(kind);
}

// Of the kinds that there are.
std::vector<LegendEntry> legend_of(const std::vector<Point>& points) {
  std::vector<LegendEntry> legend;
  for (size_t kind = 0; kind < kTokenKinds.size(); ++kind) {
    const size_t color = color_of(static_cast<TokenKind>(kind));
    if (std::ranges::find(points, color, &Point::color) != points.end()) {
      legend.push_back({kTokenKinds[kind], color_class(color)});
    }
  }
  return legend;
}

// Nothing where all tokens are of one kind.
std::string kinds_sentence(const EmbeddingHistory& history) {
  const Gathering near = gathering(history, history.states.back());
  if (near.by_chance > 0.999) return "";
  return "Of a token's nearest ten, " + percent_text(near.share) +
         " are of its kind; by chance it would be " + percent_text(near.by_chance) + ".";
}

class EmbeddingCharts {
 public:
  explicit EmbeddingCharts(const EmbeddingHistory& history) : history_(history) {}

  std::string label(int64_t id) const { return token_label(history_.tokenizer.get(), id); }

  std::string which() const {
    const size_t count = history_.shown.size();
    if (count == static_cast<size_t>(history_.config.vocab_size)) return "all tokens";
    return "the " + std::to_string(count) +
           (history_.counts.empty() ? " tokens with the lowest ids" : " most frequent tokens");
  }

  // Tokens evenly spread over the ranks.
  Figure norms() const {
    const std::vector<int32_t> ranked = FrequencyDeciles(history_.counts).ranked();
    const size_t count = std::min(kMostShown, ranked.size());
    Scatter chart = {.x = {"occurrences in the training data", true}, .y = {"norm of the row"}};
    std::vector<double> logs, norms;
    for (size_t i = 0; i < count; ++i) {
      const auto id = static_cast<size_t>(ranked[i * ranked.size() / count]);
      const auto occurrences = static_cast<double>(history_.counts[id]);
      chart.points.push_back(point(static_cast<int32_t>(id), {occurrences, history_.norms[id]}));
      logs.push_back(std::log(occurrences));
      norms.push_back(history_.norms[id]);
    }
    chart.legend = legend_of(chart.points);
    const double r = correlation(logs, norms);
    chart.title = std::abs(r) < 0.2 ? "Row norms hardly depend on how frequent a token is"
                  : r < 0           ? "Rows of frequent tokens are shorter"
                                    : "Rows of frequent tokens are longer";
    chart.note =
        "Each dot is a token; they are spread evenly over the ranks. The correlation of "
        "the norm with the logarithm of the frequency is " +
        number_text(r, 2) + ".";
    return scatter(chart);
  }

  Figure spectrum() const {
    const TableStatistics& table = history_.embedding;
    LineChart chart = {.title = "The table uses " + number_text(table.effective_rank, 3) + " of " +
                                std::to_string(table.singular_values.size()) + " directions",
                       .note =
                           "Singular values of the whole table. The number of directions is "
                           "the effective rank, exp of their entropy. The largest has " +
                           percent_text(table.top_share) +
                           " of the sum of squares; a large one is a direction that rows share.",
                       .x = {{"rank"}},
                       .y = {{"singular value", true}},
                       .lines = {spectrum_line("embedding", 0, table)},
                       .size = {.width = 440, .height = 400}};
    if (history_.head) chart.lines.push_back(spectrum_line("head", 1, *history_.head));
    return line_chart(chart);
  }

  // The newest state, large, and all of them, small, on the same axes.
  void principal(std::vector<Figure>& large, std::vector<Figure>& small) const {
    const PrincipalAxes axes = principal_axes(history_.states.back().rows);
    std::vector<PlanePoints> states;
    for (const EmbeddingState& state : history_.states) states.push_back(axes.project(state.rows));
    const std::string note = "Of " + which() +
                             ". The two directions in which their rows spread "
                             "most have " +
                             percent_text(axes.shares[0]) + " and " + percent_text(axes.shares[1]) +
                             " of it.";
    large.push_back(map("Principal axes, " + history_.states.back().name, note, states.back(),
                        {states.back()}, false));
    add_small(small, "principal axes", states);
  }

  // Each begins where the one before ended.
  void neighbors(std::vector<Figure>& large, std::vector<Figure>& small) const {
    constexpr double kPerplexity = 30;
    if (history_.shown.size() < 4) return;
    std::vector<PlanePoints> states;
    std::vector<double> probabilities;
    for (const EmbeddingState& state : history_.states) {
      const Vectors unit = unit_rows(state.rows);
      PlanePoints start = states.empty() ? principal_axes(unit).project(unit) : states.back();
      probabilities = neighbor_probabilities(unit, kPerplexity);
      states.push_back(turned_to(neighbor_layout(probabilities, start), start));
    }
    large.push_back(map("Neighbours in the embedding, " + history_.states.back().name,
                        "t-SNE of " + which() +
                            ", by cosine: who is near here is near among all "
                            "dimensions; how far the others are means little. The divergence is " +
                            number_text(layout_divergence(probabilities, states.back()), 2) +
                            " nats. " + kinds_sentence(history_),
                        states.back(), {states.back()}, false));
    add_small(small, "neighbours", states);
  }

  Figure cosines() const {
    constexpr int64_t kMost = 28;
    Vectors some = unit_rows(history_.states.back().rows);
    some.rows = std::min(some.rows, kMost);
    const std::vector<double> all = products(some, some);
    HeatMap chart = {.title = "Which frequent tokens point the same way",
                     .note = "Cosines of rows, " + history_.states.back().name +
                             ". Each token stands beside the one most like it that was left, so "
                             "that groups are bright squares on the diagonal.",
                     .x = "token",
                     .unit = "cosine",
                     .size = {.width = 440, .height = 470},
                     .upright = true,
                     .digits = 2};
    const std::vector<int64_t> order = chain(all, some.rows);
    for (const int64_t i : order) {
      chart.rows.push_back(label(history_.shown[static_cast<size_t>(i)]));
      std::vector<double>& row = chart.values.emplace_back();
      for (const int64_t j : order) row.push_back(i == j ? NAN : all[i * some.rows + j]);
    }
    chart.columns = chart.rows;
    return heat_map(chart);
  }

  Table nearest() const {
    Table table = {{"token", "nearest in the embedding"}};
    if (history_.head) table.headings.push_back("nearest in the head");
    for (const TokenNeighbors& token : history_.neighbors) {
      table.rows.push_back({label(token.id), joined(token.embedding)});
      if (history_.head) table.rows.back().push_back(joined(token.head));
    }
    return table;
  }

 private:
  Point point(int32_t id, const std::array<double, 2>& place) const {
    return {place[0], place[1], label(id), color_of(token_kind(history_.tokenizer.get(), id))};
  }

  // One unit is as long on both axes, which reach as far as all of `states` do.
  Figure map(const std::string& title, const std::string& note, const PlanePoints& places,
             const std::vector<PlanePoints>& states, bool is_small) const {
    Scatter chart = {.title = title, .note = note};
    chart.size.width = chart.size.height = is_small ? 300 : 440;
    for (size_t i = 0; i < places.size(); ++i) {
      chart.points.push_back(point(history_.shown[i], places[i]));
    }
    std::array<double, 2> low = places.front(), high = low;
    for (const PlanePoints& state : states) {
      for (const auto& place : state) {
        for (const size_t axis : {0, 1}) {
          low[axis] = std::min(low[axis], place[axis]);
          high[axis] = std::max(high[axis], place[axis]);
        }
      }
    }
    const double half = std::max(high[0] - low[0], high[1] - low[1]) / 2;
    const double x = (low[0] + high[0]) / 2, y = (low[1] + high[1]) / 2;
    chart.x_reach = {x - half, x + half};
    chart.y_reach = {y - half, y + half};
    if (!is_small) chart.legend = legend_of(chart.points);
    return scatter(chart);
  }

  void add_small(std::vector<Figure>& small, const std::string& what,
                 const std::vector<PlanePoints>& states) const {
    for (size_t i = 0; i < states.size() && states.size() > 1; ++i) {
      const Gathering near = gathering(history_, history_.states[i]);
      small.push_back(map(history_.states[i].name + ", " + what,
                          percent_text(near.share) + " of the nearest ten are of the same kind.",
                          states[i], states, true));
    }
  }

  static Line spectrum_line(const char* name, size_t color, const TableStatistics& table) {
    Line line = {.name = name, .color = color};
    for (const double each : table.singular_values) {
      line.add(static_cast<double>(line.y.size() + 1), each);
    }
    return line;
  }

  // Pearson's: sum (x - mean)(y - mean) / sqrt(sum (x - mean)^2 sum (y - mean)^2); 0 without
  // spread.
  static double correlation(const std::vector<double>& x, const std::vector<double>& y) {
    const double n = static_cast<double>(x.size());
    const double mean_x = std::accumulate(x.begin(), x.end(), 0.0) / n;
    const double mean_y = std::accumulate(y.begin(), y.end(), 0.0) / n;
    double xx = 0, yy = 0, xy = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      xx += (x[i] - mean_x) * (x[i] - mean_x);
      yy += (y[i] - mean_y) * (y[i] - mean_y);
      xy += (x[i] - mean_x) * (y[i] - mean_y);
    }
    return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : 0;
  }

  // The next is the one most like the last, of those that are left.
  static std::vector<int64_t> chain(const std::vector<double>& cosines, int64_t n) {
    std::vector<int64_t> order(n);
    std::iota(order.begin(), order.end(), 0);
    for (int64_t i = 1; i < n; ++i) {
      const auto nearest =
          std::max_element(order.begin() + i, order.end(), [&](int64_t a, int64_t b) {
            return cosines[order[i - 1] * n + a] < cosines[order[i - 1] * n + b];
          });
      std::iter_swap(order.begin() + i, nearest);
    }
    return order;
  }

  std::string joined(const std::vector<NearRow>& rows) const {
    std::string text;
    for (const NearRow& row : rows) {
      text += (text.empty() ? "" : ", ") + label(row.row) + " " + number_text(row.cosine, 2);
    }
    return text;
  }

  const EmbeddingHistory& history_;
};

}  // namespace

std::vector<std::string> verdict_of_embeddings(const EmbeddingHistory& history) {
  const ModelConfig& c = history.config;
  return {isolated(history.directory) + ": " + std::to_string(c.num_hidden_layers) +
          " layers, hidden size " + std::to_string(c.hidden_size) + ", " +
          std::to_string(c.vocab_size) + " tokens. " + kinds_sentence(history)};
}

void add_embeddings(Page& page, const EmbeddingHistory& history) {
  const EmbeddingCharts charts(history);
  page.heading("Embeddings of " + isolated(history.directory));
  std::vector<Figure> large, small, table;
  charts.neighbors(large, small);
  charts.principal(large, small);
  table.push_back(charts.cosines());
  if (!history.counts.empty()) table.push_back(charts.norms());
  table.push_back(charts.spectrum());
  page.figures(large);
  page.figures(small);
  page.figures(table);
  page.table("The nearest tokens by cosine", charts.nearest());
}

}  // namespace cria
