// That a backward pass has told the truth of which gradients are complete.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "cria/model/llama.h"
#include "support/compare.h"

namespace cria {

// For one pass: listen() is its complete_from.
class CompletionCheck {
 public:
  explicit CompletionCheck(const Llama& model)
      : model_(&model),
        seen_(static_cast<size_t>(model.parameters().plane_size())),
        open_(model.parameters().plane_size()) {}

  std::function<void(int64_t)> listen() {
    return [this](int64_t from) {
      EXPECT_LE(from, open_);
      const float* const gradient = model_->parameters().grad();
      std::copy(gradient + from, gradient + open_, seen_.begin() + from);
      open_ = from;
      ++calls_;
    };
  }

  // After the pass: nothing has changed since, and it was told layer by layer.
  void expect_complete() const {
    EXPECT_EQ(open_, 0);
    EXPECT_GE(calls_, model_->config().num_hidden_layers + 2);
    const float* const gradient = model_->parameters().grad();
    EXPECT_TRUE(same_bits(seen_, {gradient, gradient + seen_.size()}));
  }

 private:
  const Llama* model_;
  std::vector<float> seen_;
  int64_t open_, calls_ = 0;
};

}  // namespace cria
