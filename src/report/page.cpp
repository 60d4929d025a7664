#include "report/page.h"

#include <algorithm>

#include "base/replace_all.h"
#include "base/unicode.h"
#include "report/page_parts.h"

namespace cria {
namespace {

std::string variables(const Theme& theme) {
  std::string text = std::string("{--background:") + theme.background + ";--card:" + theme.card +
                     ";--text:" + theme.text + ";--quiet:" + theme.quiet_text +
                     ";--grid:" + theme.grid;
  for (size_t i = 0; i < kPaletteSize; ++i) {
    text += ";--c" + std::to_string(i) + ":" + theme.palette[i];
  }
  return text + "}\n";
}

std::string style() {
  std::string text = ":root" + variables(kLightTheme) + ":root{color-scheme:light dark}\n" +
                     "@media(prefers-color-scheme:dark){:root" + variables(kDarkTheme) + "}\n" +
                     "[data-theme=light]" + variables(kLightTheme) + "[data-theme=dark]" +
                     variables(kDarkTheme) + "@media print{:root" + variables(kLightTheme) + "}\n";
  for (size_t i = 0; i < kPaletteSize; ++i) {
    text += "." + color_class(i) + "{--c:var(--" + color_class(i) + ")}";
  }
  for (int shade = 1; shade <= kShades; ++shade) {
    text += ".s" + std::to_string(shade) + "{background:rgba(";
    for (const int channel : kShadeColor) text += std::to_string(channel) + ",";
    text += coordinate_text(kStrongestShade * shade / kShades) + ")}";
  }
  return text + kStyle;
}

std::string shade_class(int shade) {
  return "s" + std::to_string(shade);
}

constexpr double kShortCell = 9;  // widths of "m"; such headings of rows need no second line
constexpr size_t kLongCell = 40;  // characters, from which a cell has several lines

}  // namespace

std::string isolated(std::string_view text) {
  constexpr std::string_view kFirstStrong = "\u2068", kPop = "\u2069";
  if (std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; })) {
    return std::string(text);
  }
  // Of valid text: bytes around a mark that goes would else make another.
  const std::string inner = replace_all(replace_all(valid_utf8(text), kFirstStrong, ""), kPop, "");
  return std::string(kFirstStrong) + inner + std::string(kPop);
}

Page::Page(const std::string& title, const std::vector<std::string>& verdict) {
  html_.raw("<!DOCTYPE html>\n");
  html_.open("html", {{"lang", "en"}});
  html_.open("head");
  html_.empty("meta", {{"charset", "utf-8"}});
  html_.empty("meta", {{"name", "viewport"}, {"content", "width=device-width, initial-scale=1"}});
  // Nothing may be loaded, whatever the page holds.
  html_.empty("meta", {{"http-equiv", "Content-Security-Policy"},
                       {"content",
                        "default-src 'none'; style-src 'unsafe-inline'; "
                        "script-src 'unsafe-inline'"}});
  html_.element("title", {}, title);
  html_.open("style");
  html_.raw(style());
  html_.close();
  html_.close();
  html_.raw("\n");
  html_.open("body");
  html_.open("header");
  html_.element("h1", {}, title);
  for (const std::string& sentence : verdict) html_.element("p", {{"class", "verdict"}}, sentence);
  html_.close();
  html_.open("main");
}

void Page::heading(const std::string& text) {
  html_.raw("\n");
  html_.element("h2", {}, text);
}

void Page::rows(const Table& table, const std::string& caption) {
  // What scrolls can be reached by the keyboard.
  html_.open("div",
             {{"class", "scroll"}, {"tabindex", "0"}, {"role", "region"}, {"aria-label", caption}});
  const bool is_short = std::ranges::all_of(table.rows, [](const std::vector<std::string>& row) {
    return text_width(row.front()) < kShortCell;
  });
  html_.open("table", {{"class", is_short ? "short" : "names"}});
  html_.element("caption", {}, caption);
  html_.open("tr");
  for (size_t column = 0; column < table.headings.size(); ++column) {
    if (!table.rows.empty() && table.rows.front()[column].size() > kLongCell) {
      html_.element("th", {{"scope", "col"}, {"class", "long"}}, table.headings[column]);
    } else {
      html_.element("th", {{"scope", "col"}}, table.headings[column]);
    }
  }
  html_.close();
  for (size_t i = 0; i < table.rows.size(); ++i) {
    const std::vector<std::string>& row = table.rows[i];
    html_.open("tr");
    for (size_t column = 0; column < row.size(); ++column) {
      const std::string& cell = row[column];
      if (column == 0) {
        html_.element("th", {{"scope", "row"}}, cell);
      } else if (!table.shades.empty()) {
        html_.element("td", {{"class", shade_class(table.shades[i][column])}}, cell);
      } else if (cell.size() > kLongCell) {
        html_.element("td", {{"class", "long"}}, cell);
      } else {
        html_.element("td", {}, cell);
      }
    }
    html_.close();
  }
  html_.close();
  html_.close();
}

void Page::numbers(const Table& table, const std::string& caption, bool is_open) {
  if (is_open) {
    html_.open("details", {{"open", ""}});
  } else {
    html_.open("details");
  }
  html_.element("summary", {}, "Numbers");
  rows(table, caption);
  html_.close();
}

void Page::table(const std::string& caption, const Table& table) {
  html_.open("div", {{"class", "card"}});
  rows(table, caption);
  html_.close();
}

void Page::figure(const Figure& figure) {
  html_.raw("\n");
  html_.open("figure", {{"data-x", joined(figure.x, "|")}, {"data-y", joined(figure.y, "|")}});
  html_.element("figcaption", {}, figure.title);
  if (!figure.note.empty()) html_.element("p", {{"class", "note"}}, figure.note);
  if (!figure.legend.empty()) {
    html_.open("ul", {{"class", "legend"}});
    for (const LegendEntry& entry : figure.legend) {
      html_.open("li", {{"class", entry.color}});
      html_.element("i", {}, "");
      html_.element("span", {}, entry.name);
      html_.close();
    }
    html_.close();
  }
  html_.raw(figure.svg);
  numbers(figure.numbers, figure.title);
  html_.close();
}

void Page::figures(const std::vector<Figure>& figures) {
  if (figures.empty()) return;
  html_.open("div", {{"class", figures.front().is_small ? "small figures" : "figures"}});
  for (const Figure& each : figures) figure(each);
  html_.close();
}

void Page::preformatted(const std::string& caption, std::string_view text) {
  html_.open("div", {{"class", "card"}});
  html_.element("div", {{"class", "note"}}, caption);
  html_.element("pre", {{"dir", "auto"}}, text);
  html_.close();
}

void Page::shaded_text(const std::string& caption, const std::vector<ShadedToken>& tokens,
                       const Table& table) {
  constexpr size_t kFew = 32;  // rows that are no burden
  html_.open("div", {{"class", "card"}});
  html_.element("div", {{"class", "note"}}, caption);
  html_.open("p", {{"class", "tokens"}});
  for (const ShadedToken& token : tokens) {
    html_.open("ruby", {{"class", shade_class(token.shade)}});
    html_.element("bdi", {}, token.text);
    html_.element("rt", {}, token.below);
    html_.close();
    html_.raw("\n");  // lines may break here
  }
  html_.close();
  numbers(table, caption, table.rows.size() <= kFew);
  html_.close();
}

std::string Page::take() {
  html_.close();  // main
  html_.open("script");
  html_.raw(kScript);
  return html_.take() + "\n";
}

}  // namespace cria
