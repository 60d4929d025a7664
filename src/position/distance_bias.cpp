#include "position/distance_bias.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace cria {

std::vector<double> alibi_slopes(int64_t heads) {
  const auto slope = [](int64_t h, int64_t n) {
    return std::exp2(-8.0 * static_cast<double>(h) / static_cast<double>(n));
  };
  const int64_t power = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(heads)));
  std::vector<double> slopes;
  for (int64_t h = 1; h <= power; ++h) slopes.push_back(slope(h, power));
  for (int64_t h = 1; h <= heads - power; ++h) slopes.push_back(slope(2 * h - 1, 2 * power));
  return slopes;
}

Alibi::Alibi(const PositionConfig& config)
    : Position(config), slopes_(alibi_slopes(config.heads)) {}

void Alibi::on_scores(int64_t, const RelativeTables& tables, int64_t keys) const {
  for (int64_t h = 0; h < config_.heads; ++h) {
    for (int64_t d = tables.filled; d < keys; ++d) {
      tables.bias(h, tables.rows - 1 - d) =
          static_cast<float>(0.0 - slopes_[h] * static_cast<double>(d));
    }
  }
}

// n < buckets / 2:  n
// else              buckets / 2 (1 + ln(n / (buckets / 2)) / ln(max_distance / (buckets / 2)))
int64_t t5_bucket(int64_t distance, int64_t buckets, int64_t max_distance) {
  const int64_t exact = buckets / 2;
  if (distance < exact) return distance;
  const double far = std::log(static_cast<double>(distance) / static_cast<double>(exact)) /
                     std::log(static_cast<double>(max_distance) / static_cast<double>(exact));
  const double bucket = far * static_cast<double>(buckets - exact);
  return std::min(buckets - 1, exact + static_cast<int64_t>(bucket));
}

T5Bias::T5Bias(Parameters& parameters, const PositionConfig& config) : Position(config) {
  if (!config.relative.per_layer) add_table(parameters, "model");
}

void T5Bias::add_layer(Parameters& parameters, int64_t, const std::string& name) {
  if (config_.relative.per_layer) add_table(parameters, name);
}

void T5Bias::add_table(Parameters& parameters, const std::string& name) {
  tables_.push_back(&parameters.add(
      {name + ".relative_attention_bias.weight", {config_.relative.num_buckets, config_.heads}},
      ParameterKind::embedding, {.std = config_.std}));
}

int64_t T5Bias::bucket(int64_t distance) const {
  return t5_bucket(distance, config_.relative.num_buckets, config_.relative.max_distance);
}

void T5Bias::on_scores(int64_t layer, const RelativeTables& tables, int64_t keys) const {
  const ConstTensor& weight = table(layer).value;
  for (int64_t d = tables.filled; d < keys; ++d) {
    const int64_t row = bucket(d);
    for (int64_t h = 0; h < config_.heads; ++h) {
      tables.bias(h, tables.rows - 1 - d) = weight(row, h);
    }
  }
}

// dtable[bucket, h] += sum of dbias(h, d) over the distances of the bucket
void T5Bias::on_scores_backward(int64_t layer, const RelativeTables& tables, int64_t keys) const {
  if (table(layer).frozen) return;
  const Tensor& gradient = table(layer).grad;
  for (int64_t d = 0; d < keys; ++d) {
    const int64_t row = bucket(d);
    for (int64_t h = 0; h < config_.heads; ++h) {
      gradient(row, h) += tables.dbias(0, h, tables.rows - 1 - d);
    }
  }
}

}  // namespace cria
