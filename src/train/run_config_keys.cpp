#include "train/run_config_keys.h"

#include "cria/data/shard.h"
#include "model/config_keys.h"

namespace cria {
namespace {

constexpr double kMostInt32 = 2147483647;
constexpr double kMostSteps = 1e12;

class RunKeys : public KeyList {
 public:
  explicit RunKeys(RunConfig& config) : c_(config) {
    keys = model_keys(c_.model);
    data();
    train();
    optimizer();
    schedule();
    log();
  }

 private:
  void data() {
    text("data.train", &c_.data.train, {}, "shards to train on: a file or a glob");
    for (SourceConfig& source : c_.data.sources) {
      text(kSources + source.name + ".train", &source.train, {},
           "instead of data.train: shards of one of several sources");
      number(kSources + source.name + ".weight", &source.weight, 1e-9, 1e9,
             "how often it is read, in proportion to the other sources");
    }
    text("data.val", &c_.data.val, {}, "shards to evaluate on; \"\": none");
    text("data.tokenizer", &c_.data.tokenizer, {},
         "tokenizer.json; \"\": the one beside the training shards");
    text("data.shard_format", &c_.data.shard_format, shard_format_names(),
         "raw_uint16: nanoGPT's files without a header");
    number("data.sequence_length", &c_.data.sequence_length, 1, kMostInt32, "tokens per sequence");
    flag("data.mask_documents", &c_.data.mask_documents,
         "attention, positions and targets stay inside a document");
    flag("data.loss_mask", &c_.data.loss_mask,
         "NAME.mask is beside each shard NAME.bin, also where no dataset.json says so");
    number("data.bos_token_id", &c_.data.bos_token_id, -1, kMostTokens,
           "begins a document; -1: as dataset.json beside the shards says");
    number("data.eos_token_id", &c_.data.eos_token_id, -1, kMostTokens,
           "ends a document; -1: as dataset.json beside the shards says");
  }

  void train() {
    number("train.steps", &c_.train.steps, 0, kMostSteps,
           "optimizer steps; 0: the initial weights are written as they are");
    number("train.batch_size", &c_.train.batch_size, 1, kMostInt32, "sequences per micro-batch");
    number("train.gradient_accumulation_steps", &c_.train.gradient_accumulation_steps, 1,
           kMostInt32, "micro-batches per step");
    number("train.data_parallel", &c_.train.data_parallel, 1, kMostInt32,
           "parts of the batch, which processes share: the same bits for any number of them");
    text("train.reduce_dtype", &c_.train.reduce_dtype, {"fp32", "bf16"},
         "to what the parts' gradients, and all sums of them but the last, are rounded to be sent");
    number("train.peer_timeout", &c_.train.peer_timeout, 1.0, 1e9,
           "seconds that a process waits for another before all end");
    text("train.init_from", &c_.train.init_from, {},
         "model to start from; its config.json gives what [model] leaves out; \"\": new weights");
    text("train.precision", &c_.train.precision, {"fp32", "bf16"},
         "of the factors in products of linear layers and of attention; all else is fp32");
    number("train.seed", &c_.train.seed, 0, 9e15, "of weights, order of the data and samples");
    number("train.max_grad_norm", &c_.train.max_grad_norm, 0.0, kHuge,
           "gradients are scaled down to this norm; 0: never");
    number("train.z_loss", &c_.train.z_loss, 0.0, 1e6,
           "factor of the mean of (log Z)^2, minimised with the loss but not reported in it");
    number("train.untie_at_step", &c_.train.untie_at_step, 0, kMostSteps,
           "before this step a tied head becomes a tensor of its own; 0: never");
    texts("train.freeze", &c_.train.freeze,
          "patterns of parameters that are not trained, such as \"model.layers.0.*\"");
    text("train.on_nonfinite", &c_.train.on_nonfinite, {"stop", "skip"},
         "what a loss or gradient that is not finite does to the run, or to its step");
    text("train.on_spike", &c_.train.on_spike, {"warn", "return"},
         "when the loss has jumped up and stays there; return: to the checkpoint before that");
    number("train.eval_every", &c_.train.eval_every, 0, kMostSteps, "steps; 0: only at the end");
    number("train.eval_batches", &c_.train.eval_batches, 0, kMostInt32,
           "0: the whole validation set");
    number("train.patience", &c_.train.patience, 0, kMostSteps,
           "ends after so many evaluations without a better one; 0: never");
    number("train.checkpoint_every", &c_.train.checkpoint_every, 0, kMostSteps,
           "steps; 0: only at the end");
    number("train.keep_checkpoints", &c_.train.keep_checkpoints, 0, kMostInt32,
           "older ones are removed; 0: keep all");
    number("train.sample_every", &c_.train.sample_every, 0, kMostSteps, "steps; 0: never");
    text("train.sample_prompt", &c_.train.sample_prompt, {},
         "what samples begin with; \"\": bos, or a line break, or the first token");
    number("train.sample_tokens", &c_.train.sample_tokens, 1, kMostInt32, "length of a sample");
    text("train.output_dir", &c_.train.output_dir, {},
         "run directory; \"\": runs/NAME for a config NAME.toml");
  }

  void optimizer() {
    number("optimizer.learning_rate", &c_.optimizer.learning_rate, 0.0, kHuge,
           "peak learning rate");
    number("optimizer.beta1", &c_.optimizer.beta1, 0.0, 0.99999999, "AdamW: decay of the mean");
    number("optimizer.beta2", &c_.optimizer.beta2, 0.0, 0.99999999, "AdamW: decay of the square");
    number("optimizer.eps", &c_.optimizer.eps, 0.0, 1.0, "AdamW: added to the root");
    number("optimizer.weight_decay", &c_.optimizer.weight_decay, 0.0, kHuge,
           "decoupled, on matrices");
    flag("optimizer.decay_embeddings", &c_.optimizer.decay_embeddings,
         "weight decay on the embedding table too");
    for (ParameterGroup& group : c_.optimizer.groups) {
      const std::string table = kGroups + group.name;
      text(table + ".pattern", &group.pattern, {},
           "the parameters whose names match it, and no earlier group's pattern");
      number(table + ".learning_rate_factor", &group.learning_rate_factor, 0.0, kHuge,
             "of optimizer.learning_rate");
      number(table + ".weight_decay_factor", &group.weight_decay_factor, 0.0, kHuge,
             "of optimizer.weight_decay, where that acts");
      number(table + ".beta1", &group.beta1, 0.0, 0.99999999, "\"none\": optimizer.beta1");
      number(table + ".beta2", &group.beta2, 0.0, 0.99999999, "\"none\": optimizer.beta2");
    }
  }

  void schedule() {
    text("schedule.name", &c_.schedule.name, schedule_names(), "shape of the learning rate");
    number("schedule.warmup_steps", &c_.schedule.warmup_steps, 0, kMostSteps,
           "linear rise at the start");
    number("schedule.decay_steps", &c_.schedule.decay_steps, 0, kMostSteps,
           "step at which the minimum is reached; 0: train.steps");
    number("schedule.cooldown_steps", &c_.schedule.cooldown_steps, 0, kMostSteps,
           "wsd: length of the final decay; 0: a fifth of decay_steps");
    number("schedule.min_lr_ratio", &c_.schedule.min_lr_ratio, 0.0, 1.0, "minimum / peak");
  }

  void log() {
    flag("log.tensorboard", &c_.log.tensorboard,
         "event files in the run directory, and its embedding");
    number("log.norms_every", &c_.log.norms_every, 0, kMostSteps,
           "steps; tensorboard: norms of weights and updates; 0: never");
    number("log.diagnostics", &c_.log.diagnostics, 0, kMostSteps,
           "steps; what goes on in the tables and between the layers; 0: never; \"log\": 1, 2, 5, "
           "10, 20, ...",
           {{"log", static_cast<double>(LogConfig::kLogarithmic)}});
    flag("log.report", &c_.log.report,
         "report.html in the run directory: its page, at every evaluation and at the end");
  }

  RunConfig& c_;
};

}  // namespace

std::vector<Key> keys_of(RunConfig& config) {
  return RunKeys(config).keys;
}

}  // namespace cria
