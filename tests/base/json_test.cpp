#include "cria/base/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/mutations.h"
#include "base/number.h"
#include "base/unicode.h"
#include "cria/base/error.h"

namespace cria {
namespace {

std::string error_of(const std::string& text) {
  try {
    Json::parse(text, "f");
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Json, ParsesEveryKind) {
  const Json json = Json::parse(
      " { \"null\" : null , \"yes\":true,\"no\":false,\t\"int\":-12,\r\n\"double\":1.5e-3,"
      "\"text\":\"a\",\"list\":[ 1 , [ ] , { } ] } ",
      "f");
  EXPECT_TRUE(json.find("null")->is_null());
  EXPECT_TRUE(json.find("yes")->as_bool(""));
  EXPECT_FALSE(json.find("no")->as_bool(""));
  EXPECT_EQ(json.find("int")->as_int(""), -12);
  EXPECT_EQ(json.find("int")->as_double(""), -12.0);
  EXPECT_EQ(json.find("double")->as_double(""), 1.5e-3);
  EXPECT_EQ(json.find("text")->as_string(""), "a");
  EXPECT_EQ(json.find("list")->as_array("").size(), 3u);
  EXPECT_EQ(json.find("missing"), nullptr);
  EXPECT_EQ(json.find("text")->find("x"), nullptr);
  EXPECT_EQ(json.as_object("")[3].first, "int") << "the file's order";
}

TEST(Json, Numbers) {
  const auto parse = [](const std::string& text) { return Json::parse(text, "f"); };
  EXPECT_EQ(parse("9223372036854775807").as_int(""), INT64_MAX);
  EXPECT_EQ(parse("-9223372036854775808").as_int(""), INT64_MIN);
  EXPECT_FALSE(parse("9223372036854775808").is_int());
  EXPECT_EQ(parse("9223372036854775808").as_double(""), 9223372036854775808.0);
  EXPECT_EQ(parse("1000000000000000019884624838656").as_double(""), 1e30);
  EXPECT_EQ(parse("0").as_int(""), 0);
  EXPECT_EQ(parse("-0").as_int(""), 0);
  EXPECT_TRUE(std::signbit(parse("-0.0").as_double("")));
  EXPECT_FALSE(parse("1.0").is_int());
  EXPECT_FALSE(parse("1e2").is_int());
  EXPECT_EQ(parse("1E+2").as_double(""), 100.0);
  EXPECT_EQ(parse("0e0").as_double(""), 0.0);
  EXPECT_EQ(parse("0.1").as_double(""), 0.1);
  EXPECT_EQ(parse("5e-324").as_double(""), std::numeric_limits<double>::denorm_min());
  EXPECT_EQ(parse("1.7976931348623157e308").as_double(""), std::numeric_limits<double>::max());
}

TEST(Json, Strings) {
  const auto parse = [](const std::string& text) { return Json::parse(text, "f").as_string(""); };
  EXPECT_EQ(parse(R"("\"\\\/\b\f\n\r\t")"), "\"\\/\b\f\n\r\t");
  EXPECT_EQ(parse(R"("\u0041\u00e9\u20AC\ud83d\uDE00")"), "Aé€😀");
  EXPECT_EQ(parse(R"("a\u0000b")"), std::string("a\0b", 3));
  EXPECT_EQ(parse("\"é€😀\x7f\""), "é€😀\x7f");
  EXPECT_EQ(parse(R"("\uFFFF\ud7ff\ue000")"), "\xEF\xBF\xBF\xED\x9F\xBF\xEE\x80\x80");
}

struct Invalid {
  std::string text;
  std::string place;
  std::string fragment;
};

TEST(Json, RejectsWhatIsNotJson) {
  const std::vector<Invalid> cases = {
      {"", "f:1:1", "end of text"},
      {" \n ", "f:2:2", "end of text"},
      {"tru", "f:1:1", "invalid JSON value"},
      {"True", "f:1:1", "got: 'T'"},
      {"NaN", "f:1:1", "invalid JSON value"},
      {"-Infinity", "f:1:2", "a digit"},
      {"truex", "f:1:5", "text after the JSON value"},
      {"1 2", "f:1:3", "text after"},
      {"[1] // c", "f:1:5", "text after"},
      {"+1", "f:1:1", "invalid JSON value"},
      {".5", "f:1:1", "invalid JSON value"},
      {"1.", "f:1:3", "a digit"},
      {"1.e5", "f:1:3", "a digit"},
      {"-", "f:1:2", "a digit"},
      {"1e", "f:1:3", "a digit"},
      {"1e+", "f:1:4", "a digit"},
      {"1e+-1", "f:1:4", "a digit"},
      {"01", "f:1:1", "leading zero"},
      {"-00.5", "f:1:1", "leading zero"},
      {"0x10", "f:1:2", "text after"},
      {"1_000", "f:1:2", "text after"},
      {"1e400", "f:1:1", "range of double"},
      {"[-1e-400]", "f:1:2", "range of double"},
      {"[", "f:1:2", "invalid JSON value"},
      {"[1", "f:1:3", "',' or ']'"},
      {"[1,]", "f:1:4", "invalid JSON value"},
      {"[,1]", "f:1:2", "invalid JSON value"},
      {"[1 2]", "f:1:4", "',' or ']'"},
      {"[1}", "f:1:3", "',' or ']'"},
      {"]", "f:1:1", "invalid JSON value"},
      {"{", "f:1:2", "a key in double quotes"},
      {"{\"a\":1,}", "f:1:8", "a key in double quotes"},
      {"{a:1}", "f:1:2", "a key in double quotes"},
      {"{'a':1}", "f:1:2", "a key in double quotes"},
      {"{1:1}", "f:1:2", "a key in double quotes"},
      {"{\"a\"}", "f:1:5", "':' after the key"},
      {"{\"a\":}", "f:1:6", "invalid JSON value"},
      {"{\"a\":1 \"b\":2}", "f:1:8", "',' or '}'"},
      {"{\"a\":1", "f:1:7", "',' or '}'"},
      {"{\n \"a\": 1,\n \"b\": 2, \"a\": 3}", "f:3:10", "repeated JSON key 'a'"},
      {"{\n \"a\": 1,\n \"b\": 2, \"a\": 3}", "f:3:10", "first at 2:2"},
      {"{\"A\":1,\"\\u0041\":2}", "f:1:8", "repeated JSON key 'A'"},
      {"\"abc", "f:1:1", "without a closing"},
      {"\"abc\\", "f:1:5", "unknown escape"},
      {"\"abc\\\"", "f:1:1", "without a closing"},
      {"\"a\nb\"", "f:1:3", "control character"},
      {"\"a\tb\"", "f:1:3", "control character"},
      {std::string("\"\0\"", 3), "f:1:2", "got: '\\x00'"},
      {std::string("\0", 1), "f:1:1", "got: '\\x00'"},
      {"\"\\x41\"", "f:1:2", "unknown escape"},
      {"\"\\'\"", "f:1:2", "unknown escape"},
      {"\"\\U0041\"", "f:1:2", "unknown escape"},
      {"\"\\u12\"", "f:1:6", "four hexadecimal digits"},
      {"\"\\u12g4\"", "f:1:6", "four hexadecimal digits"},
      {"\"\\u-123\"", "f:1:4", "four hexadecimal digits"},
      {"\"\\u0x41\"", "f:1:5", "four hexadecimal digits"},
      {"\"\\u12", "f:1:6", "four hexadecimal digits"},
      {"\"é\\ud800\"", "f:1:3", "half of a surrogate pair"},
      {"\"\\udc00\"", "f:1:2", "half of a surrogate pair"},
      {"\"\\ud800\\ud800\"", "f:1:2", "half of a surrogate pair"},
      {"\"\\ud800\\n\"", "f:1:2", "half of a surrogate pair"},
      {"\"\\udc00\\ud800\"", "f:1:2", "half of a surrogate pair"},
      {"\"\\ud800\\u", "f:1:10", "four hexadecimal digits"},
      {"[\"\xC3\"]", "f:1:3", "invalid UTF-8"},
      {"\"\xED\xA0\x80\"", "f:1:2", "invalid UTF-8"},
      {"\xEF\xBB\xBF{}", "f:1:1", "byte order mark"},
      {"[\xC2\xA0 1]", "f:1:2", "invalid JSON value"},
      {"[\f1]", "f:1:2", "invalid JSON value"},
  };
  for (const Invalid& item : cases) {
    const std::string message = error_of(item.text);
    EXPECT_TRUE(message.starts_with(item.place + ": ")) << quote(item.text) << "\n" << message;
    EXPECT_NE(message.find(item.fragment), message.npos) << quote(item.text) << "\n" << message;
  }
}

TEST(Json, DepthIsLimited) {
  const auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_EQ(error_of(nested(64)), "no error");
  EXPECT_EQ(error_of(nested(65)), "f:1:65: JSON nested too deeply at this array");
  EXPECT_NE(error_of(std::string(1000000, '[')).find("f:1:65"), std::string::npos);
  EXPECT_EQ(error_of("[" + nested(63) + "," + nested(63) + "]"), "no error");
  EXPECT_THROW(Json::parse("{\"a\":{}}", "f", 1), Error);
  EXPECT_NO_THROW(Json::parse("1", "f", 0));
}

// Pairwise comparison of this many keys would take tens of seconds.
TEST(Json, LargeObjectsAreCheckedQuickly) {
  std::string text = "{";
  for (int i = 0; i < 200000; ++i) text.append("\"").append(std::to_string(i)).append("\":1,");
  EXPECT_EQ(error_of(text + "\"x\":1}"), "no error");
  EXPECT_NE(error_of(text + "\"77777\":1}").find("repeated JSON key '77777'"), std::string::npos);
}

TEST(Json, CheckedAccessNamesThePlaceAndBothKinds) {
  const Json json = Json::parse("{\"hidden_size\": 64.0}", "config.json");
  try {
    json.find("hidden_size")->as_int("config.json: hidden_size");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "config.json: hidden_size: wrong kind of JSON value\n"
                 "  expected: integer\n"
                 "  got: floating-point number");
  }
  EXPECT_THROW(Json(1).as_bool(""), Error);
  EXPECT_THROW(Json("1").as_double(""), Error);
  EXPECT_THROW(Json().as_string(""), Error);
  EXPECT_THROW(Json(Json::Object{}).as_array(""), Error);
  EXPECT_THROW(Json(Json::Array{}).as_object(""), Error);
}

TEST(Json, MembersThatMustBeThere) {
  const Json json = Json::parse(R"({"step": 3, "less": -1, "text": "a"})", "f.json");
  EXPECT_EQ(json.at("text", "f.json"), Json("a"));
  EXPECT_EQ(json.count_at("step", "f.json"), 3);
  const auto expect_error = [&](const char* key, const char* want) {
    try {
      json.count_at(key, "f.json");
      FAIL() << key;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(want), std::string::npos) << error.what();
    }
  };
  expect_error("none", "f.json: none: missing");
  expect_error("less", "f.json: less: negative\n  got: -1");
  expect_error("text", "f.json: text: wrong kind");
}

TEST(Json, BuildsAndDumps) {
  Json json;
  json.set("step", 3);
  json.set("loss", 1.0);
  json.set("lr", 3e-4);
  json.set("nan", std::nan(""));
  json.set("name", "a\"\\\n\x01\x1f/é\x7f");
  json.set("flags", Json::Array{true, false, nullptr});
  json.set("none", Json::Array{});
  json.set("nested", Json::Object{{"x", size_t{7}}});
  json.set("step", 4);
  EXPECT_EQ(json.dump(),
            R"({"step":4,"loss":1.0,"lr":3e-04,"nan":null,"name":"a\"\\\n\u0001\u001f/é\u007f",)"
            R"("flags":[true,false,null],"none":[],"nested":{"x":7}})");
  EXPECT_EQ(Json(Json::Object{{"a", Json::Array{1, Json::Object{}}}}).dump(2),
            "{\n  \"a\": [\n    1,\n    {}\n  ]\n}");
  EXPECT_EQ(Json::parse(json.dump(4), "f"), Json::parse(json.dump(), "f"));
  EXPECT_THROW(Json(1).set("a", 2), Error);
  EXPECT_THROW(Json("\xFF").dump(), Error);
  EXPECT_THROW(Json(UINT64_MAX), Error);
}

TEST(Json, DoublesReadBackAsTheSameDoubles) {
  using Limits = std::numeric_limits<double>;
  for (const auto& [value, text] : std::vector<std::pair<double, std::string>>{
           {1.0, "1.0"}, {-0.0, "-0.0"}, {0.1, "0.1"}, {1e22, "1e+22"}, {123456.0, "123456.0"}}) {
    EXPECT_EQ(shortest_double(value), text);
  }
  Rng rng(1, "doubles");
  for (int i = 0; i < 20000; ++i) {
    const double value = std::ldexp(rng.normal(), static_cast<int>(rng.below(2000)) - 1000);
    const Json back = Json::parse(shortest_double(value), "f");
    ASSERT_FALSE(back.is_int());
    ASSERT_EQ(back.as_double(""), value);
  }
  for (const double value : {Limits::denorm_min(), Limits::min(), Limits::max()}) {
    EXPECT_EQ(Json::parse(shortest_double(value), "f").as_double(""), value);
  }
}

TEST(Json, DamagedTextParsesOrThrows) {
  const std::vector<std::string> seeds = {
      R"({"hidden_size": 64, "rope_theta": 10000.0, "tie": true, "rope_scaling": null})",
      R"({"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"__metadata__":{"a":"b"}}   )",
      R"(["\"\\\/\b\f\n\r\t", "\u0041\u00e9\ud83d\ude00", "é€😀", [[[]]], {"":{}}])",
      "[-0, 0.5, 1e5, -1.25E-3, 12345678901234567890, 1e300, 9007199254740993]",
      "{\n  \"model\": {\"type\": \"BPE\", \"vocab\": {\"Ġa\": 0, \"b\": 1}, \"merges\": [\"a "
      "b\"]}\n}",
  };
  Rng rng(1, "json");
  int parsed = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::string text = mutated(seeds, rng);
    try {
      const Json json = Json::parse(text, "fuzz");
      ++parsed;
      ASSERT_EQ(Json::parse(json.dump(), "dump"), json) << text;
      ASSERT_EQ(Json::parse(json.dump(2), "dump"), json) << text;
    } catch (const Error& error) {
      ASSERT_TRUE(std::string(error.what()).starts_with("fuzz:")) << text << "\n" << error.what();
    }
  }
  // Both outcomes must be common, or the test would show little.
  EXPECT_GT(parsed, 1000);
  EXPECT_LT(parsed, 19000);
}

TEST(Json, ParsesOneMemberOfALine) {
  const auto parse = [](std::string_view text) {
    return Json::parse_member(text, "text", "lines", 7).dump();
  };
  EXPECT_EQ(parse("{\"a\": {\"text\": [1]}, \"text\": {\"text\": [1, {}]}, \"b\": [[]]}"),
            "{\"text\":{\"text\":[1,{}]}}");
  EXPECT_EQ(parse("{\"a\": 1}"), "{}");
  EXPECT_EQ(parse("[{\"text\": 1}]"), "[]");
  std::string message;
  try {
    parse("{\"a\": [1, }");
  } catch (const Error& error) {
    message = error.what();
  }
  EXPECT_TRUE(message.starts_with("lines:7:11: invalid JSON value")) << message;
}

}  // namespace
}  // namespace cria
