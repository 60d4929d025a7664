// All learned tensors of a model: register them in forward order, allocate once, then each is a
// view into four contiguous planes (value, grad, and AdamW's m and v).
#pragma once

#include <array>
#include <deque>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cria/tensor/arena.h"
#include "cria/tensor/tensor.h"
#include "cria/tensor/touched_rows.h"

namespace cria {

// What optimizer and initialisation need to know about a tensor.
enum class ParameterKind { matrix, embedding, norm, bias };

// How a tensor starts: N(0, std^2) from a stream named after it, or a constant when std is 0.
struct Initialization {
  double std = 0.0;
  float constant = 0.0f;
  int64_t zero_row = -1;  // this row is zeroed afterwards (padding_idx)
};

struct Parameter {
  std::string name;  // Hugging Face's
  ParameterKind kind;
  Initialization initialization;
  // The same shape; null data until Parameters::allocate.
  ConstTensor value;  // mutable_value() is the way to change it
  Tensor grad, m, v;
  int64_t offset = 0;   // of the first element in each plane
  int64_t version = 0;  // of the values: another number after each mutable_value(), never a smaller

  // Both are set, if at all, by the layer that registers the parameter, before there is an
  // optimizer.
  bool frozen = false;  // no gradient; the optimizer leaves it alone
  // The rows that a sparse gradient has; null: the gradient is dense.
  std::unique_ptr<TouchedRows> touched = nullptr;

  // The values, to be changed before the next pass: the pass will not use what an earlier one
  // packed. To be called again for every later change. Not by several threads at once.
  Tensor mutable_value();
};

struct ParameterSpec {
  std::string name;
  std::vector<int64_t> shape;  // rank 1 or 2
};

// The planes that there is memory for.
enum class Planes {
  none,   // shapes only, until allocate()
  value,  // to use a model, not to train it
  all,
  // All of them, but m and v take memory only where they are written to: of what one of several
  // processes updates.
  sharded,
};

// A stretch of every plane.
struct PlaneRange {
  int64_t offset, count;
};

class Parameters {
 public:
  // The returned reference stays valid for the life of this object. Error for a name that is there
  // already, and unless each dimension is at least 1.
  Parameter& add(const ParameterSpec& spec, ParameterKind kind, const Initialization& init);

  // Neighbours without a gap, so that together they are one matrix of all their rows.
  std::vector<Parameter*> add_group(std::span<const ParameterSpec> specs, ParameterKind kind,
                                    const Initialization& init);

  // Another name for the same storage (tied weights). It is not counted, moved or stored twice.
  void alias(const std::string& name, Parameter& target);

  void allocate(Planes planes = Planes::all);
  void initialize(uint64_t seed);
  void zero_gradients();  // and forgets which rows were touched

  // All parameters in the order of their registration; aliases are not slots.
  const std::deque<Parameter>& slots() const { return slots_; }
  std::deque<Parameter>& slots() { return slots_; }
  // Slot or alias; nullptr when unknown.
  Parameter* find(std::string_view name);
  const Parameter* find(std::string_view name) const;
  int64_t count() const;  // learned numbers, each once

  // The planes, padding between slots included (always zero); null where there is no memory.
  int64_t plane_size() const { return plane_size_; }
  const float* value() const { return planes_[0]; }
  float* mutable_value();  // of all parameters, see Parameter
  float* grad() { return planes_[1]; }
  const float* grad() const { return planes_[1]; }
  float* m() { return planes_[2]; }
  float* v() { return planes_[3]; }

  // Where m and v are this process's to keep; everywhere unless set. Elsewhere they become zero, if
  // sharded, and give their memory back.
  std::span<const PlaneRange> moments() const { return moments_; }
  void set_moments(std::vector<PlaneRange> ascending);

 private:
  void place(const ParameterSpec& spec, ParameterKind kind, const Initialization& init);

  std::deque<Parameter> slots_;
  std::vector<std::pair<std::string, Parameter*>> aliases_;
  int64_t plane_size_ = 0;
  AlignedBytes memory_, sharded_;  // sharded_: m and v, if they are apart
  std::array<float*, 4> planes_{};
  std::vector<PlaneRange> moments_;
};

// The view over neighbours registered by add_group: [sum of rows, columns] for matrices, [sum] for
// vectors; of their values or their gradients.
template <class View>
View fused(std::span<Parameter* const> group, View Parameter::*plane) {
  const View& first = group.front()->*plane;
  int64_t length = 0;
  for (const Parameter* member : group) length += (member->*plane).shape[0];
  return first.rank == 1 ? View(first.data, {length}) : View(first.data, {length, first.shape[1]});
}

}  // namespace cria
