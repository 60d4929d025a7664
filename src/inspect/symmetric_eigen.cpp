#include "inspect/symmetric_eigen.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "inspect/tensor_chunks.h"

namespace cria {
namespace {

// y[0..count) += a x[0..count)
void add_multiple(int64_t count, double a, const double* x, double* y) {
  for (int64_t i = 0; i < count; ++i) y[i] += a * x[i];
}

// A = Q T Q^T: T is tridiagonal, with `diagonal` and what stands `beside` it; `rows` is Q^T.
struct Tridiagonal {
  std::vector<double> diagonal, beside, rows;
};

// The reflections are H_k = I - beta v v^T, k = 0 .. n - 3; v begins at k + 1.
Tridiagonal tridiagonalize(std::vector<double>& a, int64_t n) {
  Tridiagonal t{std::vector<double>(n), std::vector<double>(n), std::vector<double>(n * n)};
  std::vector<double> vectors(n * n), betas(n), p(n);
  for (int64_t k = 0; k + 2 < n; ++k) {
    const int64_t first = k + 1, count = n - first;
    double* const v = vectors.data() + k * n;
    std::copy_n(a.data() + k * n + first, count, v + first);
    const double norm = std::sqrt(dot(v + first, v + first, count));
    t.beside[k] = v[first] > 0 ? -norm : norm;
    v[first] -= t.beside[k];
    const double squares = dot(v + first, v + first, count);
    betas[k] = squares > 0 ? 2 / squares : 0;
    // A -= v w^T + w v^T with p = beta A v, w = p - (beta p.v / 2) v.
    std::fill(p.begin(), p.end(), 0.0);
    for (int64_t j = first; j < n; ++j) {
      add_multiple(count, betas[k] * v[j], a.data() + j * n + first, p.data() + first);
    }
    const double half = betas[k] * dot(p.data() + first, v + first, count) / 2;
    add_multiple(count, -half, v + first, p.data() + first);
    for (int64_t j = first; j < n; ++j) {
      double* const row = a.data() + j * n + first;
      add_multiple(count, -v[j], p.data() + first, row);
      add_multiple(count, -p[j], v + first, row);
    }
  }
  for (int64_t i = 0; i < n; ++i) t.diagonal[i] = a[i * n + i];
  if (n > 1) t.beside[n - 2] = a[(n - 2) * n + n - 1];
  // Q^T = H_{n-3} ... H_0: from the right, the last first, so that what is still the unit matrix
  // costs nothing.
  for (int64_t i = 0; i < n; ++i) t.rows[i * n + i] = 1;
  for (int64_t k = n - 3; k >= 0; --k) {
    const int64_t first = k + 1, count = n - first;
    const double* const v = vectors.data() + k * n + first;
    for (int64_t i = first; i < n; ++i) {
      double* const row = t.rows.data() + i * n + first;
      add_multiple(count, -betas[k] * dot(row, v, count), v, row);
    }
  }
  return t;
}

// Rows of Q^T turn with the matrix, so that T becomes diagonal.
void diagonalize(Tridiagonal& t, int64_t n) {
  std::vector<double>&d = t.diagonal, &e = t.beside;
  for (int64_t l = 0; l < n; ++l) {
    for (;;) {
      int64_t m = l;
      constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
      while (m + 1 < n && std::abs(e[m]) > kEpsilon * (std::abs(d[m]) + std::abs(d[m + 1]))) ++m;
      if (m == l) break;
      // Wilkinson's shift.
      double g = (d[l + 1] - d[l]) / (2 * e[l]);
      g = d[m] - d[l] + e[l] / (g + std::copysign(std::hypot(g, 1.0), g));
      double sine = 1, cosine = 1, moved = 0;
      int64_t i = m - 1;
      for (; i >= l; --i) {
        const double f = sine * e[i], b = cosine * e[i];
        const double r = std::hypot(f, g);
        e[i + 1] = r;
        if (r == 0) break;
        sine = f / r;
        cosine = g / r;
        const double before = d[i + 1] - moved;
        const double turned = (d[i] - before) * sine + 2 * cosine * b;
        moved = sine * turned;
        d[i + 1] = before + moved;
        g = cosine * turned - b;
        double *lower = t.rows.data() + i * n, *upper = lower + n;
        for (int64_t k = 0; k < n; ++k) {
          const double x = upper[k];
          upper[k] = sine * lower[k] + cosine * x;
          lower[k] = cosine * lower[k] - sine * x;
        }
      }
      e[m] = 0;
      if (i >= l) {  // it fell into two parts on the way
        d[i + 1] -= moved;
        continue;
      }
      d[l] -= moved;
      e[l] = g;
    }
  }
}

}  // namespace

SymmetricEigen symmetric_eigen(std::vector<double> matrix, int64_t n) {
  if (!std::ranges::all_of(matrix, [](double x) { return std::isfinite(x); })) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    return {std::vector<double>(n, nan), std::vector<double>(n * n, nan)};
  }
  Tridiagonal t = tridiagonalize(matrix, n);
  diagonalize(t, n);
  std::vector<int64_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater<>(), [&](int64_t i) { return t.diagonal[i]; });
  SymmetricEigen result;
  for (const int64_t i : order) {
    result.values.push_back(t.diagonal[i]);
    const auto row = t.rows.begin() + i * n;
    result.vectors.insert(result.vectors.end(), row, row + n);
  }
  return result;
}

}  // namespace cria
