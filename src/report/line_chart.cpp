#include <algorithm>
#include <cmath>

#include "base/number.h"
#include "report/chart_frame.h"

namespace cria {
namespace {

constexpr int kXTicks = 5, kYTicks = 5;

// Lines of numbers share a table: a row for each of a few places, a column for each line.
Table sampled(const LineChart& chart, const Scale& x) {
  constexpr int kRows = 12;
  Table table;
  table.headings.push_back(chart.x.front().label);
  for (const Line& line : chart.lines) table.headings.push_back(line.name);
  for (int row = 0; row <= kRows; ++row) {
    const double share = row / static_cast<double>(kRows);
    const double at =
        x.logarithmic ? x.low * std::pow(x.high / x.low, share) : x.low + share * (x.high - x.low);
    std::vector<std::string> cells = {number_text(at)};
    for (const Line& line : chart.lines) {
      const std::vector<double>& places = line.x.front();
      const auto next = std::ranges::upper_bound(places, at * (1 + 1e-9));
      const bool is_outside = next == places.begin() || at > places.back() * (1 + 1e-9);
      cells.push_back(
          is_outside ? "" : number_text(line.y[static_cast<size_t>(next - places.begin()) - 1]));
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

class LineDrawing {
 public:
  explicit LineDrawing(const LineChart& chart)
      : chart_(chart),
        plot_{.left = 48,
              .top = 24,
              .width = chart.size.width - 64,
              .height = chart.size.height - 62},
        svg_(begin_chart(chart.size, chart.title, "lines")) {
    for (size_t k = 0; k < chart.x.size(); ++k) x_.push_back(x_scale(k));
    for (size_t k = 0; k < chart.y.size(); ++k) y_.push_back(y_scale(k));
  }

  Figure figure() {
    for (size_t k = 0; k < x_.size(); ++k) draw_x_axis(svg_, plot_, x_[k], chart_.x[k].label, k);
    for (size_t k = 0; k < y_.size(); ++k) draw_y_axis(svg_, plot_, y_[k], chart_.y[k].label, k);
    // A picture in the picture, so that lines end at its edge.
    svg_.open("svg", {{"class", "plot"},
                      {"x", coordinate_text(plot_.left)},
                      {"y", coordinate_text(plot_.top)},
                      {"width", coordinate_text(plot_.width)},
                      {"height", coordinate_text(plot_.height)},
                      {"data-x", ends(x_)},
                      {"data-y", ends(y_)}});
    for (const Line& line : chart_.lines) draw(line);
    svg_.close();
    Figure figure = {.title = chart_.title,
                     .note = chart_.note,
                     .svg = svg_.take(),
                     .numbers = sampled(chart_, x_.front()),
                     .is_small = chart_.size.width < Size().width};
    for (const Line& line : chart_.lines) {
      figure.legend.push_back({line.name, color_class(line.color, line.dashed)});
    }
    if (x_.size() > 1) {
      for (const Axis& axis : chart_.x) figure.x.push_back(axis.label);
    }
    if (y_.size() > 1) {
      for (const Axis& axis : chart_.y) figure.y.push_back(axis.label);
    }
    return figure;
  }

 private:
  Scale x_scale(size_t axis) const {
    std::vector<const std::vector<double>*> numbers;
    for (const Line& line : chart_.lines) numbers.push_back(&line.x[axis]);
    return scale_for(numbers, chart_.x[axis].logarithmic, kXTicks, false);
  }

  Scale y_scale(size_t axis) const {
    std::vector<std::vector<double>> shown;
    for (const Line& line : chart_.lines) {
      for (const std::vector<double>* const all : {&line.y, &line.low, &line.high}) {
        shown.push_back(*all);
        for (double& value : shown.back()) {
          value = std::min(value, chart_.highest) * factor(line, axis);
        }
      }
    }
    std::vector<const std::vector<double>*> numbers;
    for (const std::vector<double>& each : shown) numbers.push_back(&each);
    return scale_for(numbers, chart_.y[axis].logarithmic, kYTicks, true);
  }

  static double factor(const Line& line, size_t axis) {
    return axis == 0 || line.factors.size() < axis ? 1 : line.factors[axis - 1];
  }

  // "0,2000;0,1.5e6": for the script that shows the numbers under the pointer.
  static std::string ends(const std::vector<Scale>& scales) {
    std::string text;
    for (const Scale& scale : scales) {
      text += (text.empty() ? "" : ";") + shortest_double(scale.low) + "," +
              shortest_double(scale.high) + (scale.logarithmic ? ",log" : "");
    }
    return text;
  }

  double x_at(const Line& line, size_t axis, size_t i) const {
    return x_[axis].at(line.x[axis][i]) * plot_.width;
  }
  bool is_shown(const Line& line, size_t i) const {
    const auto fits = [](const Scale& scale, double value) {
      return std::isfinite(value) && (!scale.logarithmic || value > 0);
    };
    return fits(x_[0], line.x[0][i]) && fits(y_[0], line.y[i]);
  }

  // A point far above would be a large number for nothing.
  double y_at(double value) const {
    const double least = y_[0].logarithmic ? std::max(value, y_[0].low / 2) : value;
    return std::clamp(1 - y_[0].at(least), -0.5, 1.5) * plot_.height;
  }

  void draw(const Line& line) {
    std::string points, above, below, dots, places;
    for (size_t axis = 1; axis < x_.size(); ++axis) {
      for (size_t i = 0, first = 1; i < line.y.size(); ++i) {
        if (!is_shown(line, i)) continue;
        places += (first ? axis == 1 ? "" : ";" : ",") + coordinate_text(x_at(line, axis, i));
        first = 0;
      }
    }
    for (size_t i = 0; i < line.y.size(); ++i) {
      if (!is_shown(line, i)) continue;
      const double x = x_at(line, 0, i);
      const std::string point = path_point(x, y_at(line.y[i]));
      points += (points.empty() ? "M" : " ") + point;
      if (line.marked) dots += "M" + point + "h0";
      if (line.low.empty()) continue;
      above += (above.empty() ? "M" : " ") + path_point(x, y_at(line.high[i]));
      below = " " + path_point(x, y_at(line.low[i])) + below;
    }
    std::string factors;
    for (const double each : line.factors) {
      factors += (factors.empty() ? "" : ",") + shortest_double(each);
    }
    svg_.open("g", {{"class", "line " + color_class(line.color, line.dashed)},
                    {"data-name", line.name},
                    {"data-x", places},
                    {"data-y", factors}});
    if (!above.empty()) svg_.empty("path", {{"class", "band"}, {"d", above + below + "Z"}});
    if (!points.empty()) svg_.empty("path", {{"class", "curve"}, {"d", points}});
    if (!dots.empty()) svg_.empty("path", {{"class", "dots"}, {"d", dots}});
    svg_.close();
  }

  const LineChart& chart_;
  Rectangle plot_;
  Markup svg_;
  std::vector<Scale> x_, y_;
};

}  // namespace

Figure line_chart(const LineChart& chart) {
  return LineDrawing(chart).figure();
}

}  // namespace cria
