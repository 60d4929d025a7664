#include "position/settled.h"

#include <algorithm>

#include "base/number.h"
#include "cria/base/error.h"

namespace cria {
namespace {

class Settler {
 public:
  Settler(PositionConfig& config, const std::string& place) : c_(config), place_(place) {}

  void settle() {
    if (c_.name == "rope") rope();
    if (c_.name == "alibi") require_positive("num_attention_heads", c_.heads);
    if (c_.name == "t5") t5();
    if (c_.name == "deberta") deberta();
    if (c_.name == "sinusoidal" || c_.name == "transformer_xl") {
      require_even("hidden_size", c_.hidden_size, "sines and cosines come in pairs");
    }
  }

 private:
  void rope() {
    if (!(c_.rope_theta >= 1)) {
      fail("rope_theta", "out of range", "at least 1.0", shortest_double(c_.rope_theta));
    }
    require_even("head_dim", c_.head_dim, "rotary position encoding rotates pairs",
                 "choose fewer num_attention_heads, or an even head_dim");
    RopeScaling& scaling = c_.rope_scaling;
    const std::string& type = scaling.rope_type;
    if (std::ranges::find(rope_types(), type) == rope_types().end()) {
      fail("rope_scaling.rope_type", "not a kind of scaling that cria has", one_of(rope_types()),
           "\"" + type + "\"", did_you_mean(type, rope_types()));
    }
    if (type == "default") return;
    if (!(scaling.factor >= 1)) {
      fail("rope_scaling.factor", "sequences do not become shorter", "at least 1.0",
           shortest_double(scaling.factor));
    }
    if (type == "dynamic" && c_.head_dim == 2) {
      fail("head_dim", "dynamic scaling needs a second pair to rotate", "at least 4", "2");
    }
    const bool has_original = type == "llama3" || type == "yarn";
    if (has_original && scaling.original_max_position_embeddings == 0) {
      scaling.original_max_position_embeddings = c_.max_positions;
    }
    if (type == "llama3" && !(scaling.low_freq_factor < scaling.high_freq_factor)) {
      fail("rope_scaling.low_freq_factor", "not below high_freq_factor",
           "less than " + shortest_double(scaling.high_freq_factor),
           shortest_double(scaling.low_freq_factor));
    }
    if (type == "yarn" && !(scaling.beta_slow < scaling.beta_fast)) {
      fail("rope_scaling.beta_slow", "not below beta_fast",
           "less than " + shortest_double(scaling.beta_fast), shortest_double(scaling.beta_slow));
    }
    if (type == "yarn" && !(c_.rope_theta > 1)) {
      fail("rope_theta", "yarn needs frequencies that differ", "more than 1.0",
           shortest_double(c_.rope_theta));
    }
  }

  void t5() {
    const int64_t buckets = c_.relative.num_buckets;
    require_even("relative_attention_num_buckets", buckets,
                 "half of the buckets are for single distances");
    if (c_.relative.max_distance <= buckets / 2) {
      fail("relative_attention_max_distance", "leaves nothing for the other half of the buckets",
           "more than relative_attention_num_buckets / 2 = " + number(buckets / 2),
           number(c_.relative.max_distance));
    }
  }

  void deberta() {
    int64_t& distances = c_.relative.max_relative_positions;
    // The paper's reach.
    constexpr int64_t kReach = 512;
    if (distances == 0) distances = std::min(kReach, c_.max_positions);
    const int64_t buckets = c_.relative.position_buckets;
    if (buckets == 0) return;
    require_even("position_buckets", buckets, "half of the buckets are for single distances");
    if (buckets < 4 || buckets > distances) {
      fail("position_buckets", "no way to share the distances out",
           "0, or 4 to max_relative_positions = " + number(distances), number(buckets));
    }
  }

  void require_positive(const std::string& key, int64_t value) const {
    if (value < 1) fail(key, "out of range", "at least 1", number(value));
  }

  void require_even(const std::string& key, int64_t value, const std::string& summary,
                    const std::string& hint = {}) const {
    require_positive(key, value);
    if (value % 2 != 0) fail(key, summary, "an even number", number(value), hint);
  }

  [[noreturn]] void fail(const std::string& key, const std::string& summary,
                         const std::string& expected, const std::string& got,
                         const std::string& hint = {}) const {
    throw Error(summary, {.where = place_ + key, .expected = expected, .got = got, .hint = hint});
  }

  static std::string number(int64_t value) { return std::to_string(value); }

  PositionConfig& c_;
  const std::string& place_;
};

}  // namespace

PositionConfig settled(PositionConfig config, const std::string& place) {
  Settler(config, place).settle();
  return config;
}

}  // namespace cria
