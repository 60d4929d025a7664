// What a config can change about how a model starts and is trained.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "cria/optim/adamw.h"
#include "support/compare.h"
#include "support/golden_model.h"
#include "support/isas.h"
#include "support/threads.h"
#include "support/tiny_model.h"

namespace cria {
namespace {

// A case of the golden file: 0 and nothing where it does not say.
struct Knobs {
  bool tied;
  double z_loss, gradient_scale;
  int64_t untie_at_step;
  std::vector<ParameterGroup> groups = {};

  explicit Knobs(const Json& json) {
    const auto number = [](const Json& object, const char* key, double otherwise) {
      const Json* found = object.find(key);
      return found ? found->as_double(key) : otherwise;
    };
    tied = json.find("tied") != nullptr;
    z_loss = number(json, "z_loss", 0);
    gradient_scale = number(json, "gradient_scale", 1);
    untie_at_step = json.find("untie_at_step") ? json.find("untie_at_step")->as_int("") : 0;
    if (!json.find("groups")) return;
    for (const Json& each : json.find("groups")->as_array("groups")) {
      ParameterGroup group = {.name = "", .pattern = each.find("pattern")->as_string("pattern")};
      group.learning_rate_factor = number(each, "learning_rate_factor", 1);
      group.weight_decay_factor = number(each, "weight_decay_factor", 1);
      if (each.find("beta1")) group.beta1 = number(each, "beta1", 0);
      if (each.find("beta2")) group.beta2 = number(each, "beta2", 0);
      groups.push_back(group);
    }
  }
};

constexpr int64_t kBatch = 3, kTime = 13, kRows = kBatch * kTime, kSteps = 6;

struct Course {
  std::unique_ptr<Llama> model;
  std::vector<double> losses, norms;
};

Course train(const Golden& golden, const Knobs& knobs) {
  ModelConfig config = golden_config(golden, kTime);
  config.tie_word_embeddings = knobs.tied;
  config.embedding.gradient_scale = knobs.gradient_scale;
  Course course = {.model = std::make_unique<Llama>(config), .losses = {}, .norms = {}};
  set_parameters(course.model->parameters(), golden);
  const double lr = golden.number("lr");
  const AdamWConfig settings = {.learning_rate = lr,
                                .beta1 = golden.number("beta1"),
                                .beta2 = golden.number("beta2"),
                                .eps = golden.number("eps"),
                                .weight_decay = golden.number("weight_decay"),
                                .groups = knobs.groups};
  auto memory = std::make_unique<Activations>(*course.model, Purpose::training, kBatch, kTime);
  auto optimizer = std::make_unique<AdamWOptimizer>(course.model->parameters(), settings);
  const std::vector<int32_t> tokens = golden.ints("tokens"), targets = golden.ints("targets");
  for (int64_t step = 0; step < kSteps; ++step) {
    if (step + 1 == knobs.untie_at_step) {
      course.model = untied(*course.model);
      memory = std::make_unique<Activations>(*course.model, Purpose::training, kBatch, kTime);
      optimizer = std::make_unique<AdamWOptimizer>(course.model->parameters(), settings);
      optimizer->set_steps(step);
    }
    const int32_t* const begin = targets.data() + step * kRows;
    const double counted =
        static_cast<double>(kRows - std::count(begin, begin + kRows, kIgnoredTarget));
    course.losses.push_back(
        course.model->loss_and_gradient(
            *memory, TokenIds(tokens.data() + step * kRows, {kBatch, kTime}),
            TokenIds(begin, {kBatch, kTime}),
            {.gradient_scale = static_cast<float>(1 / counted), .z_loss = knobs.z_loss}) /
        counted);
    course.norms.push_back(optimizer->gradient_norm());
    optimizer->step(lr, clip_factor(course.norms.back(), 1.0));
  }
  return course;
}

std::vector<float> planes(Llama& model) {
  const float* begin = model.parameters().value();
  return {begin, begin + 4 * model.parameters().plane_size()};
}

class KnobsTest : public IsaTest {};
CRIA_ON_EVERY_ISA(KnobsTest);

// As ModelGolden: losses within 1e-6, gradient norms and weights within 1e-5.
TEST_P(KnobsTest, Golden) {
  const Golden golden("knobs");
  for (const std::string name : {"z_loss", "gradient_scale", "groups", "untied", "all"}) {
    SCOPED_TRACE(name);
    const Knobs knobs(golden.find_setting(name.c_str()));
    const std::vector<float> losses = golden.floats(name + ".losses");
    const std::vector<float> norms = golden.floats(name + ".grad_norm");
    Course first = {};
    for (const int threads : {1, 2, 3}) {
      const ThreadCount scope(threads);
      Course course = train(golden, knobs);
      if (threads > 1) {
        EXPECT_EQ(course.losses, first.losses);
        EXPECT_TRUE(same_bits(planes(*course.model), planes(*first.model)));
        continue;
      }
      for (int64_t step = 0; step < kSteps; ++step) {
        EXPECT_NEAR(course.losses[step], losses[step], 1e-6 * losses[step]) << "step " << step;
        EXPECT_NEAR(course.norms[step], norms[step], 1e-5 * norms[step]) << "step " << step;
      }
      for (const Parameter& slot : course.model->parameters().slots()) {
        expect_near_norm(slot.value, golden.floats(name + ".after." + slot.name), 1e-5, slot.name);
      }
      first = std::move(course);
    }
  }
}

// Of a head that has just become a tensor of its own, everything is the table's.
TEST(Knobs, UntyingCopiesTableAndMoments) {
  ModelConfig config = tiny_config();
  config.tie_word_embeddings = true;
  Llama tied(config, Precision::bf16);
  tied.initialize(1);
  const TokenBatch data(2, 9, 37);
  Activations memory(tied, Purpose::training, 2, 9);
  tied.loss_and_gradient(memory, data.inputs(), data.targets(), {});
  AdamWOptimizer(tied.parameters(), {}).step(1e-2, 1.0);
  const std::unique_ptr<Llama> model = untied(tied);
  EXPECT_FALSE(model->config().tie_word_embeddings);
  EXPECT_EQ(model->lm_head().precision, Precision::bf16);
  const Parameter& table = *model->parameters().find("model.embed_tokens.weight");
  const Parameter& head = *model->parameters().find("lm_head.weight");
  ASSERT_NE(&table, &head);
  for (const Parameter& slot : model->parameters().slots()) {
    const Parameter& source = *tied.parameters().find(slot.name);
    const auto same = [&](const auto& a, const auto& b) {
      return std::equal(a.data, a.data + a.size(), b.data);
    };
    EXPECT_TRUE(same(slot.value, source.value) && same(slot.m, source.m) && same(slot.v, source.v))
        << slot.name;
  }
  EXPECT_NE(head.v(0, 0), 0.0f);
  Activations fresh(*model, Purpose::training, 2, 9);
  EXPECT_EQ(model->loss_sum(fresh, data.inputs(), data.targets()),
            tied.loss_sum(memory, data.inputs(), data.targets()));
}

double standard_deviation(const ConstTensor& x) {
  const double squares = std::inner_product(x.data, x.data + x.size(), x.data, 0.0);
  return std::sqrt(squares / static_cast<double>(x.size()));
}

// Table and head start as they are told to, and everything else as without.
TEST(Knobs, InitialRangesOfTableAndHead) {
  ModelConfig config = tiny_config();
  Llama plain(config);
  config.embedding_initializer_range = 1.0;
  config.head_initializer_range = 0;  // 1/sqrt(24)
  Llama model(resolved(config, 0, "test"));
  plain.initialize(1);
  model.initialize(1);
  const double factors[] = {1.0 / 0.02, 1 / std::sqrt(24.0) / 0.02};
  for (const Parameter& slot : model.parameters().slots()) {
    const ConstTensor& other = plain.parameters().find(slot.name)->value;
    const double factor = slot.name == "model.embed_tokens.weight" ? factors[0]
                          : slot.name == "lm_head.weight"          ? factors[1]
                                                                   : 1;
    for (int64_t i = 0; i < slot.value.size(); ++i) {
      const double want = other.data[i] * factor;
      EXPECT_NEAR(slot.value.data[i], want, 2e-7 * std::abs(want)) << slot.name;
    }
  }
  // nn.Embedding's own: 37 * 24 numbers of N(0, 1).
  EXPECT_NEAR(standard_deviation(model.embed_tokens().weight->value), 1.0, 0.1);
  // A tied table is one tensor.
  config.head_initializer_range.reset();
  config.tie_word_embeddings = true;
  Llama tied(resolved(config, 0, "test"));
  tied.initialize(1);
  EXPECT_NEAR(standard_deviation(tied.lm_head().weight->value), 1.0, 0.1);
}

// A power of two, which rounds nothing: all logits are exactly so many times as large.
TEST(Knobs, LogitScaleIsThatOfTheLastNorm) {
  ModelConfig config = tiny_config();
  Llama plain(config);
  config.logit_scale = 0.25;
  Llama scaled(config);
  plain.initialize(1);
  scaled.initialize(1);
  const TokenBatch data(2, 9, 37);
  Activations memory(plain, Purpose::generation, 2, 9), other(scaled, Purpose::generation, 2, 9);
  const ConstTensor want = plain.next_logits(memory, data.inputs());
  const ConstTensor got = scaled.next_logits(other, data.inputs());
  for (int64_t i = 0; i < want.size(); ++i) EXPECT_EQ(got.data[i], 0.25f * want.data[i]);
  for (const Parameter& slot : scaled.parameters().slots()) {
    if (slot.kind != ParameterKind::norm) continue;
    EXPECT_EQ(slot.value(0), slot.name == "model.norm.weight" ? 0.25f : 1.0f) << slot.name;
  }
}

// A scale on the gradient of the lookup alone is another gradient of the table, and of no other
// tensor; what a tied head adds stays.
TEST(Knobs, GradientScaleIsOfTheLookup) {
  const TokenBatch data(2, 9, 37);
  for (const bool frequency : {false, true}) {
    const auto gradient = [&](double scale) {
      ModelConfig config = tiny_config();
      config.tie_word_embeddings = true;
      config.embedding.scale_grad_by_freq = frequency;
      config.embedding.gradient_scale = scale;
      auto model = std::make_unique<Llama>(config);
      model->initialize(1);
      Activations memory(*model, Purpose::training, 2, 9);
      model->loss_and_gradient(memory, data.inputs(), data.targets(), {});
      return model;
    };
    const auto head = gradient(0), half = gradient(0.5), whole = gradient(1);
    for (size_t i = 0; i < whole->parameters().slots().size(); ++i) {
      const Parameter& slot = whole->parameters().slots()[i];
      const float* a = head->parameters().slots()[i].grad.data;
      const float* b = half->parameters().slots()[i].grad.data;
      for (int64_t k = 0; k < slot.grad.size(); ++k) {
        if (slot.name != "model.embed_tokens.weight") {
          EXPECT_EQ(a[k], slot.grad.data[k]) << slot.name;
        }
        EXPECT_NEAR(b[k], (a[k] + slot.grad.data[k]) / 2, 1e-5) << slot.name;
      }
    }
  }
}

// As PyTorch's nn.Embedding with padding_idx, whose weight is a Linear's too: looking the row up
// gives no gradient, predicting does.
TEST(Knobs, ATiedHeadMovesThePaddingRow) {
  constexpr int64_t kPadding = 5;
  std::vector<int32_t> ids = random_ids(2 * 9 + 1, 37, "tokens");
  ids[3] = ids[8] = kPadding;
  const auto gradient = [&](double of_lookup, std::optional<int64_t> padding) {
    ModelConfig config = tiny_config();
    config.tie_word_embeddings = true;
    config.embedding.gradient_scale = of_lookup;
    config.embedding.padding_idx = padding;
    auto model = std::make_unique<Llama>(resolved(config, 0, "test"));
    model->initialize(1);
    std::fill_n(&model->parameters().find("lm_head.weight")->mutable_value()(kPadding, 0), 24,
                0.0f);
    Activations memory(*model, Purpose::training, 2, 9);
    model->loss_and_gradient(memory, TokenIds(ids.data(), {2, 9}), TokenIds(ids.data() + 1, {2, 9}),
                             {});
    return model;
  };
  const auto head = gradient(0, std::nullopt), padded = gradient(1, kPadding);
  const auto plain = gradient(1, std::nullopt);
  const auto row = [&](const std::unique_ptr<Llama>& model, int64_t token) {
    const Tensor& grad = model->parameters().find("lm_head.weight")->grad;
    return std::vector<float>(&grad(token, 0), &grad(token, 0) + 24);
  };
  EXPECT_EQ(row(padded, kPadding), row(head, kPadding));
  EXPECT_NE(row(padded, kPadding), row(plain, kPadding));
  EXPECT_NE(row(padded, kPadding), std::vector<float>(24));
  EXPECT_EQ(row(padded, 6), row(plain, 6));
}

}  // namespace
}  // namespace cria
