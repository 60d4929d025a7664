#include "report/trace_report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>

#include "base/unicode.h"
#include "cria/tensor/tensor.h"
#include "inspect/tensor_chunks.h"
#include "report/report_text.h"

namespace cria {
namespace {

constexpr size_t kTokensShown = 8;  // of the first, and of the last
constexpr size_t kDistancesShown = 8;
constexpr size_t kHeadsShown = 16;

using Row = std::span<const float>;

// The angle between x and y in degrees; 0 when one of them is 0.
double angle(Row x, Row y) {
  const double norms = norm_of(x) * norm_of(y);
  const double cosine =
      norms > 0 ? std::clamp(dot(x.data(), y.data(), std::ssize(x)) / norms, -1.0, 1.0) : 1.0;
  return std::acos(cosine) * 180 / std::numbers::pi;
}

int64_t row_count(const TracedTensor& x) {
  return static_cast<int64_t>(x.values.size()) / x.shape.back();
}

// --- JSON

Json rows_json(const TracedTensor& x, size_t values) {
  Json::Array rows;
  for (int64_t r = 0; r < row_count(x); ++r) {
    const Row row = x.row(r);
    rows.push_back(
        Json::Object{{"norm", norm_of(row)},
                     {"first_values", numbers_json(row.first(std::min(values, row.size())))}});
  }
  return Json::Object{{"shape", shape_json(x.shape)}, {"rows", rows}};
}

Json norms_json(const TracedTensor& x) {
  Json::Array norms;
  for (int64_t t = 0; t < x.shape[1]; ++t) norms.emplace_back(norm_of(x.row(t)));
  return norms;
}

// [H,T], whole; null for a term that is not there.
Json matrix_json(const TracedTensor& x) {
  if (x.shape.empty()) return {};
  Json::Array rows;
  for (int64_t r = 0; r < x.shape[0]; ++r) rows.emplace_back(numbers_json(x.row(r)));
  return Json::Object{{"shape", shape_json(x.shape)}, {"rows", rows}};
}

Json change_json(const TracedTensor& before, const TracedTensor& after, size_t values) {
  if (before == after) return {};
  Json::Array degrees;
  for (int64_t r = 0; r < row_count(after); ++r) {
    degrees.emplace_back(angle(before.row(r), after.row(r)));
  }
  return Json::Object{{"before", rows_json(before, values)},
                      {"after", rows_json(after, values)},
                      {"degrees", degrees}};
}

Json scores_json(const Trace& trace) {
  const TracedScores& s = trace.scores;
  return Json::Object{{"layer", trace.layer},
                      {"scale", s.scale},
                      {"content", matrix_json(s.content)},
                      {"relative_keys", matrix_json(s.keys)},
                      {"relative_queries", matrix_json(s.queries)},
                      {"bias", matrix_json(s.bias)},
                      {"weights", matrix_json(s.weights)}};
}

// --- text

class Printer {
 public:
  Printer(const TraceReport& report, const TraceDetail& detail)
      : report_(report), trace_(report.trace), detail_(detail), last_(trace_.ids.size() - 1) {
    for (size_t t = 0; t <= last_; ++t) width_ = std::max(width_, count_characters(quoted(t)));
  }

  // Shows all from the text to the residual stream before the first block.
  void input() const {
    std::printf("model     %s\n          %s\ntext      %s\ntokens    [1, %zu]\nposition  %s\n",
                report_.model.c_str(), config_text(report_.config).c_str(),
                quote(report_.text).c_str(), trace_.ids.size(), report_.config.position.c_str());
    heading("rows of model.embed_tokens.weight " + shape_string(trace_.table_shape) + ": " +
            shape_string(trace_.rows.shape));
    std::printf("   t %s     id     |x|  first values\n", padded("token", width_).c_str());
    each_token([&](size_t t) {
      std::printf(" %6d", trace_.ids[t]);
      vector(trace_.rows.row(static_cast<int64_t>(t)));
    });
    heading("embedding_scale: times " + significant(trace_.embedding_scale, 6));
    if (trace_.added.is_zero()) {
      heading("position, on the embedding: nothing");
    } else {
      vectors("position, on the embedding: adds", trace_.added);
      position_to_token();
    }
    if (trace_.sum == trace_.rows) {
      heading("sum: the rows as they are");
    } else {
      vectors("sum:", trace_.sum);
    }
    if (!(trace_.input == trace_.sum)) vectors("embedding_norm:", trace_.input);
  }

  void attention() const {
    change("queries", trace_.q_before, trace_.q);
    change("keys", trace_.k_before, trace_.k);
    scores();
  }

  void blocks() const {
    heading("blocks " + shape_string(trace_.output.shape) + ": norms for " + last() +
            ", and means over all tokens");
    std::printf("block       |x|  attention adds  mlp adds   mean |x|  attention adds  mlp adds\n");
    for (size_t l = 0; l < trace_.blocks.size(); ++l) {
      const TracedBlock& block = trace_.blocks[l];
      std::printf("%5zu  %8.3f  %14.3f  %8.3f   %8.3f  %14.3f  %8.3f\n", l, last_norm(block.x),
                  last_norm(block.attention), last_norm(block.mlp), mean_norm(block.x),
                  mean_norm(block.attention), mean_norm(block.mlp));
    }
    std::printf("  end  %8.3f %27s %8.3f\n norm  %8.3f %27s %8.3f\n", last_norm(trace_.output), "",
                mean_norm(trace_.output), last_norm(trace_.normed), "", mean_norm(trace_.normed));
  }

  void next() const {
    heading("next token: logits " + shape_string({1, static_cast<int64_t>(trace_.next.size())}) +
            ", the most likely");
    std::printf("    id   logit  probability  token\n");
    for (size_t i = 0; i < std::min(detail_.top, trace_.next.size()); ++i) {
      const NextToken& token = trace_.next[i];
      std::printf("%6d %7.3f  %11.4f  %s\n", token.id, static_cast<double>(token.logit),
                  static_cast<double>(token.probability),
                  token.text ? quote(*token.text).c_str() : kNoToken);
    }
  }

 private:
  std::string quoted(size_t t) const { return quote(trace_.tokens[t]); }

  std::string last() const {
    return "the last token, " + quoted(last_) + " at " + std::to_string(last_);
  }

  static void heading(const std::string& text) { std::printf("\n%s\n", text.c_str()); }

  // x [1,T,C]
  void vectors(const std::string& title, const TracedTensor& x) const {
    heading(title + " " + shape_string(x.shape));
    std::printf("   t %s     |x|  first values\n", padded("token", width_).c_str());
    each_token([&](size_t t) { vector(x.row(static_cast<int64_t>(t))); });
  }

  // x [1,T,heads,D]
  void change(const std::string& name, const TracedTensor& before,
              const TracedTensor& after) const {
    const std::string title =
        "position, on the " + name + " of " + layer() + " " + shape_string(after.shape);
    if (before == after) return heading(title + ": nothing");
    // Several query heads may share one of the keys.
    const int64_t heads = after.shape[2];
    const int64_t head = detail_.head * heads / trace_.q.shape[2];
    heading(title + ", head " + std::to_string(head) + ":");
    std::printf("   t %s  before   after  angle  first values before -> after\n",
                padded("token", width_).c_str());
    each_token([&](size_t t) {
      const int64_t row = static_cast<int64_t>(t) * heads + head;
      const Row from = before.row(row), to = after.row(row);
      std::printf(" %7.3f %7.3f %6.1f", norm_of(from), norm_of(to), angle(from, to));
      first_values(from);
      std::printf(" ->");
      first_values(to);
      std::printf("\n");
    });
  }

  // A token that is a tenth of its position is hard to learn from.
  void position_to_token() const {
    constexpr double kDrowns = 10;
    const double ratio = trace_.position_to_token();
    if (ratio < kDrowns) return;
    std::printf(
        "note: the position is %.0f times as long as the token, which drowns in it;\n"
        "      model.embedding_scale = %.1f would make them equal, \"sqrt_hidden_size\" is %.1f\n",
        ratio, ratio * trace_.embedding_scale,
        std::sqrt(static_cast<double>(report_.config.hidden_size)));
  }

  std::string layer() const { return "layer " + std::to_string(trace_.layer); }

  // Whatever term the encoding has is a column.
  void scores() const {
    const TracedScores& s = trace_.scores;
    std::vector<std::pair<const char*, const TracedTensor*>> columns = {{"scaled q.k", &s.content}};
    if (!s.keys.shape.empty()) columns.emplace_back("relative key", &s.keys);
    if (!s.queries.shape.empty()) columns.emplace_back("relative query", &s.queries);
    if (!s.bias.shape.empty()) columns.emplace_back("bias", &s.bias);
    const int64_t heads = s.content.shape[0], time = s.content.shape[1];
    heading("position, on the scores of " + layer() + " " + shape_string({1, heads, time, time}) +
            (columns.size() > 1 ? ", by distance:" : ": nothing"));
    std::printf("q.k is scaled by %s; weight is the softmax of the sum\n",
                significant(s.scale, 6).c_str());
    columns.emplace_back("weight", &s.weights);
    std::printf("head %lld: %s, and each key\n   t %s distance",
                static_cast<long long>(detail_.head), last().c_str(),
                padded("token", width_).c_str());
    for (const auto& [name, term] : columns) std::printf(" %14s", name);
    std::printf("\n");
    each_token([&](size_t t) {
      std::printf(" %8zu", last_ - t);
      for (const auto& [name, term] : columns) {
        std::printf(" %14.4f", static_cast<double>(term->row(detail_.head)[t]));
      }
      std::printf("\n");
    });
    if (!s.bias.shape.empty()) biases();
  }

  template <class PrintRest>
  void each_token(PrintRest&& print_rest) const {
    const size_t count = trace_.ids.size(), left_out = count - std::min(count, 2 * kTokensShown);
    for (size_t t = 0; t < count; ++t) {
      if (left_out > 0 && t == kTokensShown) {
        std::printf("     %zu more\n", left_out);
        t += left_out;
      }
      std::printf("%4zu %s", t, padded(quoted(t), width_).c_str());
      print_rest(t);
    }
  }

  void first_values(Row x) const {
    for (const float value : x.first(std::min(detail_.values, x.size()))) {
      std::printf(" %7.3f", static_cast<double>(value));
    }
  }

  void vector(Row x) const {
    std::printf(" %7.3f ", norm_of(x));
    first_values(x);
    std::printf("\n");
  }

  // The last query's row of [H,T] backwards: by distance.
  void biases() const {
    const TracedTensor& bias = trace_.scores.bias;
    const size_t distances = std::min(trace_.ids.size(), kDistancesShown);
    heading("bias of " + layer() + " by head and distance " + shape_string(bias.shape));
    std::printf("head");
    for (size_t d = 0; d < distances; ++d) std::printf(" %9zu", d);
    std::printf("\n");
    const size_t heads = std::min(static_cast<size_t>(bias.shape[0]), kHeadsShown);
    for (size_t h = 0; h < heads; ++h) {
      std::printf("%4zu", h);
      for (size_t d = 0; d < distances; ++d) {
        std::printf(" %9.4f", static_cast<double>(bias.row(static_cast<int64_t>(h))[last_ - d]));
      }
      std::printf("\n");
    }
  }

  double last_norm(const TracedTensor& x) const { return norm_of(x.row(x.shape[1] - 1)); }
  double mean_norm(const TracedTensor& x) const {
    return x.sum_of_norms() / static_cast<double>(x.shape[1]);
  }

  const TraceReport& report_;
  const Trace& trace_;
  const TraceDetail detail_;
  const size_t last_;
  size_t width_ = 5;  // of the column of tokens
};

}  // namespace

Json to_json(const TraceReport& report, const TraceDetail& detail) {
  const Trace& t = report.trace;
  const size_t values = detail.values;
  Json::Array tokens, blocks, next;
  for (size_t i = 0; i < t.ids.size(); ++i) {
    tokens.push_back(Json::Object{{"id", t.ids[i]}, {"text", valid_utf8(t.tokens[i])}});
  }
  for (const TracedBlock& block : t.blocks) {
    blocks.push_back(Json::Object{{"shape", shape_json(block.x.shape)},
                                  {"x_norms", norms_json(block.x)},
                                  {"attention_norms", norms_json(block.attention)},
                                  {"mlp_norms", norms_json(block.mlp)}});
  }
  for (size_t i = 0; i < std::min(detail.top, t.next.size()); ++i) {
    const NextToken& token = t.next[i];
    next.push_back(Json::Object{{"id", token.id},
                                {"text", token.text ? Json(valid_utf8(*token.text)) : Json()},
                                {"logit", static_cast<double>(token.logit)},
                                {"probability", static_cast<double>(token.probability)}});
  }
  const Json position =
      Json::Object{{"name", report.config.position},
                   {"on_embedding", t.added.is_zero() ? Json() : rows_json(t.added, values)},
                   {"position_to_token", t.position_to_token()},
                   {"on_queries", change_json(t.q_before, t.q, values)},
                   {"on_keys", change_json(t.k_before, t.k, values)},
                   {"on_scores", scores_json(t)}};
  return Json::Object{{"model", report.model},
                      {"text", report.text},
                      {"tokens", tokens},
                      {"table_shape", shape_json(t.table_shape)},
                      {"rows", rows_json(t.rows, values)},
                      {"embedding_scale", t.embedding_scale},
                      {"position", position},
                      {"sum", rows_json(t.sum, values)},
                      {"input", rows_json(t.input, values)},
                      {"blocks", blocks},
                      {"output", rows_json(t.output, values)},
                      {"normed", rows_json(t.normed, values)},
                      {"next", next}};
}

void print(const TraceReport& report, const TraceDetail& detail) {
  const Printer printer(report, detail);
  printer.input();
  printer.attention();
  printer.blocks();
  printer.next();
}

}  // namespace cria
