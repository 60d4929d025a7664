#include "report/sentence_sections.h"

#include <algorithm>
#include <cmath>

#include "cria/base/error.h"
#include "cria/exchange/load_model.h"
#include "inspect/tensor_chunks.h"
#include "report/token_label.h"

namespace cria {
namespace {

constexpr int64_t kMostPictured = 28;  // tokens of maps, the first ones
constexpr size_t kMostMaps = 24;       // of attention

int shade_of(double share) {
  return static_cast<int>(std::lround(std::clamp(share, 0.0, 1.0) * kShades));
}

class SentenceCharts {
 public:
  explicit SentenceCharts(const Sentence& sentence)
      : sentence_(sentence),
        trace_(sentence.trace),
        time_(std::ssize(trace_.ids)),
        pictured_(std::min(time_, kMostPictured)) {
    for (int64_t t = 0; t < pictured_; ++t) tokens_.push_back(label(trace_.ids[t]));
  }

  double mean_loss() const {
    double sum = 0;
    for (const TracedGuess& guess : trace_.guesses) sum += guess.loss;
    return time_ > 1 ? sum / static_cast<double>(time_ - 1) : NAN;
  }

  std::vector<ShadedToken> losses() const {
    constexpr double kDarkest = 8;  // nats: a probability of 1 in 3000
    std::vector<ShadedToken> tokens;
    for (int64_t t = 0; t < time_; ++t) {
      const double loss = t > 0 ? trace_.guesses[t - 1].loss : 0;
      tokens.push_back({label(trace_.ids[t]), t > 0 ? number_text(loss, 2) : "given",
                        shade_of(loss / kDarkest)});
    }
    return tokens;
  }

  Table tokens() const {
    const bool is_added = !trace_.added.is_zero(), is_row = trace_.input == trace_.rows;
    Table table = {{"token", "place", "id", "|row|"}};
    if (is_added) table.headings.push_back("|position|");
    if (!is_row) table.headings.push_back("|input|");
    table.headings.insert(table.headings.end(), {"loss", "most likely was"});
    for (int64_t t = 0; t < time_; ++t) {
      std::vector<std::string>& row = table.rows.emplace_back();
      row = {label(trace_.ids[t]), std::to_string(t), std::to_string(trace_.ids[t]),
             number_text(norm_of(trace_.rows.row(t)))};
      if (is_added) row.push_back(number_text(norm_of(trace_.added.row(t))));
      if (!is_row) row.push_back(number_text(norm_of(trace_.input.row(t))));
      if (t == 0) {
        row.insert(row.end(), {"", ""});
        continue;
      }
      const TracedGuess& guess = trace_.guesses[t - 1];
      row.push_back(number_text(guess.loss));
      row.push_back(guess_text(guess));
    }
    return table;
  }

  // The row, what is added to it and the sum; what the blocks add; what comes next.
  std::vector<Figure> way() const {
    std::vector<Figure> figures = {vectors("The row of the table", trace_.rows)};
    if (trace_.embedding_scale != 1) figures.push_back(vectors("The row, scaled", trace_.embedded));
    if (!trace_.added.is_zero()) {
      figures.push_back(vectors("Position, added", trace_.added));
      figures.push_back(vectors("Their sum", trace_.sum));
    }
    if (!(trace_.input == trace_.sum)) figures.push_back(vectors("Its norm", trace_.input));
    for (const Figure& figure : {block_map(), block_means(), next()}) figures.push_back(figure);
    return figures;
  }

  // Whole layers, evenly spread where all would be too many.
  std::vector<Figure> attention() const {
    const size_t layers = trace_.layers.size();
    const auto heads = static_cast<size_t>(trace_.layers.front().weights.shape[0]);
    const size_t shown = std::clamp<size_t>(kMostMaps / heads, 1, layers);
    std::vector<Figure> figures;
    for (size_t i = 0; i < shown; ++i) {
      const size_t layer = shown == 1 ? layers - 1 : i * (layers - 1) / (shown - 1);
      for (size_t head = 0; head < std::min(heads, kMostMaps); ++head) {
        figures.push_back(attention_map(layer, head));
      }
    }
    return figures;
  }

  // A row for each token, a column for each place where the stream is looked at.
  Table lens() const {
    Table table = {{"token"}};
    for (size_t l = 0; l < trace_.layers.size(); ++l) {
      table.headings.push_back("before block " + std::to_string(l));
    }
    table.headings.push_back("the model");
    for (int64_t t = 0; t < pictured_; ++t) {
      std::vector<std::string>& row = table.rows.emplace_back();
      std::vector<int>& shades = table.shades.emplace_back();
      row.push_back(tokens_[t]);
      shades.push_back(0);
      for (size_t l = 0; l <= trace_.layers.size(); ++l) {
        const TracedGuess& guess = guesses(l)[t];
        row.push_back(guess_text(guess));
        shades.push_back(shade_of(guess.probability));
      }
    }
    return table;
  }

  // Where the model's last guess is seen first.
  std::string lens_sentence() const {
    size_t first = trace_.layers.size();
    const int32_t last = trace_.guesses.back().id;
    while (first > 0 && guesses(first - 1).back().id == last) --first;
    const std::string token = label(last) + ", what it expects after the last token, ";
    return token + (first == trace_.layers.size()
                        ? "appears only after the last block."
                        : "is what it has said since before block " + std::to_string(first) + ".");
  }

  std::string of_first() const {
    if (time_ == pictured_) return "";
    return " Maps show the first " + std::to_string(pictured_) + " of " + std::to_string(time_) +
           " tokens.";
  }

 private:
  std::string label(int64_t id) const { return token_label(sentence_.tokenizer.get(), id); }
  std::string guess_text(const TracedGuess& guess) const {
    return label(guess.id) + " " + number_text(guess.probability, 2);
  }
  const std::vector<TracedGuess>& guesses(size_t layer) const {
    return layer < trace_.layers.size() ? trace_.layers[layer].guesses : trace_.guesses;
  }
  double map_height() const {
    return 74 + 15 * static_cast<double>(std::max<int64_t>(pictured_, 6));
  }

  Figure vectors(const std::string& what, const TracedTensor& x) const {
    constexpr int64_t kMostNumbers = 24;
    HeatMap map = {.title = what,
                   .x = "dimension",
                   .unit = "value",
                   .rows = tokens_,
                   .size = {.width = 440, .height = map_height()},
                   .digits = 2};
    const int64_t shown = std::min(x.shape.back(), kMostNumbers);
    map.title += shown < x.shape.back() ? ", the first " + std::to_string(shown) + " of " +
                                              std::to_string(x.shape.back()) + " numbers"
                                        : "";
    for (int64_t c = 0; c < shown; ++c) map.columns.push_back(std::to_string(c));
    for (int64_t t = 0; t < pictured_; ++t) {
      const auto row = x.row(t).first(static_cast<size_t>(shown));
      map.values.emplace_back(row.begin(), row.end());
    }
    return heat_map(map);
  }

  // What attention and MLP of each block add to each token.
  Figure block_map() const {
    HeatMap map = {.title = "What each block adds to each token",
                   .note = "Norms of what attention (a) and MLP (m) add.",
                   .x = "part",
                   .unit = "norm",
                   .rows = tokens_,
                   .values = std::vector<std::vector<double>>(tokens_.size()),
                   .logarithmic = true,
                   .size = {.width = 440, .height = map_height()}};
    for (size_t l = 0; l < trace_.blocks.size(); ++l) {
      const TracedBlock& block = trace_.blocks[l];
      map.columns.push_back(std::to_string(l) + "a");
      map.columns.push_back(std::to_string(l) + "m");
      for (int64_t t = 0; t < pictured_; ++t) {
        map.values[t].push_back(norm_of(block.attention.row(t)));
        map.values[t].push_back(norm_of(block.mlp.row(t)));
      }
    }
    return heat_map(map);
  }

  Figure block_means() const {
    Line stream = mean_norms("stream before the block", 0, &TracedBlock::x);
    Line attention = mean_norms("attention adds", 1, &TracedBlock::attention);
    Line mlp = mean_norms("MLP adds", 2, &TracedBlock::mlp);
    size_t most = 0;
    for (size_t l = 0; l < trace_.blocks.size(); ++l) {
      if (attention.y[l] + mlp.y[l] > attention.y[most] + mlp.y[most]) most = l;
    }
    return line_chart({.title = "Block " + std::to_string(most) + " adds most",
                       .note = "The residual stream before each block, and what its two parts add.",
                       .x = {{"block"}},
                       .y = {{"norm, mean over tokens"}},
                       .lines = {stream, attention, mlp}});
  }

  Line mean_norms(const char* name, size_t color, TracedTensor TracedBlock::*part) const {
    Line line = {.name = name, .color = color, .marked = true};
    for (const TracedBlock& block : trace_.blocks) {
      line.add(static_cast<double>(line.y.size()),
               (block.*part).sum_of_norms() / static_cast<double>(time_));
    }
    return line;
  }

  Figure next() const {
    constexpr size_t kMost = 12;
    std::vector<Bar> bars;
    for (size_t i = 0; i < std::min(kMost, trace_.next.size()); ++i) {
      bars.push_back({label(trace_.next[i].id), static_cast<double>(trace_.next[i].probability)});
    }
    return bar_chart("What comes next: " + label(trace_.next.front().id) + ", most likely",
                     "The most likely tokens after the text.", "probability", bars);
  }

  Figure attention_map(size_t layer, size_t head) const {
    const TracedTensor& weights = trace_.layers[layer].weights;
    HeatMap map = {.x = "looks at",
                   .unit = "weight",
                   .rows = tokens_,
                   .columns = tokens_,
                   .size = {.width = 300, .height = 320},
                   .reach = {0, 1},
                   .upright = true,
                   .digits = 2};
    double to_first = 0, to_itself = 0, to_previous = 0;
    for (int64_t t = 0; t < time_; ++t) {
      const auto row = weights.row(static_cast<int64_t>(head) * time_ + t);
      if (t < pictured_) {
        std::vector<double>& values = map.values.emplace_back();
        // To two digits, which is more than colours show.
        for (int64_t k = 0; k < pictured_; ++k) {
          values.push_back(k <= t ? std::round(100 * static_cast<double>(row[k])) / 100 : NAN);
        }
      }
      if (t < 2) continue;  // the first is the previous
      to_first += static_cast<double>(row[0]) / static_cast<double>(time_ - 2);
      to_previous += static_cast<double>(row[t - 1]) / static_cast<double>(time_ - 2);
      to_itself += static_cast<double>(row[t]) / static_cast<double>(time_ - 2);
    }
    map.title = "Layer " + std::to_string(layer) + ", head " + std::to_string(head);
    constexpr double kMuch = 0.4;
    for (const auto& [share, what] : {std::pair(to_first, "the first token"),
                                      {to_previous, "the previous token"},
                                      {to_itself, "the token itself"}}) {
      if (share > kMuch) map.title += ": " + percent_text(share) + " to " + what;
    }
    return heat_map(map);
  }

  const Sentence& sentence_;
  const Trace& trace_;
  const int64_t time_, pictured_;
  std::vector<std::string> tokens_;  // labels of those pictured
};

}  // namespace

Sentence read_sentence(const std::string& model, std::string_view text) {
  LoadedModel loaded = load_model(model);
  const Tokenizer& tokenizer = require_tokenizer(loaded);
  const size_t count = tokenizer.encode_prompt(text, "the text").size();
  if (count > kMostSentenceTokens) {
    throw Error("the text is too long for a page of pictures",
                {.where = "--text",
                 .expected = std::to_string(kMostSentenceTokens) + " tokens at most",
                 .got = std::to_string(count),
                 .hint = "'cria eval' measures long texts"});
  }
  return {.model = loaded.directory,
          .config = loaded.model->config(),
          .trace = trace(*loaded.model, tokenizer, text, 0, /*layers=*/true),
          .tokenizer = std::move(loaded.tokenizer)};
}

std::vector<std::string> verdict_of_sentence(const Sentence& sentence) {
  const double loss = SentenceCharts(sentence).mean_loss();
  const NextToken& next = sentence.trace.next.front();
  std::string text = std::to_string(sentence.trace.ids.size()) + " tokens";
  if (std::isfinite(loss)) text += " with a mean loss of " + number_text(loss, 3);
  return {text + "; next, " + token_label(sentence.tokenizer.get(), next.id) +
          " with probability " + number_text(static_cast<double>(next.probability), 2) + ", says " +
          isolated(sentence.model) + "."};
}

void add_sentence(Page& page, const Sentence& sentence) {
  const SentenceCharts charts(sentence);
  page.heading("A text, token by token");
  page.paragraph(
      "Below each token is its loss, -log of the probability that the model gave it, in nats: "
      "the stronger the colour, the more of a surprise. \u2423 is a space.");
  page.shaded_text("Losses by token", charts.losses(), charts.tokens());
  page.heading("From tokens to the next token");
  page.paragraph("Position encoding: " + sentence.config.position + "." + charts.of_first());
  page.figures(charts.way());
  page.heading("Where each token looks");
  page.paragraph("Rows are tokens, columns are what they look at: weights of a row sum to 1.");
  page.figures(charts.attention());
  page.heading("What the model would say, layer by layer");
  page.paragraph("The logit lens: final norm and head, put on the stream before each block. " +
                 charts.lens_sentence());
  page.table("The most likely next token, with its probability", charts.lens());
}

}  // namespace cria
