/* Ethash as functions of the Python extension; tables are buffers, which whoever calls has mapped or filled. */
#include "module.h"

#include <string.h>

#include "ethash.h"
#include "keccak.h"

#define PAGES_MAX ((uint64_t)1 << 31) /* so that an item's number has 32 bits */

static const ethash_kernel *find(const char *path) {
  const unsigned features = pow_features();
  for (const ethash_kernel *kernel = ethash_kernels; kernel->path; kernel++)
    if (!strcmp(kernel->path, path) && (kernel->features & features) == kernel->features) return kernel;
  PyErr_Format(PyExc_ValueError, "this machine has no path %s for ethash; see ethash_kernels()", path);
  return NULL;
}

static int check_len(const char *what, Py_ssize_t len, Py_ssize_t wanted) {
  if (len == wanted) return 1;
  PyErr_Format(PyExc_ValueError, "%s has %zd bytes, not %zd", what, wanted, len);
  return 0;
}

/* Make a table of what `rows` holds; `pages` is 0 when that is the dataset itself. */
static int make_table(ethash_table *table, const Py_buffer *rows, uint64_t pages) {
  const size_t unit = pages ? ETHASH_ROW_LEN : ETHASH_PAGE_LEN, len = (size_t)rows->len;
  const size_t units = len / unit;
  if (len % unit || !units || (pages ? units > UINT32_MAX : units > PAGES_MAX) || pages > PAGES_MAX) {
    PyErr_Format(PyExc_ValueError, "%zu bytes are no %s of ethash, or %llu no number of pages", len,
                 pages ? "cache" : "dataset", (unsigned long long)pages);
    return 0;
  }
  table->rows = rows->buf;
  table->row_count = ethash_divisor_of(pages ? (uint32_t)units : 1);
  table->pages = ethash_divisor_of(pages ? (uint32_t)pages : (uint32_t)units);
  return 1;
}

PyDoc_STRVAR(keccak256_doc,
             "keccak256(data: bytes) -> bytes: the digest (32 bytes) with the padding from before SHA-3.");

static PyObject *py_keccak256(PyObject *self, PyObject *arguments) {
  (void)self;
  const char *data;
  Py_ssize_t len;
  uint8_t digest[32];
  if (!PyArg_ParseTuple(arguments, "y#:keccak256", &data, &len)) return NULL;
  keccak256((const uint8_t *)data, (size_t)len, digest);
  return PyBytes_FromStringAndSize((const char *)digest, sizeof digest);
}

PyDoc_STRVAR(keccak512_doc,
             "keccak512(data: bytes) -> bytes: the digest (64 bytes) with the padding from before SHA-3.");

static PyObject *py_keccak512(PyObject *self, PyObject *arguments) {
  (void)self;
  const char *data;
  Py_ssize_t len;
  uint8_t digest[64];
  if (!PyArg_ParseTuple(arguments, "y#:keccak512", &data, &len)) return NULL;
  keccak512((const uint8_t *)data, (size_t)len, digest);
  return PyBytes_FromStringAndSize((const char *)digest, sizeof digest);
}

PyDoc_STRVAR(kernels_doc, "ethash_kernels() -> [(\"ethash\", path, usable here)], the fastest first.");

static PyObject *py_kernels(PyObject *self, PyObject *ignored) {
  (void)self, (void)ignored;
  const unsigned features = pow_features();
  PyObject *list = PyList_New(0);
  for (const ethash_kernel *kernel = ethash_kernels; list && kernel->path; kernel++) {
    PyObject *usable = (kernel->features & features) == kernel->features ? Py_True : Py_False;
    PyObject *item = Py_BuildValue("(ssO)", "ethash", kernel->path, usable);
    if (!item || PyList_Append(list, item)) Py_CLEAR(list);
    Py_XDECREF(item);
  }
  return list;
}

PyDoc_STRVAR(build_cache_doc,
             "ethash_build_cache(seed: bytes, rows: writable buffer): fill the cache; its length is 64 bytes a row.");

static PyObject *py_build_cache(PyObject *self, PyObject *arguments) {
  (void)self;
  const char *seed;
  Py_ssize_t seed_len;
  Py_buffer rows;
  if (!PyArg_ParseTuple(arguments, "y#w*:ethash_build_cache", &seed, &seed_len, &rows)) return NULL;
  ethash_table table;
  const int fits = check_len("a seed", seed_len, 32) && make_table(&table, &rows, 1);
  if (fits) {
    Py_BEGIN_ALLOW_THREADS
    ethash_build_cache((const uint8_t *)seed, table.row_count.by, rows.buf);
    Py_END_ALLOW_THREADS
  }
  PyBuffer_Release(&rows);
  if (!fits) return NULL;
  Py_RETURN_NONE;
}

PyDoc_STRVAR(items_doc,
             "ethash_items(path, cache: buffer, first: int, items: writable buffer): fill `items` with the\n"
             "dataset's items of 64 bytes from number `first` on. Other threads run meanwhile.");

static PyObject *py_items(PyObject *self, PyObject *arguments) {
  (void)self;
  const char *path;
  uint64_t first;
  Py_buffer cache, items;
  if (!PyArg_ParseTuple(arguments, "sy*O&w*:ethash_items", &path, &cache, to_uint64, &first, &items)) return NULL;
  const ethash_kernel *kernel = find(path);
  ethash_table table;
  int fits = kernel && make_table(&table, &cache, 1);
  const uint64_t count = (uint64_t)items.len / ETHASH_ROW_LEN;
  if (fits && (items.len % ETHASH_ROW_LEN || first > 2 * PAGES_MAX || count > 2 * PAGES_MAX - first)) {
    PyErr_Format(PyExc_ValueError, "%zd bytes from item %llu on are no items of a dataset", items.len,
                 (unsigned long long)first);
    fits = 0;
  }
  if (fits) {
    Py_BEGIN_ALLOW_THREADS
    kernel->items(&table, (uint32_t)first, (size_t)count, items.buf);
    Py_END_ALLOW_THREADS
  }
  PyBuffer_Release(&cache);
  PyBuffer_Release(&items);
  if (!fits) return NULL;
  Py_RETURN_NONE;
}

PyDoc_STRVAR(hash_doc,
             "ethash_hash(path, rows: buffer, pages: int, header: bytes, nonce: int) -> (mix, digest)\n\n"
             "mix, digest: 32 bytes each.\n"
             "rows: the cache of a dataset of `pages` pages of 128 bytes; or, with pages=0, the dataset itself.");

static PyObject *py_hash(PyObject *self, PyObject *arguments) {
  (void)self;
  const char *path, *header;
  Py_buffer rows;
  uint64_t pages, nonce;
  Py_ssize_t header_len;
  if (!PyArg_ParseTuple(arguments, "sy*O&y#O&:ethash_hash", &path, &rows, to_uint64, &pages, &header, &header_len,
                        to_uint64, &nonce))
    return NULL;
  const ethash_kernel *kernel = find(path);
  ethash_table table;
  uint8_t mix[ETHASH_MIX_LEN], digest[POW_DIGEST_LEN];
  const int fits =
      kernel && check_len("a header hash", header_len, ETHASH_HEADER_LEN) && make_table(&table, &rows, pages);
  if (fits) {
    Py_BEGIN_ALLOW_THREADS
    (pages ? kernel->light : kernel->full)(&table, (const uint8_t *)header, nonce, mix, digest);
    Py_END_ALLOW_THREADS
  }
  PyBuffer_Release(&rows);
  if (!fits) return NULL;
  return Py_BuildValue("(y#y#)", (const char *)mix, (Py_ssize_t)sizeof mix, (const char *)digest,
                       (Py_ssize_t)sizeof digest);
}

PyDoc_STRVAR(scan_doc,
             "ethash_scan(path, rows: buffer, pages: int, header, fixed: int, shift: int, limit, start: int,\n"
             "count: int) -> [(number, digest)], ascending.\n\n"
             "Tries the nonces fixed + (number << shift) for `count` numbers from `start` on.\n"
             "rows, pages: as for ethash_hash. limit: 32 bytes, big-endian. Other threads run meanwhile.");

static PyObject *py_scan(PyObject *self, PyObject *arguments) {
  (void)self;
  const char *path, *header, *limit;
  Py_buffer rows;
  uint64_t pages, fixed, shift, start, count;
  Py_ssize_t header_len, limit_len;
  if (!PyArg_ParseTuple(arguments, "sy*O&y#O&O&y#O&O&:ethash_scan", &path, &rows, to_uint64, &pages, &header,
                        &header_len, to_uint64, &fixed, to_uint64, &shift, &limit, &limit_len, to_uint64, &start,
                        to_uint64, &count))
    return NULL;
  const ethash_kernel *kernel = find(path);
  ethash_table table;
  PyObject *list = NULL;
  if (shift > 63)
    PyErr_Format(PyExc_ValueError, "a nonce has 64 bits, none of which is left after a shift by %llu",
                 (unsigned long long)shift);
  else if (count && count - 1 > UINT64_MAX - start)
    PyErr_Format(PyExc_ValueError, "the numbers do not fit 64 bits; end the slice before they wrap");
  else if (kernel && check_len("a header hash", header_len, ETHASH_HEADER_LEN) &&
           check_len("a limit", limit_len, POW_DIGEST_LEN) && make_table(&table, &rows, pages))
    list = PyList_New(0);
  if (list) {
    ethash_job job = {{0}, fixed, (unsigned)shift, {0}};
    memcpy(job.header, header, ETHASH_HEADER_LEN);
    memcpy(job.limit, limit, POW_DIGEST_LEN);
    ethash_scan *scan = pages ? kernel->scan_light : kernel->scan_full;
    pow_hit found[HITS_AT_ONCE];
    while (list && count) {
      pow_hits hits = {found, 0, HITS_AT_ONCE};
      uint64_t done;
      Py_BEGIN_ALLOW_THREADS
      done = scan(&table, &job, start, count, &hits);
      Py_END_ALLOW_THREADS
      start += done, count -= done;
      if (!append_hits(list, &hits)) Py_CLEAR(list);
    }
  }
  PyBuffer_Release(&rows);
  return list;
}

PyDoc_STRVAR(final_doc,
             "ethash_final(header: bytes, nonce: int, mix: bytes) -> bytes: the digest of that mix, in a microsecond.");

static PyObject *py_final(PyObject *self, PyObject *arguments) {
  (void)self;
  const char *header, *mix;
  Py_ssize_t header_len, mix_len;
  uint64_t nonce;
  uint8_t digest[POW_DIGEST_LEN];
  if (!PyArg_ParseTuple(arguments, "y#O&y#:ethash_final", &header, &header_len, to_uint64, &nonce, &mix, &mix_len))
    return NULL;
  if (!check_len("a header hash", header_len, ETHASH_HEADER_LEN) || !check_len("a mix", mix_len, ETHASH_MIX_LEN))
    return NULL;
  ethash_final((const uint8_t *)header, nonce, (const uint8_t *)mix, digest);
  return PyBytes_FromStringAndSize((const char *)digest, sizeof digest);
}

PyMethodDef ethash_methods[] = {{"keccak256", py_keccak256, METH_VARARGS, keccak256_doc},
                                {"keccak512", py_keccak512, METH_VARARGS, keccak512_doc},
                                {"ethash_kernels", py_kernels, METH_NOARGS, kernels_doc},
                                {"ethash_build_cache", py_build_cache, METH_VARARGS, build_cache_doc},
                                {"ethash_items", py_items, METH_VARARGS, items_doc},
                                {"ethash_hash", py_hash, METH_VARARGS, hash_doc},
                                {"ethash_scan", py_scan, METH_VARARGS, scan_doc},
                                {"ethash_final", py_final, METH_VARARGS, final_doc},
                                {NULL, NULL, 0, NULL}};
