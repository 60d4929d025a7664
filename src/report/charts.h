// Charts as SVG. Colours, fonts and what the pointer does are the page's, see report/page; without
// it a chart is complete in black. Equal input gives equal bytes.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "report/svg.h"

namespace cria {

struct Table {
  std::vector<std::string> headings;
  std::vector<std::vector<std::string>> rows = {};  // the first cell is the row's heading
  std::vector<std::vector<int>> shades = {};  // of cells [rows][cells], 0 to kShades; empty: none
};
// Behind text: 0 is nothing, the last the strongest that text can be read on.
inline constexpr int kShades = 8;

// Colours are numbers of the page's palette; those beyond it are the same ones, dashed.
inline constexpr size_t kPaletteSize = 7;
std::string color_class(size_t color, bool dashed = false);

struct LegendEntry {
  std::string name;
  std::string color;  // see color_class
};

// A chart as the page shows it.
struct Figure {
  std::string title;  // what to see
  std::string note;   // what it is, in a sentence; may be empty
  std::string svg = {};
  Table numbers = {};                       // what it shows
  std::vector<LegendEntry> legend = {};     // empty: it needs none
  std::vector<std::string> x = {}, y = {};  // axes to choose from, where there are several
  bool is_small = false;                    // several side by side
};

struct Size {
  double width = 440, height = 270;  // text is 12 high
};
inline constexpr Size kSmall = {300, 200};

struct Axis {
  std::string label;  // with its unit
  bool logarithmic = false;
};

struct Line {
  std::string name;
  size_t color = 0;
  bool dashed = false, marked = false;        // marked: a dot at each point
  std::vector<std::vector<double>> x = {{}};  // for each of the chart's axes [points]
  std::vector<double> y = {};                 // on the first axis [points]; not finite: left out
  std::vector<double> low = {}, high = {};    // a band around y [points]; empty: none
  std::vector<double> factors = {};  // y times these is what further axes show; none: y alone

  void add(double across, double up) {  // a point, for a chart of one axis each
    x[0].push_back(across);
    y.push_back(up);
  }
};

struct LineChart {
  std::string title, note = {};
  std::vector<Axis> x, y;  // the first of each is shown; the others only if linear
  std::vector<Line> lines = {};
  Size size = {};
  double highest = INFINITY;  // lines go out of the picture above
};
Figure line_chart(const LineChart& chart);

struct Bar {
  std::string label;
  double value;  // from 0
  size_t color = 0;
};
Figure bar_chart(const std::string& title, const std::string& note, const std::string& axis,
                 const std::vector<Bar>& bars);

struct HeatMap {
  std::string title = {}, note = {};
  std::string x, unit;                               // what columns are, what values are
  std::vector<std::string> rows = {}, columns = {};  // labels
  std::vector<std::vector<double>> values = {};      // [rows][columns]; not finite: no cell
  bool logarithmic = false;
  Size size = {};
  std::vector<double> reach = {};  // numbers that the colours show anyway
  bool upright = false;            // labels of columns, which then are words
  int digits = 4;                  // of a value in the table
};
Figure heat_map(const HeatMap& map);

struct Point {
  double x, y;
  std::string label;  // shown where there is room
  size_t color = 0;
};
struct Scatter {
  std::string title = {}, note = {};
  // Where both have no label, they have no numbers either: near and far is all there is.
  Axis x = {}, y = {};
  std::vector<Point> points = {};
  std::vector<LegendEntry> legend = {};
  Size size = {.width = 440, .height = 400};
  std::vector<double> x_reach = {}, y_reach = {};  // numbers that the axes show anyway
};
Figure scatter(const Scatter& chart);

// A row of a forest plot: a value and the interval around it; without one it is infinite.
struct Interval {
  std::string label;
  double value, half_width;
  size_t color = 0;
};
Figure forest_plot(const std::string& title, const std::string& note, const std::string& axis,
                   const std::vector<Interval>& rows);

}  // namespace cria
