#include "cria/optim/adamw.h"

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/number.h"
#include "cria/base/error.h"
#include "cria/base/parallel.h"
#include "optim/slices.h"

namespace cria {
namespace {

// One piece's update, and the sum of squares of what it changes. Its parts are whole vectors, so
// that the update has the bits it has in one part.
double update_and_measure(AdamW update) {
  constexpr int64_t kPart = 1024;
  std::array<float, kPart> change;
  double total = 0;
  for (int64_t rest = update.count; rest > 0; rest -= kPart) {
    update.count = std::min(kPart, rest);
    std::copy_n(update.p, update.count, change.data());
    kernels().adamw(update);
    for (int64_t i = 0; i < update.count; ++i) change[i] = update.p[i] - change[i];
    total += kernels().sum_of_squares(update.count, change.data());
    for (float** plane : {&update.p, &update.g, &update.m, &update.v}) *plane += update.count;
  }
  return total;
}

void require(bool possible, const std::string& name, const std::string& expected, double got) {
  if (possible) return;
  throw Error("not possible",
              {.where = "AdamW: " + name, .expected = expected, .got = shortest_double(got)});
}

void require_possible(const AdamWConfig& config) {
  const auto require_beta = [](const std::string& name, double beta) {
    require(beta >= 0 && beta < 1, name, "0 or more, below 1", beta);
  };
  const auto require_factor = [](const std::string& name, double factor) {
    require(factor >= 0, name, "0 or more", factor);
  };
  require_beta("beta1", config.beta1);
  require_beta("beta2", config.beta2);
  require_factor("eps", config.eps);
  require_factor("weight_decay", config.weight_decay);
  for (const ParameterGroup& group : config.groups) {
    const std::string place = "groups." + group.name + ".";
    require_beta(place + "beta1", group.beta1.value_or(config.beta1));
    require_beta(place + "beta2", group.beta2.value_or(config.beta2));
    require_factor(place + "learning_rate_factor", group.learning_rate_factor);
    require_factor(place + "weight_decay_factor", group.weight_decay_factor);
  }
}

}  // namespace

const ParameterGroup* group_of(std::span<const ParameterGroup> groups, const std::string& name) {
  const auto group = std::ranges::find_if(groups, [&](const ParameterGroup& each) {
    return ::fnmatch(each.pattern.c_str(), name.c_str(), 0) == 0;
  });
  return group == groups.end() ? nullptr : &*group;
}

AdamWOptimizer::AdamWOptimizer(Parameters& parameters, const AdamWConfig& config,
                               const Slices* slices)
    : parameters_(&parameters), slices_(slices), config_(config) {
  require_possible(config);
  if (!parameters.m()) {
    throw Error("these parameters have no gradients",
                {.where = "AdamW", .hint = "allocate them with Planes::all"});
  }
  int64_t rows = 0;  // of all tables
  for (size_t index = 0; index < parameters.slots().size(); ++index) {
    Parameter& slot = parameters.slots()[index];
    const bool decays = slot.kind == ParameterKind::matrix ||
                        (slot.kind == ParameterKind::embedding && config.decay_embeddings);
    const ParameterGroup* found = group_of(config.groups, slot.name);
    const ParameterGroup group = found ? *found : ParameterGroup{};
    rules_.push_back({.learning_rate_factor = group.learning_rate_factor,
                      .weight_decay = decays ? config.weight_decay * group.weight_decay_factor : 0,
                      .beta1 = group.beta1.value_or(config.beta1),
                      .beta2 = group.beta2.value_or(config.beta2)});
    if (slot.frozen) continue;
    if (slot.touched) {
      tables_.push_back({&slot, index});
      rows += slot.value.shape[0];
      continue;
    }
    const int64_t size = slot.value.size();
    for (int64_t begin = 0; begin < size; begin += kPiece) {
      pieces_.push_back({slot.offset + begin, std::min(kPiece, size - begin), index});
    }
  }
  squares_.resize(pieces_.size() + rows);
  settings_.resize(rules_.size());
}

template <class Body>
int64_t AdamWOptimizer::for_pieces(Body&& body) const {
  int64_t first = static_cast<int64_t>(pieces_.size());
  compute_for(first, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) body(i, pieces_[i]);
  });
  for (const Table& table : tables_) {
    const std::span<const int32_t> rows = table.parameter->touched->rows();
    const int64_t count = static_cast<int64_t>(rows.size());
    const int64_t columns = table.parameter->value.columns();
    const int64_t grain = std::max<int64_t>(1, kPiece / std::max<int64_t>(1, columns));
    compute_for(count, grain, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t offset = table.parameter->offset + rows[i] * columns;
        body(first + i, Piece{offset, columns, table.slot});
      }
    });
    first += count;
  }
  return first;
}

bool AdamWOptimizer::is_own(const Piece& piece) const {
  return !slices_ || slices_->is_own(piece.offset);
}

double AdamWOptimizer::gradient_norm() {
  const int64_t count = for_pieces([&](int64_t i, const Piece& piece) {
    squares_[i] = is_own(piece)
                      ? kernels().sum_of_squares(piece.count, parameters_->grad() + piece.offset)
                      : 0;
  });
  if (slices_) slices_->ranks().add({squares_.data(), static_cast<size_t>(count)});
  double total = 0;
  for (int64_t i = 0; i < count; ++i) total += squares_[i];
  return std::sqrt(total);
}

void AdamWOptimizer::step(double learning_rate, double gradient_scale,
                          std::span<double> change_squares) {
  ++steps_;
  const double t = static_cast<double>(steps_);
  std::ranges::transform(rules_, settings_.begin(), [&](const Rule& rule) {
    const double rate = learning_rate * rule.learning_rate_factor;
    AdamW settings{};
    settings.grad_scale = static_cast<float>(gradient_scale);
    settings.decay = static_cast<float>(1 - rate * rule.weight_decay);
    settings.beta1 = static_cast<float>(rule.beta1);
    settings.beta2 = static_cast<float>(rule.beta2);
    settings.eps = static_cast<float>(config_.eps);
    settings.step_size = static_cast<float>(rate / (1 - std::pow(rule.beta1, t)));
    settings.v_scale = static_cast<float>(1 / std::sqrt(1 - std::pow(rule.beta2, t)));
    return settings;
  });
  float* const value = parameters_->mutable_value();
  const int64_t count = for_pieces([&](int64_t i, const Piece& piece) {
    if (!is_own(piece)) {
      std::fill_n(parameters_->grad() + piece.offset, piece.count, 0.0f);
      squares_[i] = 0;
      return;
    }
    AdamW update = settings_[piece.slot];
    update.p = value + piece.offset;
    update.g = parameters_->grad() + piece.offset;
    update.m = parameters_->m() + piece.offset;
    update.v = parameters_->v() + piece.offset;
    update.count = piece.count;
    if (change_squares.empty()) {
      kernels().adamw(update);
    } else {
      squares_[i] = update_and_measure(update);
    }
  });
  if (slices_) slices_->share(value);
  if (!change_squares.empty()) {
    if (slices_) slices_->ranks().add({squares_.data(), static_cast<size_t>(count)});
    add_up(change_squares);
  }
  for (const Table& table : tables_) table.parameter->touched->clear();
}

// squares_ of the pieces, in the order of for_pieces.
void AdamWOptimizer::add_up(std::span<double> by_slot) const {
  std::ranges::fill(by_slot, 0.0);
  auto square = squares_.begin();
  for (const Piece& piece : pieces_) by_slot[piece.slot] += *square++;
  for (const Table& table : tables_) {
    for (size_t row = table.parameter->touched->rows().size(); row > 0; --row) {
      by_slot[table.slot] += *square++;
    }
  }
}

double clip_factor(double norm, double max_norm) {
  return max_norm > 0 ? std::min(1.0, max_norm / (norm + 1e-6)) : 1.0;
}

}  // namespace cria
