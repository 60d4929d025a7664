// Weights that are packed once for several passes: each way to change them is noticed.
#include <gtest/gtest.h>

#include <algorithm>

#include "cria/optim/adamw.h"
#include "exchange/parameter_file.h"
#include "inspect/gradient_check.h"
#include "support/compare.h"
#include "support/files.h"
#include "support/tiny_model.h"

namespace cria {
namespace {

class WeightVersion : public testing::TestWithParam<Precision> {
 protected:
  WeightVersion() { model_.initialize(5); }

  double loss(const Llama& model, Activations& activations) const {
    return model.loss_sum(activations, data_.inputs(), data_.targets());
  }

  double loss_and_gradient(Llama& model, Activations& activations) const {
    model.parameters().zero_gradients();
    return model.loss_and_gradient(activations, data_.inputs(), data_.targets(), {});
  }

  static std::vector<float> gradients(Llama& model) {
    const float* const begin = model.parameters().grad();
    return {begin, begin + model.parameters().plane_size()};
  }

  // A pass whose weights may be packed already gives what a model just made does.
  void expect_fresh(Llama& model) {
    Llama fresh(tiny_config(), GetParam());
    std::copy_n(model.parameters().value(), model.parameters().plane_size(),
                fresh.parameters().mutable_value());
    Activations activations(fresh, Purpose::training, data_.batch, data_.time);
    EXPECT_EQ(loss(model, activations_), loss(fresh, activations));
    EXPECT_EQ(loss_and_gradient(model, activations_), loss_and_gradient(fresh, activations));
    EXPECT_TRUE(same_bits(gradients(model), gradients(fresh)));
  }

  const TokenBatch data_{2, 9, 37};
  Llama model_{tiny_config(), GetParam()};
  Activations activations_{model_, Purpose::training, 2, 9, 2};
};

TEST_P(WeightVersion, EveryChangeIsNoticed) {
  double before = loss_and_gradient(model_, activations_);
  const auto expect_noticed = [&](const char* change) {
    SCOPED_TRACE(change);
    expect_fresh(model_);
    const double after = loss(model_, activations_);
    EXPECT_NE(after, before);
    before = after;
  };
  AdamWOptimizer(model_.parameters(), {}).step(1e-2, 1.0);
  expect_noticed("a step of the optimizer");
  model_.initialize(6);
  expect_noticed("another start");
  for (Parameter& slot : model_.parameters().slots()) slot.mutable_value().data[0] += 1.0f;
  expect_noticed("writing to a parameter");
  model_.parameters().mutable_value()[model_.parameters().plane_size() / 2] += 1.0f;
  expect_noticed("writing to the plane");
  Llama other(tiny_config(), GetParam());
  other.initialize(7);
  const PlaneName values[] = {{"", StoredPlane::value}};
  const TemporaryDirectory directory;
  write_parameters(other.parameters(), values, directory / "model.safetensors");
  read_parameters(model_.parameters(), values, directory / "model.safetensors");
  expect_noticed("weights out of a file");
  other.initialize(8);
  EXPECT_NE(loss_and_gradient(other, activations_), before);
  SCOPED_TRACE("another model with the same memory");
  expect_fresh(other);
  expect_fresh(model_);
}

TEST_P(WeightVersion, AGradientCheckSeesEachOfItsChanges) {
  const double before = loss_and_gradient(model_, activations_);
  Parameter& weight = *model_.parameters().find("model.layers.1.mlp.down_proj.weight");
  int passes = 0;
  check_gradient(
      weight,
      [&] {
        ++passes;
        expect_fresh(model_);
        return loss(model_, activations_);
      },
      3);
  EXPECT_GE(passes, 4);
  EXPECT_EQ(loss(model_, activations_), before);
}

INSTANTIATE_TEST_SUITE_P(Precisions, WeightVersion,
                         testing::Values(Precision::fp32, Precision::bf16));

}  // namespace
}  // namespace cria
