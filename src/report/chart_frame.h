// What the charts of this room are drawn in: a frame with axes around a rectangle.
#pragma once

#include <string>
#include <vector>

#include "report/charts.h"
#include "report/scale.h"

namespace cria {

inline constexpr double kFontSize = 12;
inline constexpr double kRowOfText = 12.6;  // the least height of a row with a label

struct Rectangle {
  double left, top, width, height;
};

// Begins the <svg>; `attributes` more than its size and name.
Markup begin_chart(const Size& size, const std::string& title, const std::string& kind);

// anchor: "start", "middle" or "end".
void draw_text(Markup& svg, double x, double y, const char* anchor, std::string_view text);

// Ticks with their numbers below the rectangle and lines through it, and the label. A hidden axis
// is one to choose: number `index` of them.
void draw_x_axis(Markup& svg, const Rectangle& plot, const Scale& scale, const std::string& label,
                 size_t index = 0);
void draw_y_axis(Markup& svg, const Rectangle& plot, const Scale& scale, const std::string& label,
                 size_t index = 0);

// Of charts with a row for each label: the room that these need on the left, and the labels.
double label_room(const std::vector<std::string>& labels);
void draw_row_labels(Markup& svg, const Rectangle& plot, const std::vector<std::string>& labels);

// "12,34.5 13,36" for the points of a path.
std::string path_point(double x, double y);

}  // namespace cria
