#include "exchange/parameter_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "cria/base/error.h"
#include "exchange/model_shapes.h"
#include "io/safetensors.h"
#include "support/files.h"

namespace cria {
namespace {

// A tied model in small: two matrices side by side, a norm, and an alias.
struct Model {
  Parameters parameters;

  explicit Model(uint64_t seed) {
    const Initialization normal{.std = 1.0};
    Parameter& embedding =
        parameters.add({"embed.weight", {3, 2}}, ParameterKind::embedding, normal);
    const ParameterSpec pair[] = {{"q.weight", {2, 2}}, {"k.weight", {1, 2}}};
    parameters.add_group(pair, ParameterKind::matrix, normal);
    parameters.add({"norm.weight", {2}}, ParameterKind::norm, normal);
    parameters.alias("head.weight", embedding);
    parameters.allocate();
    parameters.initialize(seed);
  }

  std::vector<float> plane(const float* begin) const {
    return {begin, begin + parameters.plane_size()};
  }
  std::vector<float> values() { return plane(parameters.value()); }
};

const PlaneName kValues[] = {{"", StoredPlane::value}};
const PlaneName kMoments[] = {{"m.", StoredPlane::m}, {"v.", StoredPlane::v}};

class ParameterFile : public testing::Test {
 protected:
  // The file's tensors, for a test to change and write again.
  struct Stored {
    std::string name;
    std::vector<float> values;
    std::vector<int64_t> shape;
  };

  std::vector<Stored> stored() {
    std::vector<Stored> all;
    for (const Parameter& slot : source_.parameters.slots()) {
      const ConstTensor& value = slot.value;
      all.push_back({slot.name,
                     {value.data, value.data + value.size()},
                     {value.shape.begin(), value.shape.begin() + value.rank}});
    }
    return all;
  }

  // The first tensor in a form of its own.
  void write(const std::vector<Stored>& tensors, NumberFormat first = NumberFormat::f32) {
    std::vector<TensorSource> views;
    for (const Stored& each : tensors) {
      const float* const data = each.values.data();
      views.push_back({each.name, each.shape.size() == 1
                                      ? ConstTensor(data, {each.shape[0]})
                                      : ConstTensor(data, {each.shape[0], each.shape[1]})});
    }
    views[0].format = first;
    write_safetensors(path_, views);
  }

  // Reads into another model and returns the error; the model must then be as before.
  std::string error_of_read() {
    Model target(2);
    const std::vector<float> before = target.values();
    try {
      read_parameters(target.parameters, kValues, path_);
    } catch (const Error& error) {
      EXPECT_EQ(target.values(), before) << "changed in spite of the error";
      return error.what();
    }
    EXPECT_EQ(target.values(), source_.values());
    return "no error";
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_ / "model.safetensors";
  Model source_{1};
};

TEST_F(ParameterFile, KeepsEverySlotOnce) {
  write_parameters(source_.parameters, kValues, path_);
  const SafetensorsFile file(path_);
  std::vector<std::string> names;
  for (const auto& entry : file.entries()) names.push_back(entry.name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"embed.weight", "k.weight", "norm.weight", "q.weight"}));
  EXPECT_EQ(error_of_read(), "no error");
}

TEST_F(ParameterFile, KeepsSeveralPlanes) {
  Parameters& from = source_.parameters;
  for (Parameter& slot : from.slots()) {
    std::fill_n(slot.m.data, slot.m.size(), static_cast<float>(slot.offset + 1));
    std::fill_n(slot.v.data, slot.v.size(), static_cast<float>(slot.offset + 100));
  }
  write_parameters(from, kMoments, path_);
  EXPECT_EQ(SafetensorsFile(path_).entries().size(), 8u);
  Model target(2);
  Parameters& to = target.parameters;
  const std::vector<float> values = target.values();
  read_parameters(to, kMoments, path_);
  EXPECT_EQ(target.plane(to.m()), source_.plane(from.m()));
  EXPECT_EQ(target.plane(to.v()), source_.plane(from.v()));
  EXPECT_EQ(target.values(), values);

  const PlaneName clashing[] = {{"", StoredPlane::m}, {"", StoredPlane::v}};
  EXPECT_THROW(write_parameters(from, clashing, path_), Error);
}

TEST_F(ParameterFile, MissingAndUnexpectedTensors) {
  const std::string keep = "\n  expected: each tensor of the model, and no other\n  hint: ";
  const std::string config = "does the model's config belong to this file?";
  std::vector<Stored> tensors = stored();

  tensors.erase(tensors.begin());
  write(tensors);
  EXPECT_EQ(error_of_read(), path_ + ": missing tensor 'embed.weight'" + keep + config);
  tensors.erase(tensors.begin());
  write(tensors);
  EXPECT_EQ(error_of_read(), path_ + ": missing tensor 'embed.weight' and 1 more" + keep + config);

  tensors = stored();
  tensors[3].name = "norm.wieght";
  write(tensors);
  EXPECT_EQ(error_of_read(),
            path_ + ": unexpected tensor 'norm.wieght'" + keep + "did you mean 'norm.weight'?");

  tensors = stored();
  tensors.push_back({"norm.bias", {1, 2}, {2}});
  tensors.push_back({"", {1, 2}, {2}});
  write(tensors);
  EXPECT_EQ(error_of_read(), path_ + ": unexpected tensor '' and 1 more" + keep + config);

  std::filesystem::remove(path_);
  EXPECT_TRUE(error_of_read().starts_with(path_));
}

// The last tensor that is read must be checked before the first one is changed.
TEST_F(ParameterFile, WrongShapesAndDtypes) {
  std::vector<Stored> tensors = stored();
  tensors[3].shape = {1, 2};
  write(tensors);
  EXPECT_EQ(error_of_read(),
            path_ + ": tensor 'norm.weight': wrong shape\n  expected: [2]\n  got: [1, 2]");
  tensors[3] = {"norm.weight", {1, 2, 3}, {3}};
  write(tensors);
  EXPECT_EQ(error_of_read(),
            path_ + ": tensor 'norm.weight': wrong shape\n  expected: [2]\n  got: [3]");

  write(stored());
  std::string bytes = read_file(path_);
  const size_t norm = bytes.find("\"norm.weight\"");
  bytes.replace(bytes.find("F32", norm), 3, "I32");
  write_file(path_, bytes);
  EXPECT_EQ(
      error_of_read(),
      path_ +
          ": tensor 'norm.weight': wrong dtype\n  expected: F32, F16, BF16 or Q8_0\n  got: I32");
}

TEST_F(ParameterFile, AcceptsTiedCopiesAndRopeFrequencies) {
  std::vector<Stored> tensors = stored();
  Stored head = tensors[0];
  head.name = "head.weight";
  tensors.push_back(head);
  tensors.push_back({"model.layers.0.self_attn.rotary_emb.inv_freq", {1.0f, 0.5f}, {2}});
  write(tensors);
  EXPECT_EQ(error_of_read(), "no error");

  tensors[4].values[5] += 1.0f;
  write(tensors);
  EXPECT_TRUE(error_of_read().starts_with(path_ + ": tensor 'head.weight': tied tensors differ\n"
                                                  "  expected: the values of 'embed.weight'"))
      << error_of_read();
  tensors[4].shape = {2, 3};
  write(tensors);
  EXPECT_TRUE(error_of_read().starts_with(path_ + ": tensor 'head.weight': wrong shape"));

  // The same numbers in another form.
  const std::vector<float> exact = {1, 2, -3, 0.5, 0, 4};
  std::ranges::copy(exact, source_.parameters.find("embed.weight")->mutable_value().data);
  tensors[0].values = tensors[4].values = exact;
  tensors[4].shape = tensors[0].shape;
  write(tensors, NumberFormat::bf16);
  EXPECT_EQ(error_of_read(), "no error");

  // The tied tensor under its other name alone.
  tensors = stored();
  tensors[0].name = "head.weight";
  write(tensors);
  EXPECT_EQ(error_of_read(), "no error");
}

// As files of a model without its head have them.
TEST_F(ParameterFile, NamesWithoutTheModelsOwn) {
  const auto model = random_model(exchange_shapes().at("tied"));
  const auto write_without = [&](const std::string& more) {
    std::vector<TensorSource> tensors;
    for (const Parameter& slot : model->parameters().slots()) {
      EXPECT_TRUE(slot.name.starts_with("model."));
      tensors.push_back({slot.name.substr(6), slot.value});
    }
    if (!more.empty())
      tensors.push_back({more, model->parameters().find("model.norm.weight")->value});
    write_safetensors(path_, tensors);
  };
  write_without("");
  Llama back(model->config(), Precision::fp32, Planes::none);
  read_parameters(back.parameters(), kValues, path_);
  for (const Parameter& slot : model->parameters().slots()) {
    EXPECT_TRUE(std::equal(slot.value.data, slot.value.data + slot.value.size(),
                           back.parameters().find(slot.name)->value.data))
        << slot.name;
  }
  write_without("model.norm.weight");
  EXPECT_NO_THROW(read_parameters(back.parameters(), kValues, path_));
  write_without("norm.bias");
  EXPECT_THROW(read_parameters(back.parameters(), kValues, path_), Error);
}

}  // namespace
}  // namespace cria
