#include "train/key_hints.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "train/run_config_keys.h"

namespace cria {
namespace {

struct OtherWords {
  std::string_view key;
  std::string_view words;  // with a space before and behind each
  std::string_view note = {};
};

// What keys are called in nanoGPT, llama2.c, llm.c, transformers, PyTorch and in papers.
constexpr OtherWords kElsewhere[] = {
    {"model.hidden_size", " n_embd n_embed d_model dim embed_dim embedding_dim emb_dim width "},
    {"model.intermediate_size", " d_ff ffn_dim hidden_dim n_inner mlp_dim ffn_hidden_size "},
    {"model.num_hidden_layers", " n_layer n_layers num_layers layers depth n_blocks "},
    {"model.num_attention_heads", " n_head n_heads num_heads heads nhead "},
    {"model.num_key_value_heads", " n_kv_head n_kv_heads num_kv_heads kv_heads "},
    {"model.max_position_embeddings", " n_positions max_positions "},
    {"model.rms_norm_eps", " norm_eps rms_eps layer_norm_eps layer_norm_epsilon "},
    {"model.tie_word_embeddings", " tie_weights tie_embeddings weight_tying tied "},
    {"model.residual_dropout", " dropout resid_pdrop resid_dropout hidden_dropout ",
     " (and model.attention_dropout, model.embedding_dropout)"},
    {"model.attention_dropout", " attn_pdrop attn_dropout "},
    {"model.embedding_dropout", " embd_pdrop embed_dropout "},
    {"model.attention_bias", " bias qkv_bias "},
    {"model.position", " pos_emb pos_encoding position_embedding positional_encoding "},
    {"model.rope_theta", " rope_base "},
    {"data.train", " dataset data_dir train_data train_file input_bin "},
    {"data.val", " val_data val_file eval_data valid validation input_val_bin "},
    {"data.sequence_length",
     " block_size seq_len seq_length max_seq_len max_seq_length "
     "max_length context_length context_size ctx_len n_ctx "},
    {"train.steps", " epochs num_epochs num_train_epochs n_epochs ",
     " A step is batch_size * gradient_accumulation_steps sequences; there are no epochs"},
    {"train.steps", " max_iters max_steps num_steps num_iterations iterations iters total_steps "},
    {"train.batch_size", " bs micro_batch_size device_batch_size per_device_train_batch_size "},
    {"train.gradient_accumulation_steps",
     " grad_accum grad_accum_steps accumulation_steps "
     "gradient_accumulation accumulate_grad_batches "},
    {"train.max_grad_norm", " grad_clip clip gradient_clip gradient_clipping clip_grad_norm "},
    {"train.precision", " dtype torch_dtype fp16 bf16 amp mixed_precision "},
    {"train.eval_every", " eval_interval eval_steps val_every val_loss_every "},
    {"train.eval_batches", " eval_iters val_batches "},
    {"train.checkpoint_every", " save_steps save_every save_interval checkpoint_interval "},
    {"train.keep_checkpoints", " save_total_limit "},
    {"train.output_dir", " out out_dir outdir output "},
    {"train.init_from", " checkpoint pretrained_model model_name_or_path finetune_from "},
    {"optimizer.learning_rate", " lr max_lr base_lr peak_lr "},
    {"optimizer.weight_decay", " wd "},
    {"optimizer.beta1", " betas adam_beta1 "},
    {"optimizer.beta2", " adam_beta2 "},
    {"optimizer.eps", " epsilon adam_epsilon adam_eps "},
    {"schedule.name", " scheduler lr_scheduler lr_scheduler_type lr_schedule "},
    {"schedule.warmup_steps", " warmup_iters warmup_ratio "},
    {"schedule.decay_steps", " lr_decay_iters "},
    {"schedule.min_lr_ratio", " min_lr min_learning_rate "},
};

// The part behind the last dot, as these words are written.
std::string last_part(const std::string& name) {
  return folded(name.substr(name.rfind('.') + 1));
}

const OtherWords* elsewhere(const std::string& name) {
  const std::string word = " " + last_part(name) + " ";
  const auto* const found = std::ranges::find_if(
      kElsewhere, [&](const OtherWords& each) { return each.words.find(word) != word.npos; });
  return found == std::end(kElsewhere) ? nullptr : found;
}

}  // namespace

std::string nearest_key(const std::string& name, RunConfig config) {
  const std::string table = name.substr(0, name.rfind('.') + 1);
  std::vector<std::string> names, of_table;
  for (const Key& key : keys_of(config)) {
    names.push_back(key.name);
    if (!table.empty() && key.name.starts_with(table)) of_table.push_back(key.name);
  }
  // A long table counts as many letters that are right: only what follows it is compared.
  const auto nearest = [&](const std::vector<std::string>& keys) {
    std::vector<std::string> parts;
    for (const std::string& key : keys) parts.push_back(last_part(key));
    const std::string part = nearest_name(last_part(name), parts);
    const auto found = std::ranges::find(parts, part);
    return found == parts.end() ? "" : keys[static_cast<size_t>(found - parts.begin())];
  };
  const auto same = std::ranges::find(names, last_part(name), last_part);
  if (same != names.end()) return *same;
  if (const OtherWords* const known = elsewhere(name)) return std::string(known->key);
  const std::string here = nearest(of_table);
  return here.empty() ? nearest(names) : here;
}

std::string key_hint(const std::string& name, const RunConfig& config) {
  const std::string key = nearest_key(name, config);
  if (key.empty()) return "";
  const OtherWords* const known = elsewhere(name);
  return "did you mean '" + key + "'?" +
         (known && known->key == key ? std::string(known->note) : "");
}

}  // namespace cria
