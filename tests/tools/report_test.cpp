// cria report: runs and an experiment as a page.
#include <gtest/gtest.h>

#include "base/version.h"
#include "support/cli.h"
#include "support/well_formed.h"

namespace cria {
namespace {

class ReportTest : public CliTest {
 public:
  std::string page(const Arguments& directories) const {
    Arguments arguments = {"report", "-o", "page.html"};
    arguments.insert(arguments.end(), directories.begin(), directories.end());
    EXPECT_EQ(run(arguments).out, "page.html\n");
    EXPECT_EQ(MarkupCheck::fault(read("page.html")), "");
    return read("page.html");
  }
};

TEST_F(ReportTest, ShowsRuns) {
  run({"train", "tiny.toml", "train.output_dir=\"seed\"", "train.seed=2"});
  run({"train", "tiny.toml", "train.output_dir=\"fast\"", "optimizer.learning_rate=0.1",
       "train.sample_every=2"});
  const std::string html = page({"run", "seed", "fast"});
  for (const char* const part :
       {"run (2 seeds)", "lowest validation loss", "loss, nats per token", "bits per byte",
        "Learning rate: at most 0.1", "Gradient norm", "tokens per second",
        "<th scope=\"row\">optimizer.learning_rate</th>", "fast at step 4",
        "cria train run/config.toml &#39;train.output_dir=&quot;run-again&quot;&#39;"}) {
    EXPECT_TRUE(contains(html, part)) << part;
  }
  run({"train", "run/config.toml", "train.output_dir=\"run-again\""});
  EXPECT_EQ(page({"run", "seed", "fast"}), html);
  EXPECT_FALSE(contains(page({"run"}), "What differs"));
}

TEST_F(ReportTest, ShowsWhatMadeARunAndItsFloor) {
  std::string html = page({"run"});
  EXPECT_TRUE(contains(html, "What made each"));
  EXPECT_TRUE(contains(html, std::string("<td>") + kCriaVersion + "</td>"));
  EXPECT_FALSE(contains(html, "the floor is"));
  write("run/starts.jsonl",
        "{\"step\":0,\"processor\":\"<a>\",\"threads\":2}\n"
        "{\"step\":2,\"processor\":\"<a>\",\"threads\":4}\n");
  write("data/corpus.json", "{\"val_bits_per_byte\": 0.5}");
  // The texts are where the config says, from where it was trained.
  const std::string config = read("run/config.toml");
  write("run/config.toml",
        "[data]\nval = \"" + path("data") + "/val_*.bin\"\n[train]\nsteps = 9\n");
  html = page({"run"});
  for (const char* const part :
       {"<td>&lt;a&gt;</td><td></td><td>2, 4</td>", "bits per byte; the floor is 0.5)",
        "after 4 of 9 steps", "floor: what the texts&#39; own generator needs"}) {
    EXPECT_TRUE(contains(html, part)) << part;
  }
  // A run of another text has no such floor, and both together none.
  std::filesystem::copy(path("run"), path("other"), std::filesystem::copy_options::recursive);
  write("other/config.toml", "[data]\nval = \"elsewhere/val_*.bin\"\n");
  EXPECT_FALSE(contains(page({"run", "other"}), "own generator needs"));
  std::filesystem::remove(path("run/starts.jsonl"));
  EXPECT_FALSE(contains(page({"run"}), "What made each"));
}

TEST_F(ReportTest, EndsTheDemo) {
  make_directories(path("configs"));
  write("configs/demo.toml", read_file(std::string(CRIA_SOURCE_DIR) + "/configs/demo.toml"));
  const std::string out = run({"demo", "train.steps=2", "model.hidden_size=16",
                               "model.intermediate_size=16", "model.num_hidden_layers=1"})
                              .out;
  EXPECT_TRUE(out.ends_with("\nruns/demo/report.html\n")) << out;
  const std::string html = read("runs/demo/report.html");
  EXPECT_TRUE(contains(html, "bits per byte; the floor is 0.1248) after 2 steps"));
  EXPECT_TRUE(contains(html, "floor: what the texts&#39; own generator needs"));
}

TEST_F(ReportTest, ShowsPositions) {
  EXPECT_TRUE(contains(page({"--positions"}), "<h2>transformer_xl: "));
  EXPECT_TRUE(contains(page({"--positions", "run"}), "Positions: rope, queries and keys turn"));
  EXPECT_TRUE(contains(page({"--positions", "run", "--text", "Lama"}), "Queries as they are made"));
  for (const Arguments& wrong : {Arguments{"--positions", "run", "run"},
                                 {"--positions", "--text", "Lama"},
                                 {"run", "--text", "Lama"}}) {
    Arguments arguments = {"report"};
    arguments.insert(arguments.end(), wrong.begin(), wrong.end());
    EXPECT_EQ(cria(arguments).exit_code, 2);
  }
  EXPECT_EQ(cria({"report", "--positions", "data"}).exit_code, 1);
}

TEST_F(ReportTest, ShowsDiagnosticsWhereThereAre) {
  EXPECT_FALSE(contains(page({"run"}), "Inside the model"));
  std::string lines = read("run/metrics.jsonl");
  for (const int step : {1, 2}) {
    lines += "{\"step\":" + std::to_string(step) +
             ",\"diag_embedding/isotropy\":0.5,\"diag_update_ratio/embed_tokens\":0.001,"
             "\"diag_update_ratio/<b>\":0.1,\"diag_lens_kl/layers.0\":1.5}\n";
  }
  write("run/metrics.jsonl", lines);
  const std::string html = page({"run"});
  for (const char* const part :
       {"Inside the model", "Isotropy of the embedding: run 0.5", "part by part: run", "&lt;b&gt;",
        "What is still to be said, by layer"}) {
    EXPECT_TRUE(contains(html, part)) << part;
  }
}

TEST_F(ReportTest, ShowsAnExperimentAlsoWhereItMoved) {
  write("x.toml",
        "base = \"tiny.toml\"\nseeds = [1, 2]\n[variants.untied]\n[variants.tied]\n"
        "model.tie_word_embeddings = true\n");
  run({"experiment", "x.toml"});
  std::filesystem::rename(path("experiments/x"), path("moved"));
  const std::string html = page({"moved"});
  for (const char* const part :
       {"tied - untied = ", "differs from untied for certain", "class=\"chart intervals\"",
        "Validation loss of ", "cria experiment x.toml --out moved-again"}) {
    EXPECT_TRUE(contains(html, part)) << part;
  }
  std::filesystem::remove_all(path("moved/runs"));
  EXPECT_FALSE(contains(page({"moved"}), "Its runs"));
}

TEST_F(ReportTest, ShowsTheTokensOfARunAtItsCheckpoints) {
  const std::string html = page({"run"});
  for (const char* const part :
       {"Embeddings of run/checkpoints/step-00000004", "step 2, neighbours", "step 4, neighbours",
        "step 2, principal axes", "occurrences in the training data", "Curves"}) {
    EXPECT_TRUE(contains(html, part)) << part;
  }
  const std::string of_one = page({kCheckpoint});
  EXPECT_TRUE(contains(of_one, "Principal axes, step 4"));
  EXPECT_TRUE(contains(of_one, "occurrences in the training data"));
  EXPECT_FALSE(contains(of_one, "step 2,"));
  std::filesystem::copy(path("run"), path("other"), std::filesystem::copy_options::recursive);
  EXPECT_FALSE(contains(page({"run", "other"}), "Embeddings of"));
  // Without the data all is shown that does not need it.
  std::filesystem::remove_all(path("data"));
  const std::string without = page({kCheckpoint});
  EXPECT_TRUE(contains(without, "Principal axes, step 4"));
  EXPECT_FALSE(contains(without, "occurrences in the training data"));
}

TEST_F(ReportTest, OfARunWithABrokenCheckpointSaysSo) {
  cut(kCheckpoint + std::string("/model.safetensors"), 100);
  const std::string html = page({"run"});
  EXPECT_TRUE(contains(html, "No maps of the tokens"));
  EXPECT_TRUE(contains(html, "step-00000004/model.safetensors"));
  EXPECT_TRUE(contains(html, "Curves"));
  EXPECT_EQ(cria({"report", kCheckpoint}).exit_code, 1);
}

TEST_F(ReportTest, ShowsATextThroughTheModel) {
  const std::string html = page({"run", "--text", "Lama zog"});
  for (const char* const part : {"8 tokens with a mean loss of", "<ruby class=\"s0\"><bdi>L</bdi>",
                                 "Layer 0, head 1", "before block 0", "Curves", "Embeddings of"}) {
    EXPECT_TRUE(contains(html, part)) << part;
  }
  const ProcessResult two = cria({"report", "run", "run", "--text", "Lama"});
  EXPECT_EQ(two.exit_code, 2);
  EXPECT_TRUE(contains(two.err, "--text needs one model")) << two.err;
  EXPECT_EQ(cria({"report", "run", "--text", "\xff"}).exit_code, 2);
  const ProcessResult unknown = cria({"report", "run", "--text", "Lama %"});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_TRUE(contains(unknown.err, "character '%'")) << unknown.err;
  EXPECT_TRUE(contains(cria({"report", "run", "--text", ""}).err, "the text is empty"));
}

TEST_F(ReportTest, EscapesWhatFilesSay) {
  const std::string name = "<script>alert('x')";
  std::filesystem::rename(path("run"), path(name));
  write(name + "/samples.txt", "--- step 2\n</pre><script>\x1b[31m \u202e\xff\n");
  write(name + "/config.toml", "[data]\ntrain = \"<img src='x'>\"\n");
  const std::string html = page({name});
  EXPECT_FALSE(contains(html, "<script>alert"));
  EXPECT_FALSE(contains(html, "<img"));
  EXPECT_TRUE(contains(html, "&lt;/pre&gt;&lt;script&gt;␛[31m"));
  // For a shell to read.
  EXPECT_TRUE(contains(html, "&#39;&lt;script&gt;alert(&#39;\\&#39;&#39;x"));
}

TEST_F(ReportTest, SaysWhatIsWrong) {
  EXPECT_EQ(cria({"report"}).exit_code, 2);
  EXPECT_EQ(cria({"report", "run", "--json"}).exit_code, 2);
  for (const auto& [directory, message] : std::map<std::string, std::string>{
           {"nowhere", "nowhere: no such directory"},
           {"data", "data: neither a run, an experiment nor a model"}}) {
    const ProcessResult result = cria({"report", "run", directory, "-o", "page.html"});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_TRUE(contains(result.err, message)) << result.err;
    EXPECT_TRUE(contains(result.err, "metrics.jsonl")) << result.err;
  }
  const ProcessResult unwritable = cria({"report", "run", "-o", "no/such/page.html"});
  EXPECT_EQ(unwritable.exit_code, 1);
  EXPECT_TRUE(contains(unwritable.err, "no/such/page.html")) << unwritable.err;
  EXPECT_FALSE(exists(path("page.html")));
  make_directories(path("broken"));
  write("broken/results.json", "{\"experiment\": 1}");
  const ProcessResult broken = cria({"report", "broken"});
  EXPECT_EQ(broken.exit_code, 1);
  EXPECT_TRUE(contains(broken.err, "broken/results.json")) << broken.err;
  write("broken/results.json",
        "{\"experiment\":\"x\",\"reference\":\"a\",\"complete\":true,\"variants\":[],\"runs\":[]}");
  EXPECT_EQ(cria({"report", "broken"}).exit_code, 1);
}

}  // namespace
}  // namespace cria
