// Statistics of tables against NumPy's SVD and SciPy (tests/golden/diagnostics.py), and by hand.
#include "inspect/table_statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "inspect/symmetric_eigen.h"
#include "support/errors.h"
#include "support/golden.h"
#include "support/random.h"
#include "support/threads.h"

namespace cria {
namespace {

FrequencyDeciles deciles_of(const std::vector<int32_t>& counts) {
  return FrequencyDeciles(std::vector<int64_t>(counts.begin(), counts.end()));
}

// The statistics of the two made too.
TableAlignment alignment_of(const ConstTensor& a, const ConstTensor& b,
                            const FrequencyDeciles& deciles) {
  return table_alignment(a, table_statistics(a, deciles).centred_scatter, b,
                         table_statistics(b, deciles).centred_scatter, deciles);
}

void expect_near(double got, double want, double relative, const std::string& what) {
  EXPECT_NEAR(got, want, relative * std::abs(want)) << what;
}

void expect_statistics(const Golden& golden, const std::string& name, const std::string& table) {
  const std::string key = name + "." + table;
  std::vector<float> values = golden.floats(key);
  const TableStatistics s = table_statistics(golden.shaped(key, values.data()),
                                             deciles_of(golden.ints(name + ".counts")));
  const Json want = golden.setting(key);
  const auto number = [&](const char* what) { return want.find(what)->as_double(what); };
  const Json::Array& norms = want.find("norms")->as_array(key);
  for (int d = 0; d < FrequencyDeciles::kGroups; ++d) {
    if (norms[d].is_null()) {
      EXPECT_TRUE(std::isnan(s.norms.mean(d))) << key << d;
    } else {
      expect_near(s.norms.mean(d), norms[d].as_double(key), 1e-12, key + " norms");
    }
  }
  expect_near(s.mean_norm, number("mean_norm"), 1e-12, key);
  expect_near(s.mean_vector_norm, number("mean_vector_norm"), 1e-12, key);
  expect_near(s.mean_cosine, number("mean_cosine"), 1e-12, key);
  // c.w is a product of the kernels, in fp32: its error stands in the exponent.
  expect_near(s.isotropy, number("isotropy"), 1e-4, key + " isotropy");
  expect_near(s.isotropy_centred, number("isotropy_centred"), 1e-5, key + " centred");
  // A singular value of 0 is the root of an eigenvalue of 1e-16 of the largest.
  expect_near(s.effective_rank, number("effective_rank"), 1e-6, key + " rank");
  const Json::Array& singular = want.find("singular_values")->as_array(key);
  ASSERT_EQ(s.singular_values.size(), singular.size());
  for (size_t i = 0; i < singular.size(); ++i) {
    // As above, of the largest.
    EXPECT_NEAR(s.singular_values[i], singular[i].as_double(key), 1e-7 * s.singular_values[0]);
  }
  expect_near(s.top_share, number("top_share"), 1e-12, key);
  expect_near(s.top_ten_share, number("top_ten_share"), 1e-12, key);
}

TEST(TableStatistics, AgreeWithNumPy) {
  const Golden golden("tables");
  for (const char* const name : {"tall", "wide"}) {
    expect_statistics(golden, name, "a");
    expect_statistics(golden, name, "b");
  }
}

TEST(TableAlignment, AgreesWithNumPy) {
  const Golden golden("tables");
  for (const std::string name : {"tall", "wide"}) {
    std::vector<float> a = golden.floats(name + ".a"), b = golden.floats(name + ".b");
    const TableAlignment alignment =
        alignment_of(golden.shaped(name + ".a", a.data()), golden.shaped(name + ".b", b.data()),
                     deciles_of(golden.ints(name + ".counts")));
    const Json want = golden.setting(name + ".alignment");
    const auto number = [&](const char* what) { return want.find(what)->as_double(what); };
    expect_near(alignment.cosine, number("cosine"), 1e-12, name);
    expect_near(alignment.linear_cka, number("linear_cka"), 1e-12, name);
    expect_near(alignment.shared_neighbors, number("shared_neighbors"), 1e-12, name);
  }
}

// A table with itself, turned and scaled: the same geometry, other rows.
TEST(TableAlignment, OfATurnedTable) {
  constexpr int64_t kRows = 60, kColumns = 2;
  std::vector<float> a = normal_values(kRows * kColumns, "a"), b(a.size());
  for (int64_t i = 0; i < kRows; ++i) {
    b[2 * i] = -4 * a[2 * i + 1];
    b[2 * i + 1] = 4 * a[2 * i];
  }
  const std::vector<int64_t> counts(kRows, 1);
  const TableAlignment alignment =
      alignment_of(ConstTensor(a.data(), {kRows, kColumns}),
                   ConstTensor(b.data(), {kRows, kColumns}), FrequencyDeciles(counts));
  EXPECT_NEAR(alignment.cosine, 0, 1e-12);
  EXPECT_NEAR(alignment.linear_cka, 1, 1e-12);
  EXPECT_EQ(alignment.shared_neighbors, 1);
}

// Longer than the chunks and tiles of any part.
TEST(TableStatistics, TheSameBitsWithAnyNumberOfThreads) {
  constexpr int64_t kRows = 2500, kColumns = 70;
  const std::vector<float> a = normal_values(kRows * kColumns, "a", 0.1);
  const std::vector<float> b = normal_values(kRows * kColumns, "b", 0.1);
  const ConstTensor first(a.data(), {kRows, kColumns}), second(b.data(), {kRows, kColumns});
  std::vector<int64_t> counts(kRows);
  std::iota(counts.begin(), counts.end(), 0);
  const FrequencyDeciles deciles(counts);
  TableStatistics statistics;
  TableAlignment alignment;
  for (const int threads : {1, 2, 3}) {
    const ThreadCount scope(threads);
    const TableStatistics s = table_statistics(first, deciles);
    const TableAlignment both = alignment_of(first, second, deciles);
    if (threads == 1) {
      statistics = s;
      alignment = both;
    }
    EXPECT_EQ(s, statistics) << threads << " threads";
    EXPECT_EQ(both, alignment) << threads << " threads";
  }
  EXPECT_GT(statistics.isotropy_centred, 0.5) << "of normal numbers";
  EXPECT_NEAR(statistics.effective_rank, kColumns, 1);
}

TEST(TableStatistics, WhatIsNotFiniteGivesNan) {
  std::vector<float> values = normal_values(12, "x");
  values[5] = NAN;
  const std::vector<int64_t> counts(4, 1);
  const TableStatistics s =
      table_statistics(ConstTensor(values.data(), {4, 3}), FrequencyDeciles(counts));
  for (const double value : {s.mean_norm, s.isotropy, s.effective_rank, s.top_share}) {
    EXPECT_TRUE(std::isnan(value));
  }
}

TEST(TableStatistics, Errors) {
  const std::vector<float> values(12);
  const FrequencyDeciles deciles(std::vector<int64_t>(4, 1));
  const ConstTensor table(values.data(), {4, 3});
  EXPECT_TRUE(contains(error_of([&] {
                         table_statistics(ConstTensor(values.data(), {3, 4}), deciles);
                       }),
                       "table statistics"));
  EXPECT_TRUE(contains(error_of([&] {
                         alignment_of(table, ConstTensor(values.data(), {4, 2}), deciles);
                       }),
                       "table alignment"));
}

TEST(FrequencyDeciles, EqualNumbersOfIds) {
  std::vector<int64_t> counts(25, 7);  // of equals the lowest first
  counts[3] = 0;
  counts[20] = 90;
  const FrequencyDeciles deciles(counts);
  EXPECT_EQ(deciles.group(20), 0);
  EXPECT_EQ(deciles.group(0), 0);
  EXPECT_EQ(deciles.group(3), FrequencyDeciles::kUnseen);
  EXPECT_EQ(deciles.group(24), 9);
  EXPECT_EQ(deciles.ranked().size(), 24u);
  GroupMeans sizes;
  for (int64_t id = 0; id < 25; ++id) sizes.add(deciles.group(id), 2.5);
  for (int d = 0; d < kDeciles; ++d) {
    EXPECT_TRUE(sizes.count(d) == 2 || sizes.count(d) == 3) << d;
    EXPECT_EQ(sizes.mean(d), 2.5);
  }
  EXPECT_EQ(sizes.count(FrequencyDeciles::kUnseen), 1);
  EXPECT_TRUE(std::isnan(GroupMeans().mean(0)));
}

TEST(SymmetricEigen, AgreesWithNumPy) {
  const Golden golden("tables");
  const std::vector<float> values = golden.floats("symmetric");
  const int64_t n = golden.shape("symmetric")[0];
  const std::vector<double> a(values.begin(), values.end());
  const SymmetricEigen eigen = symmetric_eigen(a, n);
  const Json want = golden.setting("symmetric");
  for (int64_t k = 0; k < n; ++k) {
    EXPECT_NEAR(eigen.values[k], want.as_array("symmetric")[k].as_double("symmetric"), 1e-12);
  }
  // A v = lambda v, and the vectors are orthonormal.
  for (int64_t k = 0; k < n; ++k) {
    const double* const v = &eigen.vectors[k * n];
    for (int64_t i = 0; i < n; ++i) {
      EXPECT_NEAR(std::inner_product(v, v + n, &a[i * n], 0.0), eigen.values[k] * v[i], 1e-12);
      EXPECT_NEAR(std::inner_product(v, v + n, &eigen.vectors[i * n], 0.0), i == k, 1e-13);
    }
  }
}

TEST(SymmetricEigen, SmallAndDegenerate) {
  EXPECT_EQ(symmetric_eigen({}, 0).values.size(), 0u);
  EXPECT_EQ(symmetric_eigen({-3}, 1).values, std::vector<double>{-3});
  EXPECT_EQ(symmetric_eigen({2, 0, 0, 5}, 2).values, (std::vector<double>{5, 2}));
  EXPECT_EQ(symmetric_eigen(std::vector<double>(9), 3).values, std::vector<double>(3));
  const SymmetricEigen ones = symmetric_eigen(std::vector<double>(16, 1.0), 4);
  EXPECT_NEAR(ones.values[0], 4, 1e-14);
  EXPECT_NEAR(ones.values[1], 0, 1e-14);
  EXPECT_TRUE(std::isnan(symmetric_eigen({1, NAN, NAN, 1}, 2).values[0]));
}

}  // namespace
}  // namespace cria
