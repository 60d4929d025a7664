// Readers of what cria itself writes: datasets, runs, checkpoints, experiments.
#include <algorithm>
#include <array>
#include <cstring>

#include "base/checksum.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/data/dataset.h"
#include "cria/exchange/load_model.h"
#include "cria/train/checkpoint.h"
#include "cria/train/metrics.h"
#include "data/dataset_json.h"
#include "exchange/checkpoint_files.h"
#include "fuzz/target.h"
#include "inspect/dataset_summary.h"
#include "io/bytes.h"
#include "io/crc.h"
#include "io/tfevents.h"
#include "report/experiment_sections.h"
#include "report/report.h"
#include "support/well_formed.h"
#include "train/run_directory.h"

namespace cria {
namespace {

// As files are read, and, behind an Error because of a checksum, with --no-verify.
template <class Work>
void verified_and_not(Work&& work) {
  struct Restored {
    ~Restored() { verify_checksums(true); }
  };
  [[maybe_unused]] const Restored restored;
  try {
    work();
  } catch (const Error&) {
    verify_checksums(false);
    work();
  }
}

void read_shard(const FuzzParts& parts) {
  for (const ShardFormat format : {ShardFormat::llmc, ShardFormat::raw_uint16}) {
    try {
      const Shard shard("train_0.bin", format);
      std::vector<int32_t> ids(static_cast<size_t>(shard.tokens()));
      shard.read(0, shard.tokens(), INT32_MAX, ids.data());
      const Dataset dataset("train_*.bin", format, 64, !parts[1].empty());
      const int64_t windows = dataset.evaluation_windows(8);
      for (int64_t i = 0; i < windows; ++i) {
        std::array<int32_t, 8> inputs, targets;
        dataset.read(dataset.evaluation_window(i, 8), inputs.data(), targets.data());
      }
    } catch (const Error&) {
      if (format == ShardFormat::raw_uint16) throw;
    }
  }
}

// The count of tokens is what the file holds.
std::string repaired_shard(std::string bytes) {
  constexpr size_t kHeader = 1024, kCount = 8, kMagic = 20240520;
  const size_t end = std::min(bytes.find(kPartSeparator), bytes.size());
  if (end < kHeader) return bytes;
  const size_t width = load<uint32_t>(bytes.data()) == kMagic ? 2 : 4;
  const auto count = static_cast<uint32_t>((end - kHeader) / width);
  std::memcpy(bytes.data() + kCount, &count, sizeof count);
  return bytes;
}

void read_dataset_directory(const FuzzParts&) {
  const DatasetDescription described = read_dataset_json(".");
  for (const SplitDescription& split : {described.train, described.val}) {
    require(split.checksums.empty() || split.checksums.size() == split.shards.size(),
            "not a checksum for each shard");
  }
  to_json(described);
  read_dataset(".", ShardFormat::llmc);
  verified_and_not([&] {
    require_checksums({"train_000000.bin"});
    data_checksum({"train_000000.bin"}, true);
  });
}

ModelConfig smallest_model() {
  ModelConfig config;
  config.vocab_size = config.hidden_size = config.intermediate_size = 4;
  config.max_position_embeddings = 4;
  config.num_hidden_layers = config.num_attention_heads = 1;
  config.tie_word_embeddings = true;
  return config;
}

void read_checkpoint(const FuzzParts&) {
  verified_and_not([] {
    steps_of(".");
    require_whole(".", CheckpointFiles::all);
    static Llama model(smallest_model());
    load_checkpoint(".", model);
  });
}

// Resumed at a step; then there is nothing left to be mended.
void resume_run(const FuzzParts& parts) {
  for (int time = 0; time < 2; ++time) {
    RunDirectory directory("run", true);
    directory.earlier_config();
    RunConfig config;
    config.log.tensorboard = true;
    const int64_t step = static_cast<int64_t>(choice(parts[0], 20));
    directory.open(config, step);
    require(time == 0 || directory.warnings().empty(), "a damaged line that was not dropped");
    directory.started(Json::Object{{"step", step}});
    directory.log(Json::Object{{"step", step + 1}, {"loss", 1.0}});
    directory.sample(step + 1, "text");
    read_losses("run");
  }
}

void check_page(const char* path) {
  require(MarkupCheck::fault(make_report({path}, {}, false)).empty(),
          "a page that is not well-formed");
}

void report_run(const FuzzParts&) {
  check_page("run");
}

void report_experiment(const FuzzParts&) {
  check_page(".");
}

void read_events(const FuzzParts& parts) {
  scan_events(parts[0], "events");
  EventLog("run", 5, 1.0).scalars(6, 1.0, {});
  EventLog("run", 5, 1.0);
}

// Every record has the length that is left for it, at most, and its checksums.
std::string repaired_events(std::string bytes) {
  constexpr uint64_t kFrame = 16;
  const auto mend = [&](uint64_t at, uint64_t size) {
    const uint32_t crc = crc32c(std::string_view(bytes).substr(at, size));
    const uint32_t masked = (crc >> 15 | crc << 17) + 0xA282EAD8u;
    std::memcpy(bytes.data() + at + size, &masked, sizeof masked);
  };
  for (uint64_t at = 0; at + kFrame <= bytes.size();) {
    const uint64_t size = std::min(load<uint64_t>(bytes.data() + at), bytes.size() - at - kFrame);
    std::memcpy(bytes.data() + at, &size, sizeof size);
    mend(at, sizeof size);
    mend(at + 12, size);
    at += kFrame + size;
  }
  return bytes;
}

}  // namespace

std::vector<FuzzTarget> run_targets() {
  const std::vector<const char*> run = {"run/metrics.jsonl", "run/samples.txt", "run/starts.jsonl",
                                        "run/config.toml"};
  return {{"shard", {"train_0.bin", "train_0.mask"}, read_shard, repaired_shard},
          {"dataset",
           {"dataset.json", "train_000000.bin", "val_000000.bin", "tokenizer.json"},
           read_dataset_directory},
          {"checkpoint",
           {"trainer.json", "config.json", "model.safetensors", "optimizer.safetensors"},
           read_checkpoint},
          {"resumed_run", run, resume_run},
          {"run_report", run, report_run},
          {"experiment_report",
           {"results.json", "runs/a/metrics.jsonl", "runs/a/config.toml"},
           report_experiment},
          {"events", {"run/events.out.tfevents.1.a.1.0"}, read_events, repaired_events}};
}

}  // namespace cria
