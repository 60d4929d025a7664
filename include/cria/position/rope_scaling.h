// How RoPE's frequencies are changed for sequences longer than a model was first trained on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cria {

// The keys and defaults of Hugging Face's rope_scaling.
struct RopeScaling {
  std::string rope_type = "default";             // one of rope_types()
  double factor = 1.0;                           // s: how many times as long
  int64_t original_max_position_embeddings = 0;  // Lo; 0: max_position_embeddings
  double low_freq_factor = 1.0;                  // llama3
  double high_freq_factor = 4.0;                 // llama3
  double beta_fast = 32.0;                       // yarn
  double beta_slow = 1.0;                        // yarn
  bool truncate = true;                          // yarn
  double attention_factor = 0.0;                 // yarn; 0: from factor, or from the two below
  double mscale = 0.0;                           // yarn; 0: not given
  double mscale_all_dim = 0.0;                   // yarn; 0: not given

  bool operator==(const RopeScaling&) const = default;
};

// "default", "linear", "dynamic", "yarn", "llama3"
const std::vector<std::string>& rope_types();

// The frequencies [head_dim/2], in radians per position, of a model made for max_positions and a
// sequence of `length`, on which only "dynamic" depends. original_max_position_embeddings is given.
// Sources: linear: Chen et al., 2023; yarn: Peng et al., 2023; llama3: Llama 3.1's own code; all of
// them, and dynamic, as in Hugging Face's modeling_rope_utils.
std::vector<double> rope_frequencies(const RopeScaling& scaling, int64_t head_dim, double theta,
                                     int64_t max_positions, int64_t length);

// What cosines and sines are multiplied by: 1 but for yarn.
double rope_attention_factor(const RopeScaling& scaling);

}  // namespace cria
