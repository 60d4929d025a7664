// What bad input gets: an error with its place, what was expected, what was found and a hint; exit
// code 1, or 2 for wrong usage; and nothing half-written left behind.
#include <gtest/gtest.h>

#include <functional>

#include "support/cli.h"

namespace cria {
namespace {

constexpr const char* kRun = "train.output_dir=\"run\"";

using T = const CliTest&;

struct Case {
  std::string name;
  std::function<void(T)> spoil;
  CliTest::Arguments arguments;
  // Parts of the message.
  std::string place, expected, got, hint;
  int exit_code = 1;
  rlim_t max_file_bytes = Process::kNoLimit;
};

void PrintTo(const Case& each, std::ostream* out) {
  *out << each.name;
}

std::string checkpoint_file(const std::string& name) {
  return std::string(CliTest::kCheckpoint) + "/" + name;
}

void nothing(T) {}

std::function<void(T)> config(const std::string& from, const std::string& to) {
  return [=](T t) { t.replace("tiny.toml", from, to); };
}

std::vector<Case> cases() {
  const std::vector<std::string> train = {"train", "tiny.toml"};
  // Damage that the checksums would notice before the readers do.
  const std::vector<std::string> train_unverified = {"train", "tiny.toml", "--no-verify"};
  const std::string known = "a key that 'cria train --help' lists";
  const std::string train_shard = CliTest::kTrainShard;
  const std::string weights = checkpoint_file("model.safetensors");
  const std::string moments = checkpoint_file("optimizer.safetensors");
  const std::string trainer = checkpoint_file("trainer.json");
  const auto cut_shard = [=](T t) { t.cut(train_shard, 3); };
  const auto other_magic = [=](T t) { t.replace(train_shard, "\x88\xD8\x34\x01", "GGUF"); };
  return {
      // --- the config
      {"MistypedKey", config("hidden_size", "hiden_size"), train,
       "tiny.toml:2:1: unknown key 'model.hiden_size'", known, "'model.hiden_size'",
       "did you mean 'model.hidden_size'?"},
      {"MistypedTable", config("[model]", "[modle]"), train,
       "tiny.toml:2:1: unknown key 'modle.hidden_size'", known, "'modle.hidden_size'",
       "did you mean 'model.hidden_size'?"},
      {"KeyOfAnotherTable", config("steps =", "learning_rate = 1e-3\nsteps ="), train,
       "tiny.toml:13:1: unknown key 'train.learning_rate'", known, "'train.learning_rate'",
       "did you mean 'optimizer.learning_rate'?"},
      {"UnknownKey", config("steps =", "favourite_colour = 1\nsteps ="), train,
       "tiny.toml:13:1: unknown key 'train.favourite_colour'", known, "'train.favourite_colour'",
       "below its [table]"},
      {"MistypedOverride",
       nothing,
       {"train", "tiny.toml", "train.step=3"},
       "override 'train.step=3': unknown key 'train.step'",
       known,
       "'train.step'",
       "did you mean 'train.steps'?"},
      {"KeyTwice", config("steps = 4", "steps = 4\nsteps = 5"), train,
       "tiny.toml:14:1: 'train.steps' is defined twice", "one definition",
       "another; it is a value since line 13", "remove one of the two"},
      {"WrongType", config("hidden_size = 16", "hidden_size = \"16\""), train,
       "tiny.toml:2:1: model.hidden_size: wrong type: string", "an integer, 1 to 1048576", "\"16\"",
       "meaning of the key: width of the residual stream"},
      {"WrongTypeOfOverride",
       nothing,
       {"train", "tiny.toml", "train.steps=1.5"},
       "override 'train.steps=1.5': train.steps: wrong type: float",
       "an integer, 0 to 1000000000000",
       "1.5",
       "meaning of the key: optimizer steps"},
      {"OutOfRange", config("batch_size = 2", "batch_size = 0"), train,
       "tiny.toml:14:1: train.batch_size: out of range", "an integer, 1 to 2147483647", "0",
       "sequences per micro-batch"},
      {"UnknownChoice", config("\"constant\"", "\"cosin\""), train,
       "tiny.toml:20:1: schedule.name: not one of the choices", "\"cosine\"", "\"cosin\"",
       "did you mean 'cosine'?"},
      {"NoValue", config("steps = 4", "steps ="), train, "tiny.toml:13:8: invalid value",
       "a string, number, boolean or array", "'\\n'", "key = value"},
      {"StringWithoutQuotesInAFile", config("name = \"constant\"", "name = constant"), train,
       "tiny.toml:20:8: invalid value", "a string, number, boolean or array", "'constant'",
       "a string stands in quotes: \"constant\""},
      {"WordWhereANumberIsWanted",
       nothing,
       {"train", "tiny.toml", "train.steps=many"},
       "override 'train.steps=many': train.steps: wrong type: string",
       "an integer, 0 to",
       "\"many\"",
       "meaning of the key"},
      {"HeadsThatDoNotDivide", config("heads = 2", "heads = 3"), train,
       "tiny.toml: model.num_attention_heads: the heads do not divide hidden_size",
       "a divisor of 16: 1, 2, 4, 8, 16", "3", "or give model.head_dim"},
      {"KeyValueHeadsThatDoNotDivide", config("heads = 2", "heads = 4\nnum_key_value_heads = 3"),
       train, "tiny.toml: model.num_key_value_heads: ", "a divisor of 4: 1, 2, 4", "3",
       "0 means as many"},
      {"OddHead", config("heads = 2", "heads = 16"), train,
       "tiny.toml: model.head_dim: ", "an even number", "1", "choose fewer num_attention_heads"},
      {"NoVocabulary", [](T t) { std::filesystem::remove(t.path("data/tokenizer.json")); }, train,
       "tiny.toml: model.vocab_size: not given", "the number of tokens", "0",
       "it is taken from the tokenizer when there is one"},
      {"VocabularyBelowTheTokenizers", config("[model]", "[model]\nvocab_size = 5"), train,
       "tiny.toml: model.vocab_size: ", "(data/tokenizer.json)", "5", "leave it out"},

      // --- files that are not there
      {"MissingConfig",
       nothing,
       {"train", "tyni.toml"},
       "tyni.toml: cannot open",
       "a file that can be read",
       "No such file or directory",
       "is the path right? it is relative to /"},
      {"MissingText",
       nothing,
       {"prepare", "txet.txt", "--out", "d"},
       "txet.txt: cannot open",
       "a file that can be read",
       "No such file or directory",
       "is the path right? it is relative to /"},
      {"MissingShards", config("data/train_*", "dta/train_*"), train,
       "dta/train_*.bin: no such file", "a glob that matches files", "nothing of that name",
       "is the path right?"},
      {"MissingValidationShards", config("data/val_*", "data/vla_*"), train,
       "data/vla_*.bin: no such file", "a glob that matches files", "nothing of that name",
       "is the path right?"},
      {"MissingTokenizer", config("[data]", "[data]\ntokenizer = \"t.json\""), train,
       "t.json: cannot open", "a file that can be read", "No such file or directory",
       "is the path right? it is relative to /"},
      {"MissingModel",
       nothing,
       {"generate", "rnu"},
       "rnu: no model here",
       "config.json",
       "no such directory",
       "'cria train' makes a run"},
      {"RunThatExists",
       nothing,
       {"train", "tiny.toml", kRun},
       "run: this directory holds a run already",
       "without checkpoints",
       CliTest::kCheckpoint,
       "go on with --resume"},
      {"DatasetThatExists",
       nothing,
       {"prepare", "text.txt", "--out", "data"},
       "data/dataset.json: exists already",
       "no dataset",
       "summary",
       "another --out"},

      // --- texts
      {"EmptyText",
       [](T t) { t.write("text.txt", ""); },
       {"prepare", "text.txt", "--out", "d"},
       "text.txt: the text is empty",
       "text to make tokens of",
       "0 bytes",
       "right file?"},
      {"EmptyValidationText",
       [](T t) { t.write("val.txt", ""); },
       {"prepare", "text.txt", "--val", "val.txt", "--out", "d"},
       "val.txt: the text is empty",
       "text to make tokens of",
       "0 bytes",
       "right file?"},
      {"InvalidUtf8",
       [](T t) { t.write("text.txt", "Pa\xDF"); },
       {"prepare", "text.txt", "--out", "d"},
       "text.txt at byte 2: invalid UTF-8",
       "text in UTF-8",
       "'\\xdf'",
       "--tokenizer bytes takes any bytes"},
      {"UnknownEscape",
       nothing,
       {"prepare", "text.txt", "--document-separator", "\\q", "--out", "d"},
       "cria prepare --document-separator: unknown escape",
       "\\n, \\r, \\t, \\xHH or \\\\",
       "'\\\\q'",
       "a backslash itself is written \\\\",
       2},
      {"ShardsAreADirectory",
       nothing,
       {"eval", "run", "--data", "run"},
       "run: a directory where shards are asked for",
       "shards, or the directory of a dataset",
       "a directory without a dataset.json",
       "'cria prepare' makes one"},
      {"ShardsAreAText",
       nothing,
       {"eval", "run", "--data", "text.txt"},
       "text.txt: a text where shards are asked for",
       "token shards",
       "'",
       "cria prepare text.txt --out data/text makes them"},
      {"CharacterOutsideTheVocabulary",
       [](T t) { t.write("text.txt", "Lama Q"); },
       {"prepare", "text.txt", "--tokenizer", "data/tokenizer.json", "--out", "d"},
       "text.txt at byte 5: character 'Q' (U+0051) is not in the vocabulary",
       "one of the tokenizer's",
       "'Q'",
       "--tokenizer bytes"},
      {"NothingToTrainOn",
       [](T t) { t.write("text.txt", "L"); },
       {"prepare", "text.txt", "--out", "d"},
       "text.txt: no token is left to train on",
       "more text",
       "1 token",
       "--val-fraction 0"},
      {"NoDocument",
       [](T t) { t.write("text.txt", "\n\n"); },
       {"prepare", "text.txt", "--lines", "--out", "d"},
       "text.txt: no document has any text",
       "text to make tokens of",
       "2 empty documents",
       "right file?"},
      {"TextIsADirectory",
       nothing,
       {"prepare", "data", "--out", "d"},
       "data: is a directory",
       "a file",
       "a directory",
       "'data/*.txt' names files"},
      {"JsonLineCutOff",
       [](T t) { t.write("a.jsonl", "{\"text\": \"x\"}\n{\"text\": \"x\""); },
       {"prepare", "a.jsonl", "--out", "d"},
       "a.jsonl:2:13: unfinished JSON object",
       "',' or '}'",
       "end of text",
       "cut off?"},
      {"JsonLineWithoutTheField",
       [](T t) { t.write("a.jsonl", "{\"text\": \"x\"}\n{\"body\": \"x\"}\n"); },
       {"prepare", "a.jsonl", "--out", "d"},
       "a.jsonl:2: no 'text' in this object",
       "an object with text as its 'text'",
       "other members",
       "--field NAME"},
      {"SpecialTokenTwice",
       nothing,
       {"prepare", "text.txt", "--out", "d", "--special", "<a>", "--special", "<a>"},
       "cria prepare: special token '<a>' is there twice",
       "each token once",
       "'<a>' again",
       "what --bos and --eos name"},
      {"VocabularySmallerThanItsSpecialTokens",
       nothing,
       {"prepare", "text.txt", "--out", "d", "--tokenizer", "bpe", "--vocab-size", "258", "--bos",
        "<a>", "--eos", "<b>", "--special", "<c>"},
       "vocabulary size 258 is impossible",
       "at least 259: 256 bytes and 3 special tokens",
       "258",
       "--vocab-size"},
      {"UnknownTokenizer",
       nothing,
       {"prepare", "text.txt", "--out", "d", "--tokenizer", "char"},
       "cria prepare --tokenizer: no such tokenizer",
       "bytes, chars, words, bpe, or the path",
       "'char'",
       "did you mean 'chars'?",
       2},
      {"PromptOutsideTheVocabulary",
       nothing,
       {"generate", "run", "--prompt", "Q"},
       "the prompt at byte 0: character 'Q'",
       "one of the tokenizer's",
       "'Q'",
       "text that has"},

      // --- shards
      {"SequenceLongerThanTheData", config("length = 8", "length = 5000"), train,
       "data/train_*.bin: too few tokens", "at least 5001 tokens (data.sequence_length + 1)",
       "in the longest shard", "lower data.sequence_length"},
      {"OneTokenToValidateOn",
       [](T t) {
         t.write("L.txt", "L");
         t.replace("tiny.toml", "data/val", "one/val");
         t.run({"prepare", "text.txt", "--val", "L.txt", "--out", "one"});
       },
       train, "one/val_*.bin: no token to predict", "a shard of at least 2 tokens", "1 token",
       "more text"},
      {"WrongMagic", other_magic, train_unverified, train_shard + ": not a token shard",
       "magic number 20240520", "1179993927", "data.shard_format = \"raw_uint16\""},
      {"EmptyShard", [=](T t) { t.write(train_shard, ""); }, train_unverified,
       train_shard + ": empty file", "a token shard", "0 bytes", "'cria prepare'"},
      {"TruncatedShard", cut_shard, train_unverified, train_shard + ": truncated shard",
       "bytes (1024 + ", "", "copy it again"},
      {"DamagedShard",
       cut_shard,
       {"eval", "run", "--data", train_shard},
       train_shard + ": not the file that was written",
       "the checksum ",
       "",
       "--no-verify"},
      {"TruncatedShardForEval",
       cut_shard,
       {"eval", "run", "--data", train_shard, "--no-verify"},
       train_shard + ": truncated shard",
       "bytes (1024 + ",
       "",
       "copy it again"},
      {"TokenBeyondTheVocabulary",
       [](T t) {
         t.cut(t.kValShard, 2);
         t.write(t.kValShard, t.read(t.kValShard) + "\xE7\x03");
       },
       train_unverified, std::string(CliTest::kValShard) + " at byte ",
       "below vocab_size = ", "999 as token ", "was this shard made with the tokenizer"},
      {"TokenBeyondTheVocabularyForEval",
       [](T t) {
         t.run({"prepare", "text.txt", "--tokenizer", "bytes", "--out", "b"});
       },
       {"eval", "run", "--data", "b/val_*.bin"},
       "b/val_000000.bin at byte ",
       "below vocab_size = ",
       " as token ",
       "was this shard made with the tokenizer"},

      // --- checkpoints
      {"AnotherArchitecture",
       nothing,
       {"train", "tiny.toml", kRun, "model.num_hidden_layers=2", "--resume"},
       checkpoint_file("config.json: num_hidden_layers"),
       "2 (as the config says)",
       "1",
       "resume with the config the run was started with"},
      {"OtherData",
       nothing,
       {"train", "tiny.toml", kRun, "data.sequence_length=7", "model.max_position_embeddings=8",
        "--resume"},
       "run, after step 4: other data: ",
       "\"sequence_length\":8",
       "\"sequence_length\":7",
       "or say --change"},
      {"WeightsCutShort",
       [=](T t) { t.cut(weights, 1); },
       {"train", "tiny.toml", kRun, "--resume", "--no-verify"},
       weights + ": tensor ",
       " bytes of data",
       " bytes",
       "cut off"},
      {"WeightsCutShortForGenerate",
       [=](T t) { t.cut(weights, 1); },
       {"generate", "run", "--no-verify"},
       weights + ": tensor ",
       " bytes of data",
       " bytes",
       "cut off"},
      {"OptimizerCutShort",
       [=](T t) { t.cut(moments, 100); },
       {"train", "tiny.toml", kRun, "--resume", "--no-verify"},
       moments + ": tensor ",
       " bytes of data",
       " bytes",
       "cut off"},
      {"TrainerCutShort",
       [=](T t) {
         const std::string whole = t.read(trainer);
         t.write(trainer, whole.substr(0, whole.find("\"files\"")));
       },
       {"train", "tiny.toml", kRun, "--resume", "--no-verify"},
       trainer + ":18:3: invalid JSON",
       "a key",
       "end of text",
       "is the file cut off?"},
      {"WeightsMissing",
       [=](T t) { std::filesystem::remove(t.path(weights)); },
       {"generate", "run"},
       weights + ": cannot open",
       "a file that can be read",
       "No such file or directory",
       "is the path right? it is relative to /"},

      // --- no place to write to; the tests may run as root, who may write anywhere else
      {"RunBelowAFile",
       nothing,
       {"train", "tiny.toml", "train.output_dir=\"text.txt/run\""},
       "text.txt/run",
       "a directory, or a place where one can be made",
       "Not a directory",
       "is a file in the way"},
      {"DatasetBelowAFile",
       nothing,
       {"prepare", "text.txt", "--out", "text.txt/d"},
       "text.txt/d",
       "a directory, or a place where one can be made",
       "Not a directory",
       "is a file in the way"},
      {"FullDiskForTheTrainShard",
       nothing,
       {"prepare", "text.txt", "--val", "text.txt", "--out", "deep/er/d"},
       "deep/er/d/prepare.tmp/train_000000.bin: cannot write",
       "room for ",
       "File too large",
       "is the disk full?",
       1,
       1500},
      {"FullDiskForTheValidationShard",
       [](T t) { t.write("part.txt", "Lama"); },
       {"prepare", "part.txt", "--val", "text.txt", "--out", "deep/er/d"},
       "deep/er/d/prepare.tmp/val_000000.bin: cannot write",
       "room for ",
       "File too large",
       "is the disk full?",
       1,
       2000},
      // A tokenizer.json that was there before is no left-over.
      {"FullDiskForTheTokenizer",
       [](T t) {
         t.run({"prepare", "text.txt", "--tokenizer", "bytes", "--out", "d"});
         for (const char* name : {"dataset.json", "train_000000.bin", "val_000000.bin"}) {
           std::filesystem::remove(t.path(std::string("d/") + name));
         }
         t.write("text.txt", "Lama");
       },
       {"prepare", "text.txt", "--tokenizer", "d/tokenizer.json", "--val-fraction", "0", "--out",
        "d"},
       "d/prepare.tmp/tokenizer.json: cannot write",
       "room for ",
       "File too large",
       "is the disk full?",
       1,
       1100},
  };
}

class CliBadInputTest : public CliTest, public testing::WithParamInterface<Case> {};

TEST_P(CliBadInputTest, IsExplainedAndLeavesNothing) {
  const Case& bad = GetParam();
  bad.spoil(*this);
  const auto before = files();
  const ProcessResult result = cria(bad.arguments, bad.max_file_bytes);
  EXPECT_EQ(result.exit_code, bad.exit_code);
  EXPECT_EQ(result.out, "");
  EXPECT_TRUE(contains(result.err, "cria: error: " + bad.place)) << result.err;
  for (const auto& [part, text] : {std::pair("expected", bad.expected), std::pair("got", bad.got),
                                   std::pair("hint", bad.hint)}) {
    const std::string begin = std::string("\n  ") + part + ": ";
    const size_t at = result.err.find(begin);
    ASSERT_NE(at, std::string::npos) << "no " << part << " in: " << result.err;
    const size_t end = result.err.find('\n', at + begin.size());
    const std::string line = result.err.substr(at + begin.size(), end - at - begin.size());
    EXPECT_FALSE(line.empty()) << part;
    EXPECT_TRUE(contains(line, text)) << part << ": " << line << "\nwanted: " << text;
  }
  const auto after = files();
  for (const auto& [name, bytes] : after) {
    EXPECT_TRUE(before.contains(name)) << "left behind: " << name;
  }
  for (const auto& [name, bytes] : before) {
    EXPECT_TRUE(after.contains(name) && after.at(name) == bytes) << "changed: " << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Each, CliBadInputTest, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

// Here a run directory exists, rightly: but no checkpoint in it, whole or half.
class CliFullDiskTest : public CliTest {};

TEST_F(CliFullDiskTest, TrainLeavesNoPartialCheckpoint) {
  const ProcessResult result = cria({"train", "tiny.toml"}, 6000);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(contains(result.err, "safetensors: cannot write\n  expected: room for "))
      << result.err;
  EXPECT_TRUE(contains(result.err, "\n  got: File too large\n  hint: is the disk full?"));
  EXPECT_TRUE(std::filesystem::is_empty(path("new/checkpoints")));
  for (const auto& [name, bytes] : files()) EXPECT_FALSE(contains(name, ".tmp")) << name;

  // The way on that the message shows.
  const ProcessResult again = cria({"train", "tiny.toml"});
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_TRUE(contains(again.err,
                       "hint: begin again with --resume, or remove it, or give another "
                       "train.output_dir"))
      << again.err;
  EXPECT_EQ(run({"train", "tiny.toml", "--resume"}).out, "new/checkpoints/step-00000004\n");
}

TEST_F(CliFullDiskTest, TheRunGoesOnFromTheCheckpointBefore) {
  const ProcessResult result =
      cria({"train", "tiny.toml", kRun, "train.steps=6", "--resume"}, 6000);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_FALSE(std::filesystem::exists(path("run/checkpoints/step-00000006")));
  for (const auto& [name, bytes] : files()) EXPECT_FALSE(contains(name, ".tmp")) << name;
  run({"train", "tiny.toml", kRun, "train.steps=6", "--resume"});
  EXPECT_TRUE(std::filesystem::exists(path("run/checkpoints/step-00000006")));
}

TEST_F(CliFullDiskTest, NoLineOfMetricsIsCut) {
  const ProcessResult result =
      cria({"train", "tiny.toml", "train.steps=60", "train.checkpoint_every=0"}, 3000);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(contains(result.err, "new/metrics.jsonl: cannot write")) << result.err;
  const std::string metrics = read("new/metrics.jsonl");
  EXPECT_GT(metrics.size(), 1000u);
  EXPECT_EQ(metrics.back(), '\n');
}

}  // namespace
}  // namespace cria
