// The commands as a user meets them.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <thread>

#include "base/unicode.h"
#include "base/version.h"
#include "cria/base/json.h"
#include "cria/data/shard.h"
#include "cria/kernels/kernels.h"
#include "cria/tokenizer_files/tokenizer_file.h"
#include "kernels/isa.h"
#include "support/cli.h"
#include "support/isas.h"

namespace cria {
namespace {

std::vector<Json> json_lines(const std::string& text) {
  std::vector<Json> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    lines.push_back(Json::parse(text.substr(begin, end - begin), "line"));
    begin = end == std::string::npos ? text.size() : end + 1;
  }
  return lines;
}

std::string after(const std::string& text, const std::string& mark) {
  const size_t at = text.find(mark);
  return at == std::string::npos ? "" : text.substr(at + mark.size());
}

// --- usage

TEST_F(CliTest, HelpOfEveryCommandNamesItsOptions) {
  const std::vector<std::pair<std::string, Names>> commands = {
      {"prepare",
       {"--out DIR", "--tokenizer NAME", "--bos TOKEN", "--val FILE", "--val-fraction F",
        "--json"}},
      {"train",
       {"--resume", "--change", "--dry-run", "--json", "learning_rate", "[schedule]",
        "output_dir"}},
      {"experiment", {"--out DIR", "--at-once N", "--dry-run", "--json"}},
      {"eval",
       {"--data GLOB", "--shard-format", "--sequence-length", "--batch-size", "--precision",
        "--json"}},
      {"generate",
       {"--prompt TEXT", "--max-new-tokens N", "--temperature X", "--top-k K", "--top-p P",
        "--seed N", "--stop TEXT", "--ignore-eos", "--special", "--prompts FILE", "--samples N",
        "--min-p P", "--repetition-penalty X", "--json"}},
      {"score", {"--file FILE", "--lines", "--tokens", "--json"}},
      {"compare", {"RUN...", "--json"}},
      {"completion", {"SHELL"}},
      {"help", {"[COMMAND]", "--man"}},
      {"inspect",
       {"--top N", "--text TEXT", "--file FILE", "--pattern NAME", "--ids", "--tokenizer PATH",
        "--shard-format NAME", "--bos-id N", "--eos-id N", "--tokens N", "--tensor NAME",
        "--rows A:B", "--columns A:B", "--histogram", "--neighbors TOKEN", "--diff OTHER",
        "--json"}},
      {"verify", {"PATH...", "--no-verify"}},
      {"trace", {"--text TEXT", "--layer N", "--head N", "--top N", "--values N", "--json"}},
      {"export", {"--to FORMAT", "-o PATH", "--dtype NAME", "--tensor NAME", "--json"}},
      {"gradcheck", {"--tolerance X", "--batch-size N", "--seed N", "--json"}},
      {"bench",
       {"--steps N", "--step-only", "--products SHAPES", "--compare FILE", "--sweep-threads N,N",
        "--sweep-lengths N,N", "--json"}},
      {"demo", {"table.key=value"}},
  };
  const std::string all = run({"--help"}).out;
  for (const auto& [command, options] : commands) {
    EXPECT_TRUE(contains(all, "\n  " + command + " ")) << all;
    const ProcessResult help = run({command, "--help"});
    EXPECT_TRUE(help.out.starts_with("usage: cria " + command + " ")) << help.out;
    EXPECT_EQ(help.err, "");
    for (const std::string& option : options) EXPECT_TRUE(contains(help.out, option)) << option;
    for (const char* option : {"--threads N", "--help"}) EXPECT_TRUE(contains(help.out, option));
    EXPECT_EQ(run({command, "-h"}).out, help.out);
  }
}

TEST_F(CliTest, Version) {
  const std::string version = run({"--version"}).out;
  EXPECT_TRUE(version.starts_with(std::string("cria ") + kCriaVersion)) << version;
  EXPECT_TRUE(contains(version, kCommit)) << version;
  EXPECT_TRUE(contains(version, std::string(", ") + kernels().isa + " kernels (of ")) << version;
  for (const std::string& isa : program_isas()) EXPECT_TRUE(contains(version, isa)) << version;
}

TEST_F(CliTest, WrongUsageIsExplainedAndExitsWith2) {
  const ProcessResult nothing = cria({});
  EXPECT_EQ(nothing.exit_code, 2);
  EXPECT_EQ(nothing.out, "");
  EXPECT_TRUE(nothing.err.starts_with("usage: cria COMMAND")) << nothing.err;

  const std::vector<std::pair<Arguments, std::string>> cases = {
      {{"trian"}, "unknown command 'trian'\n  hint: did you mean 'train'?"},
      {{"xyzzy"}, "unknown command 'xyzzy'\n  hint: 'cria --help' lists them"},
      {{"train", "tiny.toml", "--resum"},
       "cria train: unknown option '--resum'\n  hint: did you mean '--resume'?"},
      {{"train", "tiny.toml", "--xyzzyx"},
       "cria train: unknown option '--xyzzyx'\n  hint: see 'cria train --help'"},
      {{"train", "tiny.toml", "--lr", "1e-3"},
       "cria train: unknown option '--lr'\n  hint: keys of a config have no dashes: "
       "optimizer.learning_rate=VALUE"},
      {{"train", "tiny.toml", "--batch-size=4"},
       "cria train: unknown option '--batch-size'\n  hint: keys of a config have no dashes: "
       "train.batch_size=VALUE"},
      {{"train", "tiny.toml", "---"}, "cria train: unknown option '---'\n  hint: see 'cria train"},
      {{"generate", "run", "--temp", "1"},
       "cria generate: unknown option '--temp'\n  hint: did you mean '--temperature'?"},
      {{"generate", "run", "--seed", "1", "--seed=2"}, "cria generate: --seed is given twice"},
      {{"generate", "run", "--prompt", "L", "--prompts", "f"},
       "cria generate: --prompt and --prompts exclude each other"},
      {{"trace", "run", "--text", "L", "--layer", "1"},
       "cria trace: invalid value of --layer\n  expected: an integer 0 to 0"},
      {{"trace", "run", "--text", "L", "--head", "2"},
       "cria trace: invalid value of --head\n  expected: an integer 0 to 1"},
      {{"score", "run"}, "cria score: --file is missing"},
      {{"help", "trian"}, "unknown command 'trian'\n  hint: did you mean 'train'?"},
      {{"completion", "tcsh"}, "cria completion: unknown shell 'tcsh'\n  expected: bash, zsh"},
      {{"gradcheck", "tiny.toml", "--text", "L", "--batch-size", "1"},
       "cria gradcheck: --text excludes"},
      {{"train"}, "cria train: too few arguments\n  hint: usage: cria train CONFIG"},
      {{"train", "tiny.toml", "steps"}, "override 'steps': not an override\n  expected: table.key"},
      {{"train", "tiny.toml", "--threads", "0"},
       "cria train: invalid value of --threads\n  expected: an integer 1 to 4096\n  got: '0'"},
      {{"train", "tiny.toml", "--threads"}, "cria train: --threads needs a value"},
      {{"train", "tiny.toml", "--json=1"}, "cria train: --json takes no value"},
      {{"generate", "run", "x"}, "cria generate: unexpected argument 'x'\n  hint: usage: "},
      {{"generate", "run", "--temperature", "-1"},
       "cria generate: invalid value of --temperature\n  expected: a number from 0.0 to 1000.0"},
      {{"generate", "run", "--prompt", "\xFF"}, "cria generate --prompt: invalid UTF-8\n"},
      {{"trace", "run"}, "cria trace: --text is missing\n  hint: --text "},
      {{"trace", "run", "--text", "\xFF"}, "cria trace --text: invalid UTF-8\n"},
      {{"trace", "run", "--text", "L", "--top", "0"},
       "cria trace: invalid value of --top\n  expected: an integer 1 to "},
      {{"export", "run"}, "cria export: --to FORMAT and -o PATH are needed\n  hint: "},
      {{"export", "run", "--to", "hf"}, "cria export: --to FORMAT and -o PATH are needed\n"},
      {{"export", "run", "--to", "hg", "-o", "x"},
       "cria export: invalid value of --to\n  expected: hf or gguf"},
      {{"export", "run", "--to", "npz", "-o", "x", "--dtype", "bf16"},
       "cria export: invalid value of --dtype\n  expected: f32\n  got: 'bf16'"},
      {{"export", "run", "--to", "hf", "-o", "x", "--tensor", "lm_head.weight"},
       "cria export: --tensor is for --to tsv"},
      {{"eval", "run"}, "cria eval: --data is missing\n  hint: --data "},
      {{"eval", "run", "--data", kValShard, "--precision", "fp16"},
       "cria eval: invalid value of --precision\n  expected: fp32 or bf16\n  got: 'fp16'"},
      {{"eval", "run", "--data", kValShard, "--shard-format", "llm"},
       "cria eval: invalid value of --shard-format\n  expected: llmc or raw_uint16\n  got: "
       "'llm'\n  hint: did you mean 'llmc'?"},
      {{"eval", "run", "--data", kValShard, kTrainShard},
       "cria eval: unexpected argument 'data/train_000000.bin'\n  hint: a glob of shards is given "
       "in "
       "quotes: '*.bin'"},
      {{"prepare", "text.txt"}, "cria prepare: --out is missing"},
      {{"prepare", "text.txt", "--out", "d", "--tokenizer", "bpe"},
       "cria prepare --tokenizer bpe: --vocab-size is missing\n  hint: --vocab-size "},
      {{"prepare", "text.txt", "--out", "d", "--pattern", "gpt4"},
       "cria prepare --tokenizer chars: --pattern says nothing here"},
      {{"prepare", "text.txt", "--out", "d", "--vocab-size", "300"},
       "cria prepare --tokenizer chars: --vocab-size says nothing here\n  hint: it is for "},
      {{"prepare", "text.txt", "--out", "d", "--val-fraction", "1.5"},
       "cria prepare: invalid value of --val-fraction\n  expected: a number from 0.0 to 0.999"},
  };
  const auto before = files();
  for (const auto& [arguments, message] : cases) {
    const ProcessResult result = cria(arguments);
    EXPECT_EQ(result.exit_code, 2) << message;
    EXPECT_EQ(result.out, "");
    EXPECT_TRUE(result.err.starts_with("cria: error: " + message)) << result.err;
  }
  EXPECT_EQ(files(), before);
}

// --- prepare

TEST_F(CliTest, PrepareSplitsCharactersAsNanoGptDoes) {
  const std::unique_ptr<Tokenizer> tokenizer = read_tokenizer(path("data/tokenizer.json"));
  std::vector<int32_t> all;
  tokenizer->encode(text(), all, "text");
  const auto ids = [&](const std::string& name) {
    const Shard shard(path(name), ShardFormat::llmc);
    std::vector<int32_t> out(static_cast<size_t>(shard.tokens()));
    shard.read(0, shard.tokens(), tokenizer->vocab_size(), out.data());
    return out;
  };
  // data[:int(n * 0.9)] and data[int(n * 0.9):]
  const auto boundary = all.begin() + static_cast<int64_t>(0.9 * static_cast<double>(all.size()));
  EXPECT_EQ(ids(kTrainShard), std::vector<int32_t>(all.begin(), boundary));
  EXPECT_EQ(ids(kValShard), std::vector<int32_t>(boundary, all.end()));
  // Every character once, in the order of the code points.
  EXPECT_EQ(tokenizer->kind(), "chars");
  std::set<std::string_view> seen;
  for (const int32_t id : all) seen.insert(tokenizer->token(id));
  EXPECT_EQ(static_cast<int64_t>(seen.size()), tokenizer->vocab_size());
}

TEST_F(CliTest, PrepareDescribesTheDataset) {
  write("val.txt", "Lama zog.");
  const ProcessResult result = run({"prepare", "text.txt", "text.txt", "--val", "val.txt", "--out",
                                    "deep/d", "--tokenizer", "bytes", "--json"});
  const std::string twice = std::to_string(2 * text().size());
  const Json json = json_line(result.out);
  EXPECT_EQ(Json::parse(read("deep/d/dataset.json"), "dataset.json"), json);
  EXPECT_EQ(keys(json), (Names{"tokenizer", "train", "val", "bos_token_id", "eos_token_id"}));
  EXPECT_TRUE(contains(result.out,
                       "{\"kind\":\"bytes\",\"vocab_size\":256,"
                       "\"file\":\"tokenizer.json\",\"hash\":\"fnv1a:"));
  EXPECT_EQ(json.find("train")->dump(), "{\"tokens\":" + twice + ",\"bytes\":" + twice +
                                            ",\"documents\":2,\"shards\":[\"train_000000.bin\"],"
                                            "\"checksums\":[\"d961df9177e40f1a\"]}");
  EXPECT_EQ(json.find("val")->dump(),
            "{\"tokens\":9,\"bytes\":9,\"documents\":1,\"shards\":[\"val_000000.bin\"],"
            "\"checksums\":[\"80040d32a32b42a6\"]}");
  EXPECT_EQ(read("deep/d/val_000000.bin").size(), 1024u + 2 * 9);
}

TEST_F(CliTest, PrepareWithATokenizerThatExists) {
  write("more.txt", "zog zog");
  run({"prepare", "more.txt", "--out", "more", "--tokenizer", "data/tokenizer.json",
       "--val-fraction", "0"});
  EXPECT_EQ(read("more/tokenizer.json"), read("data/tokenizer.json"));
  const Json json = Json::parse(read("more/dataset.json"), "dataset.json");
  EXPECT_EQ(json.find("train")->find("tokens")->dump(), "7");
  EXPECT_EQ(json.find("val")->dump(), "{\"tokens\":0,\"bytes\":0,\"documents\":0,\"shards\":[]}");
  EXPECT_FALSE(exists(path("more/val_000000.bin")));
}

TEST_F(CliTest, ADirectoryOfADatasetIsItsShards) {
  EXPECT_EQ(run({"eval", "run", "--data", "data"}).out,
            run({"eval", "run", "--data", kValShard}).out);
  run({"train", "tiny.toml", "data.train=\"data\"", "data.val=\"data\""});
  EXPECT_TRUE(contains(read("new/config.toml"), "train = \"data/train_*.bin\""));
  EXPECT_TRUE(contains(read("new/config.toml"), "val = \"data/val_*.bin\""));
}

TEST_F(CliTest, ClosedStreamsGetNothingIntoFiles) {
  const std::string command =
      "exec " + cria_binary() + " prepare text.txt --tokenizer bytes --out closed <&- >&- 2>&-";
  EXPECT_EQ(Process("/bin/sh", {"-c", command}, path("")).wait().exit_code, 0);
  run({"verify", "closed"});
  EXPECT_EQ(read("closed/train_000000.bin").size(), 1024 + 2 * (text().size() * 9 / 10));
}

// The text is encoded a megabyte at a time: no word may be cut there.
TEST_F(CliTest, PrepareLearnsABpe) {
  std::string text;
  while (text.size() < (2u << 20) + 1000)
    text += "extraordinary" + std::to_string(text.size()) + " ";
  write("long.txt", text);
  run({"prepare", "long.txt", "--out", "bpe", "--tokenizer", "bpe", "--vocab-size", "280",
       "--val-fraction", "0"});
  const std::unique_ptr<Tokenizer> tokenizer = read_tokenizer(path("bpe/tokenizer.json"));
  EXPECT_EQ(tokenizer->kind(), "bpe");
  EXPECT_EQ(tokenizer->vocab_size(), 280);
  const Shard shard(path("bpe/train_000000.bin"), ShardFormat::llmc);
  std::vector<int32_t> ids(static_cast<size_t>(shard.tokens())), whole;
  shard.read(0, shard.tokens(), tokenizer->vocab_size(), ids.data());
  EXPECT_EQ(tokenizer->decode(ids), text);
  tokenizer->encode(text, whole, "text");
  EXPECT_TRUE(ids == whole);
}

TEST_F(CliTest, PrepareRefusesASmallBpe) {
  const ProcessResult result =
      cria({"prepare", "text.txt", "--out", "bpe", "--tokenizer", "bpe", "--vocab-size", "255"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(contains(result.err, "256")) << result.err;
  EXPECT_FALSE(exists(path("bpe")));
}

TEST_F(CliTest, PrepareManyDocuments) {
  write("a.jsonl", "{\"body\": \"Lama\"}\n{\"body\": \"zog\\n\"}\n");
  write("b.txt", "\xEF\xBB\xBFüb||er|den");
  write("c.txt", "Paß");
  run({"prepare",  "a.jsonl",
       "[bc].txt", "--out",
       "d",        "--tokenizer",
       "bytes",    "--field",
       "body",     "--document-separator",
       "||",       "--val-fraction",
       "0.5",      "--bos",
       "<s>",      "--eos",
       "</s>",     "--special",
       "<pad>",    "--shard-tokens",
       "4"});
  const std::unique_ptr<Tokenizer> tokenizer = read_tokenizer(path("d"));
  const auto text = [&](const std::string& pattern) {
    std::string all;
    for (const std::string& name : glob_files(path(pattern))) {
      const Shard shard(name, ShardFormat::llmc);
      EXPECT_LE(shard.tokens(), 4);
      std::vector<int32_t> ids(static_cast<size_t>(shard.tokens()));
      shard.read(0, shard.tokens(), tokenizer->vocab_size(), ids.data());
      all += tokenizer->decode(ids);
    }
    return all;
  };
  // Half of each file: of its documents, or of the only one's tokens.
  EXPECT_EQ(text("d/train_*.bin"), "<s>Lama</s><s>üb</s><s>Pa");
  EXPECT_EQ(text("d/val_*.bin"), "<s>zog\n</s><s>er|den</s>ß</s>");
  const Json json = Json::parse(read("d/dataset.json"), "dataset.json");
  EXPECT_EQ(json.find("bos_token_id")->dump(), "257");
  EXPECT_EQ(json.find("eos_token_id")->dump(), "258");
  EXPECT_EQ(json.find("train")->find("documents")->dump(), "3");
  EXPECT_EQ(json.find("train")->find("bytes")->dump(), "9");
  EXPECT_EQ(json.find("val")->find("documents")->dump(), "3");
  EXPECT_EQ(json.find("val")->find("bytes")->dump(), "12");
  EXPECT_EQ(tokenizer->special_tokens().bos, 257);
  EXPECT_EQ(tokenizer->special_tokens().eos, 258);
}

TEST_F(CliTest, PrepareReadsStandardInput) {
  const auto by_shell = [&](const std::string& command) {
    return Process("/bin/sh", {"-c", command}, path("")).wait();
  };
  const std::string prepare = "'" + cria_binary() + "' prepare - --out ";
  for (const std::string& command :
       {prepare + "from_file < text.txt", "cat text.txt | " + prepare + "from_pipe"}) {
    const ProcessResult result = by_shell(command);
    EXPECT_EQ(result.exit_code, 0) << result.err;
  }
  for (const std::string directory : {"from_file", "from_pipe"}) {
    EXPECT_EQ(read(directory + "/dataset.json"), read("data/dataset.json"));
  }
  const ProcessResult directory = by_shell(prepare + "d < data");
  EXPECT_EQ(directory.exit_code, 1);
  EXPECT_EQ(
      directory.err,
      "cria: error: standard input: is a directory\n  expected: a file\n  got: a directory\n");
}

// A prepare that reads from a pipe which nobody closes.
class CliPipeTest : public CliTest {
 public:
  // Sends it the signal when it reads.
  ProcessResult interrupted(int signal) const {
    EXPECT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
    Process prepare(cria_binary(), {"prepare", "pipe", "--out", "deep/d"}, path(""));
    std::ofstream pipe(path("pipe"));  // opens when it does
    pipe << "Lama" << std::flush;
    prepare.send(signal);
    const ProcessResult result = prepare.wait();
    std::filesystem::remove(path("pipe"));
    return result;
  }
};

TEST_F(CliPipeTest, InterruptedPrepareLeavesNothing) {
  const auto before = files();
  for (const int signal : {SIGINT, SIGTERM}) {
    const ProcessResult result = interrupted(signal);
    EXPECT_EQ(result.exit_code, 130) << result.err;
    EXPECT_TRUE(contains(result.err, "deep/d: stopped\n  hint: nothing was written")) << result.err;
    EXPECT_EQ(files(), before);
  }
}

TEST_F(CliPipeTest, PrepareStartsAgainWhereOneWasKilled) {
  EXPECT_EQ(interrupted(SIGKILL).exit_code, 128 + SIGKILL);
  EXPECT_TRUE(exists(path("deep/d/prepare.tmp")));
  run({"prepare", "text.txt", "--out", "deep/d"});
  EXPECT_EQ(read("deep/d/dataset.json"), read("data/dataset.json"));
  EXPECT_EQ(read("deep/d/train_000000.bin"), read(kTrainShard));
  EXPECT_FALSE(exists(path("deep/d/prepare.tmp")));
}

// --- train

TEST_F(CliTest, TrainMakesARun) {
  const ProcessResult result = run({"train", "tiny.toml", "--json"});
  const Json json = json_line(result.out);
  EXPECT_EQ(keys(json), (Names{"step", "val_loss", "val_perplexity", "val_bits_per_byte", "seconds",
                               "checkpoint", "fingerprint"}));
  EXPECT_EQ(json.find("checkpoint")->as_string(""), "new/checkpoints/step-00000004");
  EXPECT_TRUE(contains(result.err, "saved new/checkpoints/step-00000004, fingerprint " +
                                       json.find("fingerprint")->as_string("") + "\n"))
      << result.err;

  Names made;
  for (const auto& [name, bytes] : files()) {
    if (name.starts_with("new/")) made.push_back(name.substr(4));
  }
  Names wanted = {"checkpoints", "checkpoints/best", "config.toml",   "given.toml",
                  "lock",        "metrics.csv",      "metrics.jsonl", "starts.jsonl"};
  for (const char* file :
       {"config.json", "generation_config.json", "model.safetensors", "special_tokens_map.json",
        "tokenizer.json", "tokenizer_config.json", "trainer.json"}) {
    wanted.push_back(std::string("checkpoints/best/") + file);
  }
  for (const std::string step : {"checkpoints/step-00000002", "checkpoints/step-00000004"}) {
    wanted.push_back(step);
    for (const char* file :
         {"config.json", "generation_config.json", "model.safetensors", "optimizer.safetensors",
          "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json", "trainer.json"}) {
      wanted.push_back(step + "/" + file);
    }
  }
  std::ranges::sort(wanted);
  EXPECT_EQ(made, wanted);

  // The same again from the resolved config, bit for bit.
  run({"train", "new/config.toml", "train.output_dir=\"again\""});
  for (const char* file : {"model.safetensors", "optimizer.safetensors"}) {
    const std::string name = std::string("/checkpoints/step-00000004/") + file;
    EXPECT_TRUE(read("again" + name) == read("new" + name)) << file;
  }
}

TEST_F(CliTest, MetricsHaveExactlyTheseKeys) {
  const std::vector<Json> lines = json_lines(read("run/metrics.jsonl"));
  ASSERT_EQ(lines.size(), 5u);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(keys(lines[i]), (Names{"step", "tokens", "loss", "lr", "grad_norm", "tokens_per_s",
                                     "gflops", "mfu", "seconds", "data_wait", "cpu_seconds"}));
    EXPECT_EQ(lines[i].find("step")->as_int(""), static_cast<int64_t>(i) + 1);
    EXPECT_EQ(lines[i].find("tokens")->as_int(""), 16 * (static_cast<int64_t>(i) + 1));
  }
  EXPECT_EQ(keys(lines[4]),
            (Names{"step", "val_loss", "val_perplexity", "val_bits_per_byte", "seconds"}));
}

TEST_F(CliTest, ResumingACompleteRunIsNoEvaluation) {
  const auto before = files();
  const ProcessResult result =
      run({"train", "tiny.toml", "train.output_dir=\"run\"", "--resume", "--json"});
  EXPECT_TRUE(result.out.starts_with(std::string("{\"step\":4,\"checkpoint\":\"") + kCheckpoint +
                                     "\",\"fingerprint\":\""))
      << result.out;
  EXPECT_TRUE(contains(result.err, "all 4 steps are done already")) << result.err;
  EXPECT_EQ(files(), before);
}

// A training that goes on until it is told to end.
class EndlessTraining {
 public:
  explicit EndlessTraining(const CliTest& test, const std::string& output = "new")
      : process_(cria_binary(),
                 {"train", "tiny.toml", "train.steps=100000000", "train.checkpoint_every=0",
                  "train.output_dir=\"" + output + "\""},
                 test.path("")) {
    const std::string metrics = test.path(output + "/metrics.jsonl");
    while (!exists(metrics) || std::ranges::count(read_file(metrics), '\n') < 5) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      if (++waited_ > 20000) throw std::runtime_error("no training");
    }
  }

  ProcessResult interrupt() {
    process_.send(SIGINT);
    return process_.wait();
  }

 private:
  Process process_;
  int waited_ = 0;
};

// The lines of a run without what depends on the clock.
Names timeless(const std::string& metrics) {
  Names lines;
  for (const Json& line : json_lines(metrics)) {
    std::string text;
    for (const char* key : {"step", "tokens", "loss", "lr", "grad_norm", "val_loss"}) {
      if (line.find(key)) text += line.find(key)->dump() + " ";
    }
    lines.push_back(text);
  }
  return lines;
}

TEST_F(CliTest, InterruptedTrainingGoesOnAsIfNothingHadHappened) {
  const ProcessResult result = EndlessTraining(*this).interrupt();
  EXPECT_EQ(result.exit_code, 130) << result.err;
  EXPECT_EQ(result.out, "");
  const int64_t step = std::atoll(after(result.err, "stopped after step ").c_str());
  ASSERT_GE(step, 5);
  EXPECT_TRUE(contains(result.err,
                       "; go on with: cria train tiny.toml train.steps=100000000 "
                       "train.checkpoint_every=0 'train.output_dir=\"new\"' --resume\n"))
      << result.err;
  std::string digits = std::to_string(step);
  const std::string checkpoint =
      "new/checkpoints/step-" + std::string(8 - digits.size(), '0') + digits;
  EXPECT_TRUE(contains(result.err, "saved " + checkpoint)) << result.err;
  EXPECT_TRUE(exists(path(checkpoint + "/model.safetensors")));

  const std::string steps = "train.steps=" + std::to_string(step + 3);
  run({"train", "tiny.toml", steps, "--resume"});
  run({"train", "tiny.toml", steps, "train.output_dir=\"straight\""});
  const Names resumed = timeless(read("new/metrics.jsonl"));
  EXPECT_GE(resumed.size(), static_cast<size_t>(step) + 4);
  EXPECT_EQ(resumed, timeless(read("straight/metrics.jsonl")));
}

TEST_F(CliTest, OneTrainingAtATimeInADirectory) {
  EndlessTraining first(*this);
  for (const Arguments& arguments :
       {Arguments{"train", "tiny.toml"}, Arguments{"train", "tiny.toml", "--resume"}}) {
    const ProcessResult second = cria(arguments);
    EXPECT_EQ(second.exit_code, 1);
    EXPECT_TRUE(second.err.starts_with("cria: error: new/lock: locked by another process\n"))
        << second.err;
    EXPECT_TRUE(contains(second.err, "hint: another cria is training here: wait for it"));
  }
  EXPECT_EQ(first.interrupt().exit_code, 130);
}

TEST_F(CliTest, TrainingStopsWhereItIsNotFinite) {
  const Arguments train = {"train", "tiny.toml", "optimizer.learning_rate=1e30",
                           "train.checkpoint_every=1"};
  const ProcessResult fresh = cria(train);
  EXPECT_EQ(fresh.exit_code, 1);
  EXPECT_TRUE(contains(fresh.err, "cria: error: step 2: the ")) << fresh.err;
  EXPECT_TRUE(contains(fresh.err, " is not finite\n  expected: a finite number\n  got: nan\n"));
  // Saved before anything could be noticed: the message must not call it good.
  EXPECT_TRUE(contains(fresh.err, "no good checkpoint yet")) << fresh.err;
  EXPECT_TRUE(contains(fresh.err, "new/checkpoints/step-00000001 is bad: remove it"));
  EXPECT_TRUE(contains(fresh.err, "try a lower optimizer.learning_rate"));

  Arguments resume = train;
  resume.insert(resume.end(),
                {"train.output_dir=\"run\"", "train.steps=9", "--resume", "--change"});
  const ProcessResult later = cria(resume);
  EXPECT_EQ(later.exit_code, 1);
  EXPECT_TRUE(contains(later.err, "cria: error: step 6: the ")) << later.err;
  EXPECT_TRUE(contains(later.err, std::string("last good checkpoint: ") + kCheckpoint));

  // The advice is right.
  std::filesystem::remove_all(path("run/checkpoints/step-00000005"));
  run({"train", "tiny.toml", "train.output_dir=\"run\"", "optimizer.learning_rate=1e-3", "--resume",
       "--change"});
}

// --- eval

TEST_F(CliTest, EvalPrintsWhatTrainingFound) {
  const ProcessResult result = run(
      {"eval", "run", "--data", "data/val_*.bin", "--batches", "2", "--batch-size", "2", "--json"});
  const Json json = json_line(result.out);
  EXPECT_EQ(keys(json), (Names{"step", "val_loss", "val_perplexity", "val_bits_per_byte", "seconds",
                               "tokens", "model"}));
  const Json found = json_lines(read("run/metrics.jsonl")).back();
  for (const char* key : {"step", "val_loss", "val_perplexity", "val_bits_per_byte"}) {
    EXPECT_EQ(json.find(key)->dump(), found.find(key)->dump()) << key;
  }
  EXPECT_EQ(json.find("model")->as_string(""), kCheckpoint);
  EXPECT_EQ(json.find("tokens")->as_int(""), 32);
  const std::string plain = run({"eval", kCheckpoint, "--data", "data/val_*.bin"}).out;
  for (const char* line : {"\nloss ", "\nperplexity ", "\nbits per byte ", "\ntokens "}) {
    EXPECT_TRUE(contains(plain, line)) << plain;
  }
}

TEST_F(CliTest, EvalInThePrecisionAskedFor) {
  run({"train", "tiny.toml", "train.output_dir=\"half\"", "train.precision=\"bf16\""});
  const Json found = json_lines(read("half/metrics.jsonl")).back();
  const auto loss = [&](const Arguments& more) {
    Arguments arguments = {"eval", "half",         "--data", "data/val_*.bin", "--batches",
                           "2",    "--batch-size", "2",      "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return json_line(run(arguments).out).find("val_loss")->dump();
  };
  EXPECT_EQ(loss({"--precision", "bf16"}), found.find("val_loss")->dump());
  EXPECT_EQ(loss({"--precision", "fp32"}), loss({}));
  EXPECT_NE(loss({}), loss({"--precision", "bf16"}));
}

TEST_F(CliTest, EvalKeepsDocumentsApart) {
  const auto tokens = [&](const Arguments& more) {
    Arguments arguments = {"eval", "run", "--data", "data/val_*.bin", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return json_line(run(arguments).out).find("tokens")->as_int("tokens");
  };
  const int64_t all = tokens({});
  const int64_t given = tokens({"--mask-documents", "--eos-token-id", "3"});
  EXPECT_LT(given, all);
  // What dataset.json says.
  const ProcessResult unknown =
      cria({"eval", "run", "--data", "data/val_*.bin", "--mask-documents"});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_TRUE(contains(unknown.err, "nothing says where documents begin")) << unknown.err;
  replace("data/dataset.json", "\"eos_token_id\": null", "\"eos_token_id\": 3");
  EXPECT_EQ(tokens({"--mask-documents"}), given);
  EXPECT_EQ(cria({"eval", "run", "--data", "data/val_*.bin", "--eos-token-id", "3"}).exit_code, 2);
}

TEST_F(CliTest, TrainsOnSeveralSources) {
  std::filesystem::copy(path("data"), path("more"));
  Arguments arguments = {"train", "sources.toml", "train.output_dir=\"sources\""};
  std::string config = read("tiny.toml");
  const size_t line = config.find("\ntrain = ") + 1;
  config.erase(line, config.find('\n', line) + 1 - line);
  config +=
      "\n[data.sources.one]\ntrain = \"data/train_*.bin\"\nweight = 2\n"
      "[data.sources.two]\ntrain = \"more/train_*.bin\"\n";
  write_file(path("sources.toml"), config);
  run(arguments);
  EXPECT_TRUE(contains(read("sources/config.toml"), "sources.one.weight = 2.0\n"));
  arguments.push_back("data.train=\"x.bin\"");
  EXPECT_TRUE(contains(cria(arguments).err, "both say what to train on"));
}

// The model was trained on 8 tokens; windows of 32 need positions it has never seen.
TEST_F(CliTest, EvalOnLongerSequencesThanTrained) {
  const auto evaluate = [&](const Arguments& more) {
    Arguments arguments = {"eval", "run", "--data", "data/val_*.bin", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return json_line(run(arguments).out);
  };
  const Arguments longer = {"--sequence-length", "32"};
  const Json trained = evaluate({}), beyond = evaluate(longer);
  EXPECT_EQ(*beyond.find("tokens"), *trained.find("tokens"));
  EXPECT_FALSE(*beyond.find("val_loss") == *trained.find("val_loss"));
  // Scaling that acts beyond the trained length makes a difference there, and only there.
  replace(std::string(kCheckpoint) + "/config.json", "\"rope_theta\": 10000.0,",
          "\"rope_theta\": 10000.0, \"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 4.0},");
  EXPECT_EQ(*evaluate({}).find("val_loss"), *trained.find("val_loss"));
  EXPECT_FALSE(*evaluate(longer).find("val_loss") == *beyond.find("val_loss"));
}

TEST_F(CliTest, EvalSaysWhereLearnedPositionsEnd) {
  run({"train", "tiny.toml", "model.position='learned'", "train.steps=1"});
  run({"eval", "new", "--data", "data/val_*.bin", "--sequence-length", "8"});
  const ProcessResult result =
      cria({"eval", "new", "--data", "data/val_*.bin", "--sequence-length", "9"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.out, "");
  for (const char* part : {"model.max_position_embeddings: learned positions end at 8",
                           "expected: at most 8 tokens", "got: 9", "hint: "}) {
    EXPECT_TRUE(contains(result.err, part)) << result.err;
  }
}

// --- generate

TEST_F(CliTest, GenerateTheSameTextFromTheSameSeed) {
  const auto text = [&](const Arguments& more) {
    Arguments arguments = {"generate", "run", "--prompt", "Lama", "--max-new-tokens", "40"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments).out;
  };
  const std::string one = text({"--seed", "5"});
  EXPECT_TRUE(one.starts_with("Lama") && one.ends_with("\n")) << one;
  EXPECT_EQ(text({"--seed", "5"}), one);
  EXPECT_NE(text({"--seed", "6"}), one);
  const std::string greedy = text({"--temperature", "0"});
  EXPECT_EQ(text({"--top-k", "1", "--seed", "7"}), greedy);
  EXPECT_EQ(text({"--top-p", "0", "--seed", "8"}), greedy);

  const Json json = json_line(text({"--seed", "5", "--json"}));
  EXPECT_EQ(keys(json), (Names{"prompt", "text", "tokens"}));
  EXPECT_EQ(json.find("prompt")->as_string("") + json.find("text")->as_string("") + "\n", one);
  EXPECT_EQ(json.find("tokens")->as_int(""), 40);

  // Any two characters of it end the text where they come first.
  const std::string added = json.find("text")->as_string("");
  size_t middle = added.size() / 2;
  while ((added[middle] & 0xC0) == 0x80) ++middle;
  size_t end = middle;
  for (int i = 0; i < 2; ++i) end += static_cast<size_t>(decode_utf8(added, end).length);
  const std::string stop = added.substr(middle, end - middle);
  EXPECT_EQ(text({"--seed", "5", "--stop", stop}),
            "Lama" + added.substr(0, added.find(stop)) + "\n");
}

TEST_F(CliTest, GenerateForSeveralPrompts) {
  write("prompts.txt", "Lama\n\nzog \r\n");
  write("prompts.jsonl", "{\"prompt\": \"Lama\"}\n{\"prompt\": \"a\\nb\"}\n");
  const Arguments common = {"generate", "run", "--max-new-tokens", "9"};
  const auto generate = [&](Arguments more) {
    more.insert(more.begin(), common.begin(), common.end());
    return run(more).out;
  };
  const std::string one = generate({"--prompt", "Lama"}), other = generate({"--prompt", "zog "});
  EXPECT_EQ(generate({"--prompts", "prompts.txt"}),
            "--- prompt 1, sample 1\n" + one + "--- prompt 2, sample 1\n" + other);
  // The first sample is the text that there is without the others.
  const std::string two = generate({"--prompt", "Lama", "--samples", "2"});
  const std::string start = "--- prompt 1, sample 1\n" + one + "--- prompt 1, sample 2\nLama";
  EXPECT_TRUE(two.starts_with(start)) << two;
  EXPECT_NE(two.substr(start.size()), one.substr(4));
  const std::string json = generate({"--prompts", "prompts.jsonl", "--samples", "2", "--json"});
  EXPECT_EQ(std::ranges::count(json, '\n'), 4);
  const Json last = json_line(json.substr(json.rfind('\n', json.size() - 2) + 1));
  EXPECT_EQ(keys(last), (Names{"prompt", "text", "tokens", "sample"}));
  EXPECT_EQ(last.find("prompt")->as_string(""), "a\nb");
  EXPECT_EQ(last.find("sample")->as_int(""), 2);
  // A prompt without tokens is an error before the first text.
  write("prompts.txt", "Lama\n\xE2\x82\xAC\n");
  const ProcessResult unknown = cria({"generate", "run", "--prompts", "prompts.txt"});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_EQ(unknown.out, "");
  EXPECT_TRUE(unknown.err.starts_with("cria: error: prompts.txt")) << unknown.err;
}

// --- score

TEST_F(CliTest, ScoreAgreesWithEval) {
  run({"prepare", "text.txt", "--out", "whole", "--val", "text.txt"});
  const Json eval = json_line(
      run({"eval", "run", "--data", "whole/val_*.bin", "--sequence-length", "4000", "--json"}).out);
  const Json score = json_line(
      run({"score", "run", "--file", "text.txt", "--sequence-length", "4000", "--json"}).out);
  EXPECT_EQ(keys(score), (Names{"tokens", "bytes", "loss", "perplexity", "bits_per_byte", "where",
                                "text", "token_losses"}));
  EXPECT_EQ(score.find("tokens")->as_int(""), eval.find("tokens")->as_int(""));
  // The same window: at most the rounding of a loss of some 4 nats to fp32, 2^-22.
  EXPECT_NEAR(score.find("loss")->as_double(""), eval.find("val_loss")->as_double(""), 1e-6);
  EXPECT_NEAR(score.find("bits_per_byte")->as_double(""),
              eval.find("val_bits_per_byte")->as_double(""), 1e-6);
  const Json::Array& tokens = score.find("token_losses")->as_array("");
  ASSERT_EQ(std::ssize(tokens), score.find("tokens")->as_int("") + 1);
  EXPECT_EQ(tokens[0].find("loss")->dump(), "null");
  EXPECT_EQ(tokens[0].find("text")->as_string(""), "L");
  // The mean of the very numbers printed, in double.
  double sum = 0;
  for (size_t i = 1; i < tokens.size(); ++i) sum += tokens[i].find("loss")->as_double("");
  EXPECT_NEAR(sum / static_cast<double>(tokens.size() - 1), score.find("loss")->as_double(""),
              1e-9);
}

TEST_F(CliTest, ScoreOfLines) {
  write("lines.txt", "Lama 1 zog\nLama\n");
  const std::string table = run({"score", "run", "--file", "lines.txt", "--lines"}).out;
  for (const char* part : {"document", "tokens", "'Lama 1 zog'", "'Lama' ", "\nall "}) {
    EXPECT_TRUE(contains(table, part)) << table;
  }
  EXPECT_EQ(std::ranges::count(table, '\n'), 4) << table;
  const std::string tokens = run({"score", "run", "--file", "lines.txt", "--tokens"}).out;
  EXPECT_TRUE(tokens.starts_with("    loss  probability     id  token\n       -            - "))
      << tokens;
  EXPECT_TRUE(contains(tokens, "  'm'\n")) << tokens;
}

TEST_F(CliTest, GeneratedBytesBecomeValidText) {
  run({"prepare", "text.txt", "--out", "bytes", "--tokenizer", "bytes"});
  run({"train", "tiny.toml", "train.steps=1", "data.train=\"bytes/train_*.bin\"",
       "data.val=\"bytes/val_*.bin\""});
  const Arguments generate = {"generate", "new", "--prompt", "ß", "--temperature", "1"};
  const std::string text = run(generate).out;
  EXPECT_FALSE(first_invalid_utf8(text)) << quote(text);
  EXPECT_TRUE(text.starts_with("ß"));
  EXPECT_TRUE(contains(text, "\xEF\xBF\xBD"));  // U+FFFD
  Arguments as_json = generate;
  as_json.push_back("--json");
  const Json json = json_line(run(as_json).out);
  EXPECT_EQ("ß" + json.find("text")->as_string("") + "\n", text);
}

// --- trace

TEST_F(CliTest, TraceWalksFromTheTextToTheNextToken) {
  const std::string walk = run({"trace", "run", "--text", "Lama", "--top", "3"}).out;
  size_t at = 0;
  for (const char* part : {kCheckpoint,
                           "\ntext      'Lama'\n",
                           "\ntokens    [1, 4]\n",
                           "\nposition  rope\n",
                           "\nrows of model.embed_tokens.weight [",
                           "]: [1, 4, 16]\n",
                           "   0 'L' ",
                           "   3 'a' ",
                           "\nembedding_scale: times 1\n",
                           "on the embedding: nothing\n",
                           "\nsum: the rows as they are",
                           "on the queries of layer 0 [1, 4, 2, 8], head 0:",
                           "on the keys of layer 0 [1, 4, 2, 8]",
                           "on the scores of layer 0 [1, 2, 4, 4]: nothing\n",
                           "q.k is scaled by 0.353553",
                           "\nblocks [1, 4, 16]: ",
                           "\n    0 ",
                           "\n  end ",
                           "\n norm ",
                           "\nnext token: logits [1, "}) {
    at = walk.find(part, at);
    ASSERT_NE(at, std::string::npos) << part << " does not follow in\n" << walk;
  }
  const std::string next = after(walk, "probability  token\n");
  EXPECT_EQ(std::ranges::count(next, '\n'), 3) << next;
  for (size_t begin = 0, end; (end = walk.find('\n', begin)) != std::string::npos;
       begin = end + 1) {
    EXPECT_LE(end - begin, 100u) << walk.substr(begin, end - begin);
  }
}

TEST_F(CliTest, TraceOfALongTextLeavesItsMiddleOut) {
  const std::string walk = run({"trace", "run", "--text", "Lama 1 zog über den Paß."}).out;
  EXPECT_TRUE(contains(walk, "\n   7 'z' ")) << walk;
  EXPECT_TRUE(contains(walk, "\n     8 more\n  16 'd' ")) << walk;
  EXPECT_FALSE(contains(walk, "\n   8 'o' ")) << walk;
  EXPECT_TRUE(contains(walk, "\n  22 'ß'     ")) << walk;
}

TEST_F(CliTest, TraceAsJson) {
  const Json json = json_line(run({"trace", "run", "--text", "Lama zog über den Paß.", "--json",
                                   "--top", "999", "--values", "3"})
                                  .out);
  EXPECT_EQ(keys(json), (Names{"model", "text", "tokens", "table_shape", "rows", "embedding_scale",
                               "position", "sum", "input", "blocks", "output", "normed", "next"}));
  EXPECT_EQ(json.find("model")->as_string(""), kCheckpoint);
  const auto size = [](const Json* array) { return array->as_array("").size(); };
  EXPECT_EQ(size(json.find("tokens")), 22u);
  EXPECT_EQ(json.find("tokens")->as_array("")[10].find("text")->as_string(""), "b");
  const Json& rows = *json.find("rows");
  EXPECT_EQ(rows.find("shape")->dump(), "[1,22,16]");
  EXPECT_EQ(size(rows.find("rows")), 22u);
  EXPECT_EQ(size(rows.find("rows")->as_array("")[0].find("first_values")), 3u);
  const Json& position = *json.find("position");
  EXPECT_EQ(keys(position), (Names{"name", "on_embedding", "position_to_token", "on_queries",
                                   "on_keys", "on_scores"}));
  EXPECT_TRUE(position.find("on_embedding")->is_null());
  EXPECT_EQ(size(position.find("on_queries")->find("degrees")), 44u);
  EXPECT_TRUE(position.find("on_scores")->find("bias")->is_null());
  EXPECT_EQ(position.find("on_scores")->find("weights")->find("shape")->dump(), "[2,22]");
  const Json& block = json.find("blocks")->as_array("")[0];
  EXPECT_EQ(keys(block), (Names{"shape", "x_norms", "attention_norms", "mlp_norms"}));
  EXPECT_EQ(size(block.find("mlp_norms")), 22u);
  double total = 0;
  for (const Json& next : json.find("next")->as_array("")) {
    total += next.find("probability")->as_double("");
  }
  EXPECT_NEAR(total, 1, 1e-5);
}

// A byte need not be a character: the text is repaired in JSON and escaped for a reader.
TEST_F(CliTest, TraceOfBytes) {
  run({"prepare", "text.txt", "--out", "bytes", "--tokenizer", "bytes"});
  run({"train", "tiny.toml", "train.steps=1", "data.train=\"bytes/train_*.bin\"",
       "data.val=\"bytes/val_*.bin\"", "model.position=\"alibi\""});
  EXPECT_TRUE(contains(run({"trace", "new", "--text", "ß"}).out, "\n   0 '\\xc3' "));
  const Json json = json_line(run({"trace", "new", "--text", "ß", "--json"}).out);
  EXPECT_EQ(json.find("tokens")->as_array("")[0].dump(), "{\"id\":195,\"text\":\"\uFFFD\"}");
  const Json& scores = *json.find("position")->find("on_scores");
  EXPECT_EQ(scores.find("bias")->find("rows")->as_array("")[0].dump(), "[-0.0625,0.0]");
}

TEST_F(CliTest, TraceSaysWhatItCannotRead) {
  run({"train", "tiny.toml", "model.position='learned'", "train.steps=1"});
  const std::vector<std::pair<Arguments, std::string>> cases = {
      {{"trace", "run", "--text", ""}, "trace: the text is empty"},
      {{"trace", "run", "--text", "Lämä"}, "the text at byte 1: character 'ä'"},
      {{"trace", "new", "--text", "Lama zog "}, "learned positions end at 8"},
  };
  for (const auto& [arguments, message] : cases) {
    const ProcessResult result = cria(arguments);
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_EQ(result.out, "");
    EXPECT_TRUE(contains(result.err, message)) << result.err;
  }
  std::filesystem::remove(path(std::string(kCheckpoint) + "/tokenizer.json"));
  EXPECT_TRUE(contains(cria({"trace", "run", "--text", "L"}).err, "there is none here"));
}

// --- instruction sets

// Sets CRIA_ISA for the processes started in its life.
class ForcedIsa {
 public:
  explicit ForcedIsa(const char* name) {
    const char* before = std::getenv("CRIA_ISA");
    if (before) before_ = before;
    ::setenv("CRIA_ISA", name, 1);
  }
  ~ForcedIsa() {
    before_.empty() ? ::unsetenv("CRIA_ISA") : ::setenv("CRIA_ISA", before_.c_str(), 1);
  }

 private:
  std::string before_;
};

TEST_F(CliTest, TheEnvironmentChoosesTheInstructionSet) {
  {
    const ForcedIsa portable("portable");
    EXPECT_TRUE(contains(run({"--version"}).out, ", portable kernels (of "));
  }
  const ForcedIsa nonsense("nonsense");
  for (const Arguments& arguments : {Arguments{"--version"}, Arguments{"bench", "tiny.toml"}}) {
    const ProcessResult result = cria(arguments);
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_EQ(result.out, "");
    EXPECT_TRUE(result.err.starts_with("cria: error: CRIA_ISA: ")) << result.err;
    EXPECT_TRUE(contains(result.err, "portable\n  got: nonsense\n")) << result.err;
  }
}

// --- compare

TEST_F(CliTest, CompareShowsRunsSideBySide) {
  run({"train", "tiny.toml", "optimizer.learning_rate=0.01"});
  const std::string table = run({"compare", "run", "new/"}).out;
  for (const char* part :
       {"run", "val loss", "best", "what differs", "optimizer.learning_rate", "0.001", "0.01"}) {
    EXPECT_TRUE(contains(table, part)) << table;
  }
  const Json json = json_line(run({"compare", "run", "new", "--json"}).out);
  const Json::Array& runs = json.find("runs")->as_array("");
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].find("steps")->as_int(""), 4);
  EXPECT_EQ(runs[0].find("best_step")->as_int(""), 4);
  EXPECT_EQ(runs[0].find("val_loss")->as_double(""), runs[0].find("best_val_loss")->as_double(""));
  EXPECT_EQ(json.find("differences")->dump(),
            "[{\"key\":\"optimizer.learning_rate\",\"values\":[\"0.001\",\"0.01\"]}]");
  const ProcessResult data = cria({"compare", "run", "data"});
  EXPECT_EQ(data.exit_code, 1);
  EXPECT_TRUE(contains(data.err, "data: not a run\n  expected: ")) << data.err;
}

// --- help, man page, completion

TEST_F(CliTest, HelpOfACommand) {
  EXPECT_EQ(run({"help", "train"}).out, run({"train", "--help"}).out);
  EXPECT_EQ(run({"help"}).out, run({"--help"}).out);
  // Lines are no longer than a terminal's that nothing is known of.
  const std::string help = run({"generate", "--help"}).out;
  for (size_t begin = 0, end; begin < help.size(); begin = end + 1) {
    end = help.find('\n', begin);
    EXPECT_LE(end - begin, 80u) << help.substr(begin, end - begin);
  }
}

TEST_F(CliTest, TheManPageHasEveryCommandAndOption) {
  const std::string page = run({"help", "--man"}).out;
  EXPECT_TRUE(page.starts_with(".TH CRIA 1\n.SH NAME\n")) << page;
  for (const char* part :
       {"\n.SS cria train ", "\n.B \\-\\-resume\n", "\n.SS cria score ", "optimizer",
        "\n.B \\-\\-max\\-new\\-tokens N\n", "\n.SH EXIT STATUS\n"}) {
    EXPECT_TRUE(contains(page, part)) << part;
  }
  // A dot at the beginning of a line of text would be a command.
  EXPECT_FALSE(contains(page, "\n.."));
}

TEST_F(CliTest, ShellsCompleteCommandsAndOptions) {
  for (const char* const shell : {"bash", "zsh", "fish"}) {
    const std::string script = run({"completion", shell}).out;
    for (const char* part : {"generate", "max-new-tokens", "gradcheck", "threads"}) {
      EXPECT_TRUE(contains(script, part)) << shell << ": " << part;
    }
    write(std::string("cria.") + shell, script);
  }
  // What bash makes of it.
  const auto complete = [&](const std::string& words) {
    const std::string script = ". ./cria.bash; COMP_WORDS=(cria " + words +
                               "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _cria; "
                               "echo \"${COMPREPLY[@]}\"";
    return Process("/bin/bash", {"-c", script}, path(".")).wait().out;
  };
  if (complete("tra").empty()) GTEST_SKIP() << "no bash here";
  EXPECT_EQ(complete("tra"), "train trace\n");
  EXPECT_EQ(complete("generate --to"), "--top-k --top-p\n");
  EXPECT_EQ(complete("export --t"), "--to --tensor --threads\n");
  EXPECT_EQ(complete("help sc"), "score\n");
}

// --- gradcheck

TEST_F(CliTest, GradcheckOfTheWeightsThatTrainingWouldBeginWith) {
  const auto norms = [&](const Arguments& more) {
    Arguments arguments = {"gradcheck", "tiny.toml", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProcessResult result = cria(arguments);
    return result.exit_code == 0 ? result.out : result.err;
  };
  const std::string own = norms({});
  EXPECT_NE(norms({"train.init_from=run"}), own);
  run({"export", "run", "--to", "npy", "-o", "arrays"});
  const std::string table = "model.embedding.pretrained=arrays/model.embed_tokens.weight.npy";
  EXPECT_NE(norms({table}), own);
  EXPECT_NE(norms({table}), norms({"train.init_from=run"}));
  EXPECT_TRUE(contains(norms({table, "model.hidden_size=8"}), "a table of another shape"));
  EXPECT_NE(norms({"--text", "Lama 1"}), own);
  EXPECT_TRUE(contains(norms({"--text", "L"}), "--text: not the length of a sequence"));
}

TEST_F(CliTest, GradcheckFailsAboveItsTolerance) {
  const ProcessResult good = run({"gradcheck", "tiny.toml"});
  EXPECT_TRUE(contains(good.out, "model.layers.0.self_attn.q_proj.weight"));
  EXPECT_TRUE(good.out.ends_with(": ok\n")) << good.out;
  const ProcessResult bad = cria({"gradcheck", "tiny.toml", "--tolerance", "0"});
  EXPECT_EQ(bad.exit_code, 1);
  EXPECT_TRUE(bad.out.ends_with(": FAILED\n") && contains(bad.out, "  WRONG\n")) << bad.out;
  const Json json = json_line(run({"gradcheck", "tiny.toml", "--json"}).out);
  EXPECT_EQ(keys(json), (Names{"worst", "unclear", "wrong", "parameters"}));
  EXPECT_EQ(good.err, "");
  const ProcessResult rounded = run({"gradcheck", "tiny.toml", "train.precision=\"bf16\""});
  EXPECT_EQ(rounded.out, good.out);
  EXPECT_TRUE(contains(rounded.err, "checked in fp32")) << rounded.err;
}

}  // namespace
}  // namespace cria
