/* Compresses and decompresses with zlib in all its ways and prints sizes and checksums.
 * `zlib_main FILE`: FILE is written and read as gzip. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zlib.h"

enum { SIZE = 400000 };

static unsigned seed = 12345;
static unsigned next(void) { return seed = seed * 1103515245u + 12345u, seed >> 16; }

static Bytef *source, *packed, *unpacked;
static uLong bound;
static int failures;

static void check(const char *what, int result, int wanted) {
  if (result == wanted) return;
  printf("%s: %d (%s)\n", what, result, zError(result));
  failures++;
}

static void fill(int kind) {
  for (int i = 0; i < SIZE; i++)
    switch (kind) {
      case 0: source[i] = 0; break;
      case 1: source[i] = (Bytef)next(); break;
      case 2: source[i] = (Bytef)("etaoin shrdlu\n"[(next() % 14 * (next() % 14)) / 14]); break;
      default: source[i] = i < 3000 ? (Bytef)(next() % 200) : source[i - 2999 + i / 100000]; break;
    }
}

static void report(const char *how, int kind, int level, uLong out) {
  int same = memcmp(source, unpacked, SIZE) == 0;
  failures += !same;
  printf("%-10s input %d level %2d: %6lu bytes, adler %08lx, crc %08lx, %s\n", how, kind, level, out,
         adler32(adler32(0, Z_NULL, 0), packed, (uInt)out), crc32(crc32(0, Z_NULL, 0), packed, (uInt)out),
         same ? "same" : "DIFFERENT");
}

static int allocations;
static voidpf counting_alloc(voidpf opaque, uInt items, uInt size) {
  ++*(int *)opaque;
  return calloc(items, size);
}
static void counting_free(voidpf opaque, voidpf block) {
  --*(int *)opaque;
  free(block);
}

/* Deflate in small steps with changing parameters, inflate in small steps. */
static void stream(int kind, int level, int strategy, int window) {
  z_stream z;
  int result;
  memset(&z, 0, sizeof z);
  z.zalloc = counting_alloc;
  z.zfree = counting_free;
  z.opaque = &allocations;
  check("deflateInit2", deflateInit2(&z, level, Z_DEFLATED, window, 8, strategy), Z_OK);
  z.next_in = source;
  z.next_out = packed;
  uInt left = SIZE;
  do {
    uInt piece = 1 + next() % 20000;
    if (piece > left) piece = left;
    left -= piece;
    z.avail_in = piece;
    do {
      z.avail_out = 1000;
      result = deflate(&z, left ? (left % 7 ? Z_NO_FLUSH : Z_FULL_FLUSH) : Z_FINISH);
    } while (z.avail_out == 0);
    if (left == 0 && result != Z_STREAM_END) left = 0;
    if (left && left < SIZE / 2 && strategy == Z_DEFAULT_STRATEGY) {
      z.avail_out = 1 << 20;
      check("deflateParams", deflateParams(&z, 9, Z_DEFAULT_STRATEGY), Z_OK);
    }
  } while (left);
  uLong out = z.total_out;
  check("deflate", result, Z_STREAM_END);
  check("deflateEnd", deflateEnd(&z), Z_OK);

  memset(&z, 0, sizeof z);
  memset(unpacked, 0xee, SIZE);
  /* 47: let inflate find out whether zlib or gzip; raw data says so by its negative size. */
  check("inflateInit2", inflateInit2(&z, window < 0 ? window : 47), Z_OK);
  z.next_in = packed;
  z.next_out = unpacked;
  do {
    z.avail_in = 1 + next() % 3000;
    if (z.avail_in > out - z.total_in) z.avail_in = (uInt)(out - z.total_in);
    z.avail_out = 1 + next() % 9000;
    if (z.avail_out > SIZE - z.total_out) z.avail_out = (uInt)(SIZE - z.total_out);
    result = inflate(&z, Z_SYNC_FLUSH);
    if (z.avail_in) z.avail_in = 0;
  } while (result == Z_OK || (result == Z_BUF_ERROR && z.total_in < out));
  check("inflate", result, Z_STREAM_END);
  check("inflateEnd", inflateEnd(&z), Z_OK);
  report(window < 0 ? "raw" : window > 15 ? "gzip" : "stream", kind, level, out);
}

struct cursor {
  Bytef *at;
  uLong left;
};
static unsigned give(void *where, z_const unsigned char **bytes) {
  struct cursor *cursor = where;
  unsigned n = cursor->left > 777 ? 777 : (unsigned)cursor->left;
  *bytes = cursor->at;
  cursor->at += n;
  cursor->left -= n;
  return n;
}
static int take(void *where, unsigned char *bytes, unsigned n) {
  struct cursor *cursor = where;
  memcpy(cursor->at, bytes, n);
  cursor->at += n;
  return 0;
}

/* inflateBack: zlib calls us for input and output. */
static void callbacks(void) {
  static unsigned char window[32768];
  z_stream z;
  uLong out;
  memset(&z, 0, sizeof z);
  check("deflateInit2", deflateInit2(&z, 6, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
  z.next_in = source;
  z.avail_in = SIZE;
  z.next_out = packed;
  z.avail_out = (uInt)bound;
  check("deflate", deflate(&z, Z_FINISH), Z_STREAM_END);
  out = z.total_out;
  deflateEnd(&z);
  struct cursor from = {packed, out}, to = {unpacked, SIZE};
  memset(&z, 0, sizeof z);
  memset(unpacked, 0xee, SIZE);
  check("inflateBackInit", inflateBackInit(&z, 15, window), Z_OK);
  check("inflateBack", inflateBack(&z, give, &from, take, &to), Z_STREAM_END);
  check("inflateBackEnd", inflateBackEnd(&z), Z_OK);
  report("callbacks", 3, 6, out);
}

static void gzip_file(const char *path) {
  char line[64];
  unsigned long sum = 0, lines = 0;
  gzFile file = gzopen(path, "wb7");
  if (!file) {
    failures++;
    return;
  }
  for (int i = 0; i < 8000; i++) gzprintf(file, "line %d: %u %s\n", i, next() % 1000, i % 3 ? "odd" : "third");
  gzputs(file, "last ");
  gzputc(file, '!');
  check("gzclose", gzclose(file), Z_OK);
  file = gzopen(path, "rb");
  while (gzgets(file, line, sizeof line)) {
    lines++;
    sum = adler32(sum, (Bytef *)line, (uInt)strlen(line));
  }
  printf("gzip file: %lu lines, %08lx, last \"%s\", at %ld, eof %d\n", lines, sum, line,
         (long)gztell(file), gzeof(file));
  gzrewind(file);
  gzseek(file, 100000, SEEK_SET);
  gzgets(file, line, sizeof line);
  printf("at 100000: %s", line);
  gzclose(file);
  FILE *damaged = fopen(path, "r+b");
  fseek(damaged, 2000, SEEK_SET);
  fputs("damage", damaged);
  fclose(damaged);
  int code;
  file = gzopen(path, "rb");
  while (gzread(file, unpacked, 5000) > 0) {}
  const char *message = gzerror(file, &code);
  printf("damaged: %d, %s\n", code, strstr(message, ": ") ? strstr(message, ": ") + 2 : message);
  gzclose(file);
  printf("missing: %s\n", gzopen("no/such/file", "rb") ? "opened" : "not opened");
}

int main(int argc, char **argv) {
  bound = compressBound(SIZE) + 100000;
  source = malloc(SIZE);
  packed = malloc(bound);
  unpacked = malloc(SIZE);
  printf("zlib %s\n", zlibVersion());
  for (int kind = 0; kind < 4; kind++) {
    fill(kind);
    for (int level = 0; level <= 9; level += 3) {
      uLongf out = bound, back = SIZE;
      memset(unpacked, 0xee, SIZE);
      check("compress2", compress2(packed, &out, source, SIZE, level), Z_OK);
      check("uncompress", uncompress(unpacked, &back, packed, out), Z_OK);
      report("one shot", kind, level, out);
    }
    stream(kind, 4, Z_DEFAULT_STRATEGY, 15);
    stream(kind, 6, Z_FILTERED, -12);
    stream(kind, 6, Z_HUFFMAN_ONLY, 31);
    stream(kind, 6, Z_RLE, 15);
    stream(kind, 6, Z_FIXED, 9 + 16);
  }
  callbacks();
  if (argc > 1) gzip_file(argv[1]);
  uLongf small = 10, all = bound;
  check("compress", compress(packed, &all, source, SIZE), Z_OK);
  printf("no room: %s\n", zError(uncompress(unpacked, &small, packed, 1000)));
  packed[0] ^= 0xff;
  uLongf back = SIZE;
  printf("bad header: %s\n", zError(uncompress(unpacked, &back, packed, 1000)));
  printf("combined crc %08lx, allocations left %d\n",
         crc32_combine(crc32(0, source, 1000), crc32(0, source + 1000, SIZE - 1000), SIZE - 1000), allocations);
  free(source);
  free(packed);
  free(unpacked);
  if (failures) printf("%d failures\n", failures);
  return failures != 0;
}
