// prepare --prompt-field: texts of which a part is read and not learned.
#include <gtest/gtest.h>

#include <cmath>

#include "support/cli.h"

namespace cria {
namespace {

class PromptsTest : public CliTest {
 public:
  static Json first_line(const std::string& text) {
    return Json::parse(text.substr(0, text.find('\n')), "line");
  }
};

// From JSON Lines to a loss: what is learned is the field, and nothing has to be said again.
TEST_F(PromptsTest, TheyAreReadAndNotLearned) {
  const std::string prompt = "What does the Lama do? ", answer = "It zogs.";
  const std::string line = R"({"q": ")" + prompt + R"(", "a": ")" + answer + "\"}\n";
  write("a.jsonl", line + "{\"q\": \"no answer\"}\n");
  const Arguments prepare = {"prepare", "a.jsonl", "--out",          "d", "--tokenizer", "bytes",
                             "--field", "a",       "--prompt-field", "q", "--eos",       "none",
                             "--val",   "a.jsonl", "--skip-bad"};
  const ProcessResult prepared = run(prepare);
  EXPECT_TRUE(contains(prepared.out, "31 tokens (8 learned) of 1 document to train on"))
      << prepared.out;
  EXPECT_TRUE(
      contains(prepared.err, "bad lines passed over: 1\n  a.jsonl:2: no 'a' in this object"))
      << prepared.err;
  EXPECT_TRUE(contains(run({"inspect", "d"}).out, "8 (25.8%) are learned, the others only read"));
  EXPECT_TRUE(contains(run({"inspect", "d", "--json"}).out, "\"tokens\":31,\"learned\":8,"));
  EXPECT_TRUE(contains(run({"verify", "d"}).out, "d: whole"));
  const Arguments train = {"train",
                           "tiny.toml",
                           "data.train=d",
                           "data.val=d",
                           "data.sequence_length=30",
                           "train.batch_size=1",
                           "train.seed=3"};
  const auto with = [](Arguments arguments, const Arguments& more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  };
  run(with(train, {"train.steps=0", "train.output_dir=untrained"}));
  run(with(train, {"train.steps=1", "train.output_dir=learned"}));
  // The losses of the answer's bytes alone.
  write("line.txt", prompt + answer);
  const Json score = json_line(run({"score", "untrained", "--file", "line.txt", "--json"}).out);
  const Json::Array& losses = score.find("token_losses")->as_array("");
  double sum = 0;
  for (size_t i = losses.size() - answer.size(); i < losses.size(); ++i) {
    sum += losses[i].find("loss")->as_double("");
  }
  const double expected = sum / static_cast<double>(answer.size());
  EXPECT_GT(std::abs(score.find("loss")->as_double("") - expected), 1e-4);
  const Json eval = json_line(run({"eval", "untrained", "--data", "d", "--json"}).out);
  EXPECT_EQ(eval.find("tokens")->dump(), "8");
  EXPECT_NEAR(eval.find("val_loss")->as_double(""), expected, 1e-5);
  const Json step = first_line(read("learned/metrics.jsonl"));
  EXPECT_NEAR(step.find("loss")->as_double(""), expected, 1e-5);
  // Bytes of masks are data as much as tokens are.
  std::string mask = read("d/train_000000.mask");
  mask[0] = '\1';
  write("d/train_000000.mask", mask);
  const ProcessResult damaged = cria({"verify", "d"});
  EXPECT_EQ(damaged.exit_code, 1);
  EXPECT_TRUE(contains(damaged.out, "train_000000.mask: not the file that was written"));
}

TEST_F(PromptsTest, FieldsThatSayNothing) {
  write("a.jsonl", "{\"q\": \"x\", \"a\": \"y\"}\n");
  for (const auto& [more, message] : std::vector<std::pair<Arguments, std::string>>{
           {{"--prompt-field", "q"}, "--field is missing"},
           {{"--prompt-field", "a", "--field", "a"}, "--prompt-field is empty or the same"},
           {{"--prompt-field", "", "--field", "a"}, "--prompt-field is empty or the same"}}) {
    Arguments arguments = {"prepare", "a.jsonl", "--out", "d"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProcessResult result = cria(arguments);
    EXPECT_EQ(result.exit_code, 2) << message;
    EXPECT_TRUE(contains(result.err, message)) << result.err;
  }
  const ProcessResult text =
      cria({"prepare", "text.txt", "--out", "d", "--prompt-field", "q", "--field", "a"});
  EXPECT_EQ(text.exit_code, 1);
  EXPECT_TRUE(contains(text.err, "text.txt: a prompt is a member of JSON Lines")) << text.err;
  EXPECT_FALSE(exists(path("d")));
}

}  // namespace
}  // namespace cria
