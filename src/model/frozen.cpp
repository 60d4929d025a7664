#include "model/frozen.h"

#include <string_view>

namespace cria {
namespace {

constexpr std::string_view kLayers = "model.layers.";

// The block that a parameter belongs to; -1 for those of no block.
int64_t block_of(const Parameter& parameter) {
  if (!std::string_view(parameter.name).starts_with(kLayers)) return -1;
  return std::atoll(parameter.name.c_str() + kLayers.size());
}

}  // namespace

// They are in the order of forward.
int64_t lowest_trained_block(const Parameters& parameters, int64_t blocks) {
  bool above = false;  // the blocks
  for (const Parameter& slot : parameters.slots()) {
    const int64_t block = block_of(slot);
    above = above || block >= 0;
    if (!slot.frozen) return block >= 0 ? block : above ? blocks : -1;
  }
  return blocks;
}

// A frozen matrix saves the gradient of its weight, one of a product's three parts; a block below
// the lowest that is trained saves that of its input too. Projections of relative tables are not
// counted, as there.
double training_flops_per_token(const ModelConfig& config, const Parameters& parameters,
                                int64_t sequence_length) {
  const double head =
      6 * static_cast<double>(config.hidden_size) * static_cast<double>(config.vocab_size);
  double flops = training_flops_per_token(config, sequence_length);
  const double block = (flops - head) / static_cast<double>(config.num_hidden_layers);
  const int64_t lowest = lowest_trained_block(parameters, config.num_hidden_layers);
  if (lowest > 0) flops -= static_cast<double>(lowest) * block * 2 / 3;
  for (const Parameter& slot : parameters.slots()) {
    if (!slot.frozen || slot.kind != ParameterKind::matrix || block_of(slot) < lowest) continue;
    if (slot.name.find("_proj.") != slot.name.npos && slot.name.find(".pos_") == slot.name.npos &&
        slot.name.find(".r_proj.") == slot.name.npos) {
      flops -= 2 * static_cast<double>(slot.value.size());
    }
  }
  const Parameter* const table = parameters.find("lm_head.weight");
  if (table && table->frozen) flops -= head / 3;
  return flops;
}

}  // namespace cria
