// A page: well-formed, escaped, readable in both themes, complete without script and network.
#include "report/page.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>

#include "support/errors.h"
#include "support/well_formed.h"

namespace cria {
namespace {

std::string page_of(const std::string& text) {
  Page page("Report " + text, {text});
  page.heading(text);
  page.paragraph(text);
  page.table(text, {{text, "b"}, {{text, text}, {"1", "2"}}});
  page.figures({bar_chart(text, text, text, {{text, 1}})});
  LineChart lines = {.title = text, .note = text, .x = {{text}}, .y = {{text}}, .lines = {}};
  lines.lines = {{.name = text, .x = {{0, 1}}, .y = {0, 1}, .low = {}, .high = {}}};
  page.figures({line_chart(lines)});
  page.preformatted(text, text);
  page.table(text, {{text, "b"}, {{text, text}}, {{0, kShades}}});
  page.shaded_text(text, {{text, text, 3}}, {{text, "b"}, {{text, text}}});
  return page.take();
}

TEST(Page, IsWellFormedWhateverItSays) {
  for (const std::string text :
       {"plain", "<script>alert(1)</script>", "\"' onmouseover='x'", "</style></title><b>", "]]>",
        "a\x01\x1b[0m\x7f\xff", "\u202eשלום\u2067", "🦙", "&amp;", "|;,"}) {
    const std::string page = page_of(text);
    EXPECT_EQ(MarkupCheck::fault(page), "") << text;
    EXPECT_EQ(page, page_of(text));
  }
  // No more elements and attributes than with a harmless text.
  const std::string page = page_of("<script>alert(1)</script>");
  size_t scripts = 0;
  for (size_t at = 0; (at = page.find("<script", at)) != page.npos; ++at) ++scripts;
  EXPECT_EQ(scripts, 1u);
}

TEST(Page, LoadsNothing) {
  const std::string page = page_of("x");
  for (const char* const part : {"src=", "href=", "url(", "@import", "fetch(", "import("}) {
    EXPECT_FALSE(contains(page, part)) << part;
  }
  EXPECT_TRUE(contains(page, "default-src &#39;none&#39;"));
}

TEST(Page, EveryChartHasATitleAndItsNumbers) {
  const std::string page = page_of("x");
  for (const char* const part :
       {"<figure", "<figcaption>x</figcaption>", "role=\"img\" aria-label=\"x\"", "<details>",
        "<th scope=\"row\">x</th><td>1</td>", "<html lang=\"en\">"}) {
    EXPECT_TRUE(contains(page, part)) << part;
  }
}

double luminance(const std::string& color) {
  const auto channel = [&](size_t at) {
    const double value = std::stoi(color.substr(at, 2), nullptr, 16) / 255.0;
    return value <= 0.03928 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4);
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
}

double contrast(const std::string& a, const std::string& b) {
  const double high = std::max(luminance(a), luminance(b)),
               low = std::min(luminance(a), luminance(b));
  return (high + 0.05) / (low + 0.05);
}

// What is seen where the strongest shade lies on a color.
std::string shaded(const std::string& color) {
  char text[8];
  std::array<int, 3> channels{};
  for (size_t i = 0; i < 3; ++i) {
    const double below = std::stoi(color.substr(1 + 2 * i, 2), nullptr, 16);
    channels[i] = static_cast<int>(std::lround(below + kStrongestShade * (kShadeColor[i] - below)));
  }
  std::snprintf(text, sizeof text, "#%02x%02x%02x", channels[0] & 255, channels[1] & 255,
                channels[2] & 255);
  return text;
}

// WCAG 2.1: 4.5 for text, 3 for what has to be seen of a picture.
TEST(Page, ColorsHaveContrastInBothThemes) {
  EXPECT_NEAR(contrast("#ffffff", "#000000"), 21, 1e-9);
  for (const Theme& theme : {kLightTheme, kDarkTheme}) {
    for (const char* const behind : {theme.background, theme.card}) {
      EXPECT_GE(contrast(theme.text, behind), 4.5);
      EXPECT_GE(contrast(theme.quiet_text, behind), 4.5);
    }
    EXPECT_GE(contrast(theme.text, shaded(theme.card)), 4.5);
    for (const char* const color : theme.palette)
      EXPECT_GE(contrast(color, theme.card), 3) << color;
  }
}

}  // namespace
}  // namespace cria
