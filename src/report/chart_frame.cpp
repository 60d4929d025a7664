#include "report/chart_frame.h"

#include <algorithm>

namespace cria {
namespace {

// The group of an axis; script shows another one in its place.
void open_axis(Markup& svg, const char* kind, size_t index) {
  const std::string name = "axis " + std::string(kind) + std::to_string(index);
  if (index == 0) {
    svg.open("g", {{"class", name}});
  } else {
    svg.open("g", {{"class", name}, {"display", "none"}});
  }
}

void draw_grid_line(Markup& svg, double x, double y, const std::string& rest) {
  svg.empty("path", {{"class", "grid"}, {"d", "M" + path_point(x, y) + rest}});
}

}  // namespace

std::string color_class(size_t color, bool dashed) {
  const std::string name = "c" + std::to_string(color % kPaletteSize);
  return dashed != (color / kPaletteSize % 2 == 1) ? name + " dashed" : name;
}

std::string path_point(double x, double y) {
  return coordinate_text(x) + "," + coordinate_text(y);
}

Markup begin_chart(const Size& size, const std::string& title, const std::string& kind) {
  Markup svg;
  svg.open("svg",
           {{"xmlns", "http://www.w3.org/2000/svg"},
            {"class", "chart " + kind},
            {"viewBox", "0 0 " + coordinate_text(size.width) + " " + coordinate_text(size.height)},
            {"role", "img"},
            {"aria-label", title},
            {"font-size", coordinate_text(kFontSize)},
            {"font-family", "system-ui, sans-serif"}});
  return svg;
}

void draw_text(Markup& svg, double x, double y, const char* anchor, std::string_view text) {
  svg.element("text",
              {{"x", coordinate_text(x)}, {"y", coordinate_text(y)}, {"text-anchor", anchor}},
              text);
}

void draw_x_axis(Markup& svg, const Rectangle& plot, const Scale& scale, const std::string& label,
                 size_t index) {
  open_axis(svg, "x", index);
  const double bottom = plot.top + plot.height;
  for (const double tick : scale.ticks) {
    const double x = plot.left + scale.at(tick) * plot.width;
    draw_grid_line(svg, x, plot.top, "v" + coordinate_text(plot.height + 3));
    draw_text(svg, x, bottom + 15, "middle", number_text(tick));
  }
  draw_text(svg, plot.left + plot.width / 2, bottom + 31, "middle",
            fitted(label, (plot.left + plot.width) / kFontSize));
  svg.close();
}

void draw_y_axis(Markup& svg, const Rectangle& plot, const Scale& scale, const std::string& label,
                 size_t index) {
  open_axis(svg, "y", index);
  for (const double tick : scale.ticks) {
    const double y = plot.top + (1 - scale.at(tick)) * plot.height;
    draw_grid_line(svg, plot.left - 3, y, "h" + coordinate_text(plot.width + 3));
    draw_text(svg, plot.left - 6, y + 4, "end", number_text(tick));
  }
  draw_text(svg, 4, 12, "start", fitted(label, (plot.left + plot.width) / kFontSize));
  svg.close();
}

double label_room(const std::vector<std::string>& labels) {
  double width = 0;
  for (const std::string& label : labels) width = std::max(width, text_width(label));
  return std::clamp(width * kFontSize, 20.0, 150.0) + 8;
}

void draw_row_labels(Markup& svg, const Rectangle& plot, const std::vector<std::string>& labels) {
  const double height = plot.height / static_cast<double>(labels.size());
  // Where rows are lower than text, not each has a label.
  const auto every = static_cast<size_t>(std::ceil(kRowOfText / height));
  for (size_t row = 0; row < labels.size(); row += every) {
    draw_text(svg, plot.left - 6, plot.top + (static_cast<double>(row) + 0.5) * height + 4, "end",
              fitted(labels[row], (plot.left - 8) / kFontSize));
  }
}

}  // namespace cria
