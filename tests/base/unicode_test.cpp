#include "base/unicode.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/mutations.h"

namespace cria {
namespace {

using namespace std::string_literals;

TEST(Unicode, EveryScalarValueRoundTrips) {
  for (uint32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text;
    append_utf8(text, c);
    const Decoded decoded = decode_utf8(text, 0);
    ASSERT_EQ(decoded.code_point, c);
    ASSERT_EQ(decoded.length, c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4);
    ASSERT_EQ(static_cast<size_t>(decoded.length), text.size());
    ASSERT_FALSE(first_invalid_utf8(text));
  }
}

TEST(Unicode, DecodesAtAnOffset) {
  const std::string text = "aé€😀";
  EXPECT_EQ(decode_utf8(text, 1).code_point, 0xE9u);
  EXPECT_EQ(decode_utf8(text, 3).code_point, 0x20ACu);
  EXPECT_EQ(decode_utf8(text, 6).code_point, 0x1F600u);
  EXPECT_EQ(decode_utf8(text, 2).length, 0) << "inside a sequence";
  EXPECT_EQ(decode_utf8(text, text.size()).length, 0);
}

// What each ill-formed input becomes, byte for byte: r stands for U+FFFD.
struct IllFormed {
  std::string bytes;
  std::string repaired;
};

const std::vector<IllFormed> kIllFormed = {
    {"\x80", "r"},                             // continuation alone
    {"\xC0\xAF", "rr"},                        // overlong '/'
    {"\xC1\xBF", "rr"},                        // overlong
    {"\xE0\x80\xAF", "rrr"},                   // overlong in three bytes
    {"\xE0\x9F\xBF", "rrr"},                   // largest overlong in three bytes
    {"\xED\xA0\x80", "rrr"},                   // surrogate U+D800
    {"\xED\xBF\xBF", "rrr"},                   // surrogate U+DFFF
    {"\xF0\x8F\xBF\xBF", "rrrr"},              // overlong in four bytes
    {"\xF4\x90\x80\x80", "rrrr"},              // U+110000
    {"\xF5\x80\x80\x80", "rrrr"},              // no such lead byte
    {"\xFF", "r"},                             //
    {"\xC3", "r"},                             // cut off
    {"\xE2\x82", "r"},                         // cut off: one subpart, one replacement
    {"\xF0\x9F\x98", "r"},                     // cut off
    {"\xF0\x9F\x98\x41", "rA"},                // cut off by ASCII
    {"\xE1\x80\xE2\xF0\x91\x92\xF1", "rrrr"},  // table 3-11 of the standard, in short
    {"\xF1\x80\x80\xE1\x80\xC2z\x80", "rrrzr"},
};

std::string with_replacements(std::string_view pattern) {
  std::string out;
  for (const char c : pattern) out += c == 'r' ? "\xEF\xBF\xBD" : std::string(1, c);
  return out;
}

TEST(Unicode, IllFormedSequencesAreFound) {
  for (const IllFormed& item : kIllFormed) {
    EXPECT_EQ(decode_utf8(item.bytes, 0).length, 0) << quote(item.bytes);
    // The ASCII before it is longer than a word, so both loops of the fast path run.
    const std::string before = "0123456789é12";
    EXPECT_EQ(first_invalid_utf8(before + item.bytes), before.size()) << quote(item.bytes);
  }
  EXPECT_FALSE(first_invalid_utf8(""));
  EXPECT_FALSE(first_invalid_utf8("plain \0 text and é€😀"s));
}

std::string repaired(std::string_view bytes) {
  Utf8Stream stream;
  std::string out = stream.push(bytes);
  out += stream.finish();
  return out;
}

TEST(Utf8Stream, ReplacesMaximalSubparts) {
  for (const IllFormed& item : kIllFormed) {
    EXPECT_EQ(repaired(item.bytes), with_replacements(item.repaired)) << quote(item.bytes);
  }
}

TEST(Utf8Stream, HoldsBackOnlyWhatMayStillBecomeValid) {
  Utf8Stream stream;
  EXPECT_EQ(stream.push("a\xF0\x9F"), "a");
  EXPECT_EQ(stream.push(""), "");
  EXPECT_EQ(stream.push("\x98"), "");
  EXPECT_EQ(stream.push("\x80z"), "😀z");
  EXPECT_EQ(stream.push("\xE2\x82"), "");
  EXPECT_EQ(stream.push("x"), "\xEF\xBF\xBDx");
  EXPECT_EQ(stream.push("\xC3"), "");
  EXPECT_EQ(stream.finish(), "\xEF\xBF\xBD");
  EXPECT_EQ(stream.finish(), "") << "finishing leaves nothing behind";
}

TEST(Utf8Stream, TheCutsNeverShow) {
  const std::vector<std::string> seeds = {"plain", "aé€😀 and \xED\xA0\x80", "ĠLlamas 日本語 ł"};
  Rng rng(1, "unicode");
  for (int i = 0; i < 20000; ++i) {
    const std::string bytes = mutated(seeds, rng);
    const std::string expected = repaired(bytes);
    Utf8Stream pieces;
    std::string got;
    for (size_t offset = 0; offset < bytes.size();) {
      const size_t length = 1 + rng.below(3);
      got += pieces.push(std::string_view(bytes).substr(offset, length));
      ASSERT_FALSE(first_invalid_utf8(got)) << quote(bytes);
      offset += length;
    }
    got += pieces.finish();
    ASSERT_EQ(got, expected) << quote(bytes);
    ASSERT_FALSE(first_invalid_utf8(got)) << quote(bytes);
    if (!first_invalid_utf8(bytes)) {
      ASSERT_EQ(got, bytes);
    }
    ASSERT_FALSE(first_invalid_utf8(quote(bytes)));
  }
}

TEST(Unicode, QuoteShowsWhatCannotBeSeen) {
  EXPECT_EQ(quote(""), "''");
  EXPECT_EQ(quote("llama é"), "'llama é'");
  EXPECT_EQ(escape("a\t\\b\r\n\x1b[2J", "", "\n\t"), "a\t\\b\\r\n\\x1b[2J");
  // C1's control sequence introducer, an override and an isolate of direction, a line separator.
  EXPECT_EQ(escape("\u009b31m \u202e \u2066 \u2028", ""),
            R"(\xc2\x9b31m \xe2\x80\xae \xe2\x81\xa6 \xe2\x80\xa8)");
  EXPECT_EQ(escape("\u061c\u200e\u200f\u2069", ""),
            R"(\xd8\x9c\xe2\x80\x8e\xe2\x80\x8f\xe2\x81\xa9)");
  // Neighbours of those, and what joins emoji.
  const std::string others = "\u00a0\u061b\u061d\u200d\u2010\u2027\u202f\u2065\u206ax";
  EXPECT_EQ(escape(others), others);
  EXPECT_EQ(quote("a\n\r\t\0\x1b\x7f"s), R"('a\n\r\t\x00\x1b\x7f')");
  EXPECT_EQ(quote("\xC2\x9B\xC2\xA0"), "'\\xc2\\x9b\xC2\xA0'") << "C1 controls, not U+00A0";
  EXPECT_EQ(quote("\xFF\xE2\x82"), R"('\xff\xe2\x82')");
  EXPECT_EQ(quote("it's \\n"), R"('it\'s \\n')");
  EXPECT_EQ(quote_at("a😀b", 1), "'😀'");
  EXPECT_EQ(quote_at("a", 1), "end of text");
}

TEST(Unicode, WordsForAShell) {
  EXPECT_EQ(shell_word("data/a-1_2.txt"), "data/a-1_2.txt");
  EXPECT_EQ(shell_word("it's a *"), R"('it'\''s a *')");
  EXPECT_EQ(shell_word(""), "''");
}

TEST(Unicode, EscapeChoosesWhatElseIsEscaped) {
  EXPECT_EQ(escape("it's a\\b|c\n\xFF"), R"(it's a\\b|c\n\xff)");
  EXPECT_EQ(escape("it's a\\b|c", "|'"), R"(it\'s a\b\|c)");
  EXPECT_EQ(escape("it's a\\b|c", ""), R"(it's a\b|c)");
  EXPECT_EQ(escape(""), "");
}

TEST(Unicode, CountCharacters) {
  EXPECT_EQ(count_characters(""), 0u);
  EXPECT_EQ(count_characters("aé😀"), 3u);
}

TEST(Unicode, LocateCountsCodePoints) {
  const std::string text = "ab\né😀x\n";
  const auto at = [&](size_t offset) {
    const LineColumn place = locate(text, offset);
    return std::pair(place.line, place.column);
  };
  EXPECT_EQ(at(0), std::pair(1, 1));
  EXPECT_EQ(at(2), std::pair(1, 3));
  EXPECT_EQ(at(3), std::pair(2, 1));
  EXPECT_EQ(at(9), std::pair(2, 3));
  EXPECT_EQ(at(text.size()), std::pair(3, 1));
}

}  // namespace
}  // namespace cria
