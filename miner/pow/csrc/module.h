/* What the parts of the Python extension share. */
#ifndef POW_MODULE_H
#define POW_MODULE_H

#define Py_LIMITED_API 0x030b0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "pow.h"

enum { HITS_AT_ONCE = 256 };

/* For "O&": a Python int from 0 to 2^64 - 1 as a uint64_t. ("K" would cut off what is above.) */
int to_uint64(PyObject *number, void *into);

/* Append (nonce, digest) for each hit to `list`; 0 with an exception set when that fails. */
int append_hits(PyObject *list, const pow_hits *hits);

/* The functions of module_ethash.c and module_yespower.c. */
extern PyMethodDef ethash_methods[], yespower_methods[];

#endif
