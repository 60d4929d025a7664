#include "base/toml.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/mutations.h"
#include "base/unicode.h"
#include "cria/base/error.h"

namespace cria {
namespace {

using namespace std::string_literals;

// Every entry as "key=value line:column", one a line.
std::string summary(const std::string& text) {
  std::string out;
  for (const TomlEntry& entry : parse_toml(text, "f")) {
    out += entry.key + "=" + dump_toml(entry.value) + " " + std::to_string(entry.line) + ":" +
           std::to_string(entry.column) + "\n";
  }
  return out;
}

std::string toml_error_of(const std::string& text) {
  try {
    parse_toml(text, "f");
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Toml, ReadsAConfig) {
  EXPECT_EQ(summary("# a run\n"
                    "seed = 1 # first\r\n"
                    "\n"
                    "[model]\n"
                    "hidden_size = 64\n"
                    "  rope_theta=1e4\n"
                    "\"é\" . 'x y'.z=true\n"
                    "\t[ a . \"b\" ]#c\n"
                    "list = [ # in it\n"
                    "  1, 'two',\r\n"
                    "\n"
                    "  [3.0, []], # last\n"
                    "]\n"
                    "[empty]\n"
                    "[a]\n"
                    "1 = '' # no newline at the end"),
            "seed=1 2:1\n"
            "model.hidden_size=64 5:1\n"
            "model.rope_theta=10000.0 6:3\n"
            "model.é.x y.z=true 7:1\n"
            "a.b.list=[1, \"two\", [3.0, []]] 9:1\n"
            "a.1=\"\" 16:1\n");
  EXPECT_EQ(summary(""), "");
  EXPECT_EQ(summary("\n \t\r\n# only a comment"), "");
}

TEST(Toml, Values) {
  const std::vector<std::pair<std::string, TomlValue>> cases = {
      {"true", {true}},
      {"false", {false}},
      {"0", {int64_t{0}}},
      {"+0", {int64_t{0}}},
      {"-0", {int64_t{0}}},
      {"+99", {int64_t{99}}},
      {"-1_000_000", {int64_t{-1000000}}},
      {"9223372036854775807", {INT64_MAX}},
      {"-9223372036854775808", {INT64_MIN}},
      {"1.0", {1.0}},
      {"+1.5", {1.5}},
      {"-0.01", {-0.01}},
      {"5e+22", {5e22}},
      {"1E06", {1e6}},
      {"-2e-2", {-0.02}},
      {"6.626e-34", {6.626e-34}},
      {"1_0.0_1e1_0", {10.01e10}},
      {"0e0", {0.0}},
      {"0.5", {0.5}},
      {"\"\"", {""s}},
      {"''", {""s}},
      {R"("\b\t\n\f\r\"\\")", {"\b\t\n\f\r\"\\"s}},
      {R"("\u00e9\U0001F600\u0000")", {"é😀\0"s}},
      {"\"a\tb # é\"", {"a\tb # é"s}},
      {R"('C:\dir\"x"')", {R"(C:\dir\"x")"s}},
      {"[]", {std::vector<TomlValue>{}}},
      {"[1,]", {std::vector<TomlValue>{{int64_t{1}}}}},
      {"[1,\n\"a\"]", {std::vector<TomlValue>{{int64_t{1}}, {"a"s}}}},
  };
  for (const auto& [text, value] : cases) {
    const TomlValue parsed = parse_toml_value(text, "f");
    EXPECT_EQ(parsed, value) << text << " became " << dump_toml(parsed);
    EXPECT_STREQ(parsed.kind_name(), value.kind_name());
    EXPECT_EQ(parse_toml_value(dump_toml(value), "f"), value) << text;
    EXPECT_EQ(parse_toml("a=" + text, "f").at(0).value, value) << text;
  }
  EXPECT_TRUE(std::signbit(std::get<double>(parse_toml_value("-0.0", "f").value)));
}

struct InvalidToml {
  std::string text;
  std::string place;
  std::string fragment;
};

void expect_errors(const std::vector<InvalidToml>& cases) {
  for (const InvalidToml& item : cases) {
    const std::string message = toml_error_of(item.text);
    EXPECT_TRUE(message.starts_with("f:" + item.place + ": ")) << quote(item.text) << "\n"
                                                               << message;
    EXPECT_NE(message.find(item.fragment), message.npos) << quote(item.text) << "\n" << message;
  }
}

TEST(Toml, RejectsWhatIsNotToml) {
  expect_errors({
      // structure
      {"a", "1:2", "'=' after the key"},
      {"a 1", "1:3", "'=' after the key"},
      {"a =", "1:4", "end of text"},
      {"a = \n1", "1:5", "got: '\\n'"},
      {"a = # c", "1:5", "invalid value"},
      {"a\n= 1", "1:2", "'=' after the key"},
      {"= 1", "1:1", "invalid key"},
      {". = 1", "1:1", "invalid key"},
      {"a. = 1", "1:4", "invalid key"},
      {"a..b = 1", "1:3", "invalid key"},
      {"é = 1", "1:1", "invalid key"},
      {"a+b = 1", "1:2", "'=' after the key"},
      {"a = 1 b = 2", "1:7", "a new line"},
      {"a = 1, b = 2", "1:6", "a new line"},
      {"a = 'x' 'y'", "1:9", "a new line"},
      {"a = 1 = 2", "1:7", "a new line"},
      {"[a] b = 1", "1:5", "a new line"},
      {"[a", "1:3", "'.' or ']'"},
      {"[]", "1:2", "invalid key"},
      {"[a.]", "1:4", "invalid key"},
      {"[a]]", "1:4", "a new line"},
      {"[a b]", "1:4", "'.' or ']'"},
      {"[a\n]", "1:3", "'.' or ']'"},
      {"[ [a]]", "1:3", "invalid key"},
      {"{}", "1:1", "invalid key"},
      {"\"a = 1", "1:1", "without a closing \""},
      {"\"a\nb\" = 1", "1:1", "without a closing \""},
      // characters
      {"a = 1\rb = 2", "1:6", "got: '\\r'"},
      {"a = 1\r", "1:6", "control character"},
      {"# \x01", "1:3", "got: '\\x01'"},
      {"# \x7f", "1:3", "got: '\\x7f'"},
      {"a = \"\0\""s, "1:6", "got: '\\x00'"},
      {"é = '\xff'", "1:6", "invalid UTF-8"},
      {"# \xED\xA0\x80", "1:3", "invalid UTF-8"},
      {"\xEF\xBB\xBFthis = 01", "1:8", "no leading zero"},
      // numbers
      {"a = 01", "1:5", "no leading zero"},
      {"a = -01", "1:5", "no leading zero"},
      {"a = 00.5", "1:5", "no leading zero"},
      {"a = 0_1", "1:5", "no leading zero"},
      {"a = 1.", "1:5", "invalid number '1.'"},
      {"a = 1.e5", "1:5", "invalid number"},
      {"a = .5", "1:5", "invalid number"},
      {"a = +.5", "1:5", "invalid number"},
      {"a = 1e", "1:5", "invalid number"},
      {"a = 1e+", "1:5", "invalid number"},
      {"a = 1__0", "1:5", "invalid number '1__0'"},
      {"a = _1", "1:5", "got: '_1'"},
      {"a = 1_", "1:5", "invalid number"},
      {"a = 1_.0", "1:5", "invalid number"},
      {"a = 1._0", "1:5", "invalid number"},
      {"a = 1e_1", "1:5", "invalid number"},
      {"a = 1_e1", "1:5", "invalid number"},
      {"a = 1.0_", "1:5", "invalid number"},
      {"a = ++1", "1:5", "invalid number"},
      {"a = +", "1:5", "invalid number"},
      {"a = 1.2.3", "1:5", "invalid number"},
      {"a = 12abc", "1:5", "invalid number"},
      {"a = 9223372036854775808", "1:5", "integer beyond 64 bits"},
      {"a = -9223372036854775809", "1:5", "integer beyond 64 bits"},
      {"a = 1e400", "1:5", "range of double"},
      // strings and words
      {"a = \"x", "1:5", "without a closing \""},
      {"a = 'x", "1:5", "without a closing '"},
      {"a = \"x\\\"", "1:5", "without a closing \""},
      {"a = \"x\ny\"", "1:5", "without a closing \""},
      {"a = 'x\r\ny'", "1:5", "without a closing '"},
      {"a = \"\\e\"", "1:6", "unknown escape"},
      {"a = \"\\x41\"", "1:6", "single quotes take it as it is"},
      {"a = \"\\/\"", "1:6", "unknown escape"},
      {"a = \"\\\n\"", "1:6", "unknown escape"},
      {"a = \"\\", "1:6", "end of text"},
      {"a = \"\\u12\"", "1:10", "4 hex digits"},
      {"a = \"\\u-123\"", "1:8", "4 hex digits"},
      {"a = \"\\U0001F60\"", "1:15", "8 hex digits"},
      {"a = \"\\uD83D\\uDE00\"", "1:6", "no character"},
      {"a = \"\\U0000DFFF\"", "1:6", "no character"},
      {"a = \"\\U00110000\"", "1:6", "no character"},
      {"a = rope", "1:5", "in quotes: \"rope\""},
      {"a = True", "1:5", "got: 'True'"},
      {"a = truefalse", "1:5", "invalid value"},
      // arrays
      {"a = [1", "1:7", "',' or ']'"},
      {"a = [1 2]", "1:8", "',' or ']'"},
      {"a = [1,,2]", "1:8", "invalid value"},
      {"a = [,]", "1:6", "invalid value"},
      {"a = [\n1,\n", "3:1", "end of text"},
      {"a = [1]]", "1:8", "a new line"},
      {"a = [\n\n1_]\n", "3:1", "invalid number"},
      {"a = " + std::string(65, '['), "1:69", "nested too deeply"},
      {"a = " + std::string(1000000, '['), "1:69", "nested too deeply"},
  });
}

TEST(Toml, SaysWhatIsNotSupportedAndWhatToWrite) {
  expect_errors({
      {"a = {b = 1}", "1:5", "inline tables are not supported\n  hint: write a [table]"},
      {"a = [{}]", "1:6", "inline tables are not supported"},
      {"\n[[a]]", "2:1", "arrays of tables are not supported\n  hint: give each table a name"},
      {"a = 1979-05-27", "1:5",
       "dates and times are not supported\n  hint: write a string: \"1979"},
      {"a = 1979-05-27T07:32:00Z", "1:5", "dates and times are not supported"},
      {"a = 1979-05-27 07:32:00", "1:5", "dates and times are not supported"},
      {"a = 07:32:00.5", "1:5", "dates and times are not supported"},
      {"a = \"\"\"x\"\"\"", "1:5", "multi-line strings are not supported\n  hint: write one line"},
      {"a = '''\n'''", "1:5", "multi-line strings are not supported"},
      {"a = inf", "1:5", "inf and nan are not supported\n  hint: write a finite number"},
      {"a = -nan", "1:5", "inf and nan are not supported"},
      {"a = +inf", "1:5", "inf and nan are not supported"},
      {"a = 0xFF", "1:5", "hexadecimal, octal and binary numbers are not supported\n  hint: write"},
      {"a = 0o7", "1:5", "not supported"},
      {"a = 0b1", "1:5", "not supported"},
      {"a.\"b.c\" = 1", "1:3", "a dot inside a quoted key is not supported\n  hint: use another"},
      {"['a.b']", "1:2", "not supported"},
  });
}

TEST(Toml, NothingIsDefinedTwice) {
  expect_errors({
      {"a = 1\n\na = 2", "3:1",
       "'a' is defined twice\n  expected: one definition\n  got: another; it is a value since line "
       "1"},
      {"a = 1\n\"a\" = 2", "2:1", "a value since line 1"},
      {"'' = 1\n\"\" = 2", "2:1", "'' is defined twice"},
      {"[m]\na.b = 1\na.b = 2", "3:1", "'m.a.b' is defined twice"},
      {"[a]\n[b]\n[a]", "3:1",
       "'a' is defined twice\n  expected: one definition\n  got: another; it is a table since line "
       "1"},
      {"[a]\n[ 'a' ]", "2:1", "a table since line 1"},
      {"[a.b]\n[a]\n[a]", "3:1", "a table since line 2"},
      {"a = 1\n[a]", "2:1",
       "'a' is defined twice\n  expected: one definition\n  got: another; it is a value since line "
       "1"},
      {"a = 1\n[a.b]", "2:1",
       "'a' is defined twice\n  expected: one definition\n  got: another; it is a value since line "
       "1"},
      {"a = 1\na.b = 2", "2:1",
       "'a' is defined twice\n  expected: one definition\n  got: another; it is a value since line "
       "1"},
      {"a.b = 1\na = 2", "2:1",
       "'a' is defined twice\n  expected: one definition\n  got: another; it is a table since line "
       "1"},
      {"a.b = 1\n[a]", "2:1",
       "'a' is defined twice\n  expected: one definition\n  got: another; it is a table since line "
       "1"},
      {"[x]\na.b.c = 1\n[x.a.b]", "3:1", "'x.a.b' is defined twice"},
      {"[a.b]\n[a]\nb = 1", "3:1",
       "'a.b' is defined twice\n  expected: one definition\n  got: another; it is a table since "
       "line 1"},
      {"[a.b]\n[a]\nb.c = 1", "3:1", "'a.b' is defined twice"},
      {"[a.b.c]\n[a]\nb.d = 1", "3:1", "'a.b' is defined twice"},
      {"[a.b]\nx = 1\n[a.b.x.y]", "3:1", "'a.b.x' is defined twice"},
  });
  EXPECT_EQ(summary("[a.b.c]\nx=1\n[a]\ny=2\n[a.b]\nz=3\n"),
            "a.b.c.x=1 2:1\na.y=2 4:1\na.b.z=3 6:1\n");
  EXPECT_EQ(summary("[f]\na.b=1\na.c.d=2\n[f.a.e]\nx=3"),
            "f.a.b=1 2:1\nf.a.c.d=2 3:1\nf.a.e.x=3 5:1\n");
  EXPECT_EQ(summary("a.x=1\nb=2\na.y=3"), "a.x=1 1:1\nb=2 2:1\na.y=3 3:1\n");
}

// What every key below a table repeats is short, in however many parts.
TEST(Toml, KeysAreShort) {
  const std::string longest(256, 'a');
  EXPECT_EQ(parse_toml(longest + " = 1\n", "x.toml").size(), 1u);
  for (const std::string& text :
       {"a" + longest + " = 1", "[a" + longest + "]", "[" + longest + "]\nb = 1"}) {
    EXPECT_NE(toml_error_of(text).find("a key too long"), std::string::npos) << text;
  }
  const std::vector<TomlEntry> entries = parse_toml("e = 1\n\n[t]\n# c\n  b = 2\nc = 3", "f");
  EXPECT_EQ(entries[1].line, 5);
  EXPECT_EQ(entries[1].column, 3);
  EXPECT_EQ(entries[2].line, 6);
}

TEST(Toml, SingleValues) {
  EXPECT_EQ(dump_toml(parse_toml_value(" [1, 2.0] ", "f")), "[1, 2.0]");
  for (const char* text : {"", "1 2", "1\n", "1 # c", "a = 1", "[1", "rope"}) {
    EXPECT_THROW(parse_toml_value(text, "f"), Error) << quote(text);
  }
}

TEST(Toml, DumpsWhatItCanRead) {
  EXPECT_EQ(dump_toml({1e22}), "1e+22");
  EXPECT_EQ(dump_toml({-0.0}), "-0.0");
  EXPECT_EQ(dump_toml({100.0}), "100.0");
  EXPECT_EQ(dump_toml({"a\"\\\n\x01\x7f é"s}), R"("a\"\\\n\u0001\u007f é")");
  EXPECT_THROW(dump_toml({std::nan("")}), Error);
  EXPECT_THROW(dump_toml({std::numeric_limits<double>::infinity()}), Error);
  EXPECT_THROW(dump_toml({"\xff"s}), Error);
  std::string every_ascii;
  for (char c = 0; c < 127; ++c) every_ascii += c;
  const TomlValue value = {every_ascii + "\x7f"};
  EXPECT_EQ(parse_toml_value(dump_toml(value), "f"), value);
}

// The whole file again, as dotted keys at the root with every part quoted.
std::string rewritten(const std::vector<TomlEntry>& entries) {
  std::string out;
  for (const TomlEntry& entry : entries) {
    std::string key;
    for (size_t begin = 0, end = 0; end != entry.key.npos; begin = end + 1) {
      end = entry.key.find('.', begin);
      if (begin > 0) key += '.';
      key += dump_toml({entry.key.substr(begin, end - begin)});
    }
    out += key + " = " + dump_toml(entry.value) + "\n";
  }
  return out;
}

TEST(Toml, DamagedTextParsesOrThrows) {
  const std::vector<std::string> seeds = {
      "seed = 1\n[model]\nhidden_size = 64\nrope_theta = 10_000.0\n",
      "a.b = true\r\n# comment\r\nc = 'x'\r\n[t.\"u\"]\r\nv = -1.5e-3 # end\r\n",
      "list = [1, 'two', [3.0, []],\n  # in it\n  false,\n]\nempty = []\n",
      "s = \"\\b\\t\\u00e9\\U0001F600\\\\ é€😀\"\nt = 'C:\\dir'\n'' = \"\"\n",
      "[a.b]\nx = 1\n[a]\ny.z = 2\n[a.y2]\n[c]\n",
  };
  Rng rng(1, "toml");
  int parsed = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::string text = mutated(seeds, rng);
    try {
      const std::vector<TomlEntry> entries = parse_toml(text, "fuzz");
      ++parsed;
      const std::vector<TomlEntry> again = parse_toml(rewritten(entries), "again");
      ASSERT_EQ(again.size(), entries.size()) << text;
      for (size_t k = 0; k < entries.size(); ++k) {
        ASSERT_EQ(again[k].key, entries[k].key) << text;
        ASSERT_EQ(again[k].value, entries[k].value) << text;
      }
    } catch (const Error& error) {
      ASSERT_TRUE(std::string(error.what()).starts_with("fuzz:")) << text << "\n" << error.what();
    }
  }
  // Both outcomes must be common, or the test would show little.
  EXPECT_GT(parsed, 1000);
  EXPECT_LT(parsed, 19000);
}

}  // namespace
}  // namespace cria
