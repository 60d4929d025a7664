// Training runs: the same bits however they are cut up or shared out, and what they write.
#include "cria/train/trainer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "cria/base/parallel.h"
#include "cria/exchange/load_model.h"
#include "cria/optim/schedule.h"
#include "cria/tokenizer_files/tokenizer_file.h"
#include "kernels/peak.h"
#include "support/allocations.h"
#include "support/compare.h"
#include "support/random.h"
#include "support/same_run.h"
#include "support/threads.h"
#include "support/tiny_run.h"
#include "tokenizer_files/tokenizer_json.h"

namespace cria {
namespace {

using ::testing::Test;

// config(threads): each with an output directory of its own.
template <class Config>
void expect_same_with_any_threads(const Config& config) {
  Recorder want;
  for (const int threads : {1, 2, 3}) {
    SCOPED_TRACE(std::to_string(threads) + " threads");
    const ThreadCount scope(threads);
    Recorder got;
    run_training(config(threads), threads == 1 ? want : got);
    if (threads == 1) continue;
    expect_same_course(got, want);
    expect_same_files(config(threads), config(1));
  }
}

std::vector<std::string> keys(const Json& line) {
  std::vector<std::string> names;
  for (const auto& [key, value] : line.as_object("line")) names.push_back(key);
  return names;
}

// The trainer owns the model; tests damage it.
Parameters& parameters_of(const Trainer& trainer) {
  return const_cast<Llama&>(trainer.model()).parameters();
}

std::vector<float> values_of(const Trainer& trainer) {
  Parameters& parameters = parameters_of(trainer);
  return {parameters.value(), parameters.value() + parameters.plane_size()};
}

// A chars tokenizer of as many characters as the shards have ids.
void write_tokenizer(const std::string& path) {
  std::vector<uint32_t> characters;
  for (uint32_t c = 0; c < kTinyVocabulary; ++c) characters.push_back('0' + c);
  write_file(path, tokenizer_json(*make_char_tokenizer(characters)));
}

TEST(Trainer, StoppedAndResumedGivesTheSameBits) {
  for (const bool tied : {false, true}) {
    const TinyRun run;
    RunConfig whole = run.config("whole");
    whole.model.tie_word_embeddings = tied;
    Recorder want;
    ASSERT_TRUE(run_training(whole, want));
    ASSERT_EQ(want.steps.size(), 9u);
    for (const int64_t stop_after : {0, 1, 3, 8}) {
      SCOPED_TRACE("stopped after step " + std::to_string(stop_after));
      RunConfig cut = run.config("cut" + std::to_string(stop_after));
      cut.model.tie_word_embeddings = tied;
      Recorder got;
      got.stop_after = stop_after;
      got.stop = stop_after == 0;
      EXPECT_FALSE(run_training(cut, got));
      EXPECT_EQ(got.steps.size(), static_cast<size_t>(stop_after));
      EXPECT_EQ(got.checkpoints,
                std::vector<std::string>{checkpoint_path(cut.train.output_dir, stop_after)});
      got.stop = false;
      got.stop_after = -1;
      EXPECT_TRUE(run_training(cut, got, true));
      expect_same_course(got, want);
      expect_same_files(cut, whole);
      EXPECT_EQ(timeless(read_metrics(cut)), timeless(read_metrics(whole)));
    }
  }
}

RunConfig with_dropout(RunConfig config) {
  config.model.embedding_dropout = 0.1;
  config.model.residual_dropout = 0.2;
  config.model.attention_dropout = 0.3;
  return config;
}

// The masks are those of the pass, wherever a run begins and whoever computes.
TEST(TrainerDropout, ResumedWithAnyNumberOfThreadsGivesTheSameBits) {
  const TinyRun run;
  const RunConfig whole = with_dropout(run.config("whole"));
  Recorder want, plain;
  ASSERT_TRUE(run_training(whole, want));
  run_training(run.config("plain"), plain);
  EXPECT_NE(want.steps[0].loss, plain.steps[0].loss);
  for (const int threads : {1, 2, 3}) {
    SCOPED_TRACE(std::to_string(threads) + " threads");
    const ThreadCount scope(threads);
    const RunConfig cut = with_dropout(run.config("cut" + std::to_string(threads)));
    expect_same_when_cut(cut, 3, whole, want);
  }
}

// Every micro-batch of every step has masks of its own: with weights that stay as they are, and one
// window of data, losses differ by the masks only.
TEST(TrainerDropout, EveryPassDropsOtherElements) {
  const TinyRun run;
  write_shard(run.directory() / "one.bin", walk(13, "one"));
  RunConfig config = with_dropout(run.config("run"));
  config.data.train = run.directory() / "one.bin";
  config.optimizer.learning_rate = 0;
  config.train.batch_size = 1;
  std::set<double> losses;
  for (const int64_t micro_batches : {1, 2}) {
    config.train.gradient_accumulation_steps = micro_batches;
    config.train.output_dir = run.directory() / ("run" + std::to_string(micro_batches));
    Recorder unheard;
    Trainer trainer(config, false, unheard);
    for (int step = 0; step < 4; ++step) losses.insert(trainer.step().loss);
  }
  EXPECT_EQ(losses.size(), 8u);
}

TEST(TrainerDropout, NoneInEvaluation) {
  const TinyRun run;
  Recorder unheard;
  Trainer dropping(with_dropout(run.config("dropping")), false, unheard);
  Trainer plain(run.config("plain"), false, unheard);
  const double initial = plain.evaluate().loss;
  EXPECT_EQ(dropping.evaluate().loss, initial);
  for (int step = 0; step < 3; ++step) dropping.step();
  const std::vector<float> values = values_of(dropping);
  std::ranges::copy(values, parameters_of(plain).mutable_value());
  EXPECT_EQ(dropping.evaluate().loss, plain.evaluate().loss);
  EXPECT_NE(dropping.evaluate().loss, initial);
}

// A crash leaves a last checkpoint that is older than the last line.
TEST(Trainer, ResumesFromTheLastCheckpointAndDropsWhatCameAfter) {
  const TinyRun run;
  RunConfig whole = run.config("whole"), crashed = run.config("crashed");
  Recorder want, got;
  run_training(whole, want);
  crashed.train.checkpoint_every = 2;
  got.stop_after = 5;
  run_training(crashed, got);
  std::filesystem::remove_all(checkpoint_path(crashed.train.output_dir, 5));
  append_to_file(join_path(crashed.train.output_dir, "metrics.jsonl"),
                 "{\"step\":6,\"loss\":1.0}\n{\"step\":3,\"lo");
  Recorder rest;
  EXPECT_TRUE(run_training(crashed, rest, true));
  ASSERT_EQ(rest.steps.size(), 5u);
  EXPECT_EQ(rest.steps.front().step, 5);
  expect_same_files(crashed, whole);
  EXPECT_EQ(timeless(read_metrics(crashed)), timeless(read_metrics(whole)));
  // Training time goes on counting where the checkpoint left it.
  EXPECT_GT(rest.steps.front().seconds, got.steps[3].seconds);
}

TEST(Trainer, AnyNumberOfThreadsGivesTheSameBits) {
  const TinyRun run;
  // Large enough that every kernel shares its work out.
  const auto config = [&](int threads) {
    RunConfig c = run.config("threads" + std::to_string(threads));
    c.model.hidden_size = 64;
    c.model.intermediate_size = 136;
    c.model.num_attention_heads = 4;
    c.model.num_key_value_heads = 2;
    c.train.batch_size = 4;
    c.data.sequence_length = 40;
    c.train.steps = c.schedule.decay_steps = 4;
    c.train.eval_every = 2;
    return c;
  };
  expect_same_with_any_threads(config);
}

// Two micro-batches of two sequences are one batch of four.
TEST(Trainer, GradientAccumulationAddsUpToALargerBatch) {
  const TinyRun run;
  RunConfig together = run.config("together"), apart = run.config("apart");
  together.train.batch_size = 4;
  together.train.gradient_accumulation_steps = 1;
  together.train.max_grad_norm = apart.train.max_grad_norm = 0;
  Recorder unheard;
  Trainer one(together, false, unheard), two(apart, false, unheard);
  EXPECT_EQ(one.tokens_per_step(), two.tokens_per_step());
  const StepMetrics a = one.step(), b = two.step();
  EXPECT_NEAR(a.loss, b.loss, 1e-6);
  EXPECT_NEAR(a.grad_norm, b.grad_norm, 1e-5 * a.grad_norm);
  // After one step AdamW's m is (1 - beta1) times the gradient. The two differ in the order of
  // summation only, over 48 rows: some ten roundings.
  Parameters &first = parameters_of(one), &second = parameters_of(two);
  double difference = 0, norm = 0;
  for (int64_t i = 0; i < first.plane_size(); ++i) {
    difference += std::pow(static_cast<double>(first.m()[i]) - second.m()[i], 2);
    norm += std::pow(static_cast<double>(first.m()[i]), 2);
  }
  EXPECT_GT(norm, 0);
  EXPECT_LT(std::sqrt(difference), 1e-6 * std::sqrt(norm));
  // The next step's windows follow each other in both.
  EXPECT_NEAR(one.step().loss, two.step().loss, 1e-5);
}

// [37, 16] float32 in a .npy file of version 1.0.
std::vector<float> write_table(const std::string& path, int64_t rows, int64_t columns) {
  const std::vector<float> values = normal_values(rows * columns, "table");
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" +
                       std::to_string(rows) + ", " + std::to_string(columns) + "), }";
  header.resize(117, ' ');
  header += '\n';
  write_file(path, std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header +
                       std::string(reinterpret_cast<const char*>(values.data()),
                                   values.size() * sizeof(float)));
  return values;
}

TEST(TrainerPretrained, StartsFromTheFileAndResumesFromTheCheckpoint) {
  const TinyRun run;
  for (const bool freeze : {false, true}) {
    RunConfig config = run.config(freeze ? "frozen" : "trained");
    config.model.embedding_pretrained = run.directory() / "table.npy";
    config.model.embedding.freeze = freeze;
    const std::vector<float> values =
        write_table(config.model.embedding_pretrained, kTinyVocabulary, 16);
    const auto table = [](const Trainer& trainer) {
      const ConstTensor& weight = trainer.model().embed_tokens().weight->value;
      return std::vector<float>(weight.data, weight.data + weight.size());
    };
    Recorder unheard;
    std::vector<float> trained;
    {
      Trainer trainer(config, false, unheard);
      EXPECT_TRUE(same_bits(table(trainer), values));
      trainer.step();
      trained = table(trainer);
      EXPECT_EQ(trained == values, freeze);
      trainer.save();
    }
    std::filesystem::remove(config.model.embedding_pretrained);
    const Trainer resumed(config, true, unheard);
    EXPECT_TRUE(same_bits(table(resumed), trained));
  }
}

TEST(TrainerPretrained, AnotherShapeIsNamed) {
  const TinyRun run;
  RunConfig config = run.config("run");
  config.model.embedding_pretrained = run.directory() / "table.npy";
  write_table(config.model.embedding_pretrained, kTinyVocabulary + 1, 16);
  Recorder unheard;
  const std::string message = error_of([&] { Trainer(config, false, unheard); });
  for (const char* part : {"test.toml: model.embedding.pretrained", "[37, 16]", "[38, 16]"}) {
    EXPECT_NE(message.find(part), std::string::npos) << part << "\n" << message;
  }
  EXPECT_FALSE(exists(config.train.output_dir));
}

TEST(Trainer, LearnsTheData) {
  const TinyRun run;
  RunConfig config = run.config("run");
  config.train.steps = config.schedule.decay_steps = 60;
  Recorder recorder;
  run_training(config, recorder);
  EXPECT_NEAR(recorder.steps.front().loss, std::log(kTinyVocabulary), 0.1);
  EXPECT_LT(recorder.steps.back().loss, 0.7 * recorder.steps.front().loss);
  EXPECT_LT(recorder.evaluations.back().loss, 0.9 * std::log(kTinyVocabulary));
}

// Rounding factors to 8 bits moves the loss of these small weights a little, and learning goes on.
TEST(Trainer, TrainsInBf16) {
  const TinyRun run;
  RunConfig exact = run.config("fp32"), rounded = run.config("bf16");
  rounded.train.precision = "bf16";
  Recorder want, got;
  run_training(exact, want);
  run_training(rounded, got);
  EXPECT_NE(got.steps[0].loss, want.steps[0].loss);
  EXPECT_NE(got.evaluations[0].loss, want.evaluations[0].loss);
  for (size_t i = 0; i < want.steps.size(); ++i) {
    EXPECT_NEAR(got.steps[i].loss, want.steps[i].loss, 0.01) << "step " << i + 1;
  }
  const RunConfig written = read_run_config(join_path(rounded.train.output_dir, "config.toml"), {});
  EXPECT_EQ(written.train.precision, "bf16");
}

// What is resumed is the state; precision, like the learning rate, is the given config's.
TEST(Trainer, ResumesInAnotherPrecision) {
  const TinyRun run;
  RunConfig config = run.config("run");
  Recorder recorder;
  recorder.stop_after = 3;
  run_training(config, recorder);
  config.train.precision = "bf16";
  recorder.stop = false;
  recorder.stop_after = -1;
  EXPECT_TRUE(run_training(config, recorder, true, true));
  EXPECT_EQ(recorder.steps.size(), 9u);
}

TEST(Trainer, AStepAllocatesNothing) {
  if (!allocations_are_counted()) GTEST_SKIP() << "malloc cannot be counted here";
  int64_t before = allocations();
  // Pointers that the optimiser must not see through.
  void* volatile memory = std::malloc(1);
  int* volatile number = new int;
  void* volatile aligned = std::aligned_alloc(64, 64);
  ASSERT_EQ(allocations() - before, 3) << "the counter does not count";
  std::free(memory);
  delete number;
  std::free(aligned);

  const TinyRun run;
  const ThreadCount scope(2);
  for (const bool tied : {false, true}) {
    RunConfig config = run.config(tied ? "tied" : "untied");
    config.model.tie_word_embeddings = tied;
    config.model.attention_bias = config.model.mlp_bias = true;
    config.model.embedding_norm = tied;
    if (tied) config = with_dropout(config);
    config.data.sequence_length = 40;
    config.data.mask_documents = tied;
    config.data.eos_token_id = 9;
    config.model.embedding.sparse = !tied;
    config.log.tensorboard = true;
    config.log.norms_every = 2;
    Recorder unheard;
    Trainer trainer(config, false, unheard);
    // OpenMP's threads are made by the first parallel region.
    parallel_for(2, 1, [](int64_t, int64_t, int) {});
    for (int step = 1; step <= 3; ++step) {
      before = allocations();
      trainer.step();
      EXPECT_EQ(allocations() - before, 0) << "step " << step;
    }
  }
}

TEST(Trainer, NotANumberStopsBeforeTheUpdate) {
  const TinyRun run;
  for (const bool gradient : {false, true}) {
    const RunConfig config = run.config(gradient ? "gradient" : "weight");
    Recorder recorder;
    Trainer trainer(config, false, recorder);
    EXPECT_NE(error_of([&] {
                Recorder again;
                Trainer(config, false, again);
              }),
              "")
        << "the directory is locked";
    trainer.step();
    trainer.step();
    trainer.save();
    if (gradient) {
      parameters_of(trainer).slots().back().grad.data[3] = std::numeric_limits<float>::infinity();
    } else {
      parameters_of(trainer).slots().back().mutable_value().data[3] =
          std::numeric_limits<float>::quiet_NaN();
    }
    const std::vector<float> before = values_of(trainer);
    const std::string message = error_of([&] { trainer.run(recorder.stop); });
    EXPECT_NE(message.find(gradient ? "step 3: the gradient norm is not finite"
                                    : "step 3: the loss is not finite"),
              std::string::npos)
        << message;
    EXPECT_NE(message.find(checkpoint_path(config.train.output_dir, 2)), std::string::npos)
        << message;
    EXPECT_TRUE(same_bits(values_of(trainer), before));
    EXPECT_EQ(trainer.steps_done(), 2);
    EXPECT_EQ(list_checkpoints(config.train.output_dir).size(), 1u);
  }
}

TEST(Trainer, NoCheckpointIsNamedWhenThereIsNone) {
  const TinyRun run;
  Recorder recorder;
  Trainer trainer(run.config("run"), false, recorder);
  parameters_of(trainer).mutable_value()[0] = std::numeric_limits<float>::infinity();
  const std::vector<float> before = values_of(trainer);
  const std::string message = error_of([&] {
    for (int i = 0; i < 9; ++i) trainer.step();  // the row of that token comes up
  });
  EXPECT_NE(message.find("no good checkpoint yet"), std::string::npos) << message;
}

TEST(Trainer, TheLearningRateFollowsTheSchedule) {
  const TinyRun run;
  for (const std::string& name : schedule_names()) {
    RunConfig config = run.config(name);
    config.schedule.name = name;
    Recorder recorder;
    run_training(config, recorder);
    const std::vector<Json> lines = read_metrics(config);
    for (const StepMetrics& m : recorder.steps) {
      EXPECT_EQ(m.learning_rate,
                config.optimizer.learning_rate * learning_rate_factor(config.schedule, m.step - 1));
    }
    EXPECT_DOUBLE_EQ(recorder.steps[0].learning_rate, config.optimizer.learning_rate / 3);
    EXPECT_EQ(lines.front().find("lr")->as_double("lr"), recorder.steps[0].learning_rate);
  }
}

// At rate 0 a step changes nothing; the gradient norm is then that of the same weights.
TEST(Trainer, ClipsToTheNorm) {
  const TinyRun run;
  RunConfig config = run.config("clip");
  config.train.max_grad_norm = 0.01;
  Recorder unheard;
  Trainer trainer(config, false, unheard);
  const StepMetrics m = trainer.step();
  ASSERT_GT(m.grad_norm, 0.1);  // before clipping
  Parameters& parameters = parameters_of(trainer);
  double norm = 0;
  for (int64_t i = 0; i < parameters.plane_size(); ++i) {
    norm += std::pow(static_cast<double>(parameters.m()[i]), 2);
  }
  EXPECT_NEAR(std::sqrt(norm) / (1 - config.optimizer.beta1), 0.01, 1e-5);
}

TEST(Trainer, MetricsLinesHaveTheirKeys) {
  const TinyRun run;
  const std::vector<std::string> step_keys = {"step",      "tokens",       "loss",       "lr",
                                              "grad_norm", "tokens_per_s", "gflops",     "mfu",
                                              "seconds",   "data_wait",    "cpu_seconds"};
  RunConfig config = run.config("run");
  Recorder recorder;
  run_training(config, recorder);
  std::vector<Json> lines = read_metrics(config);
  ASSERT_EQ(lines.size(), 12u);  // nine steps, three evaluations
  EXPECT_EQ(keys(lines[0]), step_keys);
  EXPECT_EQ(lines[2].find("step")->as_int("step"), 3);
  EXPECT_EQ(lines[2].find("tokens")->as_int("tokens"), 3 * 2 * 2 * 12);
  EXPECT_EQ(lines[2].find("loss")->as_double("loss"), recorder.steps[2].loss);
  const double rate = lines[2].find("tokens_per_s")->as_double("rate");
  EXPECT_GT(rate, 0);
  EXPECT_NEAR(lines[2].find("gflops")->as_double("gflops"),
              rate * training_flops_per_token(resolved(config.model, 12, ""), 12) * 1e-9,
              1e-9 * rate);
  // Only the machine knows the peak; a model as tiny as this is far below it.
  EXPECT_NEAR(lines[2].find("gflops")->as_double("gflops") * 1e9 / peak_flops(Precision::fp32),
              lines[2].find("mfu")->as_double("mfu"), 1e-12);
  EXPECT_GT(lines[2].find("mfu")->as_double("mfu"), 0);
  EXPECT_LT(lines[2].find("mfu")->as_double("mfu"), 1);
  const std::vector<std::string> without_bytes = {"step", "val_loss", "val_perplexity", "seconds"};
  EXPECT_EQ(keys(lines[3]), without_bytes);
  EXPECT_EQ(lines[3].find("step")->as_int("step"), 3);
  EXPECT_EQ(lines[3].find("val_loss")->as_double("val_loss"), recorder.evaluations[0].loss);

  config = run.config("with_tokenizer");
  config.data.tokenizer = run.directory() / "tokenizer.json";
  write_tokenizer(config.data.tokenizer);
  run_training(config, recorder);
  lines = read_metrics(config);
  const std::vector<std::string> validation_keys = {"step", "val_loss", "val_perplexity",
                                                    "val_bits_per_byte", "seconds"};
  EXPECT_EQ(keys(lines[3]), validation_keys);
  EXPECT_EQ(lines.back().find("step")->as_int("step"), 9);
}

TEST(Trainer, EvaluatesWhenDueAndAtTheEnd) {
  const TinyRun run;
  for (const int64_t every : {0, 4, 9}) {
    RunConfig config = run.config("every" + std::to_string(every));
    config.train.eval_every = every;
    config.train.eval_batches = 1;
    Recorder recorder;
    Trainer trainer(config, false, recorder);
    ASSERT_TRUE(trainer.has_validation());
    trainer.run(recorder.stop);
    EXPECT_EQ(recorder.evaluations.size(), every == 4 ? 3u : 1u);
    EXPECT_EQ(trainer.last_evaluation().loss, recorder.evaluations.back().loss);
    EXPECT_EQ(trainer.evaluate().loss, recorder.evaluations.back().loss);
    EXPECT_EQ(trainer.last_evaluation().tokens, 2 * 12);  // one batch
  }
  RunConfig config = run.config("none");
  config.data.val = "";
  Recorder recorder;
  run_training(config, recorder);
  EXPECT_TRUE(recorder.evaluations.empty());
}

TEST(Trainer, KeepsAsManyCheckpointsAsAsked) {
  const TinyRun run;
  for (const int64_t keep : {0, 2, 7}) {
    RunConfig config = run.config("keep" + std::to_string(keep));
    config.train.checkpoint_every = 2;
    config.train.keep_checkpoints = keep;
    Recorder recorder;
    run_training(config, recorder);
    std::vector<std::string> want;
    for (const int64_t step : {2, 4, 6, 8, 9}) {
      want.push_back(checkpoint_path(config.train.output_dir, step));
    }
    EXPECT_EQ(recorder.checkpoints, want);
    if (keep > 0 && keep < 5) want.erase(want.begin(), want.end() - keep);
    EXPECT_EQ(list_checkpoints(config.train.output_dir), want);
  }
}

TEST(Trainer, SamplesWhenDue) {
  const TinyRun run;
  RunConfig config = run.config("run");
  config.data.tokenizer = run.directory() / "tokenizer.json";
  config.model.vocab_size = 0;  // the tokenizer's
  config.train.sample_every = 4;
  config.train.sample_prompt = "01";
  config.train.sample_tokens = 20;  // more than the model's 12 positions
  write_tokenizer(config.data.tokenizer);
  Recorder recorder;
  run_training(config, recorder);
  ASSERT_EQ(recorder.samples.size(), 2u);
  for (const std::string& text : recorder.samples) {
    EXPECT_TRUE(text.starts_with("01"));
    EXPECT_EQ(text.size(), 22u);
  }
  EXPECT_EQ(read_file(join_path(config.train.output_dir, "samples.txt")),
            "--- step 4\n" + recorder.samples[0] + "\n--- step 8\n" + recorder.samples[1] + "\n");
}

TEST(Trainer, WritesTheResolvedConfig) {
  const TinyRun run;
  RunConfig config = run.config("run");
  config.model.intermediate_size = 0;
  config.model.num_key_value_heads = 0;
  Recorder recorder;
  Trainer trainer(config, false, recorder);
  const RunConfig& resolved = trainer.config();
  EXPECT_EQ(resolved.model.intermediate_size, 48);  // 8/3 of 16, up to a multiple of 8
  EXPECT_EQ(resolved.model.num_key_value_heads, 2);
  EXPECT_EQ(resolved.model.max_position_embeddings, 12);
  const std::string file = join_path(config.train.output_dir, "config.toml");
  EXPECT_EQ(read_file(file), to_toml(resolved));
  EXPECT_EQ(to_toml(read_run_config(file, {})), to_toml(resolved));
}

// A run that was stopped after four steps ends with the bits of one that was not.
template <class Change>
void expect_resume(Change&& change) {
  const TinyRun run;
  RunConfig whole = run.config("whole"), cut = run.config("cut");
  change(whole);
  change(cut);
  Recorder all, first, second;
  EXPECT_TRUE(run_training(whole, all));
  first.stop_after = 4;
  EXPECT_FALSE(run_training(cut, first));
  EXPECT_TRUE(run_training(cut, second, true));
  expect_same_files(cut, whole);
  EXPECT_EQ(second.evaluations.back().loss, all.evaluations.back().loss);
}

// A table of which only some rows are updated, shortened and looked at.
TEST(Trainer, ResumeWithASparseTableGivesTheSameBits) {
  expect_resume([](RunConfig& config) {
    config.model.embedding.sparse = true;
    config.model.embedding.max_norm = 0.08;
    config.model.embedding.padding_idx = -1;
  });
}

// All that changes how table and head are trained; the head becomes a tensor of its own before the
// fifth step.
void with_knobs(RunConfig& config) {
  config.model.tie_word_embeddings = true;
  config.model.embedding_initializer_range = 0.0;
  config.model.logit_scale = 0.5;
  config.model.embedding.gradient_scale = 0.25;
  config.train.z_loss = 1e-2;
  config.train.untie_at_step = 5;
  config.optimizer.groups = {
      {.name = "head", .pattern = "lm_head.*", .learning_rate_factor = 0.5, .beta2 = 0.9},
      {.name = "table", .pattern = "*embed*", .weight_decay_factor = 2.0, .beta1 = 0.8}};
}

TEST(TrainerKnobs, ResumeBeforeAndAfterUntyingGivesTheSameBits) {
  const TinyRun run;
  RunConfig whole = run.config("whole");
  with_knobs(whole);
  Recorder want;
  ASSERT_TRUE(run_training(whole, want));
  for (const int64_t stop_after : {0, 3, 4, 5, 8}) {
    SCOPED_TRACE("stopped after step " + std::to_string(stop_after));
    RunConfig cut = run.config("cut" + std::to_string(stop_after));
    with_knobs(cut);
    Recorder got;
    got.stop_after = stop_after;
    got.stop = stop_after == 0;
    EXPECT_FALSE(run_training(cut, got));
    const ModelConfig model = read_model_config(got.checkpoints.back());
    EXPECT_EQ(model.tie_word_embeddings, stop_after < 5);
    got.stop = false;
    got.stop_after = -1;
    EXPECT_TRUE(run_training(cut, got, true));
    expect_same_course(got, want);
    expect_same_files(cut, whole);
  }
  EXPECT_FALSE(load_model(final_checkpoint(whole)).model->config().tie_word_embeddings);
}

TEST(TrainerKnobs, AnyNumberOfThreadsGivesTheSameBits) {
  const TinyRun run;
  expect_same_with_any_threads([&](int threads) {
    RunConfig config = run.config("threads" + std::to_string(threads));
    config.model.hidden_size = 64;
    config.model.num_attention_heads = 4;
    config.data.sequence_length = 40;
    config.log.tensorboard = true;
    config.log.norms_every = 2;
    with_knobs(config);
    return config;
  });
}

// Up to its first step as an untied model the run is the tied one; then it is another.
TEST(TrainerKnobs, UntyingIsBeforeItsStep) {
  const TinyRun run;
  RunConfig tied = run.config("tied"), untying = run.config("untying");
  tied.model.tie_word_embeddings = untying.model.tie_word_embeddings = true;
  untying.train.untie_at_step = 3;
  Recorder want, got;
  run_training(tied, want);
  run_training(untying, got);
  for (const size_t step : {0, 1, 2}) EXPECT_EQ(got.steps[step].loss, want.steps[step].loss);
  EXPECT_EQ(got.steps[1].grad_norm, want.steps[1].grad_norm);
  EXPECT_NE(got.steps[2].grad_norm, want.steps[2].grad_norm);
  EXPECT_NE(got.steps[3].loss, want.steps[3].loss);
}

// It changes what is minimised, and not the loss that is told.
TEST(TrainerKnobs, ZLossIsNotReported) {
  const TinyRun run;
  RunConfig plain = run.config("plain"), with_z = run.config("z");
  with_z.train.z_loss = 0.1;
  Recorder want, got;
  run_training(plain, want);
  run_training(with_z, got);
  EXPECT_EQ(got.steps[0].loss, want.steps[0].loss);
  EXPECT_NE(got.steps[0].grad_norm, want.steps[0].grad_norm);
  EXPECT_NE(got.steps[1].loss, want.steps[1].loss);
}

void from_two_sources(RunConfig& config) {
  const std::string all = config.data.train, stem = all.substr(0, all.find('*'));
  config.data.train = "";
  config.data.sources = {{.name = "a", .train = stem + "0.bin", .weight = 2.5},
                         {.name = "b", .train = stem + "1.bin", .weight = 1}};
}

// Tokens of the walk, taken for marks: two in three sequences of 12.
void with_documents(RunConfig& config) {
  config.data.mask_documents = true;
  config.data.bos_token_id = 5;
  config.data.eos_token_id = 9;
}

TEST(TrainerData, ResumeInTheMiddleOfSources) {
  expect_resume(from_two_sources);
}

TEST(TrainerData, ResumeWithDocumentsKeptApart) {
  expect_resume(with_documents);
  expect_resume([](RunConfig& config) {
    config = with_dropout(config);
    from_two_sources(config);
    with_documents(config);
  });
}

TEST(TrainerData, SourcesAndDocumentsWithAnyNumberOfThreads) {
  const TinyRun run;
  const auto config = [&](int threads) {
    RunConfig c = run.config("threads" + std::to_string(threads));
    c.model.hidden_size = 64;
    c.model.num_attention_heads = 4;
    c.data.sequence_length = 40;
    from_two_sources(c);
    with_documents(c);
    return c;
  };
  expect_same_with_any_threads(config);
}

// One source under a name is data.train: the bits are the same.
TEST(TrainerData, OneSourceIsNoOther) {
  const TinyRun run;
  RunConfig plain = run.config("plain"), named = run.config("named");
  named.data.sources = {{.name = "all", .train = named.data.train, .weight = 0.3}};
  named.data.train = "";
  Recorder want, got;
  run_training(plain, want);
  run_training(named, got);
  expect_same_course(got, want);
  expect_same_files(named, plain);
  // One goes on where the other stopped.
  named.train.output_dir = plain.train.output_dir;
  named.train.steps = 10;
  EXPECT_TRUE(run_training(named, got, true));
}

// A step's loss and gradient are those of its documents, each trained on alone.
TEST(TrainerData, AMaskedStepIsItsDocumentsAlone) {
  const TinyRun run;
  for (const char* position : {"rope", "learned"}) {
    SCOPED_TRACE(position);
    RunConfig config = run.config(std::string("masked_") + position);
    config.model.position = position;
    config.model.initializer_range = 0.2;  // tokens matter to each other
    config.train.max_grad_norm = 0;
    config.data.sequence_length = 40;
    with_documents(config);
    const int64_t time = config.data.sequence_length;
    const uint64_t seed = static_cast<uint64_t>(config.train.seed);
    Recorder unheard;
    Trainer trainer(config, false, unheard);

    Llama alone(trainer.config().model);
    alone.initialize(seed);
    Activations activations(alone, Purpose::training, 1, time);
    const Dataset dataset(config.data.train, ShardFormat::llmc, kTinyVocabulary);
    Batches batches(dataset, 1, time, seed);
    std::vector<int32_t> in(static_cast<size_t>(time)), out = in, starts = in;
    double loss = 0;
    int64_t counted = 0;
    size_t documents = 0;
    for (int window = 0; window < 4; ++window) {
      batches.next(in.data(), out.data());
      counted += mark_documents(in.data(), out.data(), time, {.bos = 5, .eos = 9}, starts.data());
      for (size_t begin = 0, end; begin < in.size(); begin = end) {
        end = begin + 1;
        while (end < in.size() && starts[end] == starts[begin]) ++end;
        const int64_t length = static_cast<int64_t>(end - begin);
        loss += alone.loss_and_gradient(activations, TokenIds(&in[begin], {1, length}),
                                        TokenIds(&out[begin], {1, length}), {});
        ++documents;
      }
    }
    ASSERT_GT(documents, 6u);
    ASSERT_LT(counted, 4 * time);
    loss /= static_cast<double>(counted);
    const StepMetrics step = trainer.step();
    EXPECT_NEAR(step.loss, loss, 2e-6 * loss);
    // After one step AdamW's m is (1 - beta1) times the gradient. Sums over 160 rows in another
    // order: some ten roundings.
    double difference = 0, norm = 0;
    const double scale = (1 - config.optimizer.beta1) / static_cast<double>(counted);
    const Parameters& got = parameters_of(trainer);
    for (size_t i = 0; i < alone.parameters().slots().size(); ++i) {
      const Tensor want = alone.parameters().slots()[i].grad, m = got.slots()[i].m;
      for (int64_t n = 0; n < want.size(); ++n) {
        const double g = scale * static_cast<double>(want.data[n]);
        difference += std::pow(static_cast<double>(m.data[n]) - g, 2);
        norm += g * g;
      }
    }
    EXPECT_GT(norm, 0);
    EXPECT_LT(std::sqrt(difference), 1e-5 * std::sqrt(norm));
  }
}

TEST(TrainerData, ValidationKeepsDocumentsApartToo) {
  const TinyRun run;
  RunConfig plain = run.config("plain"), masked = run.config("masked");
  with_documents(masked);
  Recorder unheard;
  Trainer one(plain, false, unheard), two(masked, false, unheard);
  const Evaluation a = one.evaluate(), b = two.evaluate();
  EXPECT_EQ(a.tokens, 40);
  EXPECT_LT(b.tokens, 40);
  EXPECT_GT(b.tokens, 20);
  EXPECT_NE(a.loss, b.loss);
}

// What is read ahead is not what has been trained on; a stopped run's checkpoint says the latter.
TEST(TrainerData, ThePositionIsThatOfTheStepsDone) {
  const TinyRun run;
  const RunConfig config = run.config("run");
  Recorder recorder;
  recorder.stop_after = 3;
  run_training(config, recorder);
  const std::string path = join_path(checkpoint_path(config.train.output_dir, 3), "trainer.json");
  EXPECT_EQ(Json::parse(read_file(path), path).find("windows")->as_int("windows"), 3 * 2 * 2);
}

// Every encoding, with all three dropouts, and Transformer-XL with a memory.
class TrainerPositions : public ::testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Families, TrainerPositions, ::testing::ValuesIn(position_names()));

TEST_P(TrainerPositions, ResumeGivesTheSameBits) {
  expect_resume([](RunConfig& config) {
    config.model.position = GetParam();
    config.model.embedding_dropout = config.model.attention_dropout = 0.1;
    config.model.residual_dropout = 0.2;
    config.model.relative.num_buckets = 8;
    config.model.relative.max_distance = 10;
    if (GetParam() == "transformer_xl") config.model.memory_length = 17;
  });
}

class TrainerRefuses : public Test {
 protected:
  // Runs two steps of "run", and gives its config.
  RunConfig started() const {
    const RunConfig config = run_.config("run");
    Recorder recorder;
    recorder.stop_after = 2;
    run_training(config, recorder);
    return config;
  }

  // The message when this config starts or resumes.
  static std::string refusal(const RunConfig& config, bool resume) {
    Recorder recorder;
    return error_of([&] { Trainer(config, resume, recorder); });
  }

  static void expect_mentions(const std::string& message,
                              std::initializer_list<const char*> parts) {
    for (const char* part : parts) {
      EXPECT_NE(message.find(part), std::string::npos) << part << " is not in: " << message;
    }
  }

  TinyRun run_;
};

TEST_F(TrainerRefuses, ADirectoryWithARun) {
  const RunConfig config = started();
  expect_mentions(refusal(config, false), {config.train.output_dir.c_str(), "holds a run"});
  EXPECT_EQ(refusal(config, true), "");
}

// Killed before its first checkpoint: --resume begins anew, so that it is safe in a loop.
TEST_F(TrainerRefuses, ARunWithoutACheckpointOnlyWithoutResume) {
  const RunConfig config = started();
  const std::string checkpoint = checkpoint_path(config.train.output_dir, 2);
  const std::string weights = read_file(join_path(checkpoint, "model.safetensors"));
  const std::vector<Json> lines = read_metrics(config);
  std::filesystem::remove_all(checkpoint);
  expect_mentions(refusal(config, false), {"holds a run", "begin again with --resume"});
  Recorder recorder;
  recorder.stop_after = 2;
  run_training(config, recorder, true);
  EXPECT_EQ(read_file(join_path(checkpoint, "model.safetensors")), weights);
  EXPECT_EQ(read_metrics(config).size(), lines.size());
}

TEST_F(TrainerRefuses, NothingWithResume) {
  const RunConfig config = run_.config("run");
  EXPECT_EQ(refusal(config, true), "");
}

TEST_F(TrainerRefuses, OtherData) {
  RunConfig config = started();
  config.data.train = run_.directory() / "train_0.bin";
  expect_mentions(refusal(config, true), {"other data", "\"tokens\":221", "\"tokens\":131"});
}

TEST_F(TrainerRefuses, OtherWeights) {
  RunConfig config = run_.config("sources");
  from_two_sources(config);
  Recorder recorder;
  recorder.stop_after = 2;
  run_training(config, recorder);
  EXPECT_EQ(refusal(config, true), "");
  config.data.sources[1].weight = 3;
  expect_mentions(refusal(config, true), {"other data", "\"weight\":1.0", "\"weight\":3.0"});
}

TEST_F(TrainerRefuses, AShardThatChangesUnderIt) {
  RunConfig config = run_.config("run");
  config.data.train = run_.directory() / "train_0.bin";
  Recorder recorder;
  Trainer trainer(config, false, recorder);
  trainer.step();
  std::string bytes = read_file(config.data.train);
  std::fill(bytes.begin() + 1024, bytes.end(), '\xFF');
  write_quickly(config.data.train, bytes);
  std::string message;
  // One step's data was read before, perhaps.
  for (int i = 0; i < 2 && message.empty(); ++i) message = error_of([&] { trainer.step(); });
  expect_mentions(message, {"train_0.bin", "65535"});
  EXPECT_LE(trainer.steps_done(), 2);
}

TEST_F(TrainerRefuses, AStepWithoutATarget) {
  write_shard(run_.directory() / "one.bin", std::vector<int32_t>(100, 5));
  RunConfig config = run_.config("run");
  config.data.train = run_.directory() / "one.bin";
  with_documents(config);
  Recorder recorder;
  Trainer trainer(config, false, recorder);
  expect_mentions(error_of([&] { trainer.step(); }), {"step 1: ", "no target"});
}

TEST_F(TrainerRefuses, AnotherSeed) {
  RunConfig config = started();
  config.train.seed = 2;
  expect_mentions(refusal(config, true), {"other data", "\"seed\":1", "\"seed\":2"});
}

TEST_F(TrainerRefuses, AnotherSequenceLength) {
  RunConfig config = started();
  config.data.sequence_length = 11;
  config.model.max_position_embeddings = 12;  // the same architecture
  expect_mentions(refusal(config, true), {"\"sequence_length\":12", "\"sequence_length\":11"});
}

TEST_F(TrainerRefuses, AnotherArchitecture) {
  const RunConfig config = started();
  const auto refused = [&](const char* key, auto ModelConfig::*field, auto value) {
    RunConfig other = config;
    other.model.*field = value;
    expect_mentions(refusal(other, true), {"architecture", key});
  };
  refused("hidden_size", &ModelConfig::hidden_size, 32);
  refused("intermediate_size", &ModelConfig::intermediate_size, 32);
  refused("num_hidden_layers", &ModelConfig::num_hidden_layers, 3);
  refused("num_key_value_heads", &ModelConfig::num_key_value_heads, 2);
  refused("tie_word_embeddings", &ModelConfig::tie_word_embeddings, true);
  refused("attention_bias", &ModelConfig::attention_bias, true);
  refused("rope_theta", &ModelConfig::rope_theta, 5000.0);
  refused("rms_norm_eps", &ModelConfig::rms_norm_eps, 1e-6);
  EXPECT_EQ(refusal(config, true), "");
}

TEST_F(TrainerRefuses, TyingAndUntyingThatCannotBe) {
  RunConfig config = run_.config("run");
  config.train.untie_at_step = 2;
  expect_mentions(refusal(config, false),
                  {"test.toml: train.untie_at_step", "from the start", "got: 2"});
  config.model.tie_word_embeddings = true;
  Recorder recorder;
  recorder.stop_after = 2;
  run_training(config, recorder);
  EXPECT_EQ(refusal(config, true), "");
  // Tied until later, or for ever.
  for (const int64_t step : {3, 0}) {
    config.train.untie_at_step = step;
    expect_mentions(refusal(config, true), {"tie_word_embeddings", "expected: true", "got: false",
                                            "have grown apart: as one tensor"});
  }
}

TEST_F(TrainerRefuses, AGroupWithoutAMember) {
  const auto refused = [&](const std::vector<ParameterGroup>& groups, bool tied = false,
                           int64_t untie_at_step = 0) {
    RunConfig config = run_.config("run");
    config.model.tie_word_embeddings = tied;
    config.train.untie_at_step = untie_at_step;
    config.optimizer.groups = groups;
    const std::string message = refusal(config, false);
    std::filesystem::remove_all(config.train.output_dir);
    return message;
  };
  expect_mentions(
      refused({{.name = "a", .pattern = "lm_head.wieght"}}),
      {"test.toml: optimizer.groups.a.pattern: matches no parameter", "got: \"lm_head.wieght\"",
       "expected: one of \"model.embed_tokens.weight\", \"model.layers.*.input_layernorm.weight\"",
       "did you mean 'lm_head.weight'?"});
  expect_mentions(refused({{.name = "a", .pattern = "*"}, {.name = "b", .pattern = "lm_head.*"}}),
                  {"optimizer.groups.b.pattern", "an earlier group leaves"});
  // The head of a tied model has no name of its own, unless it will have.
  const std::vector<ParameterGroup> head = {{.name = "h", .pattern = "lm_head.*"}};
  expect_mentions(refused(head, true), {"optimizer.groups.h.pattern"});
  EXPECT_EQ(refused(head, true, 3), "");
  EXPECT_EQ(refused(head), "");
}

TEST_F(TrainerRefuses, ARunThatIsBeingTrained) {
  const RunConfig config = started();
  Recorder recorder;
  const Trainer first(config, true, recorder);
  expect_mentions(refusal(config, true), {"lock", "another cria"});
}

// Whatever does not fit is found before a directory is made.
TEST_F(TrainerRefuses, BeforeItMakesTheDirectory) {
  const auto refused = [&](const auto& change, std::initializer_list<const char*> parts) {
    RunConfig config = run_.config("none");
    change(config);
    expect_mentions(refusal(config, false), parts);
    EXPECT_FALSE(exists(config.train.output_dir));
  };
  refused([](RunConfig& c) { c.data.train += ".missing"; }, {"train_*.bin.missing"});
  refused([](RunConfig& c) { c.data.val += ".missing"; }, {"val_*.bin.missing"});
  refused([](RunConfig& c) { c.data.tokenizer = "missing.json"; }, {"missing.json"});
  refused(
      [](RunConfig& c) {
        from_two_sources(c);
        c.data.sources[1].train += ".missing";
      },
      {"train_1.bin.missing"});
  const auto with_memory = [](RunConfig& c) {
    c.model.position = "transformer_xl";
    c.model.memory_length = 8;
  };
  refused(
      [&](RunConfig& c) {
        with_memory(c);
        from_two_sources(c);
      },
      {"model.memory_length", "2 sources"});
  refused(
      [&](RunConfig& c) {
        with_memory(c);
        with_documents(c);
      },
      {"data.mask_documents", "model.memory_length = 0"});
  refused([](RunConfig& c) { c.data.mask_documents = true; },
          {"nothing says where documents begin", "data.bos_token_id", "--eos"});
  refused([](RunConfig& c) { c.data.sequence_length = 200; }, {"data.sequence_length", "201"});
  refused([](RunConfig& c) { c.model.num_attention_heads = 3; },
          {"test.toml: model.num_attention_heads"});
  refused([](RunConfig& c) { c.model.vocab_size = 0; }, {"test.toml: model.vocab_size"});
  refused([](RunConfig& c) { c.train.batch_size = 2147483647; }, {"out of memory"});
  refused(
      [&](RunConfig& c) {
        c.data.tokenizer = run_.directory() / "tokenizer.json";
        write_tokenizer(c.data.tokenizer);
        c.model.vocab_size = kTinyVocabulary - 1;
      },
      {"test.toml: model.vocab_size", "at least 37"});
}

}  // namespace
}  // namespace cria
