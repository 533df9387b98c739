/* The kernels as a Python extension (stable ABI of CPython 3.11): checks arguments, lends scratch memory, releases the GIL. */
#include "module.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

/* Scratch memory of earlier calls, kept for later ones; guarded by the GIL. One piece is enough for any kernel. */
typedef struct piece {
  struct piece *next;
} piece;

static piece *spare;
static size_t spares, piece_len;

/* As many as a miner has threads: what more threads had at one time goes back to the system. */
#define SPARES_MAX 8

static size_t largest_scratch(void) {
  size_t most = POW_SCRATCH_ALIGN;
  for (const pow_kernel *kernel = pow_kernels; kernel->algorithm; kernel++)
    if (kernel->scratch_len > most) most = kernel->scratch_len;
  /* Whole huge pages, where the system gives them: 512 times fewer misses in the page tables. */
  const size_t huge = (size_t)1 << 21;
  return most < huge ? most : (most + huge - 1) / huge * huge;
}

static void *borrow_scratch(void) {
  if (spare) {
    piece *taken = spare;
    spare = taken->next, spares--;
    return taken;
  }
  void *made = NULL;
  const size_t huge = (size_t)1 << 21;
  if (posix_memalign(&made, piece_len % huge ? POW_SCRATCH_ALIGN : huge, piece_len)) {
    PyErr_Format(PyExc_MemoryError, "hashing needs %zu bytes for each thread, and there is no such memory; use fewer threads",
                 piece_len);
    return NULL;
  }
#if defined(MADV_HUGEPAGE)
  (void)madvise(made, piece_len, MADV_HUGEPAGE);
#endif
  return made;
}

static void return_scratch(void *scratch) {
  if (!scratch || spares == SPARES_MAX) {
    free(scratch);
    return;
  }
  piece *given = scratch;
  given->next = spare;
  spare = given, spares++;
}

static const pow_kernel *find(const char *algorithm, const char *path) {
  const unsigned features = pow_features();
  for (const pow_kernel *kernel = pow_kernels; kernel->algorithm; kernel++)
    if (!strcmp(kernel->algorithm, algorithm) && !strcmp(kernel->path, path) &&
        (kernel->features & features) == kernel->features)
      return kernel;
  PyErr_Format(PyExc_ValueError, "this machine has no path %s for %s; see kernels()", path, algorithm);
  return NULL;
}

static int check_len(const pow_kernel *kernel, Py_ssize_t len) {
  if ((size_t)len >= kernel->len_min && (size_t)len <= kernel->len_max) return 1;
  PyErr_Format(PyExc_ValueError, "%s takes %zu to %zu bytes, not %zd", kernel->algorithm, kernel->len_min, kernel->len_max, len);
  return 0;
}

PyDoc_STRVAR(kernels_doc, "kernels() -> [(algorithm, path, usable here, messages at once)], for each algorithm the fastest first.");

static PyObject *kernels(PyObject *self, PyObject *ignored) {
  (void)self, (void)ignored;
  const unsigned features = pow_features();
  PyObject *list = PyList_New(0);
  for (const pow_kernel *kernel = pow_kernels; list && kernel->algorithm; kernel++) {
    PyObject *usable = (kernel->features & features) == kernel->features ? Py_True : Py_False;
    PyObject *item = Py_BuildValue("(ssOn)", kernel->algorithm, kernel->path, usable, (Py_ssize_t)kernel->lanes);
    if (!item || PyList_Append(list, item)) Py_CLEAR(list);
    Py_XDECREF(item);
  }
  return list;
}

PyDoc_STRVAR(hash_doc, "hash(algorithm, path, data: bytes) -> bytes: the digest (32 bytes).");

static PyObject *hash(PyObject *self, PyObject *arguments) {
  (void)self;
  const char *algorithm, *path, *data;
  Py_ssize_t len;
  if (!PyArg_ParseTuple(arguments, "ssy#:hash", &algorithm, &path, &data, &len)) return NULL;
  const pow_kernel *kernel = find(algorithm, path);
  if (!kernel || !check_len(kernel, len)) return NULL;
  if (len > PY_SSIZE_T_MAX / POW_LANES_MAX) return PyErr_NoMemory();
  uint8_t *copies = PyMem_Malloc(kernel->hash_one ? 1 : kernel->lanes * (size_t)len + 1);
  if (!copies) return PyErr_NoMemory();
  void *scratch = NULL;
  if (kernel->scratch_len && !(scratch = borrow_scratch())) {
    PyMem_Free(copies);
    return NULL;
  }
  uint8_t digest[POW_DIGEST_LEN];
  Py_BEGIN_ALLOW_THREADS
  pow_hash(kernel, (const uint8_t *)data, (size_t)len, copies, scratch, digest);
  Py_END_ALLOW_THREADS
  return_scratch(scratch);
  PyMem_Free(copies);
  return PyBytes_FromStringAndSize((const char *)digest, sizeof digest);
}

int to_uint64(PyObject *number, void *into) {
  const unsigned long long converted = PyLong_AsUnsignedLongLong(number);
  if (converted == ULLONG_MAX && PyErr_Occurred()) return 0;
  *(uint64_t *)into = converted;
  return 1;
}

int append_hits(PyObject *list, const pow_hits *hits) {
  for (size_t i = 0; i < hits->len; i++) {
    PyObject *hit = Py_BuildValue("(Ky#)", (unsigned long long)hits->at[i].nonce, (const char *)hits->at[i].digest,
                                  (Py_ssize_t)POW_DIGEST_LEN);
    const int failed = !hit || PyList_Append(list, hit);
    Py_XDECREF(hit);
    if (failed) return 0;
  }
  return 1;
}

PyDoc_STRVAR(scan_doc,
             "scan(algorithm, path, blob, limit, start, count, nonce_at, nonce_len) -> [(nonce, digest)], ascending.\n\n"
             "limit: 32 bytes, little-endian. Every nonce is tried; other threads run meanwhile.");

static PyObject *scan(PyObject *self, PyObject *arguments) {
  (void)self;
  const char *algorithm, *path, *blob, *limit;
  Py_ssize_t len, limit_len, nonce_at, nonce_len;
  uint64_t start, count;
  if (!PyArg_ParseTuple(arguments, "ssy#y#O&O&nn:scan", &algorithm, &path, &blob, &len, &limit, &limit_len, to_uint64,
                        &start, to_uint64, &count, &nonce_at, &nonce_len))
    return NULL;
  const pow_kernel *kernel = find(algorithm, path);
  if (!kernel || !check_len(kernel, len)) return NULL;
  if (len > POW_BLOB_MAX_LEN || limit_len != POW_DIGEST_LEN || nonce_len < 1 || nonce_len > 8 || nonce_at < 0 ||
      nonce_at > len - nonce_len) {
    PyErr_Format(PyExc_ValueError,
                 "a blob has at most %d bytes with a nonce of 1 to 8 bytes inside, and a limit %d; got %zd, %zd at %zd, and %zd",
                 POW_BLOB_MAX_LEN, POW_DIGEST_LEN, len, nonce_len, nonce_at, limit_len);
    return NULL;
  }
  const uint64_t last = UINT64_MAX >> (64 - 8 * nonce_len);
  if (count && (start > last || count - 1 > last - start)) {
    PyErr_Format(PyExc_ValueError, "the nonces do not fit %zd bytes; end the slice before they wrap", nonce_len);
    return NULL;
  }
  pow_job job = {{0}, (size_t)len, (size_t)nonce_at, (size_t)nonce_len, {0}};
  memcpy(job.blob, blob, (size_t)len);
  memcpy(job.limit, limit, POW_DIGEST_LEN);
  void *scratch = NULL;
  if (kernel->scratch_len && !(scratch = borrow_scratch())) return NULL;
  pow_hit found[HITS_AT_ONCE];
  PyObject *list = PyList_New(0);
  while (list && count) {
    pow_hits hits = {found, 0, HITS_AT_ONCE};
    uint64_t done;
    Py_BEGIN_ALLOW_THREADS
    done = pow_search(kernel, &job, start, count, scratch, &hits);
    Py_END_ALLOW_THREADS
    start += done, count -= done;
    if (!append_hits(list, &hits)) Py_CLEAR(list);
  }
  return_scratch(scratch);
  return list;
}

static PyMethodDef methods[] = {{"kernels", kernels, METH_NOARGS, kernels_doc},
                                {"hash", hash, METH_VARARGS, hash_doc},
                                {"scan", scan, METH_VARARGS, scan_doc},
                                {NULL, NULL, 0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "miner.pow._kernels", "Compiled proof-of-work kernels; see csrc/pow.h.", 0, methods, NULL, NULL, NULL,
    NULL};

PyMODINIT_FUNC PyInit__kernels(void) {
  piece_len = largest_scratch();
  PyObject *module = PyModule_Create(&definition);
  if (module && PyModule_AddFunctions(module, ethash_methods)) Py_CLEAR(module);
  if (module && PyModule_AddFunctions(module, yespower_methods)) Py_CLEAR(module);
  return module;
}
