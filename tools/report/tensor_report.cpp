#include "report/tensor_report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "base/unicode.h"
#include "cria/tensor/tensor.h"
#include "report/report_text.h"

namespace cria {
namespace {

constexpr int kNumberWidth = 11;  // "-1.2346e-05"
constexpr size_t kRowWidth = 8;
constexpr size_t kTokenWidth = 16;

std::string number_text(double value) {
  return significant(value, 5);
}

std::string token_text(const Tokenizer* tokenizer, int64_t row) {
  const std::optional<std::string_view> token = token_of(tokenizer, static_cast<int32_t>(row));
  return token ? shortened(quote(*token), kTokenWidth) : "-";
}

// The window's part of a row.
std::vector<float> numbers_of(const TensorWindow& window, int64_t row, const Range& columns) {
  std::vector<float> numbers(static_cast<size_t>(columns.size()));
  const int64_t first = row * matrix_columns(window.tensor) + columns.begin;
  if (!numbers.empty()) window.tensor.read(first, columns.size(), numbers.data());
  return numbers;
}

void print_tensor(const FileTensor& tensor) {
  std::printf("tensor     %s\n           %s %s\n", escape(tensor.name, "").c_str(),
              shape_string(tensor.shape).c_str(), tensor.dtype.c_str());
}

}  // namespace

int64_t matrix_rows(const FileTensor& tensor) {
  return tensor.shape.size() == 1 ? tensor.shape[0] : row_count(tensor.shape);
}

int64_t matrix_columns(const FileTensor& tensor) {
  return tensor.shape.size() == 1 ? 1 : row_size(tensor.shape);
}

int64_t columns_that_fit(bool with_tokens) {
  const size_t labels = kRowWidth + (with_tokens ? 2 + kTokenWidth : 0);
  const size_t width = report_width();
  return width < labels
             ? 1
             : std::max<int64_t>(1, static_cast<int64_t>(width - labels) / (kNumberWidth + 1));
}

Json to_json(const TensorWindow& window) {
  Json::Array rows;
  for (int64_t row = window.rows.begin; row < window.rows.end; ++row) {
    const std::vector<float> values = numbers_of(window, row, window.columns);
    Json json = Json::Object{{"row", row}};
    if (window.tokenizer) json.set("token", token_json(window.tokenizer, row));
    json.set("values", numbers_json(values));
    rows.push_back(json);
  }
  Json json = tensor_json(window.tensor);
  json.set("columns", Json::Array{window.columns.begin, window.columns.end});
  json.set("rows", rows);
  return json;
}

void print(const TensorWindow& window) {
  print_tensor(window.tensor);
  const int64_t step = columns_that_fit(window.tokenizer);
  for (int64_t begin = window.columns.begin; begin < window.columns.end; begin += step) {
    const Range columns = {begin, std::min(begin + step, window.columns.end)};
    std::printf("\n%8s", "row");
    if (window.tokenizer) std::printf("  %s", padded("token", kTokenWidth).c_str());
    for (int64_t column = columns.begin; column < columns.end; ++column) {
      std::printf(" %*lld", kNumberWidth, static_cast<long long>(column));
    }
    std::printf("\n");
    for (int64_t row = window.rows.begin; row < window.rows.end; ++row) {
      std::printf("%8lld", static_cast<long long>(row));
      if (window.tokenizer) {
        std::printf("  %s", padded(token_text(window.tokenizer, row), kTokenWidth).c_str());
      }
      for (const float value : numbers_of(window, row, columns)) {
        std::printf(" %*s", kNumberWidth, number_text(static_cast<double>(value)).c_str());
      }
      std::printf("\n");
    }
  }
}

Json to_json(const Tokenizer* tokenizer, int32_t id, const std::vector<NeighborList>& lists) {
  Json::Array all;
  for (const NeighborList& list : lists) {
    Json::Array rows;
    for (const NearRow& near : list.rows) {
      rows.push_back(Json::Object{
          {"id", near.row}, {"text", token_json(tokenizer, near.row)}, {"cosine", near.cosine}});
    }
    all.push_back(Json::Object{{"tensor", list.table}, {"nearest", rows}});
  }
  return Json::Object{{"id", id}, {"text", token_json(tokenizer, id)}, {"neighbors", all}};
}

void print(const Tokenizer* tokenizer, int32_t id, const std::vector<NeighborList>& lists) {
  std::printf("token      %d  %s\n", id, quoted_token(tokenizer, id).c_str());
  for (const NeighborList& list : lists) {
    std::printf("\nnearest in %s\n    id   cosine  token\n", list.table.c_str());
    for (const NearRow& near : list.rows) {
      std::printf("%6lld  %7.4f  %s\n", static_cast<long long>(near.row), near.cosine,
                  quoted_token(tokenizer, static_cast<int32_t>(near.row)).c_str());
    }
  }
}

Json to_json(const FileTensor& tensor, const TensorStatistics& statistics,
             const Histogram& histogram) {
  Json json = tensor_json(tensor);
  json.set("statistics", statistics_json(statistics));
  json.set("histogram", histogram_json(histogram));
  return json;
}

void print(const FileTensor& tensor, const TensorStatistics& s, const Histogram& histogram) {
  print_tensor(tensor);
  if (s.finite > 0) {
    std::printf("           mean %s, std %s, min %s, max %s, norm %s\n",
                significant(s.mean, 3).c_str(), significant(s.std, 3).c_str(),
                significant(s.min, 3).c_str(), significant(s.max, 3).c_str(),
                significant(s.norm, 3).c_str());
  }
  std::printf("           %lld numbers: %lld zero, %lld NaN, %lld infinite\n\n",
              static_cast<long long>(s.count()), static_cast<long long>(s.zeros),
              static_cast<long long>(s.nans), static_cast<long long>(s.infinities));
  std::vector<BarRow> rows;
  const size_t bins = histogram.counts.size();
  const double width = (histogram.high - histogram.low) / static_cast<double>(bins);
  if (histogram.below > 0) rows.push_back({"below", histogram.below});
  for (size_t i = 0; i < bins; ++i) {
    const double from = histogram.low + width * static_cast<double>(i);
    rows.push_back({significant(from, 4), histogram.counts[i]});
  }
  if (histogram.above > 0) {
    rows.push_back({"above " + significant(histogram.high, 4), histogram.above});
  }
  print_bars(rows);
}

// --- pieces

std::string sparkline(const Histogram& histogram) {
  static constexpr std::array<const char*, 8> kHeights = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  std::vector<int64_t> counts = histogram.counts;
  if (counts.empty()) return "";
  counts.front() += histogram.below;
  counts.back() += histogram.above;
  const int64_t largest = std::max<int64_t>(1, *std::ranges::max_element(counts));
  std::string text;
  for (const int64_t count : counts) {
    // Anything at all is seen.
    const double height = static_cast<double>(count) / static_cast<double>(largest) * 7;
    text += count == 0 ? " " : kHeights[static_cast<size_t>(std::lround(height))];
  }
  return text;
}

Json tensor_json(const FileTensor& tensor) {
  return Json::Object{{"name", tensor.name},
                      {"shape", shape_json(tensor.shape)},
                      {"dtype", tensor.dtype},
                      {"bytes", tensor.bytes.size()}};
}

Json statistics_json(const TensorStatistics& s) {
  const auto known = [&](double value) { return s.finite > 0 ? Json(value) : Json(); };
  return Json::Object{{"count", s.count()},  {"mean", known(s.mean)}, {"std", known(s.std)},
                      {"min", known(s.min)}, {"max", known(s.max)},   {"norm", known(s.norm)},
                      {"zeros", s.zeros},    {"nan", s.nans},         {"infinite", s.infinities}};
}

Json histogram_json(const Histogram& histogram) {
  return Json::Object{{"low", histogram.low},
                      {"high", histogram.high},
                      {"below", histogram.below},
                      {"above", histogram.above},
                      {"counts", Json::Array(histogram.counts.begin(), histogram.counts.end())}};
}

}  // namespace cria
