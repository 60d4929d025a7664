// train.data_parallel: a batch in parts, and processes that share them. Threads stand for processes
// here; tests/distributed/mpi_test.cpp has real ones.
#include "train/data_parallel.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/same_run.h"
#include "support/thread_ranks.h"

namespace cria {
namespace {

using Names = std::vector<std::string>;
using Change = std::function<void(RunConfig&)>;

// Two micro-batches of four sequences in four parts: nine steps.
RunConfig in_parts(const TinyRun& run, const std::string& name, const Change& change = {}) {
  RunConfig config = run.config(name);
  config.train.batch_size = config.train.data_parallel = 4;
  if (change) change(config);
  return config;
}

// What each rank's run threw; the recorder hears the first.
Names train_with_ranks(int size, const RunConfig& config, Recorder& recorder, bool resume = false) {
  return ThreadRanks::run(size, [&](Communicator& ranks) {
    TrainingObserver silent;
    TrainingObserver& observer = ranks.leads() ? static_cast<TrainingObserver&>(recorder) : silent;
    const std::atomic<bool> never = false;
    Trainer(config, resume, observer, false, &ranks).run(ranks.leads() ? recorder.stop : never);
  });
}

void expect_same_with_any_ranks(const Change& change) {
  const TinyRun run;
  const RunConfig whole = in_parts(run, "whole", change);
  Recorder want;
  ASSERT_TRUE(run_training(whole, want));
  for (const int size : {1, 2, 4}) {
    SCOPED_TRACE(std::to_string(size) + " ranks");
    const RunConfig config = in_parts(run, "ranks" + std::to_string(size), change);
    Recorder got;
    EXPECT_EQ(train_with_ranks(size, config, got), Names(static_cast<size_t>(size)));
    expect_same_course(got, want);
    expect_same_files(config, whole);
    EXPECT_EQ(got.fingerprints, want.fingerprints);
    EXPECT_EQ(timeless(read_metrics(config)), timeless(read_metrics(whole)));
  }
}

// The sum of the parts' gradients is that of the whole batch, but for the order of summation.
TEST(DataParallel, PartsAddUpToTheBatch) {
  const TinyRun run;
  RunConfig one = in_parts(run, "one"), four = in_parts(run, "four");
  one.train.data_parallel = 1;
  one.train.max_grad_norm = four.train.max_grad_norm = 0;
  Recorder unheard;
  Trainer together(one, false, unheard), apart(four, false, unheard);
  EXPECT_EQ(together.tokens_per_step(), apart.tokens_per_step());
  const StepMetrics a = together.step(), b = apart.step();
  EXPECT_NEAR(a.loss, b.loss, 1e-6);
  EXPECT_NE(a.grad_norm, b.grad_norm);
  EXPECT_NEAR(a.grad_norm, b.grad_norm, 1e-5 * a.grad_norm);
  // After one step AdamW's m is (1 - beta1) times the gradient: some ten roundings differ.
  const auto moments = [](const Trainer& trainer) {
    Parameters& parameters = const_cast<Llama&>(trainer.model()).parameters();
    return std::span(parameters.m(), static_cast<size_t>(parameters.plane_size()));
  };
  double difference = 0, norm = 0;
  for (size_t i = 0; i < moments(together).size(); ++i) {
    const double x = moments(together)[i];
    difference += std::pow(x - moments(apart)[i], 2);
    norm += x * x;
  }
  EXPECT_GT(norm, 0);
  EXPECT_LT(std::sqrt(difference), 1e-6 * std::sqrt(norm));
  EXPECT_NEAR(together.step().loss, apart.step().loss, 1e-5);
}

// A window that has fewer targets than the others weighs as much as it has.
TEST(DataParallel, EveryTargetWeighsTheSame) {
  const TinyRun run;
  std::vector<double> losses;
  for (const int64_t parts : {1, 2, 4}) {
    RunConfig config = in_parts(run, "run" + std::to_string(parts));
    config.data.mask_documents = true;
    config.data.bos_token_id = 3;
    config.train.data_parallel = parts;
    Recorder unheard;
    losses.push_back(Trainer(config, false, unheard).step().loss);
  }
  EXPECT_NEAR(losses[1], losses[0], 1e-6);
  EXPECT_NEAR(losses[2], losses[0], 1e-6);
}

TEST(DataParallel, AnyNumberOfThreadsAndResumeGiveTheSameBits) {
  const TinyRun run;
  const RunConfig whole = in_parts(run, "whole");
  Recorder want;
  ASSERT_TRUE(run_training(whole, want));
  for (const int threads : {1, 2, 3}) {
    const ThreadCount scope(threads);
    const RunConfig cut = in_parts(run, "cut" + std::to_string(threads));
    expect_same_when_cut(cut, 4, whole, want);
  }
}

TEST(DataParallel, AnyNumberOfRanksGivesTheSameBits) {
  expect_same_with_any_ranks({});
  expect_same_with_any_ranks([](RunConfig& config) {
    config.train.precision = config.train.reduce_dtype = "bf16";
    config.model.tie_word_embeddings = true;
    config.train.batch_size = 8;
    config.train.data_parallel = 8;
  });
}

// Gradients of 8 bits move the losses a little, and one part is not rounded.
TEST(DataParallel, RoundedGradientsTrainToo) {
  const TinyRun run;
  std::vector<Recorder> runs(4);
  for (size_t i = 0; i < runs.size(); ++i) {
    run_training(in_parts(run, "run" + std::to_string(i),
                          [&](RunConfig& config) {
                            config.train.reduce_dtype = i % 2 == 0 ? "fp32" : "bf16";
                            if (i >= 2) config.train.data_parallel = 1;
                          }),
                 runs[i]);
  }
  EXPECT_EQ(runs[1].steps[0].loss, runs[0].steps[0].loss);
  EXPECT_NE(runs[1].steps[0].grad_norm, runs[0].steps[0].grad_norm);
  for (size_t i = 0; i < runs[0].steps.size(); ++i) {
    EXPECT_NEAR(runs[1].steps[i].loss, runs[0].steps[i].loss, 0.01) << "step " << i + 1;
  }
  expect_same_course(runs[3], runs[2]);
}

TEST(DataParallel, SoWithEveryKnob) {
  expect_same_with_any_ranks([](RunConfig& config) {
    config.model.embedding.sparse = true;
    config.model.embedding.padding_idx = -1;
    config.model.embedding_dropout = config.model.attention_dropout = 0.1;
    config.model.residual_dropout = 0.2;
    config.data.mask_documents = true;
    config.data.bos_token_id = 3;
    config.train.freeze = {"model.layers.0.*"};
    config.log.tensorboard = true;
    config.log.norms_every = 2;
  });
  expect_same_with_any_ranks([](RunConfig& config) {
    config.model.position = "transformer_xl";
    config.model.memory_length = 17;
    config.train.eval_batches = 1;
  });
  expect_same_with_any_ranks([](RunConfig& config) {
    config.model.tie_word_embeddings = true;
    config.train.untie_at_step = 5;
    config.train.z_loss = 1e-2;
    config.train.patience = 1;
    config.optimizer.groups = {{.name = "head", .pattern = "lm_head.*", .beta2 = 0.9}};
  });
}

TEST(DataParallel, ResumesWithAnotherNumberOfRanks) {
  for (const int64_t memory : {0, 17}) {
    const TinyRun run;
    const auto change = [&](RunConfig& config) {
      if (memory > 0) config.model.position = "transformer_xl";
      config.model.memory_length = memory;
    };
    const RunConfig whole = in_parts(run, "whole", change), cut = in_parts(run, "cut", change);
    Recorder want, got;
    run_training(whole, want);
    for (const auto& [size, stop_after] :
         std::vector<std::pair<int, int64_t>>{{4, 2}, {1, 4}, {2, 6}, {4, -1}}) {
      got.stop = false;
      got.stop_after = stop_after;
      const bool resume = stop_after != 2;
      EXPECT_EQ(train_with_ranks(size, cut, got, resume), Names(static_cast<size_t>(size)));
    }
    expect_same_course(got, want);
    expect_same_files(cut, whole);
  }
}

// Whichever rank is told to stop, all stop after the same step.
TEST(DataParallel, AllStopTogether) {
  const TinyRun run;
  const RunConfig config = in_parts(run, "run");
  const Names errors = ThreadRanks::run(4, [&](Communicator& ranks) {
    TrainingObserver silent;
    Trainer trainer(config, false, silent, false, &ranks);
    trainer.step();
    const std::atomic<bool> stop = ranks.rank() == 2;
    EXPECT_FALSE(trainer.run(stop));
    EXPECT_EQ(trainer.steps_done(), 1);
  });
  EXPECT_EQ(errors, Names(4));
  EXPECT_TRUE(exists(checkpoint_path(config.train.output_dir, 1)));
}

// A gradient that is not finite on one rank is one everywhere.
TEST(DataParallel, AllSkipOrEndTheSameStep) {
  for (const bool skip : {false, true}) {
    const TinyRun run;
    const RunConfig config =
        in_parts(run, "run", [&](RunConfig& c) { c.train.on_nonfinite = skip ? "skip" : "stop"; });
    const Names errors = ThreadRanks::run(2, [&](Communicator& ranks) {
      TrainingObserver silent;
      Trainer trainer(config, false, silent, false, &ranks);
      trainer.step();
      if (ranks.rank() == 1) {
        Parameters& parameters = const_cast<Llama&>(trainer.model()).parameters();
        parameters.grad()[5] = std::numeric_limits<float>::infinity();
      }
      EXPECT_TRUE(trainer.step().skipped);
      EXPECT_FALSE(trainer.step().skipped);
    });
    for (const std::string& error : errors) {
      const bool ended = contains(error, "step 2: the gradient norm is not finite");
      EXPECT_TRUE(skip ? error.empty() : ended) << error;
    }
  }
}

TEST(DataParallel, WhatCannotBeSharedIsRefused) {
  const TinyRun run;
  Recorder unheard;
  const auto refused = [&](int size, const Change& change, const Names& parts) {
    const RunConfig config = in_parts(run, "run", change);
    for (const std::string& error : train_with_ranks(size, config, unheard)) {
      for (const std::string& part : parts) EXPECT_TRUE(contains(error, part)) << error;
    }
    EXPECT_FALSE(exists(config.train.output_dir));
  };
  refused(1, [](RunConfig& c) { c.train.data_parallel = 3; },
          {"test.toml: train.data_parallel", "a divisor of train.batch_size = 4", "got: 3"});
  refused(3, {}, {"test.toml: train.data_parallel", "for each of 3 processes", "got: 4"});
  // Three neighbours are no branch of the tree.
  refused(2, [](RunConfig& c) { c.train.batch_size = c.train.data_parallel = 6; },
          {"test.toml: train.data_parallel", "1, 2, 4, 8, ... for each of 2", "got: 6"});
  refused(2, [](RunConfig& c) { c.model.embedding.max_norm = 1.0; },
          {"test.toml: model.embedding.max_norm", "2 processes"});
  refused(2, [](RunConfig& c) { c.log.diagnostics = 3; },
          {"test.toml: log.diagnostics", "2 processes"});
}

TEST(DataParallel, WhoDiffersIsNamed) {
  const TinyRun run;
  write_shard(run.directory() / "other.bin", walk(221, "other"));
  const auto differing = [&](const Change& change) {
    const Names errors = ThreadRanks::run(4, [&](Communicator& ranks) {
      TrainingObserver silent;
      const RunConfig config = in_parts(run, "run", ranks.rank() == 2 ? change : Change());
      Trainer(config, false, silent, false, &ranks);
    });
    for (const std::string& error : errors) {
      EXPECT_TRUE(contains(error, "rank 2 differs from rank 0")) << error;
    }
    EXPECT_FALSE(exists(run.directory() / "run"));
    return errors[0];
  };
  EXPECT_TRUE(contains(differing([](RunConfig& c) { c.optimizer.beta1 = 0.5; }),
                       "expected: beta1 = 0.9\n  got: beta1 = 0.5"));
  EXPECT_TRUE(
      contains(differing([&](RunConfig& c) { c.data.train = run.directory() / "other.bin"; }),
               "expected: training data = "));
  EXPECT_TRUE(contains(differing([](RunConfig& c) { c.model.initializer_range = 0.1; }),
                       "initializer_range = 0.02"));
}

// What one process writes to a directory that another run has.
TEST(DataParallel, OnlyTheFirstWrites) {
  const TinyRun run;
  const RunConfig config = in_parts(run, "run");
  Recorder recorder;
  recorder.stop_after = 2;
  train_with_ranks(2, config, recorder);
  for (const std::string& error : train_with_ranks(2, config, recorder)) {
    EXPECT_TRUE(contains(error, "this directory holds a run already")) << error;
  }
  EXPECT_EQ(read_metrics(config).size(), 2u);
}

}  // namespace
}  // namespace cria
