#include "report/charts.h"

#include <algorithm>
#include <array>

#include "report/chart_frame.h"

namespace cria {
namespace {

constexpr double kRowHeight = 22;

template <class Row>
std::vector<std::string> labels_of(const std::vector<Row>& rows) {
  std::vector<std::string> labels;
  for (const Row& row : rows) labels.push_back(row.label);
  return labels;
}

// The rectangle of a chart with a row for each label, and the size of the whole.
Rectangle rows_plot(const std::vector<std::string>& labels, double below, Size& size) {
  const double left = label_room(labels);
  size.height = static_cast<double>(labels.size()) * kRowHeight + 10 + below;
  return {
      .left = left, .top = 8, .width = size.width - left - 20, .height = size.height - 10 - below};
}

// Cividis, which is read the same without red and green: a few of its colours, dark to light.
constexpr std::array<std::array<int, 3>, 9> kCividis = {{{0, 34, 78},
                                                         {29, 57, 109},
                                                         {66, 78, 108},
                                                         {95, 99, 110},
                                                         {124, 123, 120},
                                                         {154, 148, 118},
                                                         {187, 175, 108},
                                                         {221, 204, 90},
                                                         {254, 232, 56}}};
constexpr int kLevels = 24;

std::string level_color(int level) {
  const double place = level * (kCividis.size() - 1.0) / (kLevels - 1);
  const size_t from = std::min(static_cast<size_t>(place), kCividis.size() - 2);
  const double share = place - static_cast<double>(from);
  constexpr char kHex[] = "0123456789abcdef";
  std::string color = "#";
  for (size_t channel = 0; channel < 3; ++channel) {
    const double value =
        (1 - share) * kCividis[from][channel] + share * kCividis[from + 1][channel];
    const auto byte = static_cast<unsigned>(std::lround(value));
    color += {kHex[byte >> 4], kHex[byte & 15]};
  }
  return color;
}

std::string cell_path(double x, double y, double width, double height) {
  const std::string w = coordinate_text(width);
  return "M" + path_point(x, y) + "h" + w + "v" + coordinate_text(height) + "h-" + w + "z";
}

// Cells of a row, each 1 x 1, as lines as long as neighbours have one level; -1: no cell.
void add_cells(std::array<std::string, kLevels>& cells, size_t row,
               const std::vector<long>& levels) {
  for (size_t begin = 0, end = 0; begin < levels.size(); begin = end) {
    while (end < levels.size() && levels[end] == levels[begin]) ++end;
    if (levels[begin] < 0) continue;
    cells[static_cast<size_t>(levels[begin])] += "M" + std::to_string(begin) + " " +
                                                 std::to_string(row) + ".5h" +
                                                 std::to_string(end - begin);
  }
}

// Where columns are narrower than text, not each has a label.
void draw_column_labels(Markup& svg, const Rectangle& plot, const HeatMap& map, double below) {
  const double width = plot.width / static_cast<double>(map.columns.size());
  double widest = kRowOfText;
  for (const std::string& column : map.columns) {
    if (!map.upright) widest = std::max(widest, (text_width(column) + 1) * kFontSize);
  }
  const auto every = static_cast<size_t>(std::ceil(widest / width));
  const double bottom = plot.top + plot.height;
  if (map.upright) {
    svg.open("g", {{"transform", "rotate(-90)"}});
    for (size_t column = 0; column < map.columns.size(); column += every) {
      draw_text(svg, -bottom - 6, plot.left + (static_cast<double>(column) + 0.5) * width + 4,
                "end", fitted(map.columns[column], (below - 24) / kFontSize));
    }
    svg.close();
  } else {
    for (size_t column = 0; column < map.columns.size(); column += every) {
      draw_text(svg, plot.left + (static_cast<double>(column) + 0.5) * width, bottom + 15, "middle",
                map.columns[column]);
    }
  }
  draw_text(svg, plot.left + plot.width / 2, bottom + below - 7, "middle", map.x);
}

// From low to high, with the numbers at its ends.
void draw_color_bar(Markup& svg, double right, double top, const Scale& scale) {
  const std::string high = number_text(scale.high, 3);
  const double width = 4, end = right - text_width(high) * kFontSize - 4;
  draw_text(svg, right, top + 10, "end", high);
  for (int level = 0; level < kLevels; ++level) {
    svg.empty("path", {{"fill", level_color(level)},
                       {"d", cell_path(end - (kLevels - level) * width, top, width + 0.3, 10)}});
  }
  draw_text(svg, end - kLevels * width - 4, top + 10, "end", number_text(scale.low, 3));
}

}  // namespace

Figure bar_chart(const std::string& title, const std::string& note, const std::string& axis,
                 const std::vector<Bar>& bars) {
  Figure figure = {.title = title, .note = note, .numbers = {{"", axis}}};
  Size size;
  const Rectangle plot = rows_plot(labels_of(bars), 36, size);
  Markup svg = begin_chart(size, title, "bars");
  std::vector<double> values = {0};
  for (const Bar& bar : bars) values.push_back(bar.value);
  const Scale scale = scale_for({&values}, false, 5, true);
  draw_x_axis(svg, plot, scale, axis);
  draw_row_labels(svg, plot, labels_of(bars));
  for (size_t i = 0; i < bars.size(); ++i) {
    const Bar& bar = bars[i];
    figure.numbers.rows.push_back({bar.label, number_text(bar.value)});
    if (!std::isfinite(bar.value)) continue;
    svg.empty("path",
              {{"class", "fill " + color_class(bar.color)},
               {"d", cell_path(plot.left, plot.top + static_cast<double>(i) * kRowHeight + 3,
                               scale.at(bar.value) * plot.width, kRowHeight - 6)}});
  }
  figure.svg = svg.take();
  return figure;
}

Figure heat_map(const HeatMap& map) {
  Figure figure = {.title = map.title,
                   .note = map.note,
                   .numbers = {{map.x}},
                   .is_small = map.size.width < Size().width};
  for (const std::string& column : map.columns) figure.numbers.headings.push_back(column);
  const double left = label_room(map.rows);
  const double below = map.upright ? label_room(map.columns) + 16 : 38;
  const Rectangle plot = {.left = left,
                          .top = 36,
                          .width = map.size.width - left - 20,
                          .height = map.size.height - 36 - below};
  Markup svg = begin_chart(map.size, map.title, "cells");
  std::vector<const std::vector<double>*> numbers = {&map.reach};
  for (const std::vector<double>& row : map.values) numbers.push_back(&row);
  const Scale scale = scale_for(numbers, map.logarithmic, 5, false);
  draw_text(svg, 4, 12, "start", fitted(map.unit, map.size.width / kFontSize));
  draw_color_bar(svg, plot.left + plot.width, 18, scale);
  draw_row_labels(svg, plot, map.rows);
  const double width = plot.width / static_cast<double>(map.columns.size());
  const double height = plot.height / static_cast<double>(map.rows.size());
  std::array<std::string, kLevels> cells;
  for (size_t row = 0; row < map.rows.size(); ++row) {
    std::vector<std::string> texts = {map.rows[row]};
    std::vector<long> levels;
    for (const double value : map.values[row]) {
      const bool is_shown = std::isfinite(value) && !(scale.logarithmic && value <= 0);
      texts.push_back(std::isnan(value) ? "" : number_text(value, map.digits));
      levels.push_back(is_shown ? std::lround(std::clamp(scale.at(value), 0.0, 1.0) * (kLevels - 1))
                                : -1);
    }
    add_cells(cells, row, levels);
    figure.numbers.rows.push_back(std::move(texts));
  }
  // Edges between cells would shine through if they were smoothed.
  svg.open("g", {{"transform", "translate(" + path_point(plot.left, plot.top) + ") scale(" +
                                   path_point(width, height) + ")"},
                 {"shape-rendering", "crispEdges"},
                 {"data-box",
                  path_point(plot.left, plot.top) + "," + path_point(plot.width, plot.height)}});
  for (int level = 0; level < kLevels; ++level) {
    const std::string& path = cells[static_cast<size_t>(level)];
    if (!path.empty()) svg.empty("path", {{"stroke", level_color(level)}, {"d", path}});
  }
  svg.close();
  draw_column_labels(svg, plot, map, below);
  figure.svg = svg.take();
  return figure;
}

Figure scatter(const Scatter& chart) {
  const bool is_map = chart.x.label.empty() && chart.y.label.empty();
  Figure figure = {.title = chart.title,
                   .note = chart.note,
                   .numbers = {{"", is_map ? "x" : chart.x.label, is_map ? "y" : chart.y.label}},
                   .legend = chart.legend,
                   .is_small = chart.size.width < Size().width};
  const Rectangle plot = is_map ? Rectangle{8, 4, chart.size.width - 16, chart.size.height - 8}
                                : Rectangle{48, 24, chart.size.width - 64, chart.size.height - 62};
  Markup svg = begin_chart(chart.size, chart.title, "points");
  std::vector<double> xs, ys;
  for (const Point& point : chart.points) {
    xs.push_back(point.x);
    ys.push_back(point.y);
  }
  const Scale across = scale_for({&xs, &chart.x_reach}, chart.x.logarithmic, 5, !is_map);
  const Scale up = scale_for({&ys, &chart.y_reach}, chart.y.logarithmic, 5, !is_map);
  if (!is_map) {
    draw_x_axis(svg, plot, across, chart.x.label);
    draw_y_axis(svg, plot, up, chart.y.label);
  }
  const auto place = [&](const Point& point) {
    return std::array{plot.left + across.at(point.x) * plot.width,
                      plot.top + (1 - up.at(point.y)) * plot.height};
  };
  for (const Point& point : chart.points) {
    figure.numbers.rows.push_back({point.label, number_text(point.x, 3), number_text(point.y, 3)});
    const auto [x, y] = place(point);
    if (!std::isfinite(x) || !std::isfinite(y)) continue;
    svg.empty("path", {{"class", "mark dots " + color_class(point.color)},
                       {"data-row", std::to_string(figure.numbers.rows.size())},
                       {"d", "M" + path_point(x, y) + "h0"}});
  }
  std::vector<Rectangle> taken;
  for (const Point& point : chart.points) {
    const auto [x, y] = place(point);
    const Rectangle box = {.left = x - 1,
                           .top = y - kFontSize,
                           .width = text_width(point.label) * kFontSize + 8,
                           .height = kFontSize};
    const bool is_free = std::ranges::none_of(taken, [&](const Rectangle& other) {
      return box.left < other.left + other.width && other.left < box.left + box.width &&
             box.top < other.top + other.height && other.top < box.top + box.height;
    });
    if (!is_free || !(box.left + box.width <= chart.size.width) || !(box.top >= 0)) continue;
    taken.push_back(box);
    draw_text(svg, x + 5, y - 1, "start", point.label);
  }
  figure.svg = svg.take();
  return figure;
}

Figure forest_plot(const std::string& title, const std::string& note, const std::string& axis,
                   const std::vector<Interval>& rows) {
  Figure figure = {.title = title, .note = note, .numbers = {{"", axis, "+-"}}};
  Size size;
  const Rectangle plot = rows_plot(labels_of(rows), 36, size);
  Markup svg = begin_chart(size, title, "intervals");
  std::vector<double> ends = {0};
  for (const Interval& row : rows) {
    for (const double end : {row.value, row.value - row.half_width, row.value + row.half_width}) {
      ends.push_back(end);
    }
  }
  const Scale scale = scale_for({&ends}, false, 5, true);
  const auto place = [&](double value) {
    return plot.left + std::clamp(scale.at(value), 0.0, 1.0) * plot.width;
  };
  draw_x_axis(svg, plot, scale, axis);
  svg.empty("path",
            {{"class", "zero"},
             {"d", "M" + path_point(place(0), plot.top) + "v" + coordinate_text(plot.height)}});
  draw_row_labels(svg, plot, labels_of(rows));
  for (size_t i = 0; i < rows.size(); ++i) {
    const Interval& row = rows[i];
    figure.numbers.rows.push_back(
        {row.label, number_text(row.value),
         std::isfinite(row.half_width) ? number_text(row.half_width) : "unknown"});
    if (!std::isfinite(row.value)) continue;
    const double y = plot.top + (static_cast<double>(i) + 0.5) * kRowHeight;
    svg.open("g", {{"class", "line " + color_class(row.color)}});
    if (std::isfinite(row.half_width)) {
      svg.empty("path", {{"class", "whisker"},
                         {"d", "M" + path_point(place(row.value - row.half_width), y) + "H" +
                                   coordinate_text(place(row.value + row.half_width))}});
    }
    svg.empty("path", {{"class", "dots"}, {"d", "M" + path_point(place(row.value), y) + "h0"}});
    svg.close();
  }
  figure.svg = svg.take();
  return figure;
}

}  // namespace cria
