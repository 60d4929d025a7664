// What a run leaves for TensorBoard, against what it says elsewhere.
#include "train/tensorboard.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>

#include "cria/exchange/load_model.h"
#include "support/threads.h"
#include "support/tiny_run.h"
#include "tokenizer_files/tokenizer_json.h"

namespace cria {
namespace {

RunConfig with_tensorboard(RunConfig config) {
  config.log.tensorboard = true;
  config.log.norms_every = 2;
  return config;
}

// A run with a tokenizer, of which two characters are hard to show.
RunConfig with_samples(const TinyRun& run, RunConfig config) {
  std::vector<uint32_t> characters = {'\n', ' '};
  while (std::ssize(characters) < kTinyVocabulary) {
    characters.push_back('0' + static_cast<uint32_t>(characters.size()) - 2);
  }
  config.data.tokenizer = run.directory() / "tokenizer.json";
  write_file(config.data.tokenizer, tokenizer_json(*make_char_tokenizer(characters)));
  config.train.sample_every = 4;
  config.train.sample_prompt = "01\n";
  config.train.sample_tokens = 6;
  return config;
}

std::set<std::string> names_in(const RunConfig& config) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(config.train.output_dir)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

struct Events {
  std::vector<EventRecord> records;
  std::vector<std::string> bytes;  // of each
};

Events read_events(const RunConfig& config) {
  Events events;
  for (const std::string& name : names_in(config)) {
    if (!name.starts_with("events.out.tfevents.")) continue;
    EXPECT_TRUE(events.records.empty()) << "more than one file";
    const std::string path = join_path(config.train.output_dir, name);
    const std::string all = read_file(path);
    events.records = scan_events(all, path);
    for (const EventRecord& record : events.records) {
      events.bytes.push_back(all.substr(record.begin, record.end - record.begin));
    }
    EXPECT_TRUE(!events.records.empty() && events.records.back().end == all.size());
  }
  return events;
}

// The scalars that a line of metrics.jsonl stands for.
std::string event_of(const Json& line, double wall_time) {
  static const std::vector<std::pair<std::string, std::string>> kTags = {
      {"loss", "loss/train"},
      {"val_loss", "loss/val"},
      {"val_perplexity", "perplexity/val"},
      {"val_bits_per_byte", "bits_per_byte/val"},
      {"lr", "lr"},
      {"grad_norm", "grad_norm"},
      {"tokens_per_s", "throughput/tokens_per_s"},
      {"gflops", "throughput/gflops"},
      {"mfu", "throughput/mfu"},
      {"data_wait", "throughput/data_wait"},
      {"cpu_seconds", "throughput/cpu_seconds"}};
  std::vector<EventScalar> scalars;
  for (const auto& [key, tag] : kTags) {
    if (!line.find(key)) continue;
    scalars.push_back({tag, static_cast<float>(line.find(key)->as_double(key))});
  }
  return scalars_event(line.find("step")->as_int("step"), wall_time, scalars);
}

// Each line of metrics.jsonl is an event, in order; what is between them is returned, without
// times.
std::vector<std::string> expect_events_of_metrics(const RunConfig& config) {
  const Events events = read_events(config);
  const std::vector<Json> lines = read_metrics(config);
  std::vector<std::string> others;
  size_t next = 0;
  EXPECT_FALSE(events.records.empty());
  if (events.records.empty()) return others;
  EXPECT_EQ(events.records[0].file_version, "brain.Event:2");
  for (size_t i = 1; i < events.records.size(); ++i) {
    const EventRecord& record = events.records[i];
    EXPECT_GE(record.wall_time, events.records[i - 1].wall_time);
    if (next < lines.size() && events.bytes[i] == event_of(lines[next], record.wall_time)) {
      ++next;
    } else {
      // Behind length, checksum and time, up to the checksum.
      others.push_back(std::to_string(record.step) + ':' +
                       events.bytes[i].substr(21, events.bytes[i].size() - 25));
    }
  }
  EXPECT_EQ(next, lines.size());
  return others;
}

TEST(TensorBoard, ShowsTheMetrics) {
  const TinyRun run;
  const RunConfig config = with_tensorboard(with_samples(run, run.config("run")));
  Recorder recorder;
  const double before = 1.7e9;  // long ago
  run_training(config, recorder);
  const std::vector<std::string> others = expect_events_of_metrics(config);
  EXPECT_GT(read_events(config).records[0].wall_time, before);
  // Norms at steps 2, 4, 6, 8; samples at 4 and 8, as they are.
  ASSERT_EQ(others.size(), 6u);
  ASSERT_EQ(recorder.samples.size(), 2u);
  for (const auto& [index, step, sample] : {std::tuple{2, "4:", 0}, std::tuple{5, "8:", 1}}) {
    EXPECT_TRUE(others[index].starts_with(step));
    EXPECT_NE(others[index].find("sample"), std::string::npos);
    EXPECT_NE(others[index].find(markdown_verbatim(recorder.samples[sample])), std::string::npos);
  }
}

TEST(TensorBoard, ResumedWithoutDuplicates) {
  const TinyRun run;
  const RunConfig whole = with_tensorboard(with_samples(run, run.config("whole")));
  Recorder want;
  run_training(whole, want);
  const std::vector<std::string> others = expect_events_of_metrics(whole);
  for (const int64_t stop_after : {4, 7}) {
    SCOPED_TRACE("stopped after step " + std::to_string(stop_after));
    RunConfig cut = whole;
    cut.train.output_dir = run.directory() / ("cut" + std::to_string(stop_after));
    cut.train.checkpoint_every = 5;
    Recorder got;
    got.stop_after = stop_after;
    EXPECT_FALSE(run_training(cut, got));
    // A crash leaves events of steps after the last checkpoint, one of them cut.
    if (stop_after == 7) {
      std::filesystem::remove_all(checkpoint_path(cut.train.output_dir, 7));
      for (const std::string& name : names_in(cut)) {
        if (!name.starts_with("events.")) continue;
        append_to_file(join_path(cut.train.output_dir, name), scalars_event(8, 1, {}).substr(0, 9));
      }
    }
    Recorder rest;
    EXPECT_TRUE(run_training(cut, rest, true));
    EXPECT_EQ(expect_events_of_metrics(cut), others);
  }
}

// What is logged changes nothing, and without it nothing is written.
TEST(TensorBoard, ChangesNoBitOfTheRun) {
  const TinyRun run;
  for (const bool sparse : {false, true}) {
    RunConfig off = run.config(sparse ? "off_sparse" : "off");
    off.model.embedding.sparse = sparse;
    RunConfig on = with_tensorboard(off);
    on.train.output_dir += "_logged";
    Recorder unheard;
    run_training(off, unheard);
    const ThreadCount scope(sparse ? 3 : 1);
    run_training(on, unheard);
    for (const char* file : {"model.safetensors", "optimizer.safetensors"}) {
      EXPECT_TRUE(read_file(join_path(checkpoint_path(on.train.output_dir, 9), file)) ==
                  read_file(join_path(checkpoint_path(off.train.output_dir, 9), file)))
          << file;
    }
    EXPECT_EQ(names_in(off),
              (std::set<std::string>{"checkpoints", "config.toml", "lock", "metrics.csv",
                                     "metrics.jsonl", "starts.jsonl"}));
    EXPECT_EQ(names_in(on).size(), 9u);
  }
}

// The event of step 2, against the weights before and after it.
TEST(TensorBoard, NormsAreThoseOfTheStep) {
  const TinyRun run;
  const RunConfig config = with_tensorboard(run.config("run"));
  Recorder unheard;
  std::map<std::string, std::pair<double, double>> squares;  // weight, update
  std::vector<std::string> parts;
  {
    RunConfig plain = run.config("plain");
    Trainer trainer(plain, false, unheard);
    const Parameters& parameters = trainer.model().parameters();
    std::vector<std::vector<float>> before;
    trainer.step();
    for (const Parameter& p : parameters.slots()) {
      before.emplace_back(p.value.data, p.value.data + p.value.size());
    }
    trainer.step();
    for (size_t slot = 0; slot < before.size(); ++slot) {
      const Parameter& p = parameters.slots()[slot];
      const std::string part = part_name(p);
      if (!squares.contains(part)) parts.push_back(part);
      for (size_t i = 0; i < before[slot].size(); ++i) {
        const double after = p.value.data[i], change = after - before[slot][i];
        squares[part].first += after * after;
        squares[part].second += change * change;
      }
    }
  }
  run_training(config, unheard);
  const Events events = read_events(config);
  ASSERT_GE(events.records.size(), 4u);
  ASSERT_EQ(events.records[3].step, 2);
  const std::string& got = events.bytes[3];
  for (const std::string& part : parts) {
    for (const char* kind : {"weight_norm/", "update_norm/"}) {
      // A field behind the tag: its key, then the value.
      const size_t at = got.find(kind + part + '\x15');
      ASSERT_NE(at, std::string::npos) << kind << part;
      float value;
      std::memcpy(&value, got.data() + at + 12 + part.size() + 1, sizeof value);
      const auto& [weight, update] = squares[part];
      const double want = std::sqrt(kind[0] == 'w' ? weight : update);
      EXPECT_GT(want, 0);
      EXPECT_NEAR(value, want, 1e-5 * want) << kind << part;  // rounded to float, summed in floats
    }
  }
}

TEST(TensorBoard, TheEmbeddingForTheProjector) {
  const TinyRun run;
  RunConfig config = with_tensorboard(with_samples(run, run.config("run")));
  config.model.vocab_size = kTinyVocabulary + 1;  // a row that is no token's
  Recorder recorder;
  recorder.stop_after = 3;  // a run that is stopped has its files too
  Trainer trainer(config, false, recorder);
  EXPECT_FALSE(trainer.run(recorder.stop));
  const std::string directory = config.train.output_dir;
  EXPECT_EQ(read_file(join_path(directory, "projector_config.pbtxt")),
            "embeddings {\n  tensor_name: \"model.embed_tokens.weight\"\n  tensor_shape: 38\n"
            "  tensor_shape: 16\n  tensor_path: \"projector/vectors.tsv\"\n"
            "  metadata_path: \"projector/metadata.tsv\"\n}\n");
  const std::string labels = read_file(join_path(directory, "projector/metadata.tsv"));
  EXPECT_TRUE(labels.starts_with("token\tid\n'\\n'\t0\n' '\t1\n0\t2\n1\t3\n")) << labels;
  EXPECT_TRUE(labels.ends_with("\nR\t36\n'no token'\t37\n")) << labels;
  const std::string vectors = join_path(directory, "projector/vectors.tsv"),
                    text = read_file(vectors);
  const ConstTensor table = trainer.model().embed_tokens().weight->value;
  EXPECT_EQ(std::ranges::count(text, '\n'), 38);
  const std::string first = text.substr(0, text.find('\t'));
  EXPECT_EQ(std::stof(first), table(0, 0));
}

}  // namespace
}  // namespace cria
