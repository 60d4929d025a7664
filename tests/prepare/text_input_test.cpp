#include "prepare/text_input.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "cria/base/file.h"
#include "support/errors.h"
#include "support/files.h"

namespace cria {
namespace {

// Cuts anywhere, and looks at what it is given.
const TextCut kAnywhere = {[](std::string_view text, size_t from) {
                             EXPECT_GT(text.size(), from);
                             return from;
                           },
                           16};

struct Document {
  std::string text;
  std::string where;
  uint64_t offset;

  bool operator==(const Document&) const = default;
};

class TextInputTest : public testing::Test {
 public:
  std::string write(const std::string& name, const std::string& bytes) const {
    write_file(directory_ / name, bytes);
    return directory_ / name;
  }

  TextTotals read(const std::vector<std::string>& files, const DocumentRule& rule = {}) {
    TextInput input(files, rule);
    make_directories(directory_ / "spool");
    input.spool(directory_ / "spool", [](int64_t) {});
    documents_.clear();
    bool open = false;
    int64_t bytes = 0;
    const TextTotals totals = input.read(
        kAnywhere,
        [&](std::span<const TextChunk> chunks) {
          EXPECT_FALSE(chunks.empty());
          for (const TextChunk& chunk : chunks) {
            EXPECT_EQ(chunk.begins, !open);
            EXPECT_FALSE(chunk.text.empty());
            if (chunk.begins) documents_.push_back({"", chunk.where(), chunk.offset});
            EXPECT_EQ(chunk.offset, documents_.back().offset + documents_.back().text.size());
            documents_.back().text += chunk.text;
            open = !chunk.ends;
          }
        },
        [&](int64_t done) { bytes = done; });
    EXPECT_FALSE(open);
    EXPECT_EQ(bytes, input.bytes());
    EXPECT_EQ(totals.documents, std::ssize(documents_));
    return totals;
  }

  std::vector<std::string> texts() const {
    std::vector<std::string> all;
    for (const Document& document : documents_) all.push_back(document.text);
    return all;
  }

  using Texts = std::vector<std::string>;

  TemporaryDirectory directory_;
  std::vector<Document> documents_;
};

TEST_F(TextInputTest, AFileIsADocument) {
  const std::string a = write("a.txt", "one\ntwo\r\n"), b = write("b.txt", "\xEF\xBB\xBF three");
  EXPECT_EQ(read({a, b}), (TextTotals{2, 15, 0}));
  EXPECT_EQ(documents_, (std::vector<Document>{{"one\ntwo\r\n", a, 0}, {" three", b, 3}}));
  EXPECT_EQ(read({directory_ / "?.txt"}), (TextTotals{2, 15, 0}));
}

TEST_F(TextInputTest, ALineIsADocument) {
  const std::string a =
      write("a.txt", std::string("\xEF\xBB\xBFx\r\n\r\n\0z\r\r\ny\r", 15) + "z\n\nend\r");
  EXPECT_EQ(read({a}, {.lines = true}), (TextTotals{4, 11, 2, 5}));
  EXPECT_EQ(documents_,
            (std::vector<Document>{
                {"x", a, 3}, {std::string("\0z\r", 3), a, 8}, {"y\rz", a, 13}, {"end\r", a, 18}}));
}

TEST_F(TextInputTest, SeparatorsBelongToNone) {
  const std::string a = write("a.txt", "<->one<-<->two\n<-><->");
  EXPECT_EQ(read({a}, {.separator = "<->"}), (TextTotals{2, 9, 2, 4}));
  EXPECT_EQ(documents_, (std::vector<Document>{{"one<-", a, 3}, {"two\n", a, 11}}));
}

TEST_F(TextInputTest, LineEndsInSeparatorsAreAlike) {
  const std::string a = write("a.txt", "one\r\n\r\ntwo\n\nthree\n\r\nfour\r\nend\r");
  const Texts expected = {"one", "two", "three", "four\r\nend\r"};
  for (const char* const separator : {"\n\n", "\r\n\r\n", "\n\r\n"}) {
    EXPECT_EQ(read({a}, {.separator = separator}).separators, 3) << separator;
    EXPECT_EQ(texts(), expected);
  }
  EXPECT_EQ(documents_[2].offset, 12u);
  read({write("b.txt", "x.\r\ny\r.\nz")}, {.separator = ".\n"});
  EXPECT_EQ(texts(), (Texts{"x", "y\r", "z"}));
}

TEST_F(TextInputTest, SignsOfPatternsInNames) {
  make_directories(directory_ / "a[1]");
  const std::string a = write("a[1]/b*.txt", "ab"), b = write("a[1]/bc.txt", "c");
  read({a});
  EXPECT_EQ(texts(), Texts{"ab"});
  read({directory_ / "a[1]/b?.txt"});
  EXPECT_EQ(texts(), (Texts{"ab", "c"}));
}

TEST_F(TextInputTest, TextIsUtf8UnlessTold) {
  const std::string a = write("a.txt", "d\xE9j\xE0 \xE2\x82\xAC\xE2\x82");
  EXPECT_EQ(error_of([&] { read({a}); }),
            a + " at byte 1: invalid UTF-8\n  expected: text in UTF-8\n  got: '\\xe9'\n  hint: "
                "--invalid-utf8 replace or bytes, or --tokenizer bytes takes any bytes");
  read({a}, {.invalid_utf8 = InvalidUtf8::replace});
  EXPECT_EQ(texts(), Texts{"d\uFFFDj\uFFFD \u20AC\uFFFD"});
  read({a}, {.invalid_utf8 = InvalidUtf8::keep});
  EXPECT_EQ(texts(), Texts{read_file(a)});
}

// None of them begins a character.
TEST_F(TextInputTest, BytesThatGoOnWithNothing) {
  for (const size_t count : {1, 2, 4}) {
    const std::string a = write("a.txt", std::string(count, '\x80'));
    EXPECT_TRUE(error_of([&] { read({a}); }).starts_with(a + " at byte 0: invalid UTF-8"));
    read({a}, {.invalid_utf8 = InvalidUtf8::replace});
    std::string replaced;
    for (size_t i = 0; i < count; ++i) replaced += "\uFFFD";
    EXPECT_EQ(texts(), Texts{replaced});
  }
}

TEST_F(TextInputTest, OtherEncodingsAreNamed) {
  std::string utf16;
  for (const char c : std::string("The dog and the cat.")) utf16 += {c, '\0'};
  for (const auto& [bytes, name] : std::vector<std::pair<std::string, std::string>>{
           {"\xFF\xFE" + utf16, "UTF-16, little-endian"},
           {"\xFE\xFF" + utf16, "UTF-16, big-endian"},
           {std::string("\xFF\xFE\0\0", 4) + utf16, "UTF-32, little-endian"},
           {"\x1F\x8B\x08", "gzip"},
           {utf16, "more than a quarter of it bytes of zero, as in UTF-16"}}) {
    for (const char* const file : {"a.txt", "a.jsonl"}) {
      const std::string a = write(file, bytes);
      const std::string message = error_of([&] { read({a}); });
      EXPECT_TRUE(message.starts_with(a + ": the file is not text in UTF-8")) << message;
      EXPECT_NE(message.find("got: " + name), message.npos) << message;
      EXPECT_NE(message.find("hint: "), message.npos) << message;
    }
    read({write("a.txt", bytes)}, {.invalid_utf8 = InvalidUtf8::keep});
    EXPECT_EQ(texts(), Texts{bytes});
  }
}

// A block may end in the middle of a character.
TEST_F(TextInputTest, CharactersOverBlocks) {
  for (const std::string character : {"\u00E9", "\u20AC", "\U0001F642"}) {
    for (size_t before = 0; before < character.size(); ++before) {
      const std::string text = std::string((1u << 20) - before, 'a') + character + "b";
      const std::string a = write("a.txt", text);
      for (const InvalidUtf8 rule : {InvalidUtf8::error, InvalidUtf8::replace}) {
        read({a}, {.invalid_utf8 = rule});
        EXPECT_TRUE(texts() == Texts{text}) << before;
      }
      // A file may end there too, in the middle of the character.
      const std::string cut = text.substr(0, (1u << 20) + (before == 0 ? 1 : 0));
      EXPECT_NE(error_of([&] { read({write("b.txt", cut)}); }).find("invalid UTF-8"), cut.npos);
    }
  }
}

TEST_F(TextInputTest, BadLinesArePassedOver) {
  std::string lines = "{\"text\": \"one\"}\n";
  for (const char* const bad : {R"({"text": "two", "score": NaN})", R"({"text": null})",
                                R"({"text": "half \ud83d of a pair"})", R"({"text": "a)",
                                R"(["text"])", R"({"body": "a"})", "{\"text\": \"\xE9\"}"}) {
    lines += bad + std::string("\n");
  }
  lines += "{\"text\": \"" + std::string(TextInput::kLongestLine, 'a') + "\"}\n";
  lines += "\n{\"text\": \"three\"}";
  const std::string a = write("a.jsonl", lines);
  EXPECT_NE(error_of([&] { read({a}); }).find("hint: --skip-bad passes over such lines"),
            std::string::npos);
  const TextTotals totals = read({a}, {.skip_bad = true});
  EXPECT_EQ(texts(), (Texts{"one", "three"}));
  EXPECT_EQ(totals.bad, 8);
  EXPECT_EQ(totals.empty, 1);
  ASSERT_EQ(totals.bad_lines.size(), 8u);
  EXPECT_TRUE(totals.bad_lines[0].starts_with(a + ":2:26: ")) << totals.bad_lines[0];
  EXPECT_EQ(totals.bad_lines[5], a + ":7: no 'text' in this object");
  EXPECT_EQ(totals.bad_lines[7], a + ":9: this line is too long");
}

// Blocks of a megabyte, chunks of 128 KiB: line ends and separators lie on the borders.
TEST_F(TextInputTest, BlocksMakeNoDifference) {
  for (const size_t size : {1u << 20, (1u << 20) - 1, (1u << 20) - 2, (1u << 20) + 1, 1u << 17}) {
    const std::string long_text(size, 'a');
    const std::string a = write("a.txt", long_text + "\r\n" + long_text + "\r\nb");
    read({a}, {.lines = true});
    EXPECT_TRUE(texts() == (Texts{long_text, long_text, "b"})) << size;
    read({a}, {.separator = "\r\n"});
    EXPECT_TRUE(texts() == (Texts{long_text, long_text, "b"})) << size;
    read({a});
    EXPECT_TRUE(texts() == Texts{read_file(a)}) << size;
    const std::string json = "{\"text\": \"" + long_text + "\"}\n";
    read({write("a.jsonl", json + json)});
    EXPECT_TRUE(texts() == (Texts{long_text, long_text})) << size;
  }
}

TEST_F(TextInputTest, ManySmallDocuments) {
  std::string text;
  for (int i = 0; i < 200000; ++i) text += "x\n";
  EXPECT_EQ(read({write("a.txt", text)}, {.lines = true}), (TextTotals{200000, 200000, 0, 200000}));
}

TEST_F(TextInputTest, JsonLines) {
  const std::string a = write("a.jsonl",
                              "{\"id\": [1, {\"text\": 2}], \"text\": \"caf\\u00e9\\n\"}\r\n"
                              " \n{\"text\": \"\"}\n{\"text\": \"b\"}");
  EXPECT_EQ(read({a}), (TextTotals{2, 7, 2}));
  EXPECT_EQ(documents_, (std::vector<Document>{{"caf\u00e9\n", a + ":1", 0}, {"b", a + ":4", 0}}));
  const std::string b = write("b.txt", "{\"body\": \"x\"}\n");
  read({b}, {.format = "jsonl", .field = "body"});
  EXPECT_EQ(texts(), Texts{"x"});
  read({a}, {.format = "text"});
  EXPECT_EQ(texts(), Texts{read_file(a)});
}

TEST_F(TextInputTest, APromptIsAMemberOfItsLine) {
  const DocumentRule rule = {.field = "a", .prompt_field = "q"};
  const std::string a = write("a.jsonl",
                              "{\"q\": \"one?\", \"a\": \"1\"}\n\n"
                              "{\"q\": \"two?\", \"a\": \"\"}\n{\"a\": \"3\", \"q\": \"\"}\n");
  EXPECT_EQ(read({a}, rule), (TextTotals{2, 6, 2}));
  EXPECT_EQ(documents_, (std::vector<Document>{{"one?1", a + ":1", 0}, {"3", a + ":4", 0}}));
  std::string lines = "{\"q\": \"one?\", \"a\": \"1\"}\n";
  for (const char* const bad : {R"({"a": "2"})", R"({"q": null, "a": "2"})", R"({"q": "2"})",
                                R"({"q": "2", "a": 2})", R"("q")"}) {
    lines += bad + std::string("\n");
  }
  const std::string b = write("b.jsonl", lines);
  EXPECT_TRUE(error_of([&] { read({b}, rule); }).starts_with(b + ":2: no 'q' in this object"));
  DocumentRule skipping = rule;
  skipping.skip_bad = true;
  const TextTotals totals = read({b}, skipping);
  EXPECT_EQ(texts(), Texts{"one?1"});
  EXPECT_EQ(totals.bad, 5);
  EXPECT_TRUE(totals.bad_lines[1].starts_with(b + ":3: q: ")) << totals.bad_lines[1];
  EXPECT_EQ(totals.bad_lines[2], b + ":4: no 'a' in this object");
  const std::string c = write("c.txt", lines);
  EXPECT_TRUE(
      error_of([&] { read({c}, rule); }).starts_with(c + ": a prompt is a member of JSON Lines"));
  skipping.format = "jsonl";
  EXPECT_EQ(read({c}, skipping).documents, 1);
}

TEST_F(TextInputTest, RefusesWhatIsNoJsonLine) {
  const auto refused = [&](const std::string& bytes) {
    return error_of([&] { read({write("a.jsonl", "{\"text\": \"a\"}\n" + bytes)}); });
  };
  const std::string second = directory_ / "a.jsonl" + ":2";
  EXPECT_TRUE(refused("text\n").starts_with(second + ":1: invalid JSON value"));
  EXPECT_TRUE(refused("{\"x\": 1}\n").starts_with(second + ": no 'text' in this object"));
  EXPECT_TRUE(refused("[1]").starts_with(second + ": not a JSON object\n"));
  EXPECT_TRUE(refused("{\"text\": 1}").starts_with(second + ": text: "));
  EXPECT_TRUE(refused("{\"text\": \"\xff\"}").starts_with(second + ":11: invalid UTF-8"));
  EXPECT_TRUE(refused("{\"text\": \"a\", \"text\": \"b\"}").starts_with(second + ":15: repeated"));
}

TEST_F(TextInputTest, RefusesAJsonLineThatIsTooLong) {
  const std::string a = directory_ / "a.jsonl";
  std::ofstream(a) << "\n{\"text\": \"" << std::string(TextInput::kLongestLine, 'a') << "\"}\n";
  const std::string line = error_of([&] { read({a}); });
  EXPECT_TRUE(line.starts_with(a + ":2: this line is too long\n  expected: at most 64 MiB"))
      << line;
}

TEST_F(TextInputTest, RefusesWhatHasNoText) {
  for (const std::string bytes : {"", "\xEF\xBB\xBF"}) {
    const std::string a = write("a.txt", bytes);
    EXPECT_TRUE(error_of([&] { read({a}); }).starts_with(a + ": the text is empty"));
  }
  EXPECT_TRUE(error_of([&] { read({directory_ / "none"}); }).find("cannot open") !=
              std::string::npos);
  EXPECT_TRUE(error_of([&] { read({directory_ / "*.none"}); }).find("no such file") !=
              std::string::npos);
  EXPECT_TRUE(error_of([&] { read({directory_.path()}); }).find("is a directory") !=
              std::string::npos);
}

TEST_F(TextInputTest, APipeIsReadOnceAndMayBeReadAgain) {
  const std::string pipe = directory_ / "pipe.jsonl";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  std::string text;
  for (int i = 0; i < 100000; ++i) text += "{\"text\": \"" + std::to_string(i) + "\"}\n";
  std::thread writer([&] { std::ofstream(pipe) << text; });
  TextInput input({pipe}, {});
  int64_t spooled = 0;
  input.spool(directory_.path(), [&](int64_t bytes) { spooled = bytes; });
  writer.join();
  EXPECT_EQ(spooled, std::ssize(text));
  EXPECT_EQ(input.bytes(), std::ssize(text));
  for (int i = 0; i < 2; ++i) {
    std::string place;
    const auto on_chunks = [&](auto chunks) { place = chunks.back().where(); };
    EXPECT_EQ(input.read(kAnywhere, on_chunks, [](int64_t) {}).documents, 100000);
    EXPECT_EQ(place, pipe + ":100000");
  }
}

}  // namespace
}  // namespace cria
