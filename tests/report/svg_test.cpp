// Text on a page: escaped whatever it is; numbers with few digits; elements that are closed.
#include "report/svg.h"

#include <gtest/gtest.h>

#include <clocale>
#include <cmath>

#include "report/page.h"
#include "support/well_formed.h"

namespace cria {
namespace {

TEST(Svg, EscapesMarkupAndQuotes) {
  EXPECT_EQ(escape_markup("<script>alert('1')</script>"),
            "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;");
  EXPECT_EQ(escape_markup("\" onload=\"x & y"), "&quot; onload=&quot;x &amp; y");
  EXPECT_EQ(escape_markup("]]>&amp;"), "]]&gt;&amp;amp;");
}

TEST(Svg, ShowsWhatNoPageMayHold) {
  using namespace std::string_view_literals;
  EXPECT_EQ(escape_markup("a\0b\x1b[31m\x7f"sv), "a␀b␛[31m␡");
  EXPECT_EQ(escape_markup("\r\n\t"), "␍\n\t");
  EXPECT_EQ(escape_markup("\xff\xc3"), "��");
  EXPECT_EQ(escape_markup("\u0085\ufffe\U0001ffff"), "���");
}

TEST(Svg, KeepsEveryScript) {
  for (const char* const text : {"שלום עולם", "🦙👩‍👩‍👧", "e\u0301 ü 漢字 \u200f"}) {
    EXPECT_EQ(escape_markup(text), text);
  }
}

// An override would turn all that follows it.
TEST(Svg, NoTextTurnsWhatIsAroundIt) {
  EXPECT_EQ(escape_markup("a\u202eb\u2067c"), "a�b�c");
  EXPECT_EQ(isolated("abc"), "abc");
  EXPECT_EQ(isolated("שלום"), "\u2068שלום\u2069");
  EXPECT_EQ(isolated("ש\u2069\u2068x"), "\u2068שx\u2069");
  EXPECT_EQ(isolated("ש\xE2\x81\u2069\xA9x").find("\u2069x"), std::string::npos);
}

TEST(Svg, NumbersHaveFewDigits) {
  EXPECT_EQ(number_text(0), "0");
  EXPECT_EQ(number_text(-0.0), "0");
  EXPECT_EQ(number_text(2), "2");
  EXPECT_EQ(number_text(1.68349), "1.683");
  EXPECT_EQ(number_text(-0.5), "-0.5");
  EXPECT_EQ(number_text(0.001), "0.001");
  EXPECT_EQ(number_text(0.000123456), "1.235e-4");
  EXPECT_EQ(number_text(1e-5), "1e-5");
  EXPECT_EQ(number_text(1e-20), "1e-20");
  EXPECT_EQ(number_text(1234.5678), "1235");
  EXPECT_EQ(number_text(9999.6), "10000");
  EXPECT_EQ(number_text(10000), "10k");
  EXPECT_EQ(number_text(1536000), "1.536M");
  EXPECT_EQ(number_text(999999, 3), "1M");
  EXPECT_EQ(number_text(-3.25e9), "-3.25G");
  EXPECT_EQ(number_text(4.5e15), "4.5P");
  EXPECT_EQ(number_text(1e21), "1e21");
  EXPECT_EQ(number_text(NAN), "nan");
  EXPECT_EQ(number_text(-INFINITY), "-inf");
  EXPECT_EQ(coordinate_text(12), "12");
  EXPECT_EQ(coordinate_text(12.3456), "12.35");
  EXPECT_EQ(coordinate_text(-0.001), "0");
  EXPECT_EQ(coordinate_text(0.5), "0.5");
}

TEST(Svg, NumbersAreOfNoLocale) {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  for (const char* const name : {"de_DE.UTF-8", "fr_FR.UTF-8"}) std::setlocale(LC_ALL, name);
  EXPECT_EQ(number_text(1.5), "1.5");
  EXPECT_EQ(coordinate_text(1.5), "1.5");
  std::setlocale(LC_ALL, before.c_str());
}

TEST(Svg, LongTextIsCutBetweenCharacters) {
  EXPECT_EQ(fitted("short", 10), "short");
  EXPECT_EQ(fitted("a rather long name", 5), "a rath…");
  EXPECT_EQ(fitted("ÄÖÜÄÖÜ", 4), "ÄÖ…");
  EXPECT_EQ(text_width("\u2068ab\u2069"), text_width("ab"));
  EXPECT_LE(text_width(fitted("🦙🦙🦙🦙🦙🦙", 4)), 4.5);
}

TEST(Svg, ClosesWhatIsOpen) {
  Markup markup;
  markup.open("g", {{"class", "a \"b\""}});
  markup.empty("path", {{"d", "M0,0"}});
  markup.open("text");
  markup.text("1 < 2");
  EXPECT_EQ(markup.take(),
            "<g class=\"a &quot;b&quot;\"><path d=\"M0,0\"/><text>1 &lt; 2</text></g>");
}

TEST(Svg, TheCheckFindsFaults) {
  const auto fault = [](std::string_view text) { return MarkupCheck::fault(text); };
  EXPECT_EQ(fault("<!DOCTYPE html>\n<a x=\"1\"><b/>&lt;<script>1 < 2 && 3</script></a>\n"), "");
  for (const char* const text :
       {"<a>", "<a></b>", "</a>", "<a x=1></a>", "<a x=\"1\" x=\"2\"></a>", "<a>&</a>",
        "<a>&nbsp;</a>", "<a>\x01</a>", "<a>></a>", "<a x=\"<\"></a>", "<a/><b/>", "x<a/>",
        "<a>\xff</a>", "<a x=\"1></a>", "", "<a>\u202e</a>"}) {
    EXPECT_NE(fault(text), "") << text;
  }
}

}  // namespace
}  // namespace cria
