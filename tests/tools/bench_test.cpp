// cria bench: what it prints and what it refuses. Whether the machine is busy meanwhile is not the
// tests' choice, except where they keep it busy themselves.
#include <gtest/gtest.h>

#include <list>
#include <thread>

#include "base/machine.h"
#include "kernels/isa.h"
#include "support/changed_json.h"
#include "support/cli.h"
#include "support/isas.h"

namespace cria {
namespace {

class BenchTest : public CliTest {
 public:
  Json json(Arguments arguments) const {
    arguments.insert(arguments.begin(), "bench");
    arguments.push_back("--json");
    return json_line(run(arguments).out);
  }

  // then.json: what a bench of tiny.toml printed, with one step of 2 s (1 to 4), one kernel of 3 s.
  Json write_earlier() const {
    Json then = json({"tiny.toml", "--steps", "1", "--step-only"});
    then = with(then, {"machine", "busy"}, Json());
    then = with(then, {"step", "seconds"}, 2.0);
    then = with(then, {"step", "seconds_low"}, 1.0);
    then = with(then, {"step", "seconds_high"}, 4.0);
    then = with(
        then, {"kernels"},
        Json::Array{Json::Object{
            {"name", "adamw"}, {"seconds", 3.0}, {"seconds_low", 1e-12}, {"seconds_high", 3.5}}});
    write("then.json", then.dump());
    return then;
  }
};

void expect_positive(const Json& object, const Names& names) {
  for (const std::string& key : names) {
    ASSERT_TRUE(object.find(key)) << key;
    EXPECT_GT(object.find(key)->as_double(key), 0) << key;
  }
}

// The share of the peak is there, unless the machine was busy.
void expect_share(const Json& json, bool busy) {
  const Json* const share = json.find("percent_of_peak");
  ASSERT_TRUE(share);
  EXPECT_EQ(share->is_null(), busy);
  if (!busy) expect_positive(json, {"percent_of_peak"});
}

bool busy(const Json& json) {
  return !json.find("machine")->find("busy")->is_null();
}

void expect_interval(const Json& json) {
  expect_positive(json, {"seconds_low", "seconds", "seconds_high"});
  const auto value = [&](const char* key) { return json.find(key)->as_double(key); };
  EXPECT_LE(value("seconds_low"), value("seconds"));
  EXPECT_LE(value("seconds"), value("seconds_high"));
}

TEST_F(BenchTest, PrintsJson) {
  const auto before = files();
  const Json all = json({"tiny.toml", "--steps", "2"});
  EXPECT_EQ(keys(all), (Names{"machine", "config", "kernels", "step"}));
  const Json& machine = *all.find("machine");
  EXPECT_EQ(keys(machine),
            (Names{"processor", "threads", "isa", "bf16_products", "isas", "fp32_peak_gflops",
                   "bf16_peak_gflops", "busy", "bandwidth_gb_per_s"}));
  EXPECT_EQ(machine.find("isas")->as_array("isas").size(), program_isas().size());
  expect_positive(machine, {"fp32_peak_gflops", "bf16_peak_gflops", "bandwidth_gb_per_s"});
  EXPECT_EQ(keys(*all.find("config")), (Names{"batch_size", "sequence_length", "model"}));
  const Json& step = *all.find("step");
  EXPECT_EQ(keys(step), (Names{"seconds", "seconds_low", "seconds_high", "tokens_per_s", "gflops",
                               "percent_of_peak", "peak_rss_bytes", "parameters",
                               "without_embedding", "precision"}));
  expect_positive(step,
                  {"tokens_per_s", "gflops", "peak_rss_bytes", "parameters", "without_embedding"});
  expect_interval(step);
  expect_share(step, busy(all));
  EXPECT_EQ(step.find("precision")->as_string(""), "fp32");
  size_t products = 0;
  for (const Json& kernel : all.find("kernels")->as_array("kernels")) {
    const bool computes = kernel.find("gflops") != nullptr;
    Names expected = {"name", "calls", "seconds", "seconds_low", "seconds_high"};
    if (computes) expected.insert(expected.end(), {"gflops", "percent_of_peak"});
    expected.insert(expected.end(), {"gb_per_s", "percent_of_step"});
    EXPECT_EQ(keys(kernel), expected);
    expect_positive(kernel, {"calls", "gb_per_s", "percent_of_step"});
    expect_interval(kernel);
    if (computes) {
      expect_positive(kernel, {"gflops"});
      expect_share(kernel, busy(all));
    }
    products += computes;
  }
  EXPECT_EQ(products, 5u * 3 + 2);  // five linear layers, attention both ways
  EXPECT_EQ(files(), before);
}

TEST_F(BenchTest, OfTheStepOnly) {
  const Arguments bench = {"tiny.toml", "--steps", "2", "train.precision=\"bf16\"", "--step-only"};
  const Json all = json(bench);
  EXPECT_EQ(keys(all), (Names{"machine", "config", "step"}));
  EXPECT_FALSE(all.find("machine")->find("bandwidth_gb_per_s"));
  EXPECT_EQ(all.find("step")->find("precision")->as_string(""), "bf16");
  const std::string plain =
      run({"bench", "tiny.toml", "--steps", "2", "train.precision=\"bf16\"", "--step-only"}).out;
  EXPECT_TRUE(contains(plain, " tokens/s")) << plain;
  EXPECT_NE(contains(plain, "of the bf16 peak"), contains(plain, "the machine is busy (")) << plain;
  EXPECT_FALSE(contains(plain, "everything else")) << plain;
}

TEST_F(BenchTest, OfProducts) {
  const Json all = json({"--products", "40x24x16,9x8x7"});
  EXPECT_EQ(keys(all), (Names{"machine", "kernels"}));
  const Json::Array& kernels = all.find("kernels")->as_array("kernels");
  ASSERT_EQ(kernels.size(), 2u * 2 * 3);  // shapes, precisions, products
  EXPECT_EQ(kernels[0].find("name")->as_string(""), "40x24x16 fp32 forward");
  EXPECT_EQ(kernels[11].find("name")->as_string(""), "9x8x7 bf16 backward weight");
  for (const Json& kernel : kernels) {
    expect_positive(kernel, {"gflops"});
    expect_interval(kernel);
    expect_share(kernel, busy(all));
  }
  const std::string table = run({"bench", "--products", "40x24x16,9x8x7"}).out;
  EXPECT_TRUE(contains(table, "\n9x8x7 bf16 forward ")) << table;
  EXPECT_FALSE(contains(table, "% step") || contains(table, "everything else")) << table;
}

TEST_F(BenchTest, PrintsATable) {
  const std::string table = run({"bench", "tiny.toml", "--steps", "2"}).out;
  for (const char* line :
       {"\nqkv_proj forward ", "\ndown_proj backward input ", "\nlm_head ", "\nattention backward ",
        "\nadamw ", "\neverything else ", "\nstep: ", " tokens/s"}) {
    EXPECT_TRUE(contains(table, line)) << line << " is not in\n" << table;
  }
  EXPECT_NE(contains(table, "of the fp32 peak"), contains(table, "the machine is busy (")) << table;
}

TEST_F(BenchTest, OnABusyMachineNoShareOfThePeakIsStated) {
  if (processor_times().busy == 0) GTEST_SKIP() << "the system does not say what processors do";
  std::list<Process> loops;
  for (unsigned i = 0; i < std::thread::hardware_concurrency(); ++i) {
    loops.emplace_back("/bin/sh", Arguments{"-c", "while :; do :; done"}, path("."));
  }
  const Json step = json({"tiny.toml", "--steps", "1", "--step-only"});
  const std::string reason = step.find("machine")->find("busy")->as_string("busy");
  EXPECT_TRUE(reason.starts_with("other processes took ")) << reason;
  expect_share(*step.find("step"), true);
  const Json products = json({"--products", "2x2x2"});
  EXPECT_TRUE(busy(products));
  for (const Json& kernel : products.find("kernels")->as_array("")) expect_share(kernel, true);

  const std::string line = "the machine is busy (other processes took ";
  const std::string table = run({"bench", "--products", "2x2x2"}).out;
  EXPECT_TRUE(contains(table, "\n" + line)) << table;
  EXPECT_TRUE(table.ends_with("% of its time): no share of peak is stated\n")) << table;
  EXPECT_TRUE(contains(table, "      - ")) << table;
  const std::string plain = run({"bench", "tiny.toml", "--steps", "1", "--step-only"}).out;
  EXPECT_TRUE(contains(plain, "\n" + line)) << plain;
  EXPECT_FALSE(contains(plain, "of the fp32 peak")) << plain;
  const std::string sweep = run({"bench", "tiny.toml", "--steps", "1", "--sweep-threads", "1"}).out;
  EXPECT_TRUE(contains(sweep, "\nthreads 1: " + line)) << sweep;
  EXPECT_TRUE(contains(sweep, "       - ")) << sweep;
}

// --- beside an earlier bench

TEST_F(BenchTest, ComparesWithAnEarlierBench) {
  write_earlier();
  const Json all = json({"tiny.toml", "--steps", "2", "--compare", "then.json"});
  EXPECT_EQ(keys(all), (Names{"machine", "config", "kernels", "step", "comparison"}));
  const Json::Array& rows = all.find("comparison")->as_array("comparison");
  ASSERT_EQ(rows.size(), 2u);
  for (const Json& row : rows) {
    EXPECT_EQ(keys(row), (Names{"name", "seconds_then", "seconds_now", "ratio", "ratio_low",
                                "ratio_high", "within_noise"}));
  }
  const auto number = [](const Json& json, const char* key) {
    return json.find(key)->as_double(key);
  };
  // The step was 1 to 4 s.
  const Json& step = *all.find("step");
  EXPECT_EQ(rows[0].find("name")->as_string(""), "step");
  EXPECT_EQ(number(rows[0], "seconds_then"), 2);
  EXPECT_EQ(number(rows[0], "seconds_now"), number(step, "seconds"));
  EXPECT_EQ(number(rows[0], "ratio"), number(step, "seconds") / 2);
  EXPECT_EQ(number(rows[0], "ratio_low"), number(step, "seconds_low") / 4);
  EXPECT_EQ(number(rows[0], "ratio_high"), number(step, "seconds_high") / 1);
  EXPECT_FALSE(rows[0].find("within_noise")->as_bool(""));
  // The kernel was a picosecond to 3.5 s.
  EXPECT_EQ(rows[1].find("name")->as_string(""), "adamw");
  EXPECT_LT(number(rows[1], "ratio"), 1);
  EXPECT_TRUE(rows[1].find("within_noise")->as_bool(""));

  const ProcessResult plain = run({"bench", "tiny.toml", "--steps", "2", "--compare", "then.json"});
  EXPECT_EQ(plain.err, "");
  EXPECT_TRUE(contains(plain.out, "\nstep: ")) << plain.out;
  const std::string table = plain.out.substr(plain.out.find("\nmedian "));
  EXPECT_TRUE(contains(table, "\nstep    2000.000 ")) << table;
  EXPECT_TRUE(contains(table, "\nadamw   3000.000 ")) << table;
  EXPECT_TRUE(table.ends_with("  within the noise\n")) << table;
  EXPECT_EQ(table.find("within the noise"), table.rfind("within the noise")) << table;
}

TEST_F(BenchTest, ComparesProducts) {
  write("then.json", json({"--products", "9x8x7,5x5x5"}).dump());
  const Json all = json({"--products", "4x4x4,9x8x7", "--compare", "then.json"});
  EXPECT_EQ(all.find("comparison")->as_array("").size(), 2u * 3);  // precisions, products
  const ProcessResult other = cria({"bench", "--products", "4x4x4", "--compare", "then.json"});
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_TRUE(contains(other.err, "then.json: nothing in common with this bench")) << other.err;
  EXPECT_TRUE(contains(other.err, "got: '9x8x7 fp32 forward'")) << other.err;
}

TEST_F(BenchTest, SaysWhatElseHasChanged) {
  Json then = write_earlier();
  then = with(then, {"machine", "threads"}, 7);
  then = with(then, {"machine", "processor"}, "\x1b[31m");
  then = with(then, {"machine", "isa"}, "abacus");
  then = with(then, {"machine", "busy"}, "tired");
  then = with(then, {"step", "precision"}, "bf16");
  write("then.json", then.dump());
  const std::string err = run({"bench", "tiny.toml", "--steps", "1", "--step-only", "--threads",
                               "1", "--compare", "then.json"})
                              .err;
  for (const char* line : {"cria: then.json: machine.threads: 7 then, 1 now\n",
                           "cria: then.json: machine.processor: \"\\u001b[31m\" then, ",
                           "cria: then.json: machine.isa: \"abacus\" then, ",
                           "cria: then.json: machine.busy: the machine was busy then: \"tired\"\n",
                           "cria: then.json: step.precision: \"bf16\" then, \"fp32\" now\n"}) {
    EXPECT_TRUE(contains(err, line)) << err;
  }
}

TEST_F(BenchTest, RefusesOtherFilesAndOtherWork) {
  const Json then = write_earlier();
  const Json kernel = Json::Object{{"name", "adamw"}, {"seconds", 1.0}, {"seconds_low", 1.0}};
  const Json no_interval = Json::Array{then.find("kernels")->as_array("").front(), kernel};
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{\"machine\"", "then.json:1:11: "},
      {"[]",
       "then.json: not a result of 'cria bench'\n  expected: an object with a step or kernels"},
      {"{}", "then.json: not a result of 'cria bench'"},
      {with(then, {"kernels"}, 3).dump(), "then.json: kernels: wrong kind of JSON value"},
      {with(then, {"kernels"}, no_interval).dump(),
       "then.json: kernels[1].seconds_high: missing\n  hint: 'cria bench CONFIG --json'"},
      {with(then, {"kernels"}, Json::Array{Json::Object{}}).dump(),
       "then.json: kernels[0].name: missing"},
      {with(then, {"step", "seconds"}, "fast").dump(),
       "then.json: step.seconds: wrong kind of JSON value"},
      {with(then, {"step", "seconds_low"}, 0.0).dump(), "then.json: step: not a time in seconds"},
      {with(then, {"step", "seconds_low"}, 3.0).dump(), "then.json: step: not a time in seconds"},
      {with(then, {"step", "seconds_high"}, 1.5).dump(), "then.json: step: not a time in seconds"},
      {with(then, {"config", "batch_size"}, 5).dump(),
       "then.json: config.batch_size: measured with another config\n  expected: 2, as now\n  got: "
       "5\n  "
       "hint: "},
      {with(then, {"config", "model", "hidden_size"}, "\x1b").dump(),
       "then.json: config.model.hidden_size: measured with another config\n  expected: 16, as "
       "now\n  got: "
       "\"\\u001b\"\n"},
      {with(then, {"config"}, Json()).dump(), "then.json: config: measured with another config\n"},
      {json({"--products", "2x2x2"}).dump(), "got: nothing\n  hint: "},
  };
  for (const auto& [text, message] : cases) {
    write("then.json", text);
    const ProcessResult result = cria({"bench", "tiny.toml", "--compare", "then.json"});
    EXPECT_EQ(result.exit_code, 1) << message;
    EXPECT_EQ(result.out, "") << message;
    EXPECT_TRUE(contains(result.err, message)) << message << " is not in\n" << result.err;
  }
  const ProcessResult none = cria({"bench", "tiny.toml", "--compare", "none.json"});
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_TRUE(none.err.starts_with("cria: error: none.json: ")) << none.err;
}

// --- sweeps

TEST_F(BenchTest, SweepsThreadsAndLengths) {
  const Arguments sweep = {"tiny.toml", "--steps",         "2",     "--sweep-threads",
                           "2,1",       "--sweep-lengths", "4,16,8"};
  const Json all = json(sweep);
  EXPECT_EQ(keys(all), Names{"sweep"});
  EXPECT_EQ(keys(*all.find("sweep")), (Names{"threads", "length"}));
  const auto expect_rows = [&](const char* varied, const std::vector<int>& threads,
                               const std::vector<int>& lengths) {
    const Json::Array& rows = all.find("sweep")->find(varied)->as_array(varied);
    ASSERT_EQ(rows.size(), threads.size());
    for (size_t i = 0; i < rows.size(); ++i) {
      EXPECT_EQ(keys(rows[i]), (Names{"machine", "config", "step", "speedup"}));
      EXPECT_EQ(rows[i].find("machine")->find("threads")->as_int(""), threads[i]);
      EXPECT_EQ(rows[i].find("config")->find("sequence_length")->as_int(""), lengths[i]);
      EXPECT_EQ(rows[i].find("config")->find("batch_size")->as_int(""), 16 / lengths[i]);
      const auto speed = [&](const Json& row) {
        return row.find("step")->find("tokens_per_s")->as_double("");
      };
      EXPECT_EQ(rows[i].find("speedup")->as_double(""), speed(rows[i]) / speed(rows[0]));
      expect_share(*rows[i].find("step"), busy(rows[i]));
    }
  };
  expect_rows("threads", {2, 1}, {8, 8});
  expect_rows("length", {1, 1, 1}, {4, 16, 8});  // the process had one thread

  Arguments plain = sweep;
  plain.insert(plain.begin(), "bench");
  const std::string tables = run(plain).out;
  for (const char* line : {"\nthreads  ms/step  tokens/s  GFLOP/s  % peak  speedup  peak MiB\n2 ",
                           "\n1  ", "\nlength  ms/step  ", "\n4  ", "\n16 ", "\n8  "}) {
    EXPECT_TRUE(contains(tables, line)) << line << " is not in\n" << tables;
  }
}

TEST_F(BenchTest, WrongUsage) {
  const std::vector<std::pair<Arguments, std::string>> cases = {
      {{"tiny.toml", "--sweep-lengths", "4,3"},
       "cria bench: --sweep-lengths: the tokens of a batch do not divide into such sequences\n  "
       "expected: "
       "divisors of the tokens of a batch, 2 x 8\n  got: 3"},
      {{"tiny.toml", "--sweep-lengths", "4,-4"},
       "cria bench: invalid value of --sweep-lengths\n  expected: integers 1 to 16777216, "
       "separated by commas\n  got: '4,-4'"},
      {{"tiny.toml", "--sweep-threads", "1,x,2"},
       "cria bench: invalid value of --sweep-threads\n  expected: integers 1 to 4096, separated"},
      {{"tiny.toml", "--sweep-threads", "4097"}, "cria bench: invalid value of --sweep-threads\n"},
      {{"tiny.toml", "--sweep-threads", ""}, "cria bench: invalid value of --sweep-threads\n"},
      {{"--sweep-threads", "1"}, "cria bench: too few arguments\n"},
      {{"tiny.toml", "--sweep-threads", "1", "--compare", "x"},
       "cria bench: a sweep excludes --products and --compare"},
      {{"--products", "8x8x8", "--sweep-lengths", "4"},
       "cria bench: a sweep excludes --products and --compare"},
      {{"--products", ""}, "cria bench: --products: not the shape of a product\n"},
      {{"--products", "8x8x8,8x8"}, "cria bench: --products: not the shape of a product\n"},
      {{"--products", "8x0x8"}, "cria bench: --products: not the shape of a product\n"},
      {{"--products", "8x8x8", "tiny.toml"},
       "cria bench: unexpected argument 'tiny.toml'\n  hint: usage: "},
      {{"tiny.toml", "--steps", "ten"},
       "cria bench: invalid value of --steps\n  expected: an integer 1 to 100000\n  got: 'ten'"},
  };
  for (const auto& [arguments, message] : cases) {
    Arguments bench = arguments;
    bench.insert(bench.begin(), "bench");
    const ProcessResult result = cria(bench);
    EXPECT_EQ(result.exit_code, 2) << message;
    EXPECT_EQ(result.out, "") << message;
    EXPECT_TRUE(contains(result.err, message)) << message << " is not in\n" << result.err;
  }
}

}  // namespace
}  // namespace cria
