/* Compresses and decompresses made-up inputs with zstd and prints sizes and checksums.
 * `zstd_main LEVEL...`. Every byte printed depends only on the input, never on time or memory. */
#define ZSTD_STATIC_LINKING_ONLY
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xxhash.h"
#include "zdict.h"
#include "zstd.h"

enum { SIZE = 1 << 19, SAMPLES = 400, DICT = 8192 };

static uint64_t state = 0x9e3779b97f4a7c15u;

static uint32_t next(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 32);
}

static void fill_random(uint8_t *p, size_t n) {
  for (size_t i = 0; i < n; i++) p[i] = (uint8_t)next();
}

static void fill_zeros(uint8_t *p, size_t n) { memset(p, 0, n); }

static void fill_text(uint8_t *p, size_t n) {
  static const char *const words[] = {"the",    "slot",    "of",     "table", "and",   "calls ",
                                      "through", "module", "linker", "is",    "a",     "symbol",
                                      "while",   "running", "code",  "not",   "never", "\n"};
  size_t at = 0;
  while (at < n) {
    const char *word = words[(next() % 18 * (next() % 18)) / 18];
    size_t length = strlen(word);
    if (length > n - at) length = n - at;
    memcpy(p + at, word, length);
    at += length;
    if (at < n) p[at++] = ' ';
    if (next() % 11 == 0) at += (size_t)snprintf((char *)p + at, n - at > 12 ? 12 : 0, "%u", next() % 5000);
    if (at > n) at = n;
  }
}

static void fill_repeated(uint8_t *p, size_t n) {
  for (size_t i = 0; i < n; i++) p[i] = i < 5000 ? (uint8_t)next() : p[i - 4999 - i / 90000];
}

/* Records like a program's data: fields that grow, repeat, or jump. */
static void fill_records(uint8_t *p, size_t n) {
  memset(p, 0, n);
  for (size_t i = 0; i + 16 <= n; i += 16) {
    uint32_t fields[4] = {(uint32_t)i * 3, next() % 7, (uint32_t)(i / 160), next() & 0xff00};
    memcpy(p + i, fields, 16);
  }
}

struct input {
  const char *name;
  void (*fill)(uint8_t *, size_t);
};

static const struct input inputs[] = {{"random", fill_random},
                                      {"zeros", fill_zeros},
                                      {"text", fill_text},
                                      {"repeated", fill_repeated},
                                      {"records", fill_records}};
enum { INPUTS = sizeof inputs / sizeof inputs[0] };

static uint8_t *source, *packed, *unpacked;
static size_t bound;
static int failures;

static size_t good(const char *what, size_t result) {
  if (!ZSTD_isError(result)) return result;
  printf("%s: %s\n", what, ZSTD_getErrorName(result));
  failures++;
  return 0;
}

static void report(const char *how, const char *name, size_t in, size_t out) {
  int same = memcmp(source, unpacked, in) == 0;
  failures += !same;
  printf("%-18s %-9s %7zu -> %7zu %016llx %s\n", how, name, in, out,
         (unsigned long long)XXH64(packed, out, 0), same ? "same" : "DIFFERENT");
}

static void one_shot(int level, const struct input *input) {
  char how[32];
  size_t out, back;
  snprintf(how, sizeof how, "level %d", level);
  memset(unpacked, 0xee, SIZE);
  /* The slow levels get a part of the input. */
  size_t in = level > 9 ? SIZE / 4 : SIZE;
  out = good("compress", ZSTD_compress(packed, bound, source, in, level));
  back = good("decompress", ZSTD_decompress(unpacked, SIZE, packed, out));
  failures += back != in || ZSTD_getFrameContentSize(packed, out) != in;
  report(how, input->name, in, out);
}

/* Small pieces in and out, a checksum, a window larger than usual, a flush in between. */
static void streaming(ZSTD_CCtx *cctx, ZSTD_DCtx *dctx, const struct input *input, int ldm) {
  ZSTD_outBuffer out = {packed, bound, 0};
  good("reset", ZSTD_CCtx_reset(cctx, ZSTD_reset_session_and_parameters));
  good("level", ZSTD_CCtx_setParameter(cctx, ZSTD_c_compressionLevel, 5));
  good("checksum", ZSTD_CCtx_setParameter(cctx, ZSTD_c_checksumFlag, 1));
  good("window", ZSTD_CCtx_setParameter(cctx, ZSTD_c_windowLog, 20));
  good("long", ZSTD_CCtx_setParameter(cctx, ZSTD_c_enableLongDistanceMatching, ldm));
  for (size_t at = 0; at < SIZE;) {
    size_t piece = 1 + next() % 30000;
    if (piece > SIZE - at) piece = SIZE - at;
    ZSTD_inBuffer in = {source + at, piece, 0};
    at += piece;
    ZSTD_EndDirective mode = at == SIZE ? ZSTD_e_end : at % 5 == 0 ? ZSTD_e_flush : ZSTD_e_continue;
    size_t left;
    do {
      size_t limit = out.pos + 4096 < bound ? out.pos + 4096 : bound;
      ZSTD_outBuffer window = {packed, limit, out.pos};
      left = good("stream out", ZSTD_compressStream2(cctx, &window, &in, mode));
      out.pos = window.pos;
    } while (mode == ZSTD_e_continue ? in.pos < in.size : left != 0);
  }
  memset(unpacked, 0xee, SIZE);
  ZSTD_outBuffer back = {unpacked, SIZE, 0};
  ZSTD_inBuffer in = {packed, 0, 0};
  while (in.pos < out.pos) {
    in.size = in.pos + 1 + next() % 5000;
    if (in.size > out.pos) in.size = out.pos;
    good("stream in", ZSTD_decompressStream(dctx, &back, &in));
  }
  report(ldm ? "stream, long" : "stream", input->name, SIZE, out.pos);
}

static void dictionary(void) {
  static uint8_t samples[SAMPLES * 600], dict[DICT];
  size_t sizes[SAMPLES], total = 0, dict_size, plain = 0, with = 0;
  for (int i = 0; i < SAMPLES; i++) {
    /* One by one: compilers differ in the order of arguments. */
    uint32_t r[5];
    for (int k = 0; k < 5; k++) r[k] = next();
    int n = snprintf((char *)samples + total, 600,
                     "{\"id\":%d,\"name\":\"user%u\",\"mail\":\"user%u@example.org\",\"tags\":[\"%s\",\"%s\"],\"n\":%u}",
                     i, r[0] % 1000, r[1] % 1000, r[2] % 2 ? "admin" : "guest",
                     r[3] % 3 ? "active" : "suspended", r[4]);
    sizes[i] = (size_t)n;
    total += (size_t)n;
  }
  dict_size = ZDICT_trainFromBuffer(dict, DICT, samples, sizes, SAMPLES);
  if (ZDICT_isError(dict_size)) {
    printf("training: %s\n", ZDICT_getErrorName(dict_size));
    failures++;
    return;
  }
  printf("dictionary %zu bytes, id %u, %016llx\n", dict_size, ZDICT_getDictID(dict, dict_size),
         (unsigned long long)XXH64(dict, dict_size, 1));
  ZSTD_CDict *cdict = ZSTD_createCDict(dict, dict_size, 3);
  ZSTD_DDict *ddict = ZSTD_createDDict(dict, dict_size);
  ZSTD_CCtx *cctx = ZSTD_createCCtx();
  ZSTD_DCtx *dctx = ZSTD_createDCtx();
  XXH64_state_t *digest = XXH64_createState();
  XXH64_reset(digest, 0);
  const uint8_t *sample = samples;
  for (int i = 0; i < SAMPLES; sample += sizes[i++]) {
    plain += good("plain", ZSTD_compressCCtx(cctx, packed, bound, sample, sizes[i], 3));
    size_t n = good("with", ZSTD_compress_usingCDict(cctx, packed, bound, sample, sizes[i], cdict));
    XXH64_update(digest, packed, n);
    with += n;
    size_t back = good("back", ZSTD_decompress_usingDDict(dctx, unpacked, SIZE, packed, n, ddict));
    failures += back != sizes[i] || memcmp(unpacked, sample, back) != 0;
  }
  printf("%d samples, %zu bytes: %zu without, %zu with it, %016llx\n", SAMPLES, total, plain, with,
         (unsigned long long)XXH64_digest(digest));
  XXH64_freeState(digest);
  ZSTD_freeCDict(cdict);
  ZSTD_freeDDict(ddict);
  ZSTD_freeCCtx(cctx);
  ZSTD_freeDCtx(dctx);
}

/* Damaged frames must be refused, not crash; the messages come from a table of strings. */
static void damaged(void) {
  size_t n = good("compress", ZSTD_compress(packed, bound, source, 50000, 3));
  unsigned refused = 0;
  for (size_t at = 0; at < n; at += 1 + n / 300) {
    packed[at] ^= 0x55;
    size_t back = ZSTD_decompress(unpacked, SIZE, packed, n);
    if (ZSTD_isError(back)) {
      if (refused % 60 == 0) printf("damaged at %zu: %s\n", at, ZSTD_getErrorName(back));
      refused++;
    }
    packed[at] ^= 0x55;
  }
  printf("refused %u, truncated: %s\n", refused,
         ZSTD_getErrorName(ZSTD_decompress(unpacked, SIZE, packed, n - 5)));
}

static size_t blocks_allocated;
static void *counting_alloc(void *opaque, size_t size) {
  ++*(size_t *)opaque;
  return malloc(size);
}
static void counting_free(void *opaque, void *block) {
  if (block) --*(size_t *)opaque;
  free(block);
}

int main(int argc, char **argv) {
  ZSTD_customMem mem = {counting_alloc, counting_free, &blocks_allocated};
  ZSTD_CCtx *cctx = ZSTD_createCCtx_advanced(mem);
  ZSTD_DCtx *dctx = ZSTD_createDCtx_advanced(mem);
  bound = ZSTD_compressBound(SIZE) + 65536;
  source = malloc(SIZE + 64);
  unpacked = malloc(SIZE);
  packed = malloc(bound);
  if (!source || !unpacked || !packed || !cctx || !dctx) return 2;
  printf("zstd %s, levels %d to %d\n", ZSTD_versionString(), ZSTD_minCLevel(), ZSTD_maxCLevel());
  for (int i = 0; i < INPUTS; i++) {
    inputs[i].fill(source, SIZE);
    for (int a = 1; a < argc; a++) one_shot(atoi(argv[a]), &inputs[i]);
    one_shot(-7, &inputs[i]);
    streaming(cctx, dctx, &inputs[i], 0);
    if (i >= 2) streaming(cctx, dctx, &inputs[i], 1);
  }
  dictionary();
  damaged();
  ZSTD_freeCCtx(cctx);
  ZSTD_freeDCtx(dctx);
  printf("allocated through our functions and not freed: %zu\n", blocks_allocated);
  free(source);
  free(packed);
  free(unpacked);
  if (failures) printf("%d failures\n", failures);
  return failures != 0;
}
