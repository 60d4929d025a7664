#include "cria/model/llama.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "model/frozen.h"

namespace cria {
namespace {

void require_same_shape(const TokenIds& tokens, const TokenIds& targets) {
  if (tokens.shape != targets.shape) {
    throw_shape_error("loss", "targets " + tokens.to_string(), targets.to_string());
  }
}

void require_documents(const TokenIds& starts, const TokenIds& tokens) {
  if (starts.shape != tokens.shape) {
    throw_shape_error("document_starts", tokens.to_string(), starts.to_string());
  }
  for (int64_t b = 0; b < starts.shape[0]; ++b) {
    int32_t least = 0;
    for (int64_t t = 0; t < starts.shape[1]; ++t) {
      const int32_t start = starts(b, t);
      if (start < least || start > t) {
        throw Error(
            "a document begins at or before each of its positions, and after the one before",
            {.where = "document_starts, sequence " + std::to_string(b) + ", position " +
                      std::to_string(t),
             .expected = std::to_string(least) + " to " + std::to_string(t),
             .got = std::to_string(start)});
      }
      least = start;
    }
  }
}

PassContext context_of(const Pass& pass) {
  return {.randomness = pass.randomness, .document_starts = pass.document_starts};
}

}  // namespace

Llama::Llama(const ModelConfig& given, Precision precision, Planes planes)
    : config_(resolved(given, 0, "Llama: ")) {
  const ModelConfig& c = config_;
  // Parameters are registered in the order in which forward uses them.
  const Embedding embed_tokens(
      parameters_, "model.embed_tokens.weight", c.vocab_size, c.hidden_size, c.embedding,
      c.embedding_initializer_range.value_or(c.initializer_range), c.embedding_scale);
  position_ = make_position(parameters_, position_config(c));
  input_ = Input(
      parameters_,
      {.norm = c.embedding_norm, .rms_norm_eps = c.rms_norm_eps, .dropout = c.embedding_dropout},
      embed_tokens, *position_);
  const double residual_std =
      c.scale_residual_init
          ? c.initializer_range / std::sqrt(2.0 * static_cast<double>(c.num_hidden_layers))
          : c.initializer_range;
  ends_.push_back(parameters_.plane_size());
  for (int64_t layer = 0; layer < c.num_hidden_layers; ++layer) {
    layers_.emplace_back(parameters_,
                         BlockConfig{.name = "model.layers." + std::to_string(layer),
                                     .layer = layer,
                                     .hidden_size = c.hidden_size,
                                     .intermediate_size = c.intermediate_size,
                                     .heads = c.num_attention_heads,
                                     .kv_heads = c.num_key_value_heads,
                                     .head_dim = c.head_dim,
                                     .rms_norm_eps = c.rms_norm_eps,
                                     .attention_bias = c.attention_bias,
                                     .mlp_bias = c.mlp_bias,
                                     .attention_dropout = c.attention_dropout,
                                     .residual_dropout = c.residual_dropout,
                                     .memory_length = c.memory_length,
                                     .std = c.initializer_range,
                                     .residual_std = residual_std,
                                     .precision = precision},
                         *position_);
    ends_.push_back(parameters_.plane_size());
  }
  norm_ = RmsNorm(parameters_, "model.norm.weight", c.hidden_size, c.rms_norm_eps, c.logit_scale);
  ends_.push_back(parameters_.plane_size());
  if (c.tie_word_embeddings) {
    parameters_.alias("lm_head.weight", *embed_tokens.weight);
    lm_head_.weight = embed_tokens.weight;
  } else {
    lm_head_.weight =
        &parameters_.add({"lm_head.weight", {c.vocab_size, c.hidden_size}}, ParameterKind::matrix,
                         {.std = c.head_initializer_range.value_or(c.initializer_range)});
  }
  lm_head_.precision = precision;
  parameters_.allocate(planes);
  reserve_kernel_memory();
}

void Llama::prepare_positions(int64_t count) const {
  position_->prepare(std::min(count, config_.max_position_embeddings) + config_.memory_length);
}

Tensor Llama::forward(Activations& activations, const TokenIds& tokens, const Pass& pass) const {
  if (pass.document_starts) {
    if (pass.segments || !activations.caches_.empty()) {
      throw Error("nothing comes before a document",
                  {.where = "document_starts",
                   .expected = "neither a segment memory nor a cache",
                   .got = pass.segments ? "a segment memory" : "a cache",
                   .hint = "leave out one of the two"});
    }
    require_documents(pass.document_starts, tokens);
  }
  const PassContext context = context_of(pass);
  SegmentMemory* const segments = pass.segments;
  const int64_t batch = tokens.shape[0], time = tokens.shape[1];
  // The activations may have been planned for another model.
  prepare_positions(activations.cached() + time);
  const auto residual = [&](size_t layer) {
    const size_t index = std::min(layer, activations.residual_.size() - 1);
    return within(activations.residual_[index], {batch, time, config_.hidden_size});
  };
  input_.forward(tokens, activations.cached(), residual(0), activations.input_, context);
  for (size_t l = 0; l < layers_.size(); ++l) {
    const int64_t layer = static_cast<int64_t>(l);
    if (segments) segments->push(layer, residual(l));
    layers_[l].forward(residual(l), residual(l + 1), activations.blocks_[l], context,
                       activations.caches_.empty() ? nullptr : &activations.caches_[l],
                       segments ? segments->layer(layer) : Tensor{});
  }
  if (segments) segments->finish();
  const Tensor normed = within(activations.normed_, {batch, time, config_.hidden_size});
  norm_.forward(residual(layers_.size()), normed, activations.norm_);
  return normed;
}

// Goes from dx_, the gradient of the final norm's output, down to the token table, or to the lowest
// block of which anything is trained.
void Llama::backward(Activations& activations, const TokenIds& tokens, const Pass& pass) const {
  const PassContext context = context_of(pass);
  const auto complete_from = [&](int64_t offset) {
    if (pass.complete_from) pass.complete_from(offset);
  };
  const int64_t batch = tokens.shape[0], time = tokens.shape[1];
  const auto view = [&](const Tensor& whole) {
    return within(whole, {batch, time, config_.hidden_size});
  };
  const Tensor dx = view(activations.dx_);
  const int64_t lowest = lowest_trained_block(parameters_, config_.num_hidden_layers);
  complete_from(ends_.back());  // the head, unless it is tied
  norm_.backward(dx, view(activations.residual_.back()), activations.norm_, dx);
  for (int64_t layer = config_.num_hidden_layers; layer-- > std::max<int64_t>(lowest, 0);) {
    const auto l = static_cast<size_t>(layer);
    complete_from(ends_[l + 1]);  // of what comes after it
    layers_[l].backward(dx, view(activations.residual_[l]), activations.blocks_[l], context, dx);
  }
  if (lowest < 0) {
    complete_from(ends_[0]);
    input_.backward(dx, tokens, activations.input_, context);
  }
  complete_from(0);
}

double Llama::loss_sum(Activations& activations, const TokenIds& tokens, const TokenIds& targets,
                       const Pass& pass) const {
  require_same_shape(tokens, targets);
  activations.clear_cache();
  return lm_head_.forward(forward(activations, tokens, pass), targets, activations.head_);
}

double Llama::loss_and_gradient(Activations& activations, const TokenIds& tokens,
                                const TokenIds& targets, const Pass& pass) const {
  require_same_shape(tokens, targets);
  if (activations.purpose() != Purpose::training) {
    throw Error("these activations keep nothing for a backward pass",
                {.where = "loss_and_gradient", .hint = "make them for Purpose::training"});
  }
  if (!parameters_.grad()) {
    throw Error("this model has no gradients",
                {.where = "loss_and_gradient", .hint = "make it with Planes::all"});
  }
  const Tensor normed = forward(activations, tokens, pass);
  const Tensor dx =
      within(activations.dx_, {tokens.shape[0], tokens.shape[1], config_.hidden_size});
  const double loss = lm_head_.forward_backward(normed, targets, activations.head_,
                                                pass.gradient_scale, dx, pass.z_loss);
  backward(activations, tokens, pass);
  return loss;
}

ConstTensor Llama::next_logits(Activations& activations, const TokenIds& tokens) const {
  const int64_t batch = tokens.shape[0], time = tokens.shape[1];
  const Tensor normed = forward(activations, tokens);
  // Only the last position of each sequence goes through the head.
  for (int64_t b = 0; b < batch; ++b) {
    std::memmove(&normed(0, 0) + b * config_.hidden_size, &normed(b, time - 1),
                 static_cast<size_t>(config_.hidden_size) * sizeof(float));
  }
  const Tensor logits = within(activations.logits_, {batch, config_.vocab_size});
  lm_head_.logits(Tensor(normed.data, {batch, config_.hidden_size}), logits);
  return logits;
}

std::unique_ptr<Llama> untied(const Llama& tied, Planes planes) {
  ModelConfig config = tied.config();
  config.tie_word_embeddings = false;
  auto model = std::make_unique<Llama>(config, tied.lm_head().precision, planes);
  for (Parameter& slot : model->parameters().slots()) {
    // lm_head.weight is another name of the table there.
    const Parameter& source = *tied.parameters().find(slot.name);
    const int64_t count = slot.value.size();
    std::copy_n(source.value.data, count, slot.mutable_value().data);
    std::copy_n(source.m.data, count, slot.m.data);
    std::copy_n(source.v.data, count, slot.v.data);
  }
  return model;
}

Activations::Activations(Purpose purpose, int64_t batch, int64_t time, int64_t micro_batches)
    : purpose_(purpose), batch_(batch), time_(time) {
  if (batch < 1 || time < 1 || micro_batches < 1) {
    throw_shape_error("activations", "a batch, a time and micro-batches of at least 1",
                      shape_string({batch, time}) + ", " + std::to_string(micro_batches));
  }
  plan_.backward = purpose == Purpose::training;
  plan_.repeats_weights = micro_batches > 1;
}

int64_t Activations::bytes_for(const Llama& model, Purpose purpose, int64_t batch, int64_t time,
                               int64_t micro_batches) {
  Activations planned(purpose, batch, time, micro_batches);
  planned.carve(model);
  return planned.bytes();
}

Activations::Activations(const Llama& model, Purpose purpose, int64_t batch, int64_t time,
                         int64_t micro_batches)
    : Activations(purpose, batch, time, micro_batches) {
  model.prepare_positions(time);
  carve(model);
  plan_.saved.allocate("activations");
  plan_.scratch.allocate("activations");
  carve(model);
}

void Activations::carve(const Llama& model) {
  const ModelConfig& config = model.config_;
  const bool training = purpose_ == Purpose::training;
  const auto take = [&] { return plan_.saved.take({batch_, time_, config.hidden_size}); };
  plan_.scratch.rewind();
  input_ = model.input_.plan(plan_, batch_, time_);
  residual_.assign(1, take());
  blocks_.clear();
  for (const Block& block : model.layers_) {
    // Scratch is only used inside one block at a time; without backward, so is everything.
    plan_.scratch.rewind();
    if (!training && !blocks_.empty()) {
      blocks_.push_back(blocks_.front());
    } else {
      blocks_.push_back(block.plan(plan_, batch_, time_));
    }
    if (training) residual_.push_back(take());
  }
  norm_ = model.norm_.plan(plan_, batch_, time_);
  normed_ = take();
  if (training) dx_ = take();
  plan_.scratch.rewind();
  if (purpose_ == Purpose::generation) {
    const std::initializer_list<int64_t> shape = {batch_, time_, config.num_key_value_heads,
                                                  config.head_dim};
    caches_.clear();
    for (size_t l = 0; l < model.layers_.size(); ++l) {
      plan_.scratch.rewind();
      caches_.push_back(
          {.k = plan_.saved.take(shape),
           .v = plan_.saved.take(shape),
           .relative = model.position_->plan_tables(plan_.saved, plan_.scratch, 0, time_)});
    }
    logits_ = plan_.saved.take({batch_, config.vocab_size});
  } else {
    head_ = model.lm_head_.plan(plan_, batch_, time_);
  }
}

void Activations::clear_cache() {
  for (KvCache& cache : caches_) cache.length = cache.relative.filled = 0;
}

}  // namespace cria
