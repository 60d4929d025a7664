// Every chart: well-formed, the same bytes again, and the numbers where they belong.
#include "report/charts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "report/chart_frame.h"
#include "support/errors.h"
#include "support/well_formed.h"

namespace cria {
namespace {

const std::string kHostile = "<script>x('&\"')</script>\x01\xff";

LineChart two_lines() {
  LineChart chart = {.title = "Loss " + kHostile,
                     .note = "Of two.",
                     .x = {{"steps"}, {"tokens"}},
                     .y = {{"loss"}, {"bits"}},
                     .lines = {}};
  chart.lines = {{.name = "a",
                  .color = 0,
                  .x = {{0, 50, 100}, {0, 500, 1000}},
                  .y = {4, 2, 1},
                  .low = {4, 1, 1},
                  .high = {4, 3, 2},
                  .factors = {1.5}},
                 {.name = kHostile,
                  .color = 8,
                  .marked = true,
                  .x = {{0, 100}, {0, 2000}},
                  .y = {3, 2},
                  .low = {},
                  .high = {},
                  .factors = {1}}};
  return chart;
}

std::vector<std::function<Figure()>> charts() {
  return {
      [] { return line_chart(two_lines()); },
      [] {
        return bar_chart("Bars", "", "seconds", {{kHostile, 3}, {"b", NAN}, {"c", 0}});
      },
      [] {
        return heat_map({.title = "Cells",
                         .note = "",
                         .x = "step",
                         .unit = "norm",
                         .rows = {kHostile, "b"},
                         .columns = {"1", "2", "3"},
                         .values = {{1, 2, NAN}, {3, INFINITY, 1000}},
                         .logarithmic = true});
      },
      [] {
        return scatter({.title = "Points",
                        .note = "",
                        .x = {"x"},
                        .y = {"y"},
                        .points = {{0, 0, kHostile, 0}, {1, 1, "b", 1}, {NAN, 1, "c", 2}}});
      },
      [] {
        return forest_plot("Rows", "", "difference", {{kHostile, 1, 0.5}, {"b", -1, INFINITY}});
      },
  };
}

TEST(Charts, AreWellFormedAndTheSameAgain) {
  for (const std::function<Figure()>& chart : charts()) {
    const Figure figure = chart();
    EXPECT_EQ(MarkupCheck::fault(figure.svg), "") << figure.title;
    EXPECT_EQ(figure.svg.find("nan"), std::string::npos) << figure.svg;
    EXPECT_EQ(figure.svg.find("inf"), std::string::npos) << figure.svg;
    EXPECT_EQ(figure.svg, chart().svg);
  }
}

TEST(Charts, SayEverythingAsATable) {
  for (const std::function<Figure()>& chart : charts()) {
    const Table table = chart().numbers;
    EXPECT_GE(table.rows.size(), 2u);
    for (const auto& row : table.rows) EXPECT_EQ(row.size(), table.headings.size());
  }
  const Table lines = line_chart(two_lines()).numbers;
  EXPECT_EQ(lines.headings, (std::vector<std::string>{"steps", "a", kHostile}));
  EXPECT_EQ(lines.rows.front(), (std::vector<std::string>{"0", "4", "3"}));
  EXPECT_EQ(lines.rows[6], (std::vector<std::string>{"50", "2", "3"}));
  EXPECT_EQ(lines.rows.back(), (std::vector<std::string>{"100", "1", "2"}));
}

TEST(Charts, LinesGoThroughTheirPoints) {
  const Figure figure = line_chart(two_lines());
  // 440 - 64 wide and 270 - 62 high, from 0 to 100 and from 1 to 4.
  EXPECT_TRUE(contains(figure.svg, "class=\"curve\" d=\"M0,0 188,138.67 376,208\"")) << figure.svg;
  EXPECT_TRUE(
      contains(figure.svg, "class=\"band\" d=\"M0,0 188,69.33 376,138.67 376,208 188,208 0,0Z\""));
  EXPECT_TRUE(contains(figure.svg, "class=\"dots\" d=\"M0,69.33h0M376,138.67h0\""));
  EXPECT_TRUE(contains(figure.svg, "data-x=\"0,94,188\" data-y=\"1.5\""));
  EXPECT_TRUE(contains(figure.svg, "data-x=\"0.0,100.0;0.0,2000.0\""));
  EXPECT_EQ(figure.x, (std::vector<std::string>{"steps", "tokens"}));
  EXPECT_EQ(figure.legend[1].color, "c1 dashed");
}

TEST(Charts, LinesLeaveOutWhatIsNotFinite) {
  LineChart chart = {
      .title = "x", .note = "", .x = {{"steps"}}, .y = {{"loss", true}}, .lines = {}};
  chart.lines = {{.name = "a", .x = {{1, 2, 3, 4}}, .y = {10, NAN, 0, 100}, .low = {}, .high = {}}};
  EXPECT_TRUE(contains(line_chart(chart).svg, "d=\"M0,208 376,0\""));
  chart.lines[0].y = {NAN, NAN, NAN, NAN};
  EXPECT_EQ(MarkupCheck::fault(line_chart(chart).svg), "");
}

TEST(Charts, CellsAreLinesOfOneLevel) {
  HeatMap map = {.title = "x",
                 .note = "",
                 .x = "key",
                 .unit = "weight",
                 .rows = {"a", "b"},
                 .columns = {"one", "two", "three"},
                 .values = {{0, 0, 1}, {NAN, 1, NAN}},
                 .upright = true,
                 .digits = 2};
  const Figure figure = heat_map(map);
  EXPECT_TRUE(contains(figure.svg, "<path stroke=\"#00224e\" d=\"M0 0.5h2\"/>")) << figure.svg;
  EXPECT_TRUE(contains(figure.svg, "<path stroke=\"#fee838\" d=\"M2 0.5h1M1 1.5h1\"/>"));
  // 20 + 8 wide on the left, 20 on the right; above 36, below as much as the longest word and 16.
  EXPECT_TRUE(contains(figure.svg, "data-box=\"28,36,392,172.8\"")) << figure.svg;
  EXPECT_EQ(figure.numbers.rows[1], (std::vector<std::string>{"b", "", "1", ""}));
}

TEST(Charts, AMapOfPointsHasNoAxes) {
  const std::vector<Point> points = {{0, 0, "a", 0}, {1, 2, "b", 1}};
  Scatter chart = {.title = "x", .note = "", .x = {""}, .y = {""}, .points = points};
  const Figure map = scatter(chart);
  EXPECT_FALSE(contains(map.svg, "class=\"axis")) << map.svg;
  EXPECT_TRUE(contains(map.svg, "d=\"M432,4h0\"")) << map.svg;
  chart.x_reach = chart.y_reach = {-4, 4};
  EXPECT_TRUE(contains(scatter(chart).svg, "d=\"M273,102h0\"")) << scatter(chart).svg;
}

// Labels of points that would lie on others are left out; the points and the table have them all.
TEST(Charts, LabelsDoNotOverlap) {
  std::vector<Point> points;
  for (int i = 0; i < 30; ++i) points.push_back({i * 0.001, 0, "label", 0});
  points.push_back({1, 1, "far", 0});
  const std::string svg = scatter({"x", "", {"x"}, {"y"}, points}).svg;
  size_t shown = 0, dots = 0;
  for (size_t at = 0; (at = svg.find(">label<", at)) != svg.npos; ++at) ++shown;
  for (size_t at = 0; (at = svg.find("dots c0", at)) != svg.npos; ++at) ++dots;
  EXPECT_EQ(shown, 1u);
  EXPECT_EQ(dots, 31u);
}

TEST(Charts, ColorsBeyondThePaletteAreDashed) {
  EXPECT_EQ(color_class(0), "c0");
  EXPECT_EQ(color_class(6), "c6");
  EXPECT_EQ(color_class(7), "c0 dashed");
  EXPECT_EQ(color_class(7, true), "c0");
  EXPECT_EQ(color_class(1, true), "c1 dashed");
}

}  // namespace
}  // namespace cria
