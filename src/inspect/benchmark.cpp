#include "inspect/benchmark.h"

#include <algorithm>
#include <optional>

#include "cria/base/rng.h"
#include "kernels/products.h"

namespace cria {
namespace {

// Calls of one kernel, as many as its median needs to be steady: those of a large one take long
// enough to average out what disturbs them, a short one gets many.
constexpr double kEnough = 0.3;  // seconds
constexpr size_t kFewestCalls = 6, kMostCalls = 200;
constexpr double kFloat = sizeof(float);

std::vector<int32_t> random_tokens(int64_t count, int64_t vocabulary) {
  std::vector<int32_t> ids(static_cast<size_t>(count));
  Rng rng(1, "bench");
  for (int32_t& id : ids) id = static_cast<int32_t>(rng.below(static_cast<uint64_t>(vocabulary)));
  return ids;
}

double flops_of(const Gemm& g) {
  return 2.0 * static_cast<double>(g.m) * static_cast<double>(g.n) * static_cast<double>(g.k);
}

// Both factors, addend and bias are read, C is written. silu_mul also writes a matrix half as large
// as C; silu_mul_backward reads and writes one twice as large, and nobody needs its C.
double bytes_of(const Gemm& g) {
  const double m = static_cast<double>(g.m), n = static_cast<double>(g.n);
  const double k = static_cast<double>(g.k), c = m * n;
  double floats = m * k + k * n + (g.addend ? c : 0) + (g.bias ? n : 0);
  switch (g.epilogue) {
    case Gemm::Epilogue::none:
      floats += c;
      break;
    case Gemm::Epilogue::silu_mul:
      floats += c + c / 2;
      break;
    case Gemm::Epilogue::silu_mul_backward:
      floats += 4 * c;
      break;
  }
  return kFloat * floats;
}

class KernelTimer {
 public:
  std::vector<KernelTiming> timings;

  template <class Work>
  void add(const std::string& name, double calls, double flops, double floats, Work&& work,
           Precision precision = Precision::fp32) {
    time({name, calls, {}, flops, kFloat * floats, precision}, work, [] {});
  }

  // prepare: before each call, not timed.
  template <class Prepare>
  void add(const std::string& name, double calls, const Gemm& g, Prepare&& prepare) {
    time(
        {name, calls, {}, flops_of(g), bytes_of(g), g.precision}, [&] { kernels().gemm(g); },
        prepare);
  }

  void add_layer(const std::string& name, double calls, const Gemm& forward,
                 const Gemm& input_gradient, const Gemm& weight_gradient) {
    // What an epilogue changes in place would soon be denormal, and slow, if called again and
    // again.
    std::vector<float> other;
    if (input_gradient.epilogue == Gemm::Epilogue::silu_mul_backward) {
      other.assign(input_gradient.other,
                   input_gradient.other + 2 * input_gradient.m * input_gradient.n);
    }
    add(name + " forward", calls, forward, [] {});
    add(name + " backward input", calls, input_gradient,
        [&] { std::copy(other.begin(), other.end(), input_gradient.other); });
    add(name + " backward weight", calls, weight_gradient, [] {});
  }

 private:
  template <class Work, class Prepare>
  void time(KernelTiming timing, Work&& work, Prepare&& prepare) {
    work();  // pages and threads are there
    std::vector<double> seconds;
    double total = 0;
    while (seconds.size() < kFewestCalls || (total < kEnough && seconds.size() < kMostCalls)) {
      prepare();
      seconds.push_back(seconds_of(work));
      total += seconds.back();
    }
    timing.seconds = median_interval(seconds);
    timings.push_back(std::move(timing));
  }
};

// The buffers of one layer and of one chunk of the head, in memory as the model has them.
struct Buffers {
  Plan plan;
  Block::Saved layer;
  HeadLoss::Saved head;
  Tensor x, dx;  // [B,T,C]

  Buffers(const Block& block, const HeadLoss& loss, int64_t batch, int64_t time, int64_t columns) {
    const auto carve = [&] {
      layer = block.plan(plan, batch, time);
      head = loss.plan(plan, batch, time);
      x = plan.saved.take({batch, time, columns});
      dx = plan.saved.take({batch, time, columns});
    };
    carve();
    plan.saved.allocate("bench");
    plan.scratch.allocate("bench");
    carve();
    // No zeros: arithmetic on them may draw less power and so be faster.
    const SelfAttention::Saved& a = layer.self_attn;
    for (const Tensor& tensor :
         {x, dx, layer.attention_in, layer.middle, layer.mlp_in, layer.dnorm, layer.mlp.gate_up,
          layer.mlp.activated, a.qkv, a.context, a.dqkv, a.dcontext, head.logits}) {
      fill_normal(tensor.data, 0, static_cast<uint64_t>(tensor.size()), 1.0, 1, "bench");
    }
  }
};

void time_projections(KernelTimer& timer, double layers, const Block& block, const Buffers& b) {
  const SelfAttention::Saved& a = b.layer.self_attn;
  const SwiGlu::Saved& m = b.layer.mlp;
  const auto weight_gradient = [](const Linear& linear, const Tensor& dout, const Tensor& x) {
    return weight_gradient_product(dout, x, fused(linear.weight, &Parameter::grad),
                                   linear.precision);
  };
  const Linear &qkv = block.self_attn.qkv_proj, &o = block.self_attn.o_proj;
  timer.add_layer("qkv_proj", layers, qkv.product(b.layer.attention_in, a.qkv),
                  qkv.input_gradient(a.dqkv, b.layer.dnorm),
                  weight_gradient(qkv, a.dqkv, b.layer.attention_in));
  timer.add_layer("o_proj", layers, o.product(a.context, b.layer.middle, b.x),
                  o.input_gradient(b.dx, a.dcontext), weight_gradient(o, b.dx, a.context));
  const Linear &gate_up = block.mlp.gate_up_proj, &down = block.mlp.down_proj;
  Gemm gated = gate_up.product(b.layer.mlp_in, m.gate_up);
  gated.epilogue = Gemm::Epilogue::silu_mul;
  gated.other = m.activated.data;
  timer.add_layer("gate_up_proj", layers, gated, gate_up.input_gradient(m.gate_up, b.layer.dnorm),
                  weight_gradient(gate_up, m.gate_up, b.layer.mlp_in));
  Gemm dactivated = down.input_gradient(b.dx, m.activated);
  dactivated.epilogue = Gemm::Epilogue::silu_mul_backward;
  dactivated.other = m.gate_up.data;
  timer.add_layer("down_proj", layers, down.product(m.activated, b.x, b.layer.middle), dactivated,
                  weight_gradient(down, b.dx, m.activated));
}

// Times the head and its softmax for one block of the vocabulary and one chunk of rows. The last
// block and chunk count as the part of one that they are.
void time_head(KernelTimer& timer, const HeadLoss& head, const Buffers& b,
               const std::vector<int32_t>& ids) {
  const HeadLoss::Saved& saved = b.head;
  const int64_t kept = saved.logits.shape[0], chunk = saved.logits.shape[1];
  const int64_t columns = saved.logits.shape[2], rows = b.x.rows();
  const int64_t vocabulary = head.weight->value.shape[0];
  const double calls = static_cast<double>(rows) / static_cast<double>(chunk) *
                       static_cast<double>(vocabulary) / static_cast<double>(columns);
  const auto first = [&](const Tensor& all) {
    return all.reshape({rows, all.columns()}).narrow(0, 0, chunk);
  };
  const Tensor z(saved.logits.data, {chunk, columns});
  const ConstTensor weight = head.weight->value.narrow(0, 0, columns);
  const Gemm logits = weight_product(first(b.x), weight, z, head.precision);
  timer.add_layer("lm_head", calls, logits,
                  input_gradient_product(z, weight, first(b.dx), head.precision),
                  weight_gradient_product(z, first(b.x), head.weight->grad.narrow(0, 0, columns),
                                          head.precision));
  if (kept * columns < vocabulary) timer.add("lm_head forward again", calls, logits, [] {});
  const SoftmaxBlock block = {.rows = chunk,
                              .columns = columns,
                              .first = 0,
                              .logits = z.data,
                              .targets = ids.data(),
                              .maximum = saved.maximum.data,
                              .total = saved.total,
                              .target_logit = saved.target_logit.data};
  // Logits read, and in the gradient written; four numbers for each row.
  const double numbers = static_cast<double>(z.size()), sums = static_cast<double>(5 * chunk);
  timer.add("softmax statistics", calls, 0, numbers + sums,
            [&] { kernels().softmax_statistics(block); });
  timer.add("softmax gradient", calls, 0, 2 * numbers + sums,
            [&] { kernels().softmax_gradient(block, 1.0f / static_cast<float>(rows)); });
}

void time_attention(KernelTimer& timer, double layers, const SelfAttention& layer, bool rotary,
                    const Buffers& b) {
  const AttentionConfig& c = layer.config;
  const SelfAttention::Saved& saved = b.layer.self_attn;
  const double batch = static_cast<double>(b.x.shape[0]), time = static_cast<double>(b.x.shape[1]);
  const double visible = batch * static_cast<double>(c.heads) * time * (time + 1) / 2;
  const double products = visible * static_cast<double>(2 * c.head_dim);  // of one of its matrices
  SelfAttention::Heads heads = layer.split_heads(saved.qkv);
  SelfAttention::Heads gradients = layer.split_heads(saved.dqkv);
  // The positions of a memory have keys only.
  for (Tensor* q : {&heads.q, &gradients.q}) {
    *q = q->narrow(1, c.memory_length, b.x.shape[1]);
  }
  const Attention forward =
      layer.arguments(heads, saved.context, saved.log_sum_exp, saved.relative, {});
  const double qkv = static_cast<double>(saved.qkv.size());
  const double out = static_cast<double>(saved.context.size());
  const double sums = static_cast<double>(saved.log_sum_exp.size());
  RelativeTables tables = saved.relative;
  const int64_t keys = heads.k.shape[1];
  layer.position->on_scores(c.layer, tables, keys);
  const AttentionGradient backward = {.forward = forward,
                                      .dout = saved.dcontext.data,
                                      .dq = gradients.q.data,
                                      .dk = gradients.k.data,
                                      .dv = gradients.v.data,
                                      .delta = saved.delta.data,
                                      .relative = {.dkeys = saved.relative.dkeys.data,
                                                   .dqueries = saved.relative.dqueries.data,
                                                   .dbias = saved.relative.dbias.data}};
  const bool has_tables = tables.keys || tables.queries;
  const Precision precision = has_tables ? Precision::fp32 : c.precision;
  timer.add(
      "attention forward", layers, 2 * products, qkv + out + sums,
      [&] { kernels().attention_forward(forward); }, precision);
  timer.add(
      "attention backward", layers, 5 * products, 2 * qkv + 2 * out + sums,
      [&] { kernels().attention_backward(backward); }, precision);
  if (tables.rows > 0) {
    timer.add("relative tables forward", layers, 0, 0,
              [&] { layer.position->on_scores(c.layer, tables, keys); });
    timer.add("relative tables backward", layers, 0, 0,
              [&] { layer.position->on_scores_backward(c.layer, tables, keys); });
  }
  if (!rotary) return;
  // q and k are read and written in place, and the angles' cosines and sines are read.
  const double rotated = static_cast<double>(2 * (heads.q.size() + heads.k.size())) +
                         time * static_cast<double>(c.head_dim);
  timer.add("rotary forward", layers, 0, rotated,
            [&] { layer.position->on_qk(c.layer, heads.q, heads.k, 0); });
  timer.add("rotary inverse", layers, 0, rotated,
            [&] { layer.position->on_qk_backward(c.layer, gradients.q, gradients.k, 0); });
}

void time_rows(KernelTimer& timer, double layers, const Block& block, const Parameter& table,
               const Buffers& b, const std::vector<int32_t>& ids) {
  const int64_t rows = b.x.rows(), columns = b.x.columns();
  const double n = static_cast<double>(rows), c = static_cast<double>(columns);
  const double norms = 2 * layers + 1;
  RmsNorm::Saved root = b.layer.post_attention_layernorm;
  timer.add("rms_norm forward", norms, 0, 2 * n * c + n + c,
            [&] { block.post_attention_layernorm.forward(b.x, b.layer.mlp_in, root); });
  timer.add("rms_norm backward", norms, 0, 4 * n * c + n + 3 * c, [&] {
    block.post_attention_layernorm.backward(b.layer.mlp_in, b.x, root, b.dx, b.layer.middle);
  });
  timer.add("embedding gather", 1, 0, 2 * n * c + n, [&] {
    kernels().embedding_gather({.rows = rows,
                                .columns = columns,
                                .ids = ids.data(),
                                .table = table.value.data,
                                .scale = 1.0f,
                                .out = b.x.data});
  });
  timer.add("embedding scatter", 1, 0, 3 * n * c + n, [&] {
    kernels().embedding_scatter_add({.rows = rows,
                                     .columns = columns,
                                     .ids = ids.data(),
                                     .padding_idx = -1,
                                     .factor = nullptr,
                                     .scale = 1.0f,
                                     .dout = b.dx.data,
                                     .dtable = table.grad.data});
  });
}

void time_optimizer(KernelTimer& timer, Parameters& parameters, const AdamWConfig& config) {
  AdamWOptimizer optimizer(parameters, config);
  const double count = static_cast<double>(parameters.count());
  timer.add("gradient norm", 1, 0, count, [&] { optimizer.gradient_norm(); });
  timer.add("adamw", 1, 0, 8 * count, [&] { optimizer.step(config.learning_rate, 1.0); });
}

}  // namespace

std::vector<double> time_steps(Llama& model, const StepConfig& config, int64_t steps) {
  const int64_t batch = config.batch_size, time = config.sequence_length;
  Activations activations(model, Purpose::training, batch, time);
  AdamWOptimizer optimizer(model.parameters(), config.optimizer);
  std::optional<SegmentMemory> segments;
  if (model.config().memory_length > 0) segments.emplace(model.config(), batch);
  const std::vector<int32_t> ids = random_tokens(batch * time + 1, model.config().vocab_size);
  const TokenIds tokens(ids.data(), {batch, time}), targets(ids.data() + 1, {batch, time});
  std::vector<double> seconds;
  for (int64_t i = 0; i <= steps; ++i) {
    const double elapsed = seconds_of([&] {
      model.loss_and_gradient(
          activations, tokens, targets,
          {.randomness = {.seed = 1, .pass = static_cast<uint64_t>(i), .active = true},
           .segments = segments ? &*segments : nullptr,
           .gradient_scale = 1.0f / static_cast<float>(batch * time)});
      const double scale = clip_factor(optimizer.gradient_norm(), config.max_grad_norm);
      optimizer.step(config.optimizer.learning_rate, scale);
    });
    if (i > 0) seconds.push_back(elapsed);
  }
  return seconds;
}

std::vector<KernelTiming> time_kernels(Llama& model, const StepConfig& config) {
  const int64_t batch = config.batch_size, time = config.sequence_length;
  const double layers = static_cast<double>(model.config().num_hidden_layers);
  const Block& block = model.layers().front();
  Parameters& parameters = model.parameters();
  const HeadLoss head = {.weight = parameters.find("lm_head.weight"),
                         .precision = block.mlp.down_proj.precision};
  const std::vector<int32_t> ids = random_tokens(batch * time, model.config().vocab_size);
  model.prepare_positions(time);
  const Buffers buffers(block, head, batch, time, model.config().hidden_size);
  KernelTimer timer;
  time_projections(timer, layers, block, buffers);
  time_head(timer, head, buffers, ids);
  time_attention(timer, layers, block.self_attn, model.config().position == "rope", buffers);
  time_rows(timer, layers, block, *parameters.find("model.embed_tokens.weight"), buffers, ids);
  time_optimizer(timer, parameters, config.optimizer);
  return timer.timings;
}

std::vector<KernelTiming> time_products(int64_t rows, int64_t out, int64_t in) {
  Arena activations;
  // Gradients in memory of their own: written over their factors, the numbers would grow from call
  // to call until they overflow.
  Tensor x, w, y, dx, dw;
  const auto carve = [&] {
    x = activations.take({rows, in});
    w = activations.take({out, in});
    y = activations.take({rows, out});
    dx = activations.take({rows, in});
    dw = activations.take({out, in});
  };
  carve();
  activations.allocate("bench");
  carve();
  for (const Tensor& tensor : {x, w, y, dx, dw}) {
    fill_normal(tensor.data, 0, static_cast<uint64_t>(tensor.size()), 1.0, 1, "bench");
  }
  const std::string shape =
      std::to_string(rows) + "x" + std::to_string(out) + "x" + std::to_string(in);
  KernelTimer timer;
  for (const Precision precision : {Precision::fp32, Precision::bf16}) {
    timer.add_layer(shape + (precision == Precision::fp32 ? " fp32" : " bf16"), 1,
                    weight_product(x, w, y, precision), input_gradient_product(y, w, dx, precision),
                    weight_gradient_product(y, x, dw, precision));
  }
  return timer.timings;
}

}  // namespace cria
