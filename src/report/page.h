// A page of charts, tables and sentences as one HTML file, which needs no network and no script:
// script adds numbers under the pointer, axes to choose from, lines to hide, and the other theme.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "report/charts.h"

namespace cria {

// The colours of Okabe and Ito, which the colour-blind can tell apart, some darker or lighter: each
// has a contrast of at least 3 on the background of its theme, texts of at least 4.5.
struct Theme {
  const char *background, *card, *text, *quiet_text, *grid;
  std::array<const char*, kPaletteSize> palette;
};
inline constexpr Theme kLightTheme = {
    "#f6f7f9", "#ffffff",
    "#1a1d21", "#555d66",
    "#dfe3e8", {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#a87400", "#2f8fc4", "#5a5a5a"}};
inline constexpr Theme kDarkTheme = {
    "#14161a", "#1b1e24",
    "#e8eaed", "#a8b0ba",
    "#363b44", {"#3f97d6", "#e8702a", "#00b386", "#d68cb5", "#e6c000", "#8fd0f5", "#b9bec6"}};

// Text of a file within a sentence or a cell: its direction does not reach what is around it.
std::string isolated(std::string_view text);

// Behind text, as strong as kShades allow.
inline constexpr double kStrongestShade = 0.56;  // its opacity
inline constexpr std::array kShadeColor = {213, 94, 0};

// A token in its text, with a number below it.
struct ShadedToken {
  std::string text, below;
  int shade;  // 0 to kShades
};

class Page {
 public:
  // verdict: what all of it says, in a sentence or a few.
  Page(const std::string& title, const std::vector<std::string>& verdict);

  void heading(const std::string& text);
  void paragraph(const std::string& text) { html_.element("p", {}, text); }
  void table(const std::string& caption, const Table& table);
  void figures(const std::vector<Figure>& figures);  // side by side where there is room
  void preformatted(const std::string& caption, std::string_view text);
  void shaded_text(const std::string& caption, const std::vector<ShadedToken>& tokens,
                   const Table& numbers);
  std::string take();

 private:
  void rows(const Table& table, const std::string& caption);
  void numbers(const Table& table, const std::string& caption, bool is_open = false);
  void figure(const Figure& figure);

  Markup html_;
};

}  // namespace cria
