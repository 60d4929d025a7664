#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>

#include "cria/base/error.h"
#include "cria/optim/adamw.h"
#include "cria/optim/schedule.h"
#include "support/errors.h"
#include "support/golden.h"
#include "support/random.h"
#include "support/threads.h"

namespace cria {
namespace {

// Five steps of torch.optim.AdamW in float64.
TEST(AdamW, Golden) {
  const Golden golden("adamw");
  Parameters parameters;
  Parameter& p = parameters.add({"p", {5, 10}}, ParameterKind::matrix, {});
  parameters.allocate();
  const std::vector<float> start = golden.floats("p0"), gradients = golden.floats("g");
  std::copy(start.begin(), start.end(), p.mutable_value().data);
  const double lr = golden.number("lr");
  AdamWOptimizer optimizer(parameters, {.learning_rate = lr,
                                        .beta1 = golden.number("beta1"),
                                        .beta2 = golden.number("beta2"),
                                        .eps = golden.number("eps"),
                                        .weight_decay = golden.number("weight_decay")});
  const float* gradient = gradients.data();
  for (const char* step : {"p1", "p2", "p3", "p4", "p5"}) {
    std::copy_n(gradient, 50, p.grad.data);
    gradient += 50;
    optimizer.step(lr, 1.0);
    const std::vector<float> want = golden.floats(step);
    // Each step rounds p twice (decay, update), by 6e-8 of it; the update itself, at most a few
    // lr, carries 1e-6 of its own.
    for (int i = 0; i < 50; ++i) {
      const double rounding = 10 * 6e-8 * std::abs(want[i]) + 5 * 1e-6 * lr;
      EXPECT_NEAR(p.value.data[i], want[i], rounding) << step << ", " << i;
    }
    for (int i = 0; i < 50; ++i) EXPECT_EQ(p.grad.data[i], 0.0f);
  }
  expect_near_norm(p.m, golden.floats("m5"), 1e-6, "m");
  expect_near_norm(p.v, golden.floats("v5"), 1e-6, "v");
}

TEST(AdamW, DecaysMatricesAndEmbeddingsUnlessToldNot) {
  for (const bool decay_embeddings : {true, false}) {
    Parameters parameters;
    Parameter& matrix = parameters.add({"w", {2, 2}}, ParameterKind::matrix, {.constant = 1});
    Parameter& table = parameters.add({"e", {2, 2}}, ParameterKind::embedding, {.constant = 1});
    Parameter& norm = parameters.add({"n", {2}}, ParameterKind::norm, {.constant = 1});
    Parameter& bias = parameters.add({"b", {2}}, ParameterKind::bias, {.constant = 1});
    parameters.allocate();
    parameters.initialize(1);
    AdamWOptimizer optimizer(parameters,
                             {.weight_decay = 0.5, .decay_embeddings = decay_embeddings});
    optimizer.step(0.1, 1.0);  // no gradient: decay is all that acts
    EXPECT_FLOAT_EQ(matrix.value(0, 0), 0.95f);
    EXPECT_FLOAT_EQ(table.value(0, 0), decay_embeddings ? 0.95f : 1.0f);
    EXPECT_EQ(norm.value(0), 1.0f);
    EXPECT_EQ(bias.value(0), 1.0f);
  }
}

// What a step has changed, by tensor: dense over several pieces and parts with a rest, frozen, and
// a table of which some rows are touched. Whether it is measured changes no bit, nor does the
// number of threads.
TEST(AdamW, MeasuresWhatAStepChanges) {
  struct Model {
    Parameters parameters;
    Model() {
      parameters.add({"large", {50, 1403}}, ParameterKind::matrix, {.std = 1.0});
      parameters.add({"frozen", {3, 4}}, ParameterKind::matrix, {.std = 1.0}).frozen = true;
      parameters.add({"table", {9, 1031}}, ParameterKind::embedding, {.std = 1.0}).touched =
          std::make_unique<TouchedRows>(9);
      parameters.add({"small", {7}}, ParameterKind::norm, {.constant = 1});
      parameters.allocate();
      parameters.initialize(1);
    }
    void add_gradients() {
      for (Parameter& slot : parameters.slots()) {
        if (slot.frozen) continue;
        const std::vector<float> g = normal_values(slot.value.size(), slot.name);
        const int64_t columns = slot.value.columns();
        for (int64_t i = 0; i < slot.value.size(); ++i) {
          if (!slot.touched || i / columns % 3 == 1) slot.grad.data[i] = g[i];
        }
        for (int64_t row = 1; slot.touched && row < 9; row += 3) slot.touched->add(row);
      }
    }
    std::vector<float> values() {
      return {parameters.value(), parameters.value() + parameters.plane_size()};
    }
  };
  Model plain;
  AdamWOptimizer unmeasured(plain.parameters, {});
  std::vector<std::vector<float>> values = {plain.values()};
  for (int step = 0; step < 3; ++step) {
    plain.add_gradients();
    unmeasured.step(1e-3, 0.5);
    values.push_back(plain.values());
  }
  std::vector<double> want;
  for (const int threads : {1, 3}) {
    const ThreadCount scope(threads);
    Model model;
    AdamWOptimizer optimizer(model.parameters, {});
    std::vector<double> squares(4, -1.0);
    for (int step = 1; step <= 3; ++step) {
      model.add_gradients();
      optimizer.step(1e-3, 0.5, squares);
      EXPECT_TRUE(model.values() == values[step]) << "step " << step;
      for (size_t slot = 0; slot < 4; ++slot) {
        const Parameter& p = model.parameters.slots()[slot];
        double sum = 0;
        for (int64_t i = p.offset; i < p.offset + p.value.size(); ++i) {
          const double change = static_cast<double>(values[step][i]) - values[step - 1][i];
          sum += change * change;
        }
        // Each difference and square is rounded once; sums of up to 1024 in float lanes.
        EXPECT_NEAR(squares[slot], sum, 1e-5 * sum) << p.name << ", step " << step;
        EXPECT_EQ(squares[slot] > 0, !p.frozen) << p.name;
      }
    }
    if (threads == 1) want = squares;
    EXPECT_EQ(squares, want);
  }
}

TEST(AdamW, NormCountsATiedTensorOnce) {
  Parameters parameters;
  Parameter& table = parameters.add({"e", {1, 2}}, ParameterKind::embedding, {});
  parameters.alias("head", table);
  parameters.allocate();
  table.grad(0, 0) = 3;
  table.grad(0, 1) = 4;
  EXPECT_DOUBLE_EQ(AdamWOptimizer(parameters, {}).gradient_norm(), 5.0);
}

// A table [7, 5] with sparse gradients, of which some rows never and some twice have one.
struct SparseTable {
  Parameters parameters;
  Parameter* table;

  explicit SparseTable(bool sparse = true) {
    table = &parameters.add({"e", {7, 5}}, ParameterKind::embedding, {.std = 1.0});
    if (sparse) table->touched = std::make_unique<TouchedRows>(7);
    parameters.allocate();
    parameters.initialize(1);
  }

  void add(int64_t row, const float* gradient) {
    for (int64_t c = 0; c < 5; ++c) table->grad(row, c) += gradient[c];
    if (table->touched) table->touched->add(row);
  }
};

// Lazy AdamW in float64, as the generator writes it out.
TEST(SparseAdamW, Golden) {
  const Golden golden("adamw_sparse");
  SparseTable t;
  const std::vector<float> start = golden.floats("p0"), gradients = golden.floats("g");
  const std::vector<int32_t> touched = golden.ints("touched");
  std::copy(start.begin(), start.end(), t.table->mutable_value().data);
  const double lr = golden.number("lr");
  AdamWOptimizer optimizer(t.parameters, {.learning_rate = lr,
                                          .beta1 = golden.number("beta1"),
                                          .beta2 = golden.number("beta2"),
                                          .eps = golden.number("eps"),
                                          .weight_decay = golden.number("weight_decay")});
  for (int step = 0; step < 6; ++step) {
    for (int64_t row = 6; row >= 0; --row) {  // any order
      if (touched[step * 7 + row]) t.add(row, &gradients[(step * 7 + row) * 5]);
    }
    optimizer.step(lr, 1.0);
    EXPECT_TRUE(t.table->touched->rows().empty());
    for (int i = 0; i < 35; ++i) EXPECT_EQ(t.table->grad.data[i], 0.0f);
  }
  expect_near_norm(t.table->value, golden.floats("p6"), 1e-6, "p");
  expect_near_norm(t.table->m, golden.floats("m6"), 1e-6, "m");
  expect_near_norm(t.table->v, golden.floats("v6"), 1e-6, "v");
}

TEST(SparseAdamW, EqualsDenseWhenEveryRowIsTouched) {
  SparseTable sparse, dense(false);
  AdamWOptimizer lazy(sparse.parameters, {}), usual(dense.parameters, {});
  for (int step = 0; step < 5; ++step) {
    const std::vector<float> g = normal_values(35, "g" + std::to_string(step));
    for (int64_t row = 0; row < 7; ++row) {
      sparse.add((row * 3 + step) % 7, &g[(row * 3 + step) % 7 * 5]);
      dense.add(row, &g[row * 5]);
    }
    // Both sum the same 35 squares in double; only their order differs.
    EXPECT_NEAR(lazy.gradient_norm(), usual.gradient_norm(), 1e-6 * usual.gradient_norm());
    lazy.step(1e-2, 0.5);
    usual.step(1e-2, 0.5);
  }
  // Each element is computed alone; a compiler may fuse a product and a sum in one of two loops.
  for (int i = 0; i < 35; ++i) {
    EXPECT_FLOAT_EQ(sparse.table->value.data[i], dense.table->value.data[i]);
    EXPECT_FLOAT_EQ(sparse.table->m.data[i], dense.table->m.data[i]);
    EXPECT_FLOAT_EQ(sparse.table->v.data[i], dense.table->v.data[i]);
  }
}

TEST(SparseAdamW, VisitsTheTouchedRowsOnly) {
  SparseTable t;
  AdamWOptimizer optimizer(t.parameters, {.weight_decay = 0.5});
  const float g[] = {3, 0, 0, 4, 0};
  t.add(2, g);
  t.add(5, g);
  optimizer.step(0.1, 1.0);  // moments in rows 2 and 5
  const auto plane = [](const ConstTensor& tensor) {
    return std::vector<float>(tensor.data, tensor.data + tensor.size());
  };
  const std::vector<float> value = plane(t.table->value), m = plane(t.table->m);
  t.add(5, g);
  t.table->grad(0, 0) = 100;  // not recorded: nobody looks at it
  EXPECT_DOUBLE_EQ(optimizer.gradient_norm(), 5.0);
  optimizer.step(0.1, 1.0);
  for (int i = 0; i < 35; ++i) {
    EXPECT_EQ(t.table->value.data[i] == value[i], i / 5 != 5) << i;
    if (i / 5 != 5) {
      EXPECT_EQ(t.table->m.data[i], m[i]) << i;
    }
  }
  EXPECT_EQ(t.table->grad(0, 0), 100.0f);
  EXPECT_EQ(t.table->grad(5, 0), 0.0f);
  // A step without any gradient changes nothing but the count of steps.
  const std::vector<float> after = plane(t.table->value);
  EXPECT_EQ(optimizer.gradient_norm(), 0.0);
  optimizer.step(0.1, 1.0);
  EXPECT_EQ(plane(t.table->value), after);
}

TEST(SparseAdamW, NormCountsDenseAndSparseTogether) {
  Parameters parameters;
  Parameter& dense = parameters.add({"w", {1, 2}}, ParameterKind::matrix, {});
  Parameter& table = parameters.add({"e", {4, 1}}, ParameterKind::embedding, {});
  Parameter& frozen = parameters.add({"f", {2}}, ParameterKind::bias, {.constant = 1.0f});
  table.touched = std::make_unique<TouchedRows>(4);
  frozen.frozen = true;
  parameters.allocate();
  parameters.initialize(1);
  AdamWOptimizer optimizer(parameters, {});
  dense.grad(0, 0) = 2;
  dense.grad(0, 1) = 4;
  table.grad(3, 0) = 4;
  table.touched->add(3);
  frozen.grad(0) = 1000;
  EXPECT_DOUBLE_EQ(optimizer.gradient_norm(), 6.0);
  optimizer.step(0.1, 1.0);
  EXPECT_EQ(frozen.value(0), 1.0f);
  EXPECT_EQ(frozen.m(0), 0.0f);
  EXPECT_LT(table.value(3, 0), 0.0f);
  EXPECT_EQ(table.value(0, 0), 0.0f);
}

TEST(ClipFactor, AsPyTorch) {
  EXPECT_DOUBLE_EQ(clip_factor(2.0, 1.0), 1.0 / (2.0 + 1e-6));
  EXPECT_EQ(clip_factor(0.5, 1.0), 1.0);
  EXPECT_EQ(clip_factor(100.0, 0.0), 1.0);
}

TEST(Schedule, EveryShapeAtItsCorners) {
  ScheduleConfig c;
  c.warmup_steps = 10;
  c.decay_steps = 110;
  c.min_lr_ratio = 0.1;
  for (const std::string& name : schedule_names()) {
    c.name = name;
    SCOPED_TRACE(name);
    EXPECT_NEAR(learning_rate_factor(c, 0), 1.0 / 11, 1e-12);
    EXPECT_NEAR(learning_rate_factor(c, 9), 10.0 / 11, 1e-12);
    EXPECT_NEAR(learning_rate_factor(c, 10), 1.0, 1e-12);
    const double end = name == "constant" ? 1.0 : 0.1;
    EXPECT_NEAR(learning_rate_factor(c, 110), end, 1e-12);
    EXPECT_NEAR(learning_rate_factor(c, 100000), end, 1e-12);
    for (int64_t step = 10; step < 200; ++step) {
      EXPECT_GE(learning_rate_factor(c, step), learning_rate_factor(c, step + 1));
    }
  }
  c.name = "cosine";
  EXPECT_NEAR(learning_rate_factor(c, 60), 0.55, 1e-12);
  EXPECT_NEAR(learning_rate_factor(c, 35), 0.1 + 0.9 * (1 + std::sqrt(0.5)) / 2, 1e-12);
  c.name = "linear";
  EXPECT_NEAR(learning_rate_factor(c, 35), 1 - 0.9 * 0.25, 1e-12);
  c.name = "wsd";  // the last fifth of 110: 22 steps
  EXPECT_EQ(learning_rate_factor(c, 88), 1.0);
  EXPECT_NEAR(learning_rate_factor(c, 99), 0.55, 1e-12);
  c.cooldown_steps = 10;
  EXPECT_EQ(learning_rate_factor(c, 100), 1.0);
  EXPECT_NEAR(learning_rate_factor(c, 105), 0.55, 1e-12);
}

TEST(Schedule, UnknownNameOffersTheNearest) {
  ScheduleConfig c;
  c.name = "cosin";
  EXPECT_THROW(learning_rate_factor(c, 0), Error);
}

TEST(AdamW, RefusesWhatItCannotUse) {
  Parameters parameters;
  parameters.add({"w", {4}}, ParameterKind::bias, {});
  parameters.allocate(Planes::value);
  EXPECT_TRUE(error_of([&] {
                AdamWOptimizer(parameters, {});
              }).starts_with("AdamW: these parameters have no gradients"));
  for (const auto& [config, name] : std::vector<std::pair<AdamWConfig, std::string>>{
           {{.beta1 = 1.0}, "beta1"},
           {{.beta2 = -0.1}, "beta2"},
           {{.eps = -1e-8}, "eps"},
           {{.weight_decay = std::nan("")}, "weight_decay"},
           {{.groups = {{.name = "a", .pattern = "*", .learning_rate_factor = -1}}},
            "groups.a.learning_rate_factor"},
           {{.groups = {{.name = "a", .pattern = "*", .beta2 = 2.0}}}, "groups.a.beta2"}}) {
    const std::string message =
        error_of([&, wanted = config] { AdamWOptimizer(parameters, wanted); });
    EXPECT_TRUE(message.starts_with("AdamW: " + name + ": not possible")) << message;
  }
}

}  // namespace
}  // namespace cria
