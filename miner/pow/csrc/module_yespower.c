/* yespower with any of its parameters as a function of the Python extension; the one of local work is in the table of
 * kernels. */
#include "module.h"

#include <stdlib.h>

#include "pow_impl.h"
#include "yespower.h"

PyDoc_STRVAR(yespower_doc,
             "yespower(data: bytes, n: int, r: int, personalisation: bytes) -> bytes: the digest (32 bytes) of version\n"
             "1.0. Takes 128 n r bytes and some for as long as it runs; other threads run meanwhile.");

static PyObject *py_yespower(PyObject *self, PyObject *arguments) {
  (void)self;
  const char *data, *personalisation;
  Py_ssize_t len, personalisation_len;
  uint64_t n, r;
  if (!PyArg_ParseTuple(arguments, "y#O&O&y#:yespower", &data, &len, to_uint64, &n, to_uint64, &r, &personalisation,
                        &personalisation_len))
    return NULL;
  if (n < YESPOWER_N_MIN || n > YESPOWER_N_MAX || (n & (n - 1)) || r < YESPOWER_R_MIN || r > YESPOWER_R_MAX) {
    PyErr_Format(PyExc_ValueError,
                 "yespower takes powers of two from %d to %d as N and %d to %d as r, not %llu and %llu", YESPOWER_N_MIN,
                 YESPOWER_N_MAX, YESPOWER_R_MIN, YESPOWER_R_MAX, (unsigned long long)n, (unsigned long long)r);
    return NULL;
  }
  const yespower_parameters parameters = {(uint32_t)n, (uint32_t)r, (const uint8_t *)personalisation,
                                          (size_t)personalisation_len};
  const size_t scratch_len = YESPOWER_SCRATCH_LEN(n, r, 1);
  void *scratch = NULL;
  if (posix_memalign(&scratch, POW_SCRATCH_ALIGN, scratch_len)) {
    PyErr_Format(PyExc_MemoryError,
                 "yespower with N=%d and r=%d needs %zu bytes, and there is no such memory; take a smaller N or r",
                 (int)n, (int)r, scratch_len);
    return NULL;
  }
  uint8_t digest[POW_DIGEST_LEN];
  Py_BEGIN_ALLOW_THREADS
#if POW_X86
  yespower_any_sse2(&parameters, (const uint8_t *)data, (size_t)len, scratch, digest);
#else
  yespower_any_portable(&parameters, (const uint8_t *)data, (size_t)len, scratch, digest);
#endif
  Py_END_ALLOW_THREADS
  free(scratch);
  return PyBytes_FromStringAndSize((const char *)digest, sizeof digest);
}

PyMethodDef yespower_methods[] = {{"yespower", py_yespower, METH_VARARGS, yespower_doc}, {NULL, NULL, 0, NULL}};
