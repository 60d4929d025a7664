// Every inner loop of cria, behind one table of function pointers. One implementation per
// instruction set fills the table; all of them compute the same things.
//
// Conventions: row-major fp32; strides in elements; `rows` is N = B*T. All functions are
// parallel inside, give the same bits for any number of threads, allocate nothing, check nothing
// (the layers have checked the shapes) and do not throw.
// Dimensions: B batch, T time, C hidden_size, H query heads, K kv heads, D head_dim,
// F intermediate_size, V vocabulary.
#pragma once

#include <cstdint>

namespace cria {

// What products are computed from. bf16: the factors are rounded to bf16 (to nearest, ties to even)
// on their way into the product, on every machine, with or without instructions for it. Sums and
// all tensors in memory are fp32 in both.
enum class Precision { fp32, bf16 };

// C[M,N] = A[M,K] B[K,N] + bias[N] + addend[M,N].
// One of A's two strides is 1, and one of B's, so that all three products of a linear layer fit:
//   Y = X W^T, dX = dY W, dW += dY^T X.
struct Gemm {
  int64_t m = 0, n = 0, k = 0;
  const float* a = nullptr;  // [M,K]
  int64_t a_row = 0, a_column = 0;
  const float* b = nullptr;  // [K,N]
  int64_t b_row = 0, b_column = 0;
  float* c = nullptr;  // [M,N], unit column stride
  int64_t c_row = 0;
  const float* addend = nullptr;  // [M,N], unit column stride; null: none; c itself: accumulate
  int64_t addend_row = 0;
  const float* bias = nullptr;  // [N]; null: none
  Precision precision = Precision::fp32;
  const float* b_packed = nullptr;  // what gemm_pack_b made of this B; null: packed on the way

  // What is done with an element of C while it is at hand. Source: GLU Variants (Shazeer, 2020).
  enum class Epilogue {
    none,
    silu_mul,           // C is [M,2F]: gate, then up; other[M,F] = silu(gate) up
    silu_mul_backward,  // C is dout[M,F], used up; other[M,2F] holds gate, up, becomes their
                        // gradient:
                        //   dgate = dout up s (1 + gate (1 - s)),  dup = dout gate s,
                        //   s = sigmoid(gate)
  };
  Epilogue epilogue = Epilogue::none;
  float* other = nullptr;
};

// Which elements of an array dropout keeps: a function of the key and of an element's index, so the
// same for any number of threads and on every machine. Kept elements are multiplied by scale,
// 1 / (1 - rate), the others by 0; the default keeps everything as it is.
// Source: Dropout (Srivastava et al., 2014), scaled in training ("inverted").
struct DropoutMask {
  uint32_t key[4] = {};    // random itself
  int32_t kept = 1 << 24;  // of 2^24 possible draws
  float scale = 1.0f;
};

// out[i] = mask of first + i times x[i] + addend[i]. out may be x or addend.
struct ElementDropout {
  int64_t count;
  int64_t first;  // index of x[0], >= 0
  const float* x;
  const float* addend;  // null: nothing is added
  float* out;
  DropoutMask mask;
};

inline constexpr int64_t kMaxHeadDim = 256;

// What a position encoding adds to the scores. It depends on the offset o = j - i <= 0 of key j
// from query i only, so a table has a row for each offset, never one for each pair:
//   S_ij += scale (q_i . keys[o] + k_j . queries[o]) + bias[o]
// The last row of a table is offset 0, the row before it offset -1, and so on, in the order of the
// keys. Null: no such term.
struct RelativeScores {
  int64_t rows = 0;             // of each table: enough for all keys, a multiple of kRelativeRows
  const float* keys = nullptr;  // [rows, K, D]: of the kv head that the query head reads
  const float* queries = nullptr;  // [rows, H, D]
  const float* bias = nullptr;     // [H, rows]
  float* packed = nullptr;  // scratch [relative_packed_floats] when there are keys or queries
  // From this distance on all rows of keys are equal, and all of queries: whole tiles of such pairs
  // cost no product. Their gradient may stand in any of these rows.
  int64_t uniform_from = INT64_MAX;
};
inline constexpr int64_t kRelativeRows = 96;

// The gradients of the tables, overwritten; each sequence has its own. Null where no one asks.
struct RelativeGradient {
  float* dkeys = nullptr;  // [B, rows, K, D]: scale dS_ij q_i, summed over the pairs of an offset
  float* dqueries = nullptr;  // [B, rows, H, D]: scale dS_ij k_j
  float* dbias = nullptr;     // [B, H, rows]: dS_ij
};

// Causal attention, head by head:
//   S = scale Q K^T + relative,  P = softmax(S),  out = (dropout P) V,
//   log_sum_exp = log of the softmax's denominator
// Query i of a sequence stands at position keys - queries + i and sees the keys up to its own
// position, so the same call serves training (queries == keys) and a KV cache (queries < keys).
// Query head h reads kv head h / (heads / kv_heads).
// Source: FlashAttention (Dao et al., 2022): tiles of scores, never a [T,T] plane.
struct Attention {
  int64_t batch, heads, kv_heads, head_dim;  // head_dim <= kMaxHeadDim
  int64_t queries, keys;                     // per sequence; keys >= queries
  float scale;
  const float* q;            // [B, queries, H, D]: b * q_batch + i * q_row + h * D + d
  const float* k;            // [B, keys, K, D]:    b * kv_batch + j * kv_row + h * D + d
  const float* v;            // as k
  int64_t q_batch, q_row;    //
  int64_t kv_batch, kv_row;  //
  float* out;                // [B, queries, H, D]: b * out_batch + i * out_row + h * D + d
  int64_t out_batch, out_row;
  float* log_sum_exp;  // [B, H, queries]
  RelativeScores relative = {};
  DropoutMask dropout = {};  // of P_ij, which is element ((b H + h) queries + i) keys + j
  // [B, queries]: query i sees the keys from first_key[b queries + i] on. Not decreasing in i,
  // never beyond the query's own position. Null: 0 everywhere.
  const int32_t* first_key = nullptr;
  // The precision of all products; tables of relative keys or queries make it fp32.
  Precision precision = Precision::fp32;
};

// The scratch of a.relative; only its sizes count.
int64_t relative_packed_floats(const Attention& a);

// Gradients of attention_forward. P is recomputed from log_sum_exp.
//   dV = (dropout P)^T dO,  dP = dropout (dO V^T),  dS = P * (dP - rowsum(dO * O)),
//   dQ = scale dS (K + keys),  dK = scale dS^T (Q + queries)
struct AttentionGradient {
  Attention forward;  // as it was called; out holds O
  const float* dout;  // strides as out
  float* dq;          // strides as q; overwritten
  float *dk, *dv;     // strides as k; overwritten, summed over the query heads that share them
  float* delta;       // [B, H, queries], scratch: rowsum(dO O)
  RelativeGradient relative = {};
};

// y[t, h, :] rotated by the angle of position first + t, in pairs (i, i + D/2), in place:
//   x' = x cos a - y sin a,  y' = x sin a + y cos a
// The half-split form; source: RoFormer (Su et al., 2021), layout as in Hugging Face's Llama.
struct Rotary {
  float* x;  // [B, T, heads, D]: b * batch_stride + t * row_stride + h * D + d
  int64_t batch, time, heads, head_dim;
  int64_t batch_stride, row_stride;
  const float *cos, *sin;  // [T, D/2], first row: the first position
  bool inverse;            // rotate by -a: the backward of the rotation
};

// out[n] = scale table[ids[n]].
struct EmbeddingGather {
  int64_t rows, columns;
  const int32_t* ids;  // [N]
  const float* table;  // [V,C]
  float scale;
  float* out;  // [N,C]
};

// dtable[ids[n]] += factor[n] dout[n], in the order of n.
struct EmbeddingScatter {
  int64_t rows, columns;
  const int32_t* ids;   // [N]
  int64_t padding_idx;  // where ids[n] is this, nothing is added; -1: none
  const float* factor;  // [N]; null: scale everywhere
  float scale;
  const float* dout;  // [N,C]
  float* dtable;      // [V,C], accumulated
};

// y = weight * x * r with r = 1 / sqrt(mean(x^2) + eps), per row.
// Source: Root Mean Square Layer Normalization (Zhang & Sennrich, 2019).
struct RmsNormForward {
  int64_t rows, columns;
  const float* x;       // [N,C]
  const float* weight;  // [C]
  float eps;
  float* y;     // [N,C]
  float* rstd;  // [N]: r
};

// With n = x r and s = weight dy:
//   dx = r (s - n mean(s n)) + addend,  dweight += sum over rows of dy n
struct RmsNormBackward {
  int64_t rows, columns;
  const float* x;       // [N,C]
  const float* weight;  // [C]
  const float* rstd;    // [N]
  const float* dy;      // [N,C]; may be dx
  const float* addend;  // [N,C]; null: nothing is added; dx itself: accumulate
  float* dx;            // [N,C]
  float* dweight;       // [C], accumulated
};

// One range of AdamW (Loshchilov & Hutter, 2019, as PyTorch computes it), g scaled first:
//   g = grad_scale g;  p *= 1 - lr weight_decay;  m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2
//   p -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps);  g = 0
struct AdamW {
  float* p;
  float* g;  // zeroed
  float* m;
  float* v;
  int64_t count;
  float grad_scale;
  float decay;              // 1 - lr * weight_decay
  float beta1, beta2, eps;  //
  float step_size;          // lr / (1 - beta1^t)
  float v_scale;            // 1 / sqrt(1 - beta2^t)
};

// No target: the row has no loss. The number is PyTorch's.
inline constexpr int32_t kIgnoredTarget = -100;

// Columns [first, first + columns) of the logits of an output head, whose softmax is taken block by
// block so that no row of them need be in memory at once; and what is known of each row so far.
struct SoftmaxBlock {
  int64_t rows, columns, first;
  float* logits;           // [rows, columns]
  const int32_t* targets;  // [rows]: columns of all logits, or kIgnoredTarget
  float* maximum;          // [rows]
  double* total;           // [rows]: the sum of exp(logit - maximum)
  float* target_logit;     // [rows]
};

struct Kernels {
  const char* isa;
  const char* bf16_products;  // what multiplies numbers rounded to bf16, in a word or two
  // Whether products in bf16 are so fast that logits are sooner computed again than read back.
  bool recomputes_logits;

  void (*gemm)(const Gemm&) noexcept;

  // Packs B once for several products that differ in A and C only (a weight, for all micro-batches
  // of a step). packed: [gemm_packed_b_floats], of use to this instruction set only.
  int64_t (*gemm_packed_b_floats)(const Gemm&) noexcept;
  void (*gemm_pack_b)(const Gemm&, float* packed) noexcept;

  // sum[C] += sum of the rows of x[N,C].
  void (*add_rows_sum)(int64_t rows, int64_t columns, const float* x, float* sum) noexcept;

  void (*embedding_gather)(const EmbeddingGather&) noexcept;
  void (*embedding_scatter_add)(const EmbeddingScatter&) noexcept;

  void (*dropout)(const ElementDropout&) noexcept;

  void (*rms_norm_forward)(const RmsNormForward&) noexcept;
  void (*rms_norm_backward)(const RmsNormBackward&) noexcept;

  void (*rotary)(const Rotary&) noexcept;

  void (*attention_forward)(const Attention&) noexcept;
  void (*attention_backward)(const AttentionGradient&) noexcept;

  // x[N,V] -> softmax of each row, in place.
  void (*softmax)(int64_t rows, int64_t columns, float* x) noexcept;

  // Takes a block into maximum, total and target_logit, which the first block (first == 0) sets.
  // Blocks come in order. Then the loss of a row is log(total) + maximum - target_logit.
  void (*softmax_statistics)(const SoftmaxBlock&) noexcept;
  // Once all blocks have been taken in: logits become their gradient,
  //   gradient_scale (exp(logit - maximum) / total - onehot(target)); 0 where the target is
  //   ignored.
  void (*softmax_gradient)(const SoftmaxBlock&, float gradient_scale) noexcept;

  // Serial: the optimizer cuts the planes into pieces and runs these in parallel.
  void (*adamw)(const AdamW&) noexcept;
  double (*sum_of_squares)(int64_t count, const float* x) noexcept;

  // Serial: rounds of multiply-adds that never leave the registers; the floating-point operations
  // done, so that over time it is the peak of a core.
  double (*multiply_add_loop)(Precision precision, int64_t rounds) noexcept;
};

// The table in use: the best that this machine runs, or the one that the environment variable
// CRIA_ISA names. Throws Error with the list when the machine has no such thing.
const Kernels& kernels();

// Sets aside each thread's packing buffers now, so that no later call allocates. To be called
// again when the number of threads has grown.
void reserve_kernel_memory();

}  // namespace cria
