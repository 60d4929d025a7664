#include "cria/tensor/parameters.h"

#include <algorithm>
#include <atomic>

#include "cria/base/rng.h"

namespace cria {
namespace {

constexpr int64_t kAlignedFloats = kAlignment / static_cast<int64_t>(sizeof(float));

int64_t align(int64_t floats) {
  return (floats + kAlignedFloats - 1) / kAlignedFloats * kAlignedFloats;
}

Tensor shaped(const std::vector<int64_t>& shape) {
  return shape.size() == 1 ? Tensor(nullptr, {shape[0]}) : Tensor(nullptr, {shape[0], shape[1]});
}

// No two changes have the same number, of whichever model: memory that was planned for one may
// serve another of the same shape.
int64_t next_version() {
  static std::atomic<int64_t> last = 0;
  return ++last;
}

}  // namespace

Tensor Parameter::mutable_value() {
  version = next_version();
  Tensor view = grad;                          // of the same shape
  view.data = const_cast<float*>(value.data);  // allocate() has made it of memory to write to
  return view;
}

void Parameters::place(const ParameterSpec& spec, ParameterKind kind, const Initialization& init) {
  if (find(spec.name)) throw Error("registered twice", {.where = spec.name});
  const bool possible = (spec.shape.size() == 1 || spec.shape.size() == 2) &&
                        std::ranges::all_of(spec.shape, [](int64_t size) { return size > 0; });
  if (!possible) {
    throw_shape_error(spec.name, "one or two dimensions of at least 1", shape_string(spec.shape));
  }
  const Tensor view = shaped(spec.shape);
  slots_.push_back({.name = spec.name,
                    .kind = kind,
                    .initialization = init,
                    .value = view,
                    .grad = view,
                    .m = view,
                    .v = view,
                    .offset = plane_size_});
  plane_size_ += view.size();
}

Parameter& Parameters::add(const ParameterSpec& spec, ParameterKind kind,
                           const Initialization& init) {
  return *add_group({&spec, 1}, kind, init).front();
}

std::vector<Parameter*> Parameters::add_group(std::span<const ParameterSpec> specs,
                                              ParameterKind kind, const Initialization& init) {
  std::vector<Parameter*> group;
  for (const ParameterSpec& spec : specs) {
    place(spec, kind, init);
    group.push_back(&slots_.back());
  }
  plane_size_ = align(plane_size_);
  return group;
}

void Parameters::alias(const std::string& name, Parameter& target) {
  aliases_.emplace_back(name, &target);
}

void Parameters::allocate(Planes planes) {
  if (planes == Planes::none) return;
  const size_t count = planes == Planes::value ? 1 : planes_.size();
  const size_t together = planes == Planes::sharded ? 2 : count;
  const auto bytes = [&](size_t of) {
    return static_cast<int64_t>(of) * plane_size_ * static_cast<int64_t>(sizeof(float));
  };
  memory_ = allocate_aligned(bytes(together), "parameters");
  if (together < count) sharded_ = allocate_untouched(bytes(count - together), "moments");
  for (size_t i = 0; i < count; ++i) {
    planes_[i] = reinterpret_cast<float*>(i < together ? memory_.get() : sharded_.get()) +
                 static_cast<int64_t>(i < together ? i : i - together) * plane_size_;
  }
  moments_ = {{0, plane_size_}};
  constexpr Tensor Parameter::*kViews[] = {&Parameter::grad, &Parameter::m, &Parameter::v};
  for (Parameter& slot : slots_) {
    slot.value.data = planes_[0] + slot.offset;
    for (size_t i = 1; i < count; ++i) (slot.*kViews[i - 1]).data = planes_[i] + slot.offset;
  }
}

void Parameters::set_moments(std::vector<PlaneRange> ascending) {
  moments_ = std::move(ascending);
  if (!sharded_) return;
  int64_t end = 0;
  const auto give_back = [&](int64_t until) {
    for (float* const plane : {m(), v()}) give_back_zeros(plane + end, plane + until);
  };
  for (const PlaneRange& range : moments_) {
    give_back(range.offset);
    end = range.offset + range.count;
  }
  give_back(plane_size_);
}

void Parameters::initialize(uint64_t seed) {
  for (Parameter& slot : slots_) {
    const Initialization& init = slot.initialization;
    const Tensor value = slot.mutable_value();
    if (init.std > 0) {
      // The stream is the tensor's own: adding or tying another tensor changes nothing here.
      fill_normal(value.data, 0, value.size(), init.std, seed, "init/" + slot.name);
    } else {
      std::fill_n(value.data, value.size(), init.constant);
    }
    if (init.zero_row >= 0) std::fill_n(&value(init.zero_row, 0), value.columns(), 0.0f);
  }
}

float* Parameters::mutable_value() {
  const int64_t version = next_version();
  for (Parameter& slot : slots_) slot.version = version;
  return planes_[0];
}

void Parameters::zero_gradients() {
  std::fill_n(grad(), plane_size_, 0.0f);
  for (Parameter& slot : slots_) {
    if (slot.touched) slot.touched->clear();
  }
}

const Parameter* Parameters::find(std::string_view name) const {
  for (const Parameter& slot : slots_) {
    if (slot.name == name) return &slot;
  }
  for (const auto& [alias, target] : aliases_) {
    if (alias == name) return target;
  }
  return nullptr;
}

Parameter* Parameters::find(std::string_view name) {
  return const_cast<Parameter*>(std::as_const(*this).find(name));
}

int64_t Parameters::count() const {
  int64_t total = 0;
  for (const Parameter& slot : slots_) total += slot.value.size();
  return total;
}

}  // namespace cria
