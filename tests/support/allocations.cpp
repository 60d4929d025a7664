#include "support/allocations.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include <atomic>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CRIA_OWN_MALLOC 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CRIA_OWN_MALLOC 0
#endif
#endif
#ifndef CRIA_OWN_MALLOC
#ifdef __GLIBC__
#define CRIA_OWN_MALLOC 1
#else
#define CRIA_OWN_MALLOC 0
#endif
#endif

namespace cria {
namespace {

std::atomic<int64_t> count{0}, live{0};
// How many more succeed, where some are to fail; negative: the next fails.
std::atomic<int64_t> until_failure{0};
std::atomic<Failing> failing{Failing::none};
std::atomic<bool> failed{false};

#if CRIA_OWN_MALLOC

// Whether this allocation may succeed.
bool may_succeed() {
  ++count;
  if (failing == Failing::none || --until_failure >= 0) return true;
  if (failing == Failing::one && failed.exchange(true)) return true;
  failed = true;
  return false;
}

void* counted(void* memory) {
  if (memory) ++live;
  return memory;
}

#endif

}  // namespace

bool allocations_are_counted() {
  return CRIA_OWN_MALLOC;
}
int64_t allocations() {
  return count;
}

int64_t live_allocations() {
  return live;
}

void fail_allocations(Failing which, int64_t succeed_before) {
  until_failure = succeed_before;
  failed = false;
  failing = which;
}

bool stop_failing_allocations() {
  failing = Failing::none;
  return failed;
}

}  // namespace cria

#if CRIA_OWN_MALLOC

// glibc lets a program define malloc and keeps its own under these names.
extern "C" {

void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
void __libc_free(void*);

void* malloc(size_t size) noexcept {
  return cria::may_succeed() ? cria::counted(__libc_malloc(size)) : nullptr;
}

void* calloc(size_t items, size_t size) noexcept {
  return cria::may_succeed() ? cria::counted(__libc_calloc(items, size)) : nullptr;
}

void* realloc(void* memory, size_t size) noexcept {
  if (!cria::may_succeed()) return nullptr;
  return memory ? __libc_realloc(memory, size) : cria::counted(__libc_malloc(size));
}

void* memalign(size_t alignment, size_t size) noexcept {
  return cria::may_succeed() ? cria::counted(__libc_memalign(alignment, size)) : nullptr;
}

void* aligned_alloc(size_t alignment, size_t size) noexcept {
  return memalign(alignment, size);
}

int posix_memalign(void** memory, size_t alignment, size_t size) noexcept {
  *memory = memalign(alignment, size);
  return *memory ? 0 : ENOMEM;
}

void free(void* memory) noexcept {
  if (memory) --cria::live;
  __libc_free(memory);
}

}  // extern "C"

#endif
