"""The signer's half of RSABSSA (RFC 9474 section 4.3): one raw private operation, checked before it is answered.

Two paths give equal results:

``libcrypto``
    OpenSSL 3 through ctypes. ``cryptography`` offers no RSA without padding, and the operation is too dear and too
    delicate for Python: OpenSSL is constant-time, blinds the base itself, releases the GIL and is 3.5 times as fast as
    the other path. The copy that Python's own ``_hashlib`` is linked with is used, so nothing is searched for.
``gmpy2``
    ``powmod_sec`` with CRT and base blinding of our own, where Python brings no usable OpenSSL.

Both verify ``s^e == m`` before a result leaves: one faulty CRT result gives away a factor of the modulus. A key that signs
here must serve nothing else, since this signs whatever number it is given.
"""

from __future__ import annotations

import ctypes
import functools
import secrets
import threading
import typing as t
import weakref

import gmpy2
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from flask_ticketminer.errors import BlindedMessageRange, MintUnavailable

_NO_PADDING = 3  # RSA_NO_PADDING of <openssl/rsa.h>

Path = t.Literal["libcrypto", "gmpy2"]


def blind_sign(private_key: RSAPrivateKey, blinded_message: bytes) -> bytes:
    """Return the blind signature on `blinded_message`; both are as long as the modulus.

    :raises BlindedMessageRange: wrong length, or not below the modulus.
    :raises MintUnavailable: the check of the result failed; nothing is answered.
    """
    return Signer(private_key).sign(blinded_message)


def paths() -> tuple[Path, ...]:
    """Return the paths that work on this machine, the preferred one first."""
    return ("gmpy2",) if _libcrypto() is None else ("libcrypto", "gmpy2")


class Signer:
    """One loaded private key; :meth:`sign` may be called from any number of threads.

    :param path: forces a path; by default the first of :func:`paths`.
    """

    def __init__(self, private_key: RSAPrivateKey, *, path: Path | None = None) -> None:
        numbers = private_key.private_numbers()
        self.size = (private_key.key_size + 7) // 8
        """Bytes of a blinded message and of a signature."""
        self.path: Path = path or paths()[0]
        self._n = gmpy2.mpz(numbers.public_numbers.n)
        self._e = gmpy2.mpz(numbers.public_numbers.e)
        operation = _LibcryptoKey if self.path == "libcrypto" else _GmpKey
        self._operation: _PrivateOperation = operation(private_key)

    def sign(self, blinded_message: bytes) -> bytes:
        """Return ``m^d mod n``. Errors as for :func:`blind_sign`."""
        message = self.number(blinded_message)
        signature = self._operation(blinded_message)
        if gmpy2.powmod(int.from_bytes(signature, "big"), self._e, self._n) != message:
            raise _unavailable("A signature did not pass its check and was thrown away")
        return signature

    def number(self, blinded_message: bytes) -> gmpy2.mpz:
        """Return `blinded_message` as the number that would be signed.

        :raises BlindedMessageRange: wrong length, or not below the modulus.
        """
        if len(blinded_message) != self.size:
            raise BlindedMessageRange(
                f"A blinded message for this key is {self.size} bytes, not {len(blinded_message)}; blind it again."
            )
        message = gmpy2.mpz(int.from_bytes(blinded_message, "big"))
        if message >= self._n:
            raise BlindedMessageRange(
                "The blinded message is not below the modulus of its key; blind it for the key that is named."
            )
        return message


class _PrivateOperation(t.Protocol):
    def __init__(self, private_key: RSAPrivateKey) -> None: ...

    def __call__(self, message: bytes) -> bytes: ...


class _GmpKey:
    """The private operation in GMP's side-channel-quiet arithmetic."""

    def __init__(self, private_key: RSAPrivateKey) -> None:
        numbers = private_key.private_numbers()
        self._size = (private_key.key_size + 7) // 8
        self._n, self._e = gmpy2.mpz(numbers.public_numbers.n), gmpy2.mpz(numbers.public_numbers.e)
        self._p, self._q = gmpy2.mpz(numbers.p), gmpy2.mpz(numbers.q)
        self._dp, self._dq = gmpy2.mpz(numbers.dmp1), gmpy2.mpz(numbers.dmq1)
        self._q_inverse = gmpy2.mpz(numbers.iqmp)

    def __call__(self, message: bytes) -> bytes:
        r = gmpy2.mpz(secrets.randbelow(int(self._n) - 2) + 2)
        blinded = int.from_bytes(message, "big") * gmpy2.powmod(r, self._e, self._n) % self._n
        at_p = gmpy2.powmod_sec(blinded % self._p, self._dp, self._p)
        at_q = gmpy2.powmod_sec(blinded % self._q, self._dq, self._q)
        root = at_q + (at_p - at_q) * self._q_inverse % self._p * self._q
        return int(root * gmpy2.invert(r, self._n) % self._n).to_bytes(self._size, "big")


class _LibcryptoKey:
    """The private operation in OpenSSL, with one EVP context a thread."""

    def __init__(self, private_key: RSAPrivateKey) -> None:
        library = _libcrypto()
        if library is None:
            raise MintUnavailable("Python here has no OpenSSL 3; leave the signer's path to its default.")
        self._library = library
        self._size = (private_key.key_size + 7) // 8
        der = private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        self._key = library.d2i_AutoPrivateKey(
            None, ctypes.byref(ctypes.cast(ctypes.c_char_p(der), ctypes.c_void_p)), len(der)
        )
        if not self._key:
            raise _unavailable("OpenSSL cannot read a ticket key")
        weakref.finalize(self, library.EVP_PKEY_free, self._key)
        self._local = threading.local()

    def __call__(self, message: bytes) -> bytes:
        context: _Context | None = getattr(self._local, "context", None)
        if context is None:
            context = self._local.context = _Context(self._library, self._key)
        size = ctypes.c_size_t(self._size)
        output = ctypes.create_string_buffer(self._size)
        status = self._library.EVP_PKEY_decrypt(
            context.pointer, output, ctypes.byref(size), message, len(message)
        )
        if status != 1 or size.value != self._size:
            self._library.ERR_clear_error()
            raise _unavailable("OpenSSL refused to sign")
        return output.raw


class _Context:
    """An EVP_PKEY_CTX set to RSA without padding; it holds its own reference to the key and is freed with its thread."""

    def __init__(self, library: ctypes.CDLL, key: int) -> None:
        self.pointer = library.EVP_PKEY_CTX_new(key, None)
        if not self.pointer:
            raise _unavailable("OpenSSL is out of memory")
        weakref.finalize(self, library.EVP_PKEY_CTX_free, self.pointer)
        if library.EVP_PKEY_decrypt_init(self.pointer) != 1:
            raise _unavailable("OpenSSL cannot use a ticket key")
        if library.EVP_PKEY_CTX_set_rsa_padding(self.pointer, _NO_PADDING) != 1:
            raise _unavailable("OpenSSL does not offer RSA without padding")


@functools.cache
def _libcrypto() -> ctypes.CDLL | None:
    """Return OpenSSL 3 as loaded by Python itself, or None."""
    try:
        import _hashlib

        library = ctypes.CDLL(_hashlib.__file__)
        pointer, integer, size = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t
        # EVP_PKEY_CTX_set_rsa_padding is a function only since OpenSSL 3; older ones are left to the other path.
        for name, result, arguments in (
            ("d2i_AutoPrivateKey", pointer, (pointer, pointer, ctypes.c_long)),
            ("EVP_PKEY_free", None, (pointer,)),
            ("EVP_PKEY_CTX_new", pointer, (pointer, pointer)),
            ("EVP_PKEY_CTX_free", None, (pointer,)),
            ("EVP_PKEY_decrypt_init", integer, (pointer,)),
            ("EVP_PKEY_CTX_set_rsa_padding", integer, (pointer, integer)),
            ("EVP_PKEY_decrypt", integer, (pointer, pointer, pointer, ctypes.c_char_p, size)),
            ("ERR_clear_error", None, ()),
        ):
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (ImportError, OSError, AttributeError):
        return None
    return library


def _unavailable(what: str) -> MintUnavailable:
    return MintUnavailable(
        f"{what}. Repeat the request; if this comes again, the site's machine needs attention."
    )
