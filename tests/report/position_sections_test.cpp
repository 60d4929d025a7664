// The pages about positions: whole, small, the same again; every encoding has its place.
#include "report/position_sections.h"

#include <gtest/gtest.h>

#include "support/errors.h"
#include "support/well_formed.h"

namespace cria {
namespace {

TEST(PositionSections, EveryEncodingIsSideBySide) {
  const std::string page = make_position_report();
  EXPECT_EQ(MarkupCheck::fault(page), "");
  EXPECT_EQ(page, make_position_report());
  EXPECT_LT(page.size(), 1000u * 1000);
  for (const std::string& name : position_names()) {
    EXPECT_TRUE(contains(page, "<h2>" + name + ": ")) << name;
    EXPECT_TRUE(contains(page, "<figcaption>" + name + ": ")) << name;
  }
  for (const std::string& type : rope_types()) {
    EXPECT_TRUE(contains(page, "<span>" + type + "</span>")) << type;
  }
}

// A page of a model of each kind, and of a text whose tokens are hostile.
TEST(PositionSections, OfAModelAndAText) {
  for (const std::string& name : position_names()) {
    ModelConfig config;
    config.vocab_size = 3;
    config.hidden_size = 96;
    config.num_hidden_layers = 1;
    config.position = name;
    Llama model(resolved(config, 600, ""));
    model.initialize(1);
    Trace trace;
    trace.ids = {0, 1};
    trace.tokens = {"<b>", "\xff\u202e"};
    const auto rows = [](std::vector<int64_t> shape, float value) {
      return TracedTensor{shape, std::vector<float>(static_cast<size_t>(2 * shape.back()), value)};
    };
    trace.embedded = trace.sum = rows({1, 2, 4}, 1);
    trace.added = rows({1, 2, 4}, name == "learned" ? 0.5f : 0);
    trace.q_before = trace.q = rows({1, 2, 1, 4}, 2);
    Page page("x", {});
    add_positions(page, model);
    add_input_sum(page, trace);
    const std::string html = page.take();
    EXPECT_EQ(MarkupCheck::fault(html), "") << name;
    EXPECT_LT(html.size(), 400u * 1000) << name;
    EXPECT_EQ(contains(html, "token + position = input"), name == "learned");
    EXPECT_FALSE(contains(html, "<b>"));
    EXPECT_TRUE(contains(html, "&lt;b&gt;"));
  }
}

}  // namespace
}  // namespace cria
