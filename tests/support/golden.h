// Golden files: float64 results of PyTorch, stored as fp32 (see tests/golden/README.md).
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "cria/base/json.h"
#include "cria/tensor/parameters.h"
#include "io/safetensors.h"

namespace cria {

class Golden {
 public:
  explicit Golden(const std::string& name)
      : file_(std::string(CRIA_SOURCE_DIR) + "/tests/golden/" + name + ".safetensors") {}

  bool has(const std::string& name) const { return file_.find(name) != nullptr; }

  const std::vector<int64_t>& shape(const std::string& name) const {
    return file_.find(name)->shape;
  }

  std::vector<float> floats(const std::string& name) const {
    std::vector<float> values(size(name));
    file_.read(name, shaped(name, values.data()));
    return values;
  }
  std::vector<int32_t> ints(const std::string& name) const {
    EXPECT_EQ(file_.find(name)->dtype, "I32") << file_.path() << ": " << name;
    std::vector<int32_t> values(size(name));
    std::memcpy(values.data(), file_.find(name)->bytes.data(), values.size() * sizeof(int32_t));
    return values;
  }

  // The tensor's elements in `values`, in its own shape.
  Tensor shaped(const std::string& name, float* values) const {
    const std::vector<int64_t>& shape = file_.find(name)->shape;
    Tensor view(values, {});
    view.rank = static_cast<int>(shape.size());
    int64_t stride = 1;
    for (int axis = view.rank; axis-- > 0;) {
      view.shape[axis] = shape[axis];
      view.strides[axis] = stride;
      stride *= shape[axis];
    }
    return view;
  }

  // A setting: the metadata holds JSON values. null when there is none of that name.
  Json find_setting(const std::string& key) const {
    for (const auto& [name, text] : file_.metadata()) {
      if (name == key) return Json::parse(text, file_.path() + ": " + key);
    }
    return {};
  }
  Json setting(const std::string& key) const {
    Json value = find_setting(key);
    EXPECT_FALSE(value.is_null()) << file_.path() << " has no setting " << key;
    return value;
  }
  double number(const std::string& key) const { return setting(key).as_double(key); }
  int64_t integer(const std::string& key) const { return setting(key).as_int(key); }
  bool flag(const std::string& key) const { return setting(key).as_bool(key); }

 private:
  size_t size(const std::string& name) const {
    size_t product = 1;
    for (const int64_t dimension : file_.find(name)->shape) {
      product *= static_cast<size_t>(dimension);
    }
    return product;
  }

  SafetensorsFile file_;
};

// |got - want| <= relative |want|, both as vectors (2-norm).
inline void expect_near_norm(const ConstTensor& got, const std::vector<float>& want,
                             double relative, const std::string& what) {
  ASSERT_EQ(got.size(), static_cast<int64_t>(want.size())) << what;
  double difference = 0, norm = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    const double d = static_cast<double>(got.data[i]) - want[i];
    difference += d * d;
    norm += static_cast<double>(want[i]) * want[i];
  }
  // Written so that NaN fails.
  EXPECT_TRUE(std::sqrt(difference) <= relative * std::sqrt(norm))
      << what << ": off by " << std::sqrt(difference) << ", norm " << std::sqrt(norm);
}

// Sets every parameter from the tensor of its name, without `prefix` (a layer's place in a model).
inline void set_parameters(Parameters& parameters, const Golden& golden,
                           const std::string& prefix = "") {
  for (Parameter& slot : parameters.slots()) {
    const std::string name = slot.name.substr(prefix.size());
    const std::vector<float> values = golden.floats(name);
    ASSERT_EQ(static_cast<int64_t>(values.size()), slot.value.size()) << slot.name;
    std::copy(values.begin(), values.end(), slot.mutable_value().data);
  }
}

inline void load_parameters(Parameters& parameters, const Golden& golden,
                            const std::string& prefix = "") {
  parameters.allocate();
  set_parameters(parameters, golden, prefix);
}

}  // namespace cria
