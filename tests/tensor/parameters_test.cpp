#include "cria/tensor/parameters.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "support/errors.h"

namespace cria {
namespace {

constexpr Initialization kNormal = {.std = 0.5};

// An embedding, a fused group of matrices and one of biases, a norm, and a tied head.
struct Model {
  Model() {
    embed =
        &parameters.add({"embed", {7, 3}}, ParameterKind::embedding, {.std = 0.5, .zero_row = 2});
    const std::vector<ParameterSpec> weights = {{"q", {5, 3}}, {"k", {2, 3}}, {"v", {2, 3}}};
    qkv = parameters.add_group(weights, ParameterKind::matrix, kNormal);
    const std::vector<ParameterSpec> vectors = {{"q.bias", {5}}, {"k.bias", {2}}};
    biases = parameters.add_group(vectors, ParameterKind::bias, {});
    norm = &parameters.add({"norm", {3}}, ParameterKind::norm, {.constant = 1.0f});
    parameters.alias("head", *embed);
    parameters.allocate();
  }

  Parameters parameters;
  Parameter *embed, *norm;
  std::vector<Parameter*> qkv, biases;
};

std::vector<float> elements(const ConstTensor& tensor) {
  return {tensor.data, tensor.data + tensor.size()};
}

TEST(Parameters, PlanesAreAligned) {
  Model model;
  const float* planes[] = {model.parameters.value(), model.parameters.grad(), model.parameters.m(),
                           model.parameters.v()};
  for (const float* plane : planes) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(plane) % static_cast<uintptr_t>(kAlignment), 0u);
    EXPECT_TRUE(std::all_of(plane, plane + model.parameters.plane_size(),
                            [](float element) { return element == 0.0f; }));
  }
  for (int i = 1; i < 4; ++i) EXPECT_GE(planes[i] - planes[i - 1], model.parameters.plane_size());
  for (const Parameter* first : {model.embed, model.qkv[0], model.biases[0], model.norm}) {
    EXPECT_EQ(first->offset * static_cast<int64_t>(sizeof(float)) % kAlignment, 0) << first->name;
  }
}

TEST(Parameters, EverySlotIsAViewIntoAllPlanes) {
  Model model;
  int64_t end = 0;
  for (const Parameter& slot : model.parameters.slots()) {
    EXPECT_GE(slot.offset, end) << slot.name << " overlaps its neighbour";
    end = slot.offset + slot.value.size();
    EXPECT_EQ(slot.value.data, model.parameters.value() + slot.offset);
    EXPECT_EQ(slot.grad.data, model.parameters.grad() + slot.offset);
    EXPECT_EQ(slot.m.data, model.parameters.m() + slot.offset);
    EXPECT_EQ(slot.v.data, model.parameters.v() + slot.offset);
    EXPECT_EQ(slot.grad.shape, slot.value.shape);
  }
  EXPECT_LE(end, model.parameters.plane_size());
}

TEST(Parameters, GroupsAreNeighboursWithoutGaps) {
  Model model;
  EXPECT_EQ(model.qkv[1]->offset, model.qkv[0]->offset + 15);
  EXPECT_EQ(model.qkv[2]->offset, model.qkv[1]->offset + 6);

  const ConstTensor weights = fused(model.qkv, &Parameter::value);
  EXPECT_EQ(weights.to_string(), "[9, 3]");
  model.qkv[1]->mutable_value()(0, 1) = 4.0f;
  EXPECT_EQ(weights(5, 1), 4.0f);

  const Tensor gradients = fused(model.biases, &Parameter::grad);
  EXPECT_EQ(gradients.to_string(), "[7]");
  gradients(6) = 5.0f;
  EXPECT_EQ(model.biases[1]->grad(1), 5.0f);
}

TEST(Parameters, AliasesAreNotCountedTwice) {
  Model model;
  EXPECT_EQ(model.parameters.find("head"), model.embed);
  EXPECT_EQ(model.parameters.find("embed"), model.embed);
  EXPECT_EQ(model.parameters.find("nothing"), nullptr);
  EXPECT_EQ(model.parameters.slots().size(), 7u);
  EXPECT_EQ(model.parameters.count(), 21 + 27 + 7 + 3);
}

TEST(Parameters, NamesAreUnique) {
  Model model;
  EXPECT_THROW(model.parameters.add({"q", {1}}, ParameterKind::bias, {}), Error);
  EXPECT_THROW(model.parameters.add({"head", {1}}, ParameterKind::bias, {}), Error);
}

TEST(Parameters, InitializationDependsOnNameAndSeedOnly) {
  Model model, again;
  model.parameters.initialize(3);
  again.parameters.initialize(3);
  EXPECT_EQ(elements(model.embed->value), elements(again.embed->value));

  // The same tensor in another place of another model.
  Parameters other;
  other.add({"something else", {100}}, ParameterKind::bias, kNormal);
  const Parameter& k = other.add({"k", {2, 3}}, ParameterKind::matrix, kNormal);
  other.allocate();
  other.initialize(3);
  EXPECT_EQ(elements(k.value), elements(model.qkv[1]->value));
  EXPECT_NE(elements(model.qkv[1]->value), elements(model.qkv[2]->value));

  other.initialize(4);
  EXPECT_NE(elements(k.value), elements(model.qkv[1]->value));
}

TEST(Parameters, InitializationFollowsTheSpecification) {
  Model model;
  model.parameters.initialize(3);
  EXPECT_EQ(elements(model.norm->value), (std::vector<float>{1, 1, 1}));
  EXPECT_EQ(elements(fused(model.biases, &Parameter::value)), std::vector<float>(7, 0.0f));
  for (int64_t row = 0; row < 7; ++row) {
    EXPECT_EQ(elements(model.embed->value.narrow(0, row, 1)) == std::vector<float>(3, 0.0f),
              row == 2)
        << "only the padding row is zero, not " << row;
  }

  Parameters wide;
  const Parameter& weight = wide.add({"wide", {100, 100}}, ParameterKind::matrix, kNormal);
  wide.allocate();
  wide.initialize(3);
  double square = 0;
  for (const float value : elements(weight.value)) square += double{value} * value;
  // The mean square of 10^4 normal numbers has the standard deviation std^2 sqrt(2 / 10^4).
  EXPECT_NEAR(square / 1e4, 0.25, 5 * 0.25 * 0.0142);
}

TEST(Parameters, EveryChangeHasANewVersion) {
  Model model;
  const Tensor changed = model.embed->mutable_value();
  EXPECT_EQ(changed.data, model.embed->value.data);
  EXPECT_EQ(changed.to_string(), model.embed->value.to_string());
  EXPECT_GT(model.embed->version, model.norm->version);
  std::vector<int64_t> before;
  const auto expect_all_new = [&] {
    for (size_t i = 0; i < before.size(); ++i) {
      EXPECT_GT(model.parameters.slots()[i].version, before[i]) << i;
    }
    before.clear();
    for (const Parameter& slot : model.parameters.slots()) before.push_back(slot.version);
  };
  expect_all_new();
  EXPECT_EQ(model.parameters.mutable_value(), model.parameters.value());
  expect_all_new();
  model.parameters.initialize(3);
  expect_all_new();
  // What is packed from one model is not taken for another's.
  Model other;
  other.parameters.mutable_value();
  EXPECT_GT(other.embed->version, before.back());
}

TEST(Parameters, PaddingStaysZero) {
  Model model;
  model.parameters.initialize(3);
  std::vector<float> plane(model.parameters.value(),
                           model.parameters.value() + model.parameters.plane_size());
  for (const Parameter& slot : model.parameters.slots()) {
    std::fill_n(plane.begin() + slot.offset, slot.value.size(), 0.0f);
  }
  EXPECT_EQ(plane, std::vector<float>(plane.size(), 0.0f));
}

TEST(Parameters, RefuseShapesWithoutNumbers) {
  Parameters parameters;
  for (const std::vector<int64_t>& shape :
       {std::vector<int64_t>{}, {0}, {-1}, {3, 0}, {3, -2}, {2, 2, 2}}) {
    EXPECT_TRUE(error_of([&] {
                  parameters.add({"w", shape}, ParameterKind::matrix, {});
                }).starts_with("w: "))
        << shape_string(shape);
  }
  EXPECT_TRUE(parameters.slots().empty());
}

}  // namespace
}  // namespace cria
